"""What an agent says of a last backup: written once. The same again is answered alike."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from cells.models import AgentKey, FinalBackup, Instance
from cells.protocol.backup_documents import BackupAnswer, BackupResult, TakenBackup
from cells.protocol.parsing import AHEAD_S
from cells.protocol.problems import Problem
from cells.telemetry.bells import ring_instances
from cells.transitions import subject_of_instance, touch_desired
from portal.audit import Actor, record

AGENT = Actor.system("agent")
Outcome = FinalBackup.Outcome
# The clock of a cluster may be that much slow. What was taken earlier was not taken for this deletion.
SLOW = timedelta(minutes=10)


def take_backup(result: BackupResult, key: AgentKey) -> BackupAnswer:
    """Raises Problem for a backup that this cell was not asked for, and for a result that says two things."""
    if (result.outcome == "done") != (result.taken is not None) or (result.outcome == "failed") != bool(result.code):
        raise Problem("malformed", "A backup that is done says where it lies, one that has failed says a code.", more={"field": "$"})
    known = FinalBackup.objects.filter(pk=result.backup, cell=key.cell_id).first()
    if known is None:
        raise Problem("backup_unknown", "This cell was not asked for it.")
    with transaction.atomic():
        # The instance first, as everywhere.
        instance = Instance.objects.select_for_update(of=("self",)).get(pk=known.instance_id)
        row = FinalBackup.objects.select_for_update(of=("self",)).get(pk=known.pk)
        if row.outcome == Outcome.NONE or (row.outcome == Outcome.GIVEN_UP and result.taken is not None):
            _write(row, instance, result)
    return BackupAnswer(outcome="kept" if row.outcome in {Outcome.TAKEN, Outcome.FAILED} else "dropped")


def _write(row: FinalBackup, instance: Instance, result: BackupResult) -> None:
    """One that was given up and is there all the same is told too: it lies in the customer's cloud, and costs there."""
    row.ended_at = timezone.now()
    row.code = result.code
    if result.taken is not None:
        row.code = _why_not(row, result.taken)
    row.outcome = Outcome.FAILED if row.code else Outcome.TAKEN
    if result.taken is not None and not row.code:
        row.location, row.bytes = result.taken.location, result.taken.bytes
        row.sha256, row.taken_at = result.taken.sha256, result.taken.taken_at
    row.save()
    touch_desired(row.cell_id)
    ring_instances([instance.pk])
    details = {"location": row.location, "bytes": row.bytes, "sha256": row.sha256} if row.taken_at else {"code": row.code}
    record(
        organisation_id=instance.organisation_id,
        action="instance.final_backup_taken" if row.taken_at else "instance.final_backup_failed",
        actor=AGENT,
        subject=subject_of_instance(instance),
        details=details,
    )


def _why_not(row: FinalBackup, taken: TakenBackup) -> str:
    """Empty for one that can have been taken for this deletion."""
    if taken.taken_at > timezone.now() + timedelta(seconds=AHEAD_S):
        return "backup_in_the_future"
    return "backup_too_old" if taken.taken_at < row.asked_at - SLOW else ""
