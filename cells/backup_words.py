"""Why a final backup was not taken, in words. The codes are the agent's, and two of the portal's own."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

REASONS: dict[str, str | Promise] = {
    "apply_failed": _("The cluster refused to begin the backup."),
    "backup_in_the_future": _("What was told of it is dated in the future: the clock of the cell is wrong, or it is of another instance."),
    "backup_job_failed": _("The backup job of this version has failed in the cluster."),
    "backup_job_gone": _("The backup job was removed from the cluster before its end was seen."),
    "backup_not_offered": _("This version brings no backup job, although its plan has backups."),
    "backup_not_written": _("The backup could not be written where backups are kept."),
    "backup_report_unreadable": _("The backup job has ended, but did not say where the backup lies, how large it is and its hash."),
    "backup_too_old": _("The backup job told of a backup from before it was asked for."),
    "not_permitted": _("The cluster does not allow the agent to begin a backup. A newer kit may give it the right."),
    "nothing_to_back_up": _("The instance has kept no data in its cell."),
    "quota_exceeded": _("The cluster has no room for the backup job."),
}


def reason(code: str) -> str:
    """A sentence; of a code that is not known, what it means for the reader."""
    return str(REASONS.get(code, _("The agent says a reason that this portal does not know.")))
