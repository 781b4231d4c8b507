"""What provider staff change of the offer: plans with their sizes, releases, and the accounts that host. Each change gives a reason."""

from collections.abc import Iterable

from django.db import transaction

from accounts.models import User
from cells.models import HostingAccount, Plan, Release
from portal.audit import Actor, Subject, record


def record_plan(plan: Plan, *, by: User, reason: str, fields: Iterable[str], is_new: bool) -> None:
    """The platform's chain: a plan is every customer's alike."""
    subject = Subject(kind="plan", id=str(plan.pk), label=str(plan))
    _record(subject, "plan.created" if is_new else "plan.changed", by, reason, fields)


def record_release(release: Release, *, by: User, reason: str, fields: Iterable[str], is_new: bool) -> None:
    subject = Subject(kind="release", id=str(release.pk), label=f"{release.plan} {release.version}")
    _record(subject, "release.published" if is_new else "release.changed", by, reason, fields)


def record_host(host: HostingAccount, *, by: User, reason: str, fields: Iterable[str], is_new: bool) -> None:
    """In the chain of the account's own organisation: whoever connected it reads that others may run there."""
    subject = Subject(kind="cloud_account", id=str(host.account_id), label=str(host.account))
    action = "hosting_account.opened" if is_new else "hosting_account.changed"
    with transaction.atomic():
        details = {"reason": reason, "hosting": host.hosting, "fields": ", ".join(fields)}
        record(organisation_id=host.account.organisation_id, action=action, actor=Actor.user(by), subject=subject, details=details)


def _record(subject: Subject, action: str, by: User, reason: str, fields: Iterable[str]) -> None:
    with transaction.atomic():
        details = {"reason": reason, "fields": ", ".join(fields)}
        record(organisation_id=None, action=action, actor=Actor.user(by), subject=subject, details=details)
