"""Words for what can happen to a cloud account: every failure in four parts, every wait with its next act.

Placeholders are the params of the CloudError or the outcome; the reference is the operation's own.
"""

from django.utils.translation import gettext_lazy as _

from portal.operations.catalogue import FailureText, WaitText, register_failures, register_waits

# True as long as nothing but the kit exists: connecting builds nothing.
UNTOUCHED = _("Nothing was built in your account, and nothing that runs there is affected.")
NOT_CONNECTED = _("The account is not connected. Nothing of yours was changed.")
RUN_AGAIN = _("Press Run again to get a new kit, run that one, then remove the old one.")

FAILURES = {
    "kit_expired": FailureText(
        happened=_("The kit was not run within %(days)s days and has expired."),
        means=UNTOUCHED,
        act=_("Press Run again to get a new kit."),
    ),
    "kit_replaced": FailureText(
        happened=_("This kit is from an earlier attempt. A newer one has replaced it."),
        means=UNTOUCHED,
        act=_("Go on with the newest kit."),
    ),
    "wrong_account": FailureText(
        happened=_("The kit was run in %(kind)s %(found)s. It was made for %(expected)s."),
        means=NOT_CONNECTED,
        act=_("Remove the kit from %(found)s, sign in to %(expected)s, and press Run again."),
    ),
    "wrong_region": FailureText(
        happened=_("The kit was run in region %(found)s. It was made for region %(expected)s."),
        means=NOT_CONNECTED,
        act=_("Press Run again, run the new kit in %(expected)s, then remove the one in %(found)s."),
    ),
    "kit_not_found": FailureText(
        happened=_("The trust works, but what the kit made is not all there. It may have been deleted or renamed."),
        means=NOT_CONNECTED,
        act=RUN_AGAIN,
    ),
    "kit_version_wrong": FailureText(
        happened=_("The kit that was run is version %(found_version)s. This account was given version %(version)s."),
        means=NOT_CONNECTED,
        act=RUN_AGAIN,
    ),
    "kit_generation_wrong": FailureText(
        happened=_("This kit is from an earlier attempt: it is number %(found_generation)s, and number %(generation)s is current."),
        means=NOT_CONNECTED,
        act=_("Run the current kit, then remove the earlier one."),
    ),
    "kit_of_another_account": FailureText(
        happened=_("What stands there says that it belongs to another cloud account of this portal."),
        means=NOT_CONNECTED,
        act=RUN_AGAIN,
    ),
    "changes_switched_off": FailureText(
        happened=_("The kit's own switch for changes is off, so the operator identity may not change anything."),
        means=NOT_CONNECTED,
        act=_("Run the kit again with the switch on, then press Retry this step."),
    ),
    "kit_failed": FailureText(
        happened=_("%(cloud)s could not finish what the kit makes."),
        means=_("What had been made may still be there. Nothing that runs in your account is affected."),
        act=_("Read the cause below, mend it, and press Run again."),
    ),
    "kit_deleting": FailureText(
        happened=_("What the kit made is being deleted in %(cloud)s."),
        means=NOT_CONNECTED,
        act=_("If that was not intended, press Run again and run the new kit."),
    ),
    "kit_not_finished": FailureText(
        happened=_("%(cloud)s did not finish the kit in the time that it usually takes."),
        means=UNTOUCHED,
        act=_("Look at the kit in the console of %(cloud)s. When it is complete, press Retry this step."),
    ),
    "trust_refused": FailureText(
        happened=_("%(cloud)s knows the identity provider of the kit, but refuses to let the operator identity in."),
        means=NOT_CONNECTED,
        act=_("Check that the kit has finished and that nobody has changed its trust. Then press Retry this step."),
    ),
    "client_id_unknown": FailureText(
        happened=_("%(cloud)s does not know client ID %(client_id)s, which was pasted for the operator identity."),
        means=NOT_CONNECTED,
        act=_("Compare both client IDs with what the kit printed, and paste them again. They may be swapped, or those of another kit."),
    ),
    "token_refused": FailureText(
        happened=_("%(cloud)s did not accept the token of this portal."),
        means=NOT_CONNECTED,
        act=_("Press Retry this step. If it fails again, contact %(provider)s with the reference."),
    ),
    "token_expired": FailureText(
        happened=_("%(cloud)s says that the token had expired when it arrived."),
        means=NOT_CONNECTED,
        act=_("%(provider)s checks the clock of this portal. Press Retry this step."),
    ),
    "trust_policy_edited": FailureText(
        happened=_("The trust in %(cloud)s is not the one that the kit ships: its policy or its audience was edited."),
        means=_("The account is not connected. A wider trust could let somebody else in, so it is not used."),
        act=_("Press Run again to restore it with a new kit, or undo the edit and press Retry this step."),
    ),
    "policy_edited": FailureText(
        happened=_("The permissions of a role of the kit were edited in %(cloud)s."),
        means=_("The account is not connected. This portal only works with the permissions that you have reviewed."),
        act=_("Undo the edit and press Retry this step, or press Run again to get a new kit."),
    ),
    "boundary_removed": FailureText(
        happened=_("A limit of the kit was removed or edited in %(cloud)s."),
        means=_("The account is not connected. Without the limit more could be done than you have reviewed."),
        act=_("Put the limit back and press Retry this step, or press Run again to get a new kit."),
    ),
    "provider_deleted": FailureText(
        happened=_("The identity provider of the kit was deleted in %(cloud)s."),
        means=NOT_CONNECTED,
        act=RUN_AGAIN,
    ),
    "role_deleted": FailureText(
        happened=_("A role of the kit was deleted in %(cloud)s."),
        means=NOT_CONNECTED,
        act=RUN_AGAIN,
    ),
    "trust_too_wide": FailureText(
        happened=_("A sign-in that must be refused was accepted: %(names)s."),
        means=_("The account is not connected. The trust is wider than promised, so it is not used."),
        act=_("Remove what the kit made in %(cloud)s and press Run again."),
    ),
    "too_much_granted": FailureText(
        happened=_("%(cloud)s allows what the kit promises never to do: %(permissions)s."),
        means=_("The account is not connected. More could be done there than you have reviewed, so it is not used."),
        act=_("Take away what was given to the kit's identities from outside the kit, then press Retry this step."),
    ),
    "permission_missing": FailureText(
        happened=_("%(count)s permissions of the kit are missing, among them %(permissions)s."),
        means=NOT_CONNECTED,
        act=_("The list below names them. Restore them, or press Run again to get a new kit, then press Retry this step."),
    ),
    "denied_by_organisation": FailureText(
        happened=_("A policy of your organisation in %(cloud)s denies what the kit needs."),
        means=NOT_CONNECTED,
        act=_("Show the text below to whoever manages your organisation in %(cloud)s. When it is allowed, press Retry this step."),
    ),
    "access_denied": FailureText(
        happened=_("%(cloud)s denied a call that the kit allows."),
        means=NOT_CONNECTED,
        act=_("Check that nobody has changed the kit's roles. Then press Retry this step."),
    ),
    "region_disabled": FailureText(
        happened=_("The region of the kit cannot be used in this account."),
        means=UNTOUCHED,
        act=_("Enable the region in %(cloud)s, or stop connecting and choose another one. Then press Retry this step."),
    ),
    "duplicate_account": FailureText(
        happened=_("%(kind)s %(account_id)s is already connected by another organisation in this portal."),
        means=_("This connection was not made. The other one is not affected."),
        act=_("Ask who connected it. If it has to move, contact %(provider)s with the reference. Then remove this kit."),
    ),
    "issuer_unreachable": FailureText(
        happened=_("%(cloud)s could not fetch the public keys of this portal."),
        means=NOT_CONNECTED,
        act=_("%(provider)s sees this failure. Press Retry this step in a few minutes."),
    ),
    "session_expired": FailureText(
        happened=_("%(cloud)s ended the portal's session before the step was done."),
        means=NOT_CONNECTED,
        act=_("Press Retry this step."),
    ),
    "throttled": FailureText(
        happened=_("%(cloud)s asked to slow down for longer than this step may take."),
        means=NOT_CONNECTED,
        act=_("Press Retry this step in a few minutes."),
    ),
    "cloud_unavailable": FailureText(
        happened=_("%(cloud)s did not answer, or answered with a fault of its own, for longer than this step may take."),
        means=NOT_CONNECTED,
        act=_("Press Retry this step when %(cloud)s has recovered."),
    ),
    "environment_not_asked": FailureText(
        happened=_("%(cloud)s did not let the portal in, so nothing could be checked."),
        means=_("Nothing was changed, and what runs is not affected. The answers of the look before are kept."),
        act=_("Open the account: if its trust has changed, run its kit again. Then check the environment again."),
    ),
    "unknown_cloud_error": FailureText(
        happened=_("%(cloud)s answered with something this portal does not know."),
        means=NOT_CONNECTED,
        act=_("Read what %(cloud)s says below. Press Retry this step, or contact %(provider)s with the reference."),
    ),
}

