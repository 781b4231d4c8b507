"""The doorbell: Celery carries "drive operation X" and the schedule, and keeps no state (docs/decisions.md)."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging
from django_structlog.celery.steps import DjangoStructLogInitStep

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.autodiscover_tasks(["accounts"], related_name="mail")
app.steps["worker"].add(DjangoStructLogInitStep)
app.conf.broker_transport_options = {"visibility_timeout": 900, "unacked_restore_interval": 5, "unacked_restore_throttle": 1}
app.conf.beat_schedule = {
    "operations-ring-due": {"task": "portal.operations.tasks.ring_due_operations", "schedule": 2.0},
    "accounts-send-due-mails": {"task": "accounts.mail.send_due_mails", "schedule": 5.0},
    "accounts-check-environments": {"task": "accounts.tasks.check_environments", "schedule": 60.0},
    "accounts-watch-due-accounts": {"task": "accounts.tasks.watch_due_accounts", "schedule": 10.0},
    "accounts-tidy-trust-watch": {"task": "accounts.tasks.tidy_trust_watch", "schedule": 3600.0},
    "support-lapse-due-requests": {"task": "accounts.support.tasks.lapse_due_requests", "schedule": 15.0},
    "support-open-due-grants": {"task": "accounts.support.tasks.open_due_grants", "schedule": 2.0},
    "support-close-ending-grants": {"task": "accounts.support.tasks.close_ending_grants", "schedule": 2.0},
    "support-tend-acts": {"task": "accounts.support.tasks.tend_acts", "schedule": 5.0},
    "support-write-due-receipts": {"task": "accounts.support.tasks.write_due_receipts", "schedule": 30.0},
    "support-expire-due-bundles": {"task": "accounts.support.tasks.expire_due_bundles", "schedule": 60.0},
    "support-review-ended-grants": {"task": "accounts.support.tasks.review_ended_grants", "schedule": 60.0},
    "support-end-due-grants": {"task": "accounts.support.tasks.end_due_grants", "schedule": 2.0},
    "closing-close-due-organisations": {"task": "accounts.closing.tasks.close_due_organisations", "schedule": 30.0},
    "closing-erase-what-is-over": {"task": "accounts.closing.tasks.erase_what_is_over", "schedule": 3600.0},
    "cells-sweep-agents": {"task": "cells.tasks.sweep_agents", "schedule": 15.0},
    "cells-tend-agent-orders": {"task": "cells.tasks.tend_agent_orders", "schedule": 5.0},
    "cells-keep-history": {"task": "cells.tasks.keep_history", "schedule": 3600.0},
    "cells-compare-due-cells": {"task": "cells.tasks.compare_due_cells", "schedule": 60.0},
    "accounts-rotate-issuer-keys": {"task": "accounts.tasks.rotate_issuer_keys", "schedule": 3600.0},
}


@setup_logging.connect
def keep_our_logging(**kwargs: Any) -> None:
    """Celery would put its own handlers in place; Django's settings have configured ours already."""
