"""Words of the activity log for what happens to plans, cells and instances."""

from django.utils.translation import gettext_lazy as _

from portal.audit import register_actions, register_subjects

register_actions(
    {
        "cell.agent_enrolled": _("Enrolled the agent of %(subject)s"),
        "cell.agent_key_added": _("Gave the agent of %(subject)s a new key"),
        "cell.agent_contested": _("Refused a second agent with the enrolment token of %(subject)s"),
        "cell.agent_disabled": _("Switched the agent of %(subject)s off"),
        "cell.agent_enabled": _("Switched the agent of %(subject)s on"),
        "plan.created": _("Added the plan %(subject)s. Reason: %(reason)s"),
        "plan.changed": _("Changed the plan %(subject)s. Reason: %(reason)s"),
        "release.published": _("Published the release %(subject)s. Reason: %(reason)s"),
        "release.changed": _("Changed the release %(subject)s. Reason: %(reason)s"),
        "hosting_account.opened": _("Opened %(subject)s to host instances of customers. Reason: %(reason)s"),
        "hosting_account.changed": _("Changed how %(subject)s hosts instances of customers. Reason: %(reason)s"),
        "instance.created": _("Created the instance %(subject)s"),
        "instance.modified": _("Changed the instance %(subject)s"),
        "instance.upgraded": _("Upgraded the instance %(subject)s"),
        "instance.downgraded": _("Took the instance %(subject)s back to an earlier version"),
        "instance.stopped": _("Stopped the instance %(subject)s"),
        "instance.started": _("Started the instance %(subject)s"),
        "instance.restarted": _("Restarted the instance %(subject)s"),
        "instance.rolled_back": _("Rolled the instance %(subject)s back"),
        "instance.resynced": _("Resynced the instance %(subject)s"),
        "instance.deletion_started": _("Deleted the instance %(subject)s"),
        "instance.deletion_after_backup_started": _("Asked for the deletion of the instance %(subject)s after a final backup"),
        "instance.deletion_without_backup_started": _("Deleted the instance %(subject)s, without a final backup"),
        "instance.kept": _("Kept the instance %(subject)s after all: called its deletion off"),
        "instance.final_backup_taken": _("Took the final backup of the instance %(subject)s: %(location)s"),
        "instance.final_backup_failed": _("Could not take the final backup of the instance %(subject)s: %(code)s"),
        "instance.deleted": _("Removed what was left of the instance %(subject)s with its cell"),
        "instance.protected": _("Protected the instance %(subject)s from deletion"),
        "instance.unprotected": _("Took the protection from the instance %(subject)s"),
        "cell.resources_kept": _("Kept resources of %(subject)s in the cloud on purpose: %(names)s. Reason: %(reason)s"),
        "cell.resource_released": _("Decided to have a kept resource of %(subject)s removed after all: %(names)s"),
        "cell.drifted": _("Found the cell %(subject)s changed from what was ordered"),
        "cell.in_sync": _("Found the cell %(subject)s as it was ordered again"),
    }
)
register_subjects({"cell": _("Deployment cell"), "instance": _("Instance"), "plan": _("Plan"), "release": _("Release")})

# What the sweep over silent agents found.
register_actions(
    {
        "cell.offline": _("Lost contact with the agent of %(subject)s"),
        "cell.recovered": _("Heard the agent of %(subject)s again"),
        "instance.unhealthy": _("Found the instance %(subject)s unhealthy"),
        "instance.recovered": _("Found the instance %(subject)s well again"),
    }
)
