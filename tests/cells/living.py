"""Cells and instances that really live in a test: ordered at a local cloud, with the agent that their machine starts."""

import time
from collections.abc import Callable
from datetime import timedelta
from io import StringIO

from django.core.management import call_command
from django.db.models import F

from cells.actions.instances import Wish
from cells.models import Instance
from portal.operations.driver import advance
from portal.operations.models import Operation, Step
from portal.operations.states import OperationState
from tests.clouds.gcp.cells import addresses
from tests.hands import process
from tests.kill import lose_lease

COLUMNS = ("kind", "state", "waiting_why", "waiting_params", "failure_code", "failure_params", "failure_evidence")


def publish_plan(sandbox, monkeypatch):
    """Infrastructure Manager reads a plan from the provider's bucket."""
    for name, value in addresses(process(sandbox)).items():
        monkeypatch.setenv(name, value)
    call_command("publish_plans", stdout=StringIO())


def wish(account, plan, **values) -> Wish:
    """In the account of the customer, or where the provider hosts."""
    given = {"release": plan.releases.get(version="1.0.0"), "size": plan.sizes.first(), "parameters": {}}
    place = {"cloud": account.cloud, "region": account.home_region, "account": account if plan.needs_account else None}
    return Wish(plan=plan, **{**given, **place, **values})


def turn(only: str = "") -> None:
    """Workers at work on everything that is under way, or on this kind of it, with every wait over."""
    for pk in Operation.objects.live().filter(**{"kind": only} if only else {}).values_list("pk", flat=True):
        lose_lease(pk)
        advance(pk)


def _reached() -> list[tuple[object, ...]]:
    return list(Step.objects.order_by("pk").values_list("pk", "state", "operation__state"))


def drive(until: Callable[[], object], seconds: float = 90.0, *, only: str = "") -> None:
    """Turns until this is so. Between two that have moved nothing, the clouds and the agents get a moment for theirs."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = _reached()
        turn(only)
        if until():
            return
        if _reached() == before:
            time.sleep(0.2)
    raise AssertionError(f"not reached: {list(Operation.objects.values_list(*COLUMNS))}")


def drive_to_end() -> None:
    """Until nothing is under way, and nothing has failed."""
    drive(lambda: not Operation.objects.live().exists())
    failed = [(o.kind, o.failure_code, o.failure_params, o.failure_evidence) for o in Operation.objects.filter(state=OperationState.FAILED)]
    assert not failed, "\n".join(map(str, failed))


def newest(kind: str) -> Operation:
    return Operation.objects.filter(kind=kind).newest_first()[0]


def drive_to_failure(kind: str) -> Operation:
    drive(lambda: newest(kind).state == OperationState.FAILED)
    return newest(kind)


def drive_to_wait(kind: str, why: str) -> Operation:
    drive(lambda: newest(kind).waiting_why == why and newest(kind).state == OperationState.WAITING)
    return newest(kind)


def let_time_pass(operation: Operation, minutes: float) -> None:
    """For the step that waits: as if it had begun, and begun to wait, so much earlier."""
    past = timedelta(minutes=minutes)
    waiting = Step.objects.filter(operation=operation, state="waiting")
    assert waiting.update(deadline=F("deadline") - past, waiting_since=F("waiting_since") - past, started_at=F("started_at") - past)


def states() -> list[tuple[str, str]]:
    return sorted(Instance.objects.values_list("name", "state"))


def machines(sandbox) -> list[dict]:
    """The machines of agents, in all clouds."""
    return sandbox.control("GET", "agents")


def workloads(sandbox) -> list[str]:
    """Which instance each process that runs in a cell belongs to."""
    return sorted(load["instance"] for host in machines(sandbox) for load in host["workloads"])
