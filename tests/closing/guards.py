"""What the guards must know of the closing of an organisation."""

from collections.abc import Callable
from typing import Any

from accounts.models import Organisation, User

Make = Callable[[Organisation, User], Any]

ONE_EVENT: dict[str, tuple[Make | None, dict[str, Any], str]] = {
    "closing:closing_export": (None, {}, "organisation.exported"),
}
TENANCY_PATHS = {"closing.Closing": "organisation"}
WITHOUT_TENANT = {"closing.Erasure": "outlives the organisation: its id, a term and numbers, and nothing of anybody"}
