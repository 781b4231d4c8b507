"""Environments for tests: a connected account, and assessments of it with any findings. Keywords only."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from django.utils import timezone

from accounts.environment.assessments import CHECK_ENVIRONMENT, environment_of
from accounts.kits import load
from accounts.models import Assessment, CloudAccount, EnvironmentFinding, Organisation, User
from accounts.states import AccountState
from portal.operations.models import Operation, Step
from portal.operations.registry import kind_of
from portal.operations.states import OperationState
from tests.factories import make_cloud_account, make_kit


def make_connected_account(*, organisation: Organisation, created_by: User | None = None, **fields: Any) -> CloudAccount:
    """An account whose trust stands, with its kit."""
    fields = {"state": AccountState.CONNECTED, "connected_at": timezone.now(), "home_region": "eu-west-1"} | fields
    account = make_cloud_account(organisation=organisation, created_by=created_by, **fields)
    make_kit(account=account)
    return account


def make_assessment(
    *,
    account: CloudAccount,
    verdicts: Mapping[str, str] | None = None,
    region: str = "",
    by: User | None = None,
    state: OperationState = OperationState.SUCCEEDED,
    **fields: Any,
) -> Assessment:
    """A look that has ended: every check passed but those in `verdicts`. With another `state` of its operation it has no end."""
    region = region or account.home_region
    assessment = Assessment(
        account=account,
        region=region,
        trigger="person" if by else "schedule",
        requested_by=by,
        kit_version="1.3.0",
        operation=_make_operation(account, region, state),
    )
    checks = [check.name for check in load(account.cloud).environment_checks]
    told = dict.fromkeys(checks, "pass") | dict(verdicts or {})
    if state == OperationState.SUCCEEDED:
        assessment.finished_at = assessment.looked_at = timezone.now()
        counted = list(told.values())
        for column, verdict in {"passed": "pass", "warned": "warn", "blocked": "block", "unknown": "unknown"}.items():
            setattr(assessment, column, counted.count(verdict))
    for name, value in fields.items():
        setattr(assessment, name, value)
    assessment.save(force_insert=True)
    EnvironmentFinding.objects.bulk_create(
        EnvironmentFinding(assessment=assessment, name=name, verdict=verdict) for name, verdict in told.items() if verdict
    )
    return assessment


def _make_operation(account: CloudAccount, region: str, state: OperationState) -> Operation:
    subject, has_ended = environment_of(account, region), state in {OperationState.SUCCEEDED, OperationState.FAILED}
    operation = Operation.objects.create(
        kind=CHECK_ENVIRONMENT,
        subject_kind=subject.kind,
        subject_id=subject.id,
        subject_label=subject.label,
        organisation=account.organisation,
        idempotency_key=str(uuid4()),
        state=state,
        failure_code="environment_not_asked" if state == OperationState.FAILED else "",
        next_run_at=None if has_ended else timezone.now(),
        ended_at=timezone.now() if has_ended else None,
        data={"account": str(account.pk), "region": region, "cloud": account.cloud, "only": []},
    )
    steps = kind_of(CHECK_ENVIRONMENT).steps
    Step.objects.bulk_create(Step(operation=operation, position=at, name=spec.name) for at, spec in enumerate(steps, start=1))
    return operation
