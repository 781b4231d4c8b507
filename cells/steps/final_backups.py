"""What a worker does for a last backup: have the agent asked for it, and only once it stands tell the agent to remove the instance."""

from datetime import timedelta

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from cells.models import FinalBackup, Instance
from cells.states import InstanceState
from cells.steps.instances import GONE, WORKER, instance_of, register_kind, still_waiting
from cells.transitions import move_instance, touch_desired
from portal.operations.engine import StepContext
from portal.operations.models import Operation
from portal.operations.outcomes import Done, Fail, Outcome
from portal.operations.registry import StepSpec
from portal.operations.transitions import LostRace

# Of a large instance it takes hours. Until then the page says that it is under way.
LONGEST = timedelta(hours=6)
# One of an attempt before: the instance has run on since then.
FRESH = timedelta(hours=1)


def await_backup(ctx: StepContext) -> Outcome:
    """The agent says where the backup lies. Its failure ends the attempt, and leaves the instance as it is."""
    instance = instance_of(ctx)
    if instance.state == InstanceState.DELETING:  # whoever was killed here had told the agent
        return Done()
    backup = _backup_of(ctx, instance)
    if backup.outcome == FinalBackup.Outcome.TAKEN:
        _remove(instance)
        return Done()
    if backup.ended_at:
        return Fail("final_backup_failed", evidence=backup.code)
    return still_waiting(ctx, instance, "final_backup_under_way")


def _backup_of(ctx: StepContext, instance: Instance) -> FinalBackup:
    """One a try: a retry asks for another where the one before has failed or grown old, and for the same where nobody has answered.

    Raises LostRace.
    """
    newest = FinalBackup.objects.filter(operation=ctx.operation).order_by("-attempt").first()
    if newest and (newest.attempt == ctx.attempt or newest.ended_at is None or _is_fresh(newest, ctx)):
        return newest
    assert instance.cell_id is not None
    with transaction.atomic():
        locked = Instance.objects.select_for_update(of=("self",)).get(pk=instance.pk)
        if locked.state != InstanceState.BACKING_UP or not Operation.objects.live().filter(pk=ctx.operation.pk).exists():
            raise LostRace(instance.pk)  # kept after all since it was read
        asked, is_new = FinalBackup.objects.get_or_create(
            operation=ctx.operation, attempt=ctx.attempt, defaults={"instance": instance, "cell_id": instance.cell_id}
        )
        if is_new:
            touch_desired(instance.cell_id)
    return asked


def _is_fresh(backup: FinalBackup, ctx: StepContext) -> bool:
    return backup.taken_at is not None and backup.taken_at > ctx.now() - FRESH


def _remove(instance: Instance) -> None:
    """Raises LostRace."""
    with transaction.atomic():
        move_instance(instance, InstanceState.DELETING, by=WORKER, is_recorded=False)
        assert instance.cell_id is not None
        touch_desired(instance.cell_id)


def _without(operation: Operation) -> str:
    """The page that deletes it without one, as long as its backup is what has failed."""
    instance = Instance.objects.select_related("organisation").filter(pk=operation.subject_id).first()
    if instance is None or instance.failed_while != InstanceState.BACKING_UP:
        return ""
    return reverse("cells:instance_delete", args=[instance.organisation.slug, instance.pk])


register_kind(
    "back_up_and_delete_instance",
    _("Delete instance after a final backup"),
    StepSpec("backup", _("The agent takes a final backup"), await_backup, budget=LONGEST, late_code="final_backup_late"),
    GONE,
    way_on_url=_without,
    way_on=_("Delete without a final backup"),
    cancel_note=_("The deletion was called off. It has removed nothing of the instance."),
    below="cells/instances/_final_backups.html",
)