WAITS = {
    "kit_not_run": WaitText(
        sentence=_("The kit has not been run in %(kind)s %(account_id)s yet."),
        act=_("Run the kit. This page notices by itself."),
    ),
    "client_id_unknown": WaitText(
        sentence=_(
            "%(cloud)s does not know these client IDs. You pasted %(client_id)s for the operator and %(support_client_id)s for support. "
            "They may be those of another kit, or swapped."
        ),
        act=_("Compare both with what the kit printed, and paste them again. If the kit ran a minute ago, wait: new IDs take a moment."),
    ),
    "client_id_refused": WaitText(
        sentence=_(
            "%(cloud)s knows client ID %(client_id)s, which you pasted for the operator, but it is not the operator's. You pasted "
            "%(support_client_id)s for support. They may be swapped."
        ),
        act=_("Paste both again, the operator's first."),
    ),
    "project_number_differs": WaitText(
        sentence=_("The kit stopped: project %(account_id)s has number %(found)s. You entered %(expected)s. Nothing was made."),
        act=_("Stop connecting, correct the project number under Account, and make the kit again."),
    ),
    "tenant_id_differs": WaitText(
        sentence=_("The kit stopped: subscription %(account_id)s belongs to tenant %(found)s. You entered %(expected)s. Nothing was made."),
        act=_("Stop connecting, correct the tenant ID under Account, and make the kit again."),
    ),
    "issuer_unreachable": WaitText(
        sentence=_(
            "The kit was run, but %(cloud)s cannot fetch the public keys of this portal. %(provider)s has to mend this. It is tried again "
            "by itself, and nothing is lost."
        ),
    ),
    "token_expired": WaitText(
        sentence=_(
            "The kit was run, but %(cloud)s says that the token of this portal is not valid at this time. %(provider)s has to set the "
            "clock of this portal. It is tried again by itself, and nothing is lost."
        ),
    ),
    "trust_not_ready": WaitText(
        sentence=_("%(cloud)s is creating what the kit makes and spreads it to all its places. This usually takes under two minutes."),
    ),
    "kit_finishing": WaitText(sentence=_("%(cloud)s is finishing the kit. This usually takes a few minutes.")),
    "permissions_spreading": WaitText(
        sentence=_("%(count)s permissions have not spread inside %(cloud)s yet. This usually takes under two minutes.")
    ),
    "contact_missing": WaitText(
        sentence=_("Nobody is named whom to tell when this account needs attention."),
        act=_("Add an operational contact. Connecting then finishes by itself."),
    ),
    "checks_unanswered": WaitText(
        sentence=_("%(cloud)s has not answered %(count)s of the checks yet. They are asked again, for three minutes at most."),
    ),
    "throttled": WaitText(sentence=_("%(cloud)s asked to slow down. The next look is in half a minute.")),
    "cloud_unavailable": WaitText(sentence=_("%(cloud)s does not answer. The next look is in half a minute.")),
}

register_failures(FAILURES)
register_waits(WAITS)
