"""What the guards must know of the closing of an organisation."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.closing.models import Closing
from accounts.models import Organisation, User

Make = Callable[[Organisation, User], Any]


def make_closing(organisation: Organisation, by: User, **fields: Any) -> Closing:
    """A planned one, by its row alone."""
    asked = {"requested_at": timezone.now() - timedelta(days=1), "scheduled_for": timezone.now() + timedelta(days=6)}
    return Closing.objects.create(organisation=organisation, requested_by=by, **asked | fields)


def make_closed(organisation: Organisation, by: User, *, days_ago: float = 0) -> Closing:
    """One that was carried out, by its row alone."""
    at = timezone.now() - timedelta(days=days_ago)
    Organisation.objects.filter(pk=organisation.pk).update(closed_at=at)
    times = {"requested_at": at - timedelta(days=7), "scheduled_for": at, "closed_at": at}
    return make_closing(organisation, by, state="closed", **times)


ONE_EVENT: dict[str, tuple[Make | None, dict[str, Any], str]] = {
    "closing:closing_export": (None, {}, "organisation.exported"),
    "closing:closing_start": (None, {"when": "week", "name": "Acme"}, "organisation.closing_planned"),
}
SCENES = {"closing:closing_cancel"}
TENANCY_PATHS = {"closing.Closing": "organisation"}
WITHOUT_TENANT = {
    "closing.Erasure": "outlives the organisation: its id, a term and numbers, and nothing of anybody",
    "audit.ChainEnd": "when a chain has ended; its key is the organisation's id, and it holds no content",
}
TASKS = {
    "accounts.closing.tasks.close_due_organisations": "each row by itself and in its own transaction; a second run finds nothing due",
    "accounts.closing.tasks.erase_what_is_over": "ids of what is over, reads no content; a second bell finds the rows gone",
    "accounts.closing.tasks.erase_term": "one closed organisation's id; batches under a lock, each counted with its deletion",
}
# In tests/browser: which pages are looked at by test_closing, and what is none.
LOOKED_AT = ("closing:closing_home", "closing:closing_start", "closing:closing_cancel", "closing:closing_done")
NO_PAGE = {**dict.fromkeys(LOOKED_AT, "visited by tests/browser/test_closing.py"), "closing:closing_export": "a file"}
