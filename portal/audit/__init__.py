"""The tamper-evident activity log: one hash chain per organisation, written inside the business transaction.

`record(...)` writes one event; `Actor` and `Subject` say who and on what; `register_actions` gives codes their words. The format and
the hash are described, exactly, in `portal/audit/verify.py`, the one file a customer runs to check an export.
"""

from typing import TYPE_CHECKING, Any

from portal.audit.parties import Actor, ActorKind, Subject
from portal.audit.words import register_actions, register_codes, register_fields, register_subjects

if TYPE_CHECKING:
    from portal.audit.recording import Entry, record, record_all

__all__ = [
    "Actor",
    "ActorKind",
    "Entry",
    "Subject",
    "record",
    "record_all",
    "register_actions",
    "register_codes",
    "register_fields",
    "register_subjects",
]


def __getattr__(name: str) -> Any:
    # Recording needs the models, and Django imports this package before models may be imported.
    if name in {"Entry", "record", "record_all"}:
        from portal.audit import recording  # noqa: PLC0415

        return getattr(recording, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
