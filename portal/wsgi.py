"""WSGI entry for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django = get_wsgi_application()

from cells.telemetry.intake.wsgi import ReportsFirst  # noqa: E402  its models need Django
from portal.collector import settle  # noqa: E402

application = ReportsFirst(django)
settle()
