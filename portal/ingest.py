"""Takes the reports of agents beside Django: `uvicorn portal.ingest:application` (README, section 'Going to production')."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from cells.telemetry.intake.asgi import Ingest  # noqa: E402  its models need Django
from portal.collector import settle  # noqa: E402

application = Ingest()
settle()
