"""Checking the environment: start a look, find the newest one, and say whether anything may be built on it.

The floors above ask `why_not_build` before they touch a region.
"""

import uuid
from collections.abc import Sequence
from dataclasses import asdict

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.availability import why_not_use
from accounts.environment.needs import needs_of
from accounts.models import Assessment, CloudAccount, EnvironmentFinding, Kit, User
from accounts.states import KitState, Use
from portal.audit import Subject
from portal.operations.engine import OperationInProgress, start

CHECK_ENVIRONMENT = "check_environment"
SUBJECT_KIND = "environment"


def environment_of(account: CloudAccount, region: str) -> Subject:
    """One region of one account: apart from the account itself, whose own operations go on meanwhile."""
    return Subject(kind=SUBJECT_KIND, id=subject_id(account, region), label=f"{account}, {region}")


def subject_id(account: CloudAccount, region: str) -> str:
    return f"{account.pk.hex}:{region}"


def newest_assessment(account: CloudAccount, region: str) -> Assessment | None:
    """The newest one that came to an end."""
    return account.assessments.for_region(region).finished().newest_first().first()


def why_not_build(account: CloudAccount, region: str) -> str:
    """Empty when trust holds, and the newest assessment of this region is fresh and nothing in it blocks a cell."""
    return why_not_use(account, Use.BUILD) or _why_not_ready(account, region)


def _why_not_ready(account: CloudAccount, region: str) -> str:
    newest = newest_assessment(account, region)
    if newest is None:
        return _("Region %(region)s of this account has not been checked yet. Check its environment first.") % {"region": region}
    if not newest.is_fresh:
        return _("Region %(region)s was last checked too long ago. Check its environment again.") % {"region": region}
    if newest.blocked:
        return _("The environment of %(region)s blocks a deployment cell. Its page says what to do.") % {"region": region}
    return ""


def start_assessment(
    account: CloudAccount,
    region: str,
    *,
    trigger: Assessment.Trigger,
    by: User | None = None,
    only: Sequence[str] = (),
    idempotency_key: str = "",
) -> Assessment:
    """A look at one region, in the caller's transaction. `only` names checks to ask again; the other answers are kept.

    Asked for by a person it leaves one event, by itself none but its end. Raises OperationInProgress while one is under way.
    """
    kit = account.kits.get(state=KitState.CURRENT)
    previous = newest_assessment(account, region) if only else None
    fresh = Assessment(account=account, region=region, trigger=trigger, requested_by=by, kit_version=kit.version)
    fresh.needs = asdict(needs_of(account))
    operation = start(
        kind=CHECK_ENVIRONMENT,
        subject=environment_of(account, region),
        organisation_id=account.organisation_id,
        by=by,
        idempotency_key=idempotency_key,
        data=_data(fresh, kit, only=list(only) if previous else []),
        is_recorded=by is not None,
    )
    if operation.data["assessment"] != str(fresh.pk):
        return Assessment.objects.get(pk=operation.data["assessment"])
    fresh.operation = operation
    fresh.save(force_insert=True)
    if previous:
        _keep_answers(previous, fresh, but=only)
    return fresh


def _data(assessment: Assessment, kit: Kit, *, only: list[str]) -> dict[str, object]:
    account = assessment.account
    return {
        "account": str(account.pk),
        "kit": str(kit.pk),
        "cloud": account.cloud,
        "region": assessment.region,
        "assessment": str(assessment.pk),
        "only": only,
    }


def _keep_answers(previous: Assessment, fresh: Assessment, *, but: Sequence[str]) -> None:
    kept = list(previous.findings.exclude(name__in=but))
    for finding in kept:
        finding.pk, finding.assessment = None, fresh
    EnvironmentFinding.objects.bulk_create(kept)


def check_after_connecting(account: CloudAccount) -> None:
    """Start a look once the connection is committed. Whatever goes wrong here is logged, and the schedule finds the account."""

    def start_after_connecting() -> None:  # no partial: Django logs a robust hook that raised by its __qualname__
        _start_by_itself(account.pk, Assessment.Trigger.CONNECTED)

    transaction.on_commit(start_after_connecting, robust=True)


def start_by_schedule(account_id: uuid.UUID) -> bool:
    """False when there was nothing to start: another look is under way, or the account is no longer connected."""
    return _start_by_itself(account_id, Assessment.Trigger.SCHEDULE)


def _start_by_itself(account_id: uuid.UUID, trigger: Assessment.Trigger) -> bool:
    with transaction.atomic():
        account = CloudAccount.objects.select_for_update().get(pk=account_id)
        if account.obstacle_to(Use.CHECK) or not account.kits.filter(state=KitState.CURRENT).exists():
            return False
        try:
            start_assessment(account, account.home_region, trigger=trigger)
        except OperationInProgress:
            return False
    return True
