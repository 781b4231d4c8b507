"""Words for what can happen to cells and instances: every failure in four parts, every wait with its next act.

Placeholders are the params of the outcome; the reference is the operation's own.
"""

from django.utils.translation import gettext_lazy as _

from portal.operations.catalogue import FailureText, WaitText, register_failures, register_waits

KEPT = _("What was built so far stays in your account, and costs what such resources cost. Nothing else of yours was changed.")
STANDING = _(
    "%(ready)s resources of the cell stand. They stay in your account and cost what such resources cost; the cell's page lists them. "
    "Nothing else of yours was changed."
)
RETRY = _("Retry this step. If it fails again, contact %(provider)s with the reference.")

FAILURES = {
    "environment_blocked": FailureText(
        happened=_("The environment of %(region)s blocks a deployment cell."),
        means=_("Nothing was built. %(cloud)s was only looked at."),
        act=_("Open Environment of this account: each check that blocks says what mends it. Then press Retry this step."),
    ),
    "kit_too_old": FailureText(
        happened=_("This account's kit, version %(version)s, cannot build a deployment cell."),
        means=_("Nothing was built, and nothing of yours was changed."),
        act=_("Update the kit first: open the account under Cloud accounts and choose “Update the kit”. Then press Retry this step."),
    ),
    "only_where_the_kit_is": FailureText(
        happened=_("In this account a deployment cell can stand only where its kit was run, in %(only)s, and not in %(region)s."),
        means=_("Nothing was built, and nothing of yours was changed."),
        act=_(
            "Run the kit for %(region)s too: open the account under Cloud accounts and choose “Use another location”. Then press Retry "
            "this step."
        ),
    ),
    "access_ended": FailureText(
        happened=_("Our access to this %(kind)s has ended: it was disconnected, or its kit was replaced."),
        means=_("What stands in your cloud stays as it is. Nobody looks after it until the access is restored."),
        act=_("Connect the account again, then press Retry this step."),
    ),
    "account_leaving": FailureText(
        happened=_("This %(kind)s is being offboarded, so nothing new is built or changed in it."),
        means=_("What stands there is taken away by the offboarding."),
        act=_("There is nothing to do here. Follow the offboarding on the account's page."),
    ),
    "stack_failed": FailureText(
        happened=_("%(cloud)s could not build %(part)s."),
        means=STANDING,
        act=_("Read the cause below and mend it, then press Retry this step: what stands is kept."),
    ),
    "stack_took_too_long": FailureText(
        happened=_("%(cloud)s did not finish the cell's infrastructure within an hour."),
        means=KEPT,
        act=_("Look at the stack in the console of %(cloud)s. Then press Retry this step: it goes on from what stands."),
    ),
    "agent_not_heard": FailureText(
        happened=_("The infrastructure stands, but its agent has not reported in."),
        means=KEPT,
        act=_(
            "Check that the cell's network lets its machine reach the portal over HTTPS. Then press Retry this step: the agent gets a new "
            "machine."
        ),
    ),
    "components_not_installed": FailureText(
        happened=_("Not all platform components of the cell were installed in time."),
        means=KEPT,
        act=RETRY,
    ),
    "cell_not_healthy": FailureText(
        happened=_("The cell stands, but does not report that it is healthy."),
        means=KEPT,
        act=RETRY,
    ),
    "stopped": FailureText(
        happened=_("The operation was cancelled before it had ended."),
        means=KEPT,
        act=_("Delete the cell. The next instance in this region makes a new one."),
    ),
    "cell_not_empty": FailureText(
        happened=_("%(count)s instances are still in this cell."),
        means=_("Nothing was deleted."),
        act=_("Delete these instances first, then delete the cell."),
    ),
    "stack_delete_failed": FailureText(
        happened=_("%(cloud)s could not remove %(part)s."),
        means=_("What was removed stays removed. The rest goes on costing what such resources cost."),
        act=_(
            "The list below says of each resource that remains why, and what holds it where %(cloud)s names it. Remove that, or keep the "
            "resource on purpose. Then press Retry this step."
        ),
    ),
    "stack_delete_took_too_long": FailureText(
        happened=_("%(cloud)s did not remove the cell's infrastructure within an hour."),
        means=_("What was removed stays removed. The rest goes on costing what such resources cost."),
        act=_("Look at the stack in the console of %(cloud)s. Then press Retry this step."),
    ),
    "leftovers_found": FailureText(
        happened=_("The stack is gone, but %(count)s resources with the cell's tag are left: %(listed)s."),
        means=_("They go on costing what such resources cost. They were made by what ran in the cell, not by the stack."),
        act=_(
            "Remove them in the console of %(cloud)s, or keep them on purpose in the list below. Then press Retry this step. We never "
            "delete on a guess."
        ),
    ),
    "cell_gone": FailureText(
        happened=_("The deployment cell in %(region)s, which this instance waited for, was deleted."),
        means=_("The instance was not deployed, and nothing of it runs anywhere."),
        act=_("Delete this instance and create it anew: that brings up a new cell."),
    ),
    "cell_not_ready": FailureText(
        happened=_("The deployment cell in %(region)s was not ready in time."),
        means=_("The instance was not deployed. %(provider)s keeps your wish."),
        act=_("Look at the cell's own operation. When the cell is ready, press Retry this step."),
    ),
    # Where the provider hosts, its cells are its own matter.
    "host_gone": FailureText(
        happened=_("The place where this instance ran is gone."),
        means=_("The instance does not run anywhere."),
        act=_("Contact %(provider)s with the reference."),
    ),
    "apply_refused": FailureText(
        happened=_("The cell's agent could not apply what was asked for."),
        means=_("The revision before goes on where there was one. Your data is not affected."),
        act=_("Read the cause below. Change the instance, or press Retry this step."),
    ),
    "not_applied": FailureText(
        happened=_("The cell's agent has not applied what was asked for in time."),
        means=_("The revision before goes on where there was one. Your data is not affected."),
        act=_("Look at the agent link of the cell. When the agent is heard again, press Retry this step."),
    ),
    "not_healthy": FailureText(
        happened=_("The instance was applied, but does not report that it is healthy."),
        means=_("It may serve only in part. Your data is not affected."),
        act=_("Look at the instance's page for what it reports. Then change it, go back to the version before, or press Retry this step."),
    ),
    "not_stopped": FailureText(
        happened=_("The instance has not stopped in time."),
        means=_("It may still serve. Your data is not affected."),
        act=RETRY,
    ),
    "final_backup_failed": FailureText(
        happened=_("The final backup of the instance could not be taken."),
        means=_("The instance was not deleted: it is as it was, with its data. Other instances are not affected."),
        act=_(
            "Mend what the code below names, then press Retry this step. Or keep the instance, or delete it without a final backup: that "
            "is a decision of its own. If it fails again, contact %(provider)s with the reference."
        ),
    ),
    "final_backup_late": FailureText(
        happened=_("The cell's agent has not said within six hours that the final backup of the instance stands."),
        means=_("The instance was not deleted: it is as it was, with its data. A backup that still comes is kept."),
        act=_(
            "Look at the agent link of the cell. When the agent is heard again, press Retry this step. Or keep the instance, or delete it "
            "without a final backup: that is a decision of its own."
        ),
    ),
    "not_removed": FailureText(
        happened=_("The cell's agent has not said that the instance is gone."),
        means=_("It may still run and cost. Your other instances are not affected."),
        act=_(
            "Look at the agent link of the cell. When the agent is heard again, press Retry this step. If it is gone for good, delete the "
            "cell: what is left of this instance goes with it."
        ),
    ),
    "plans_not_published": FailureText(
        happened=_("%(provider)s has not published the plan that %(cloud)s builds a cell from."),
        means=_("Nothing was built."),
        act=_("Tell %(provider)s, with the reference. When the plan is published, press Retry this step."),
    ),
    "retain_too_early": FailureText(
        happened=_("%(cloud)s keeps a part on purpose only once its deletion has failed."),
        means=_("What was removed stays removed. The rest goes on costing what such resources cost."),
        act=_("Choose “Remove it after all” for what you keep, and press Retry this step. What cannot be removed then can be kept."),
    ),
    "retain_all_or_nothing": FailureText(
        happened=_("%(cloud)s can keep either everything of this cell, or nothing."),
        means=_("Nothing more was removed. The rest goes on costing what such resources cost."),
        act=_("Keep every resource that is still there, or choose “Remove it after all” for those you keep. Then press Retry this step."),
    ),
    "quota_exceeded": FailureText(
        happened=_("A limit of your %(kind)s is too low: %(cloud)s refused to build %(part)s."),
        means=STANDING,
        act=_("Ask %(cloud)s for a higher limit; Environment of this account has the link. Then press Retry this step."),
    ),
}

