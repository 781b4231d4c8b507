"""What a worker does for an instance: wait for its cell, then for its agent to have done what was asked.

The wish itself is a row (`InstanceRevision`), written by the act; the agent fetches it. A step only watches what is reported back.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.targets import cloud_names
from cells.models import Cell, Instance
from cells.states import BEFORE_THEIR_CELL, CellState, Health, InstanceState
from cells.telemetry.state import InstanceReport, cell_is_heard, instance_report
from cells.transitions import move_instance, touch_desired
from portal.audit import Actor
from portal.operations.catalogue import Text
from portal.operations.engine import StepContext
from portal.operations.models import Operation
from portal.operations.outcomes import Done, Fail, Outcome, Wait
from portal.operations.registry import Kind, StepSpec, register
from portal.operations.states import Party
from portal.operations.transitions import LostRace

WORKER = Actor.worker("instances")
LOOK_EVERY_SECONDS = 10
DELETIONS = frozenset({"delete_instance", "back_up_and_delete_instance"})
AGENT_PATIENCE = timedelta(minutes=3)
# An agent tries again every minute and reports twice a minute: until then a retry may be looking at the refusal of before.
TRIED_AGAIN_WITHIN = timedelta(seconds=100)


# Whose agent takes up what is asked for.
REACHABLE_CELLS = frozenset({CellState.READY, CellState.UPDATING})


def instance_of(ctx: StepContext) -> Instance:
    return Instance.objects.select_related("cell", "organisation").get(pk=ctx.data["instance"])


def await_cell(ctx: StepContext) -> Outcome:
    """The cell is there, or its own operation says what it waits for. One that has failed may come yet; one that is deleted never will."""
    instance = instance_of(ctx)
    cell = instance.cell
    if cell is None or _is_leaving(cell):
        return Fail("host_gone" if instance.account_id is None else "cell_gone", params={"region": instance.region})
    if cell.state in REACHABLE_CELLS:
        _deploy(instance, cell)
        return Done()
    if instance.state == InstanceState.CREATING:
        move_instance(instance, InstanceState.WAITING_FOR_CELL, by=WORKER, is_recorded=False)
    return _until_cell_comes(instance, cell)


def _is_leaving(cell: Cell) -> bool:
    return cell.state in {CellState.DELETING, CellState.DELETED} or cell.failed_while == CellState.DELETING


def _until_cell_comes(instance: Instance, cell: Cell) -> Wait:
    """Its own operation has budgets enough. Where it has failed, whoever owns the account decides about it."""
    params, is_hosted = {"region": instance.region}, instance.account_id is None
    if cell.state != CellState.FAILED:
        return Wait(30, on=Party.CLOUD, why="host_coming" if is_hosted else "cell_coming", params=params)
    if is_hosted:
        return Wait(60, on=Party.PROVIDER, why="host_failed", params=params)
    return Wait(60, on=Party.YOU, why="cell_failed", params=params)


def _deploy(instance: Instance, cell: Cell) -> None:
    """Told to the agent only where the cell still is: it may have failed since it was read, and be deleted by now. Raises LostRace."""
    if instance.state not in BEFORE_THEIR_CELL:
        return
    with transaction.atomic():
        move_instance(instance, InstanceState.DEPLOYING, by=WORKER, is_recorded=False)
        if not touch_desired(cell.pk, only_in=REACHABLE_CELLS):
            raise LostRace(cell.pk)


def await_applied(ctx: StepContext) -> Outcome:
    """The agent says that the revision asked for is what stands."""
    instance = instance_of(ctx)
    report = instance_report(instance.pk)
    if report and report.revision >= ctx.data["revision"]:
        if not report.problem:
            return Done()
        if ctx.attempt == 1 or ctx.now() - (ctx.step.started_at or ctx.now()) > TRIED_AGAIN_WITHIN:
            return Fail("apply_refused", evidence=report.problem)
    return still_waiting(ctx, instance, "agent_applying")


def await_running(ctx: StepContext) -> Outcome:
    return _await(ctx, lambda report: report.is_running and report.health == Health.HEALTHY, "instance_settling")


def await_stopped(ctx: StepContext) -> Outcome:
    return _await(ctx, lambda report: not report.is_running, "instance_stopping")


def await_wished(ctx: StepContext) -> Outcome:
    """Running or stopped, as its revision says."""
    return await_running(ctx) if ctx.data["is_running"] else await_stopped(ctx)


def _await(ctx: StepContext, is_so: Callable[[InstanceReport], bool], why: str) -> Outcome:
    instance = instance_of(ctx)
    report = instance_report(instance.pk)
    if report and report.revision >= ctx.data["revision"] and is_so(report):
        return Done()
    return still_waiting(ctx, instance, why)


def await_gone(ctx: StepContext) -> Outcome:
    """The agent says that nothing is left of it. Where no agent was ever told, nothing can be."""
    instance = instance_of(ctx)
    cell = instance.cell
    if cell is None or cell.state == CellState.DELETED or not ctx.data["was_deployed"]:
        return Done()
    report = instance_report(instance.pk)
    if report and report.is_removed:
        return Done()
    return still_waiting(ctx, instance, "instance_removing")


def still_waiting(ctx: StepContext, instance: Instance, why: str) -> Wait:
    """Waits name the agent where it has not been heard for a while: then nothing goes on until it is back."""
    if instance.cell_id and not cell_is_heard(instance.cell_id, within=AGENT_PATIENCE):
        return Wait(LOOK_EVERY_SECONDS, on=Party.CLOUD, why="agent_silent")
    return Wait(LOOK_EVERY_SECONDS, on=Party.PROVIDER, why=why)


# --- Endings ---------------------------------------------------------------------------------------------------------


def _locked(operation: Operation) -> Instance:
    return Instance.objects.select_for_update().get(pk=operation.subject_id)


def _settled(operation: Operation) -> None:
    instance = _locked(operation)
    to = InstanceState.RUNNING if operation.data["is_running"] else InstanceState.STOPPED
    if instance.state != to:
        move_instance(instance, to, by=WORKER, is_recorded=False)


def _deleted(operation: Operation) -> None:
    instance = _locked(operation)
    if instance.state == InstanceState.DELETING:
        move_instance(instance, InstanceState.DELETED, by=WORKER, is_recorded=False)
        if instance.cell_id:
            touch_desired(instance.cell_id)


def _failed(operation: Operation) -> None:
    instance = _locked(operation)
    if instance.state not in {InstanceState.RUNNING, InstanceState.STOPPED, InstanceState.FAILED, InstanceState.DELETED}:
        move_instance(instance, InstanceState.FAILED, by=WORKER, code=operation.failure_code or "stopped", is_recorded=False)


def _retried(operation: Operation) -> None:
    instance = _locked(operation)
    if instance.state == InstanceState.FAILED:
        move_instance(instance, InstanceState(instance.failed_while), by=WORKER, is_recorded=False)
        if instance.cell_id:
            touch_desired(instance.cell_id)


def why_not_retry(operation: Operation) -> str:
    """Empty while the instance still is where this attempt left it."""
    instance = Instance.objects.filter(pk=operation.subject_id, state=InstanceState.FAILED).first()
    newest = Operation.objects.for_subject("instance", operation.subject_id).newest_first().first()
    if instance and newest and newest.pk == operation.pk:
        return ""
    return str(_("The instance has moved on since this attempt. Go on from the instance's own page."))


def instance_url(operation: Operation) -> str:
    return reverse("cells:instance_detail", args=[operation.organisation.slug, operation.subject_id])


def names(operation: Operation) -> dict[str, object]:
    return {**cloud_names(operation.data["cloud"]), "region": operation.data.get("region", ""), "instance": operation.subject_label}


_APPLIED = StepSpec(
    "applied",
    _("The agent applies what was asked for"),
    await_applied,
    budget=timedelta(minutes=20),
    late_code="not_applied",
)


def register_kind(name: str, title: Text, *steps: StepSpec, **more: Any) -> None:
    """A kind of operation on an instance, with the endings that all of them share."""
    register(
        Kind(
            name=name,
            title=title,
            steps=steps,
            on_succeeded=_deleted if name in DELETIONS else _settled,
            on_failed=_failed,
            on_cancelled=_failed,
            on_retried=_retried,
            why_not_retry=why_not_retry,
            subject_url=instance_url,
            names=names,
            is_cancellable=False,
            retry_note=_("What was done is kept. The rest is tried again."),
            **more,
        )
    )


GONE = StepSpec("gone", _("The agent removes the instance"), await_gone, budget=timedelta(minutes=30), late_code="not_removed")
_RUNNING = StepSpec("running", _("The instance runs and is healthy"), await_running, budget=timedelta(minutes=20), late_code="not_healthy")
_SETTLED = StepSpec("settled", _("The instance is as asked for"), await_wished, budget=timedelta(minutes=20), late_code="not_healthy")
_STOPPED = StepSpec("stopped", _("The instance has stopped"), await_stopped, budget=timedelta(minutes=15), late_code="not_stopped")

register_kind(
    "create_instance",
    _("Create instance"),
    StepSpec(
        "cell",
        _("The deployment cell is ready"),
        await_cell,
        actor=Party.CLOUD,
        budget=timedelta(days=30),
        late_code="cell_not_ready",
    ),
    _APPLIED,
    _RUNNING,
)
register_kind("keep_instance", _("Keep instance"), _APPLIED, _SETTLED)
register_kind("modify_instance", _("Change instance"), _APPLIED, _SETTLED)
register_kind("upgrade_instance", _("Upgrade instance"), _APPLIED, _SETTLED)
register_kind("downgrade_instance", _("Take instance back to an earlier version"), _APPLIED, _SETTLED)
register_kind("start_instance", _("Start instance"), _APPLIED, _RUNNING)
register_kind("restart_instance", _("Restart instance"), _APPLIED, _RUNNING)
register_kind("stop_instance", _("Stop instance"), _APPLIED, _STOPPED)
register_kind(
    "delete_instance",
    _("Delete instance"),
    GONE,
)
