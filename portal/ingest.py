"""Takes the reports of agents beside Django: `uvicorn portal.ingest:application` (README, section 'Going to production')."""

import gc
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from cells.telemetry.intake.asgi import Ingest  # noqa: E402  its models need Django

application = Ingest()
# Thousands of documents a second come and go by counting references; looking for rings among them, and through all of Django each time,
# took a third of this process. What was loaded is never looked through again, what comes seldom.
gc.collect()
gc.freeze()
gc.set_threshold(100_000, 20, 100)