# What a cloud says while accounts are connected, too: there nothing has been built yet, here a cell may stand.
STACKS = {
    "stack_access_denied": FailureText(
        happened=_("%(cloud)s denied a call that the kit allows."),
        means=STANDING,
        act=_("Open the account's Trust page: it says whether a permission is missing. When it is restored, press Retry this step."),
    ),
    "stack_denied_by_organisation": FailureText(
        happened=_("A policy of your organisation in %(cloud)s denies what the cell needs."),
        means=STANDING,
        act=_("Show the text below to whoever manages your organisation in %(cloud)s. When it is allowed, press Retry this step."),
    ),
    "stack_region_disabled": FailureText(
        happened=_("The region of the cell cannot be used in this %(kind)s any more."),
        means=STANDING,
        act=_("Enable the region in %(cloud)s, then press Retry this step."),
    ),
    "stack_api_disabled": FailureText(
        happened=_("A service of %(cloud)s that the cell needs is switched off."),
        means=STANDING,
        act=_("Enable the service that is named below, then press Retry this step."),
    ),
    "stack_provider_not_registered": FailureText(
        happened=_("A service of %(cloud)s that the cell needs is not registered in this %(kind)s."),
        means=STANDING,
        act=_("Register the service that is named below, then press Retry this step."),
    ),
    "stack_perimeter_denied": FailureText(
        happened=_("A service perimeter around this %(kind)s keeps us out."),
        means=STANDING,
        act=_("Show the text below to whoever manages the perimeter. When it lets us in, press Retry this step."),
    ),
    "stack_trust_refused": FailureText(
        happened=_("%(cloud)s refused to let us in for longer than this step may take."),
        means=STANDING,
        act=_("Open the account's Trust page and restore what it says. Then press Retry this step."),
    ),
    "stack_kit_not_found": FailureText(
        happened=_("%(cloud)s does not find what the kit has made, and the cell needs."),
        means=STANDING,
        act=_("Open the account's Trust page and restore what it says. Then press Retry this step."),
    ),
    "stack_token_expired": FailureText(
        happened=_("%(cloud)s says that the token of this portal had expired when it arrived."),
        means=STANDING,
        act=_("%(provider)s checks the clock of this portal. Press Retry this step."),
    ),
    "stack_session_expired": FailureText(
        happened=_("%(cloud)s ended the portal's session before the step was done."),
        means=STANDING,
        act=_("Press Retry this step."),
    ),
    "stack_issuer_unreachable": FailureText(
        happened=_("%(cloud)s could not fetch the public keys of this portal."),
        means=STANDING,
        act=_("%(provider)s sees this failure. Press Retry this step in a few minutes."),
    ),
    "stack_throttled": FailureText(
        happened=_("%(cloud)s asked to slow down for longer than this step may take."),
        means=STANDING,
        act=_("Press Retry this step in a few minutes."),
    ),
    "stack_cloud_unavailable": FailureText(
        happened=_("%(cloud)s did not answer, or answered with a fault of its own, for longer than this step may take."),
        means=STANDING,
        act=_("Press Retry this step when %(cloud)s has recovered."),
    ),
    "stack_unknown_cloud_error": FailureText(
        happened=_("%(cloud)s answered with something this portal does not know."),
        means=STANDING,
        act=_("Read what %(cloud)s says below. Press Retry this step, or contact %(provider)s with the reference."),
    ),
    "capacity_missing": FailureText(
        happened=_("%(cloud)s has no free machines for %(part)s at the moment."),
        means=STANDING,
        act=_("This is a shortage of %(cloud)s, not a limit of yours. Press Retry this step later: what stands is kept."),
    ),
    "name_taken": FailureText(
        happened=_("%(cloud)s could not build %(part)s: something with its name is there already."),
        means=STANDING,
        act=_("Remove or rename what the cause below names, if it is yours. Then press Retry this step: what stands is kept."),
    ),
    "still_in_use": FailureText(
        happened=_("%(cloud)s could not replace %(part)s: something else still uses it."),
        means=STANDING,
        act=_("Remove what uses it, as the cause below says. Then press Retry this step: what stands is kept."),
    ),
}

