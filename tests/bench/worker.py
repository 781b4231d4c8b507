"""Celery as the product runs it, knowing the bench's kind of operation too."""

import django

django.setup()

from portal.celery import app  # noqa: E402
from tests.bench import ten_steps  # noqa: E402, F401

__all__ = ["app"]
