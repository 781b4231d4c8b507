"""A grant on an account that stands in the local AWS, and the engine driven by hand: for opening, acts, ending and receipts."""

from typing import Any

from accounts.support.models import AccessRequest, Door
from accounts.support.tasks import close_ending_grants, open_due_grants
from portal.operations.driver import advance
from portal.operations.models import Operation
from tests.kill import lose_lease
from tests.standing import Standing
from tests.support.factories import make_granted

AWS = "aws"


def make_standing_grant(standing: Standing, **fields: Any) -> AccessRequest:
    """Approved, for now, on the account itself."""
    account = standing.account
    return make_granted(organisation=account.organisation, account=account, **fields)


def newest(kind: str) -> Operation:
    return Operation.objects.filter(kind=kind).newest_first()[0]


def drive(kind: str, *, rounds: int = 20) -> Operation:
    """The newest operation of this kind to its end, with its waits over."""
    operation = newest(kind)
    for _round in range(rounds):
        if not operation.is_live:
            return operation
        lose_lease(operation.pk)
        advance(operation.pk)
        operation.refresh_from_db()
    raise AssertionError((operation.state, operation.waiting_why, operation.failure_code))


def open_access(request: AccessRequest) -> Door:
    """As the schedule and a worker do it."""
    assert open_due_grants() == 1
    operation = drive("open_support_access")
    assert operation.state == "succeeded", (operation.failure_code, operation.failure_evidence)
    request.refresh_from_db()
    assert request.state == "active"
    return request.doors.get(shut_at=None)


def close_access(request: AccessRequest) -> Operation:
    close_ending_grants()
    operation = drive("close_support_access")
    request.refresh_from_db()
    return operation
