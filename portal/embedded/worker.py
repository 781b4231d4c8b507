"""Celery in the demo: one process that works and, in a thread, keeps the schedule. `celery --beat` would fork a second one of 60 MB."""

import os
from threading import Thread
from typing import Any

from celery.beat import Service
from celery.signals import worker_ready, worker_shutting_down

from portal.celery import app

__all__ = ["app"]

beat = Service(app, schedule_filename=os.environ["PORTAL_DEMO_SCHEDULE"])


@worker_ready.connect
def start_beat(**_: Any) -> None:
    Thread(target=beat.start, name="beat", daemon=True).start()


@worker_shutting_down.connect
def stop_beat(**_: Any) -> None:
    beat.stop(wait=False)
