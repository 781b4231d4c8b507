"""What AWS words differently: it has stacks, boundaries and service control policies."""

from django.utils.translation import gettext_lazy as _

from accounts.failures import NOT_CONNECTED, RUN_AGAIN, UNTOUCHED
from accounts.failures_trust import RENEW, STOPPED
from portal.operations.catalogue import FailureText, WaitText

FAILURES = {
    "wrong_account": FailureText(
        happened=_("The kit was run in AWS account %(found)s. It was made for account %(expected)s."),
        means=NOT_CONNECTED,
        act=_("Delete the stack in account %(found)s, sign in to account %(expected)s, and press Run again."),
    ),
    "wrong_region": FailureText(
        happened=_("The kit was run in region %(found)s. It was made for region %(expected)s."),
        means=NOT_CONNECTED,
        act=_("Press Run again, run the new kit in %(expected)s, then delete the stack in %(found)s."),
    ),
    "kit_not_found": FailureText(
        happened=_("The trust works, but the kit's stack is not in this account and region. It may have been deleted or renamed."),
        means=NOT_CONNECTED,
        act=RUN_AGAIN,
    ),
    "kit_version_wrong": FailureText(
        happened=_("The stack was made from kit version %(found_version)s. This account was given version %(version)s."),
        means=NOT_CONNECTED,
        act=RUN_AGAIN,
    ),
    "kit_generation_wrong": FailureText(
        happened=_("This kit is from an earlier attempt: it is number %(found_generation)s, and number %(generation)s is current."),
        means=NOT_CONNECTED,
        act=_("Run the current kit, then delete the earlier stack."),
    ),
    "kit_of_another_account": FailureText(
        happened=_("The stack says that it belongs to another cloud account of this portal."),
        means=NOT_CONNECTED,
        act=RUN_AGAIN,
    ),
    "changes_switched_off": FailureText(
        happened=_("The kit's own switch AllowChanges is set to “no”, so the operator role may not change anything."),
        means=NOT_CONNECTED,
        act=_("Update the kit's stack with AllowChanges set to “yes”, then press Retry this step."),
    ),
    "kit_failed": FailureText(
        happened=_("AWS could not finish the kit's stack."),
        means=_("AWS takes back what it had created. Nothing that runs in your account is affected."),
        act=_("Read the cause below, mend it, and press Run again."),
    ),
    "kit_deleting": FailureText(
        happened=_("The kit's stack is being deleted in AWS."),
        means=NOT_CONNECTED,
        act=_("If that was not intended, press Run again and run the new kit."),
    ),
    "kit_not_finished": FailureText(
        happened=_("AWS did not finish the kit's stack in the time that it usually takes."),
        means=UNTOUCHED,
        act=_("Open the stack in the AWS console and read its Events tab. When it is complete, press Retry this step."),
    ),
    "trust_refused": FailureText(
        happened=_("AWS knows the identity provider of the kit, but refuses to open the operator role."),
        means=NOT_CONNECTED,
        act=_("Check that the stack is complete and that nobody has changed the role's trust policy. Then press Retry this step."),
    ),
    "boundary_removed": FailureText(
        happened=_("The limit (permissions boundary) of a role of the kit was removed or edited in AWS."),
        means=_("The account is not connected. Without the limit a role could be given more than you have reviewed."),
        act=_("Put the limit back and press Retry this step, or press Run again to get a new kit."),
    ),
    "trust_too_wide": FailureText(
        happened=_("A sign-in that must be refused was accepted: %(names)s."),
        means=_("The account is not connected. The trust is wider than promised, so it is not used."),
        act=_("Delete the kit's stack in AWS and press Run again."),
    ),
    "denied_by_organisation": FailureText(
        happened=_("A service control policy of your AWS organisation denies what the kit needs."),
        means=NOT_CONNECTED,
        act=_("Show the text below to whoever manages your AWS organisation. When it is allowed, press Retry this step."),
    ),
    "region_disabled": FailureText(
        happened=_("The region of the kit is not enabled in this AWS account."),
        means=UNTOUCHED,
        act=_("Enable the region in AWS, or stop connecting and choose another one. Then press Retry this step."),
    ),
    "duplicate_account": FailureText(
        happened=_("AWS account %(account_id)s is already connected by another organisation in this portal."),
        means=_("This connection was not made. The other one is not affected."),
        act=_("Ask who connected it. If it has to move, contact %(provider)s with the reference. Then delete this kit's stack."),
    ),
}

WAITS = {
    "kit_finishing": WaitText(sentence=_("AWS is finishing the kit's stack. Usually 2 to 4 minutes.")),
}

# Once connected: accounts/failures_trust.py.
TRUST = {
    "lost_boundary_removed": FailureText(
        happened=_("The limit (permissions boundary) of a role of the kit was removed or edited in AWS."),
        means=_(
            "What runs there keeps running. Without the limit a role could be given more than you have reviewed, so nothing new is started."
        ),
        act=_("Put the limit back and press Check now, or press Restore the trust and run the new kit."),
    ),
    "lost_denied_by_organisation": FailureText(
        happened=_("A service control policy of your AWS organisation now denies what the kit needs."),
        means=STOPPED,
        act=_("Show the text below to whoever manages your AWS organisation. When it is allowed, press Check now."),
    ),
    "lost_kit_not_found": FailureText(
        happened=_("The trust works, but the kit's stack is no longer in this account and region."), means=STOPPED, act=RENEW
    ),
    "off_changes": FailureText(
        happened=_("The kit's own switch AllowChanges is set to “no” in AWS."),
        means=_(
            "This is no fault. What runs there keeps running, and %(provider)s changes nothing there until you switch changes on again."
        ),
        act=_("Update the kit's stack with AllowChanges set to “yes”. This portal notices by itself within minutes."),
    ),
    "off_kit": FailureText(
        happened=_("The kit's stack was deleted in AWS, so the access of %(provider)s has ended."),
        means=_("This is no fault. What the stack did not make is still there and keeps running."),
        act=_("To go on, press Restore the trust and run a new kit. To leave it so, press Disconnect."),
    ),
}