WAITS = {
    "account_needs_attention": WaitText(
        sentence=_("The trust of this account is lost or switched off, so nothing can be built there."),
        act=_("Restore the trust on the account's Trust page. The operation then goes on by itself."),
    ),
    "account_blocks_removal": WaitText(
        sentence=_("The trust of this account is lost or switched off, so nothing can be removed there. What stands stays as it is."),
        act=_("Restore the trust on the account's Trust page. The operation then goes on by itself."),
    ),
    "access_refused": WaitText(
        sentence=_("%(cloud)s no longer lets us into this %(kind)s. What stands there stays as it is."),
        act=_("Restore the trust on the account's Trust page. The operation then goes on by itself."),
    ),
    "environment_checking": WaitText(sentence=_("The environment of %(region)s is being checked before anything is built.")),
    "stack_starting": WaitText(sentence=_("%(cloud)s has taken the order and begins to build.")),
    "stack_working": WaitText(sentence=_("%(cloud)s is building: %(ready)s of %(total)s resources are ready.")),
    "stack_clearing": WaitText(sentence=_("%(cloud)s clears what a failed attempt left, before it builds again.")),
    "stack_busy": WaitText(sentence=_("%(cloud)s is still busy with an earlier order for this cell.")),
    "stack_deleting": WaitText(sentence=_("%(cloud)s is removing the cell. Resources left: %(left)s.")),
    "leftovers_fading": WaitText(sentence=_("%(cloud)s still lists resources of the cell: %(count)s. They usually vanish within minutes.")),
    "agent_starting": WaitText(sentence=_("The agent's machine is starting. It reports in by itself, usually within five minutes.")),
    "components_leaving": WaitText(sentence=_("The agent removes platform components, so that nothing of theirs is left in your cloud.")),
    "components_installing": WaitText(sentence=_("The agent installs platform components. Still to come: %(names)s.")),
    "cell_settling": WaitText(sentence=_("The cell is up and settles. It is ready when it reports that it is healthy.")),
    "cell_coming": WaitText(sentence=_("The deployment cell in %(region)s is being brought up. The instance follows by itself.")),
    "host_coming": WaitText(sentence=_("%(provider)s makes room for this instance in %(region)s. It follows by itself.")),
    "cell_failed": WaitText(
        sentence=_("The deployment cell in %(region)s could not be brought up. The instance is kept, and not deployed yet."),
        act=_("Retry the cell's own operation: when the cell is ready, the instance follows by itself. Or delete the cell."),
    ),
    "host_failed": WaitText(
        sentence=_("%(provider)s could not make room for this instance in %(region)s yet. It follows by itself when they have mended that.")
    ),
    "agent_applying": WaitText(sentence=_("The cell's agent applies what was asked for.")),
    "agent_silent": WaitText(
        sentence=_("The cell's agent has not been heard for some minutes. What runs goes on; this waits until the agent is back.")
    ),
    "instance_settling": WaitText(sentence=_("The instance starts and settles. It counts as running when it reports that it is healthy.")),
    "instance_stopping": WaitText(sentence=_("The instance is stopping.")),
    "final_backup_under_way": WaitText(
        sentence=_("The cell's agent takes the final backup. Nothing is removed before it stands."),
    ),
    "instance_removing": WaitText(sentence=_("The cell's agent removes the instance.")),
}

register_failures(FAILURES | STACKS)
register_waits(WAITS)
