"""Celery in the demo: one process that works and, in a thread, keeps the schedule. `celery --beat` would fork a second one of 60 MB."""

import os
from typing import Any

from celery.beat import EmbeddedService
from celery.signals import worker_ready, worker_shutting_down

from portal.celery import app

__all__ = ["app"]

beat = EmbeddedService(app, schedule_filename=os.environ["PORTAL_DEMO_SCHEDULE"], thread=True)


@worker_ready.connect
def start_beat(**_: Any) -> None:
    beat.daemon = True
    beat.start()


@worker_shutting_down.connect
def stop_beat(**_: Any) -> None:
    beat.service.stop(wait=False)
