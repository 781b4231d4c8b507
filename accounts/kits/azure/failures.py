"""What Azure words differently, and the codes that only Azure has."""

from django.utils.translation import gettext_lazy as _

from accounts.failures import NOT_CONNECTED, RUN_AGAIN, UNTOUCHED
from accounts.failures_trust import NOT_USED, RENEW, STOPPED, UNDO_OR_RENEW
from portal.operations.catalogue import FailureText, WaitText

_RETRY = _("Press Retry this step.")

FAILURES = {
    # --- Azure's alone ---
    "account_deleted": FailureText(
        happened=_("Azure does not know subscription %(expected)s, or its tenant: it was deleted, or the ID is wrong."),
        means=NOT_CONNECTED,
        act=_("Compare both IDs with the Azure portal. If they are wrong, stop connecting and start again with the right ones."),
    ),
    "account_disabled": FailureText(
        happened=_("Azure has disabled the subscription: its state is %(state)s."),
        means=_("The account is not connected. While it is disabled nothing can be changed in it, by nobody."),
        act=_("Have it enabled again: in the Azure portal its Overview says what is missing. Then press Retry this step."),
    ),
    "wrong_tenant": FailureText(
        happened=_("The subscription does not belong to tenant %(expected)s but to %(found)s. It may have been moved."),
        means=NOT_CONNECTED,
        act=_("Stop connecting and start again with the ID of the tenant that it belongs to now."),
    ),
    "provider_not_registered": FailureText(
        happened=_("The subscription is not registered to use %(namespace)s."),
        means=NOT_CONNECTED,
        act=_("Run az provider register --namespace %(namespace)s, wait until it says Registered, and press Retry this step."),
    ),
    "conditional_access": FailureText(
        happened=_("A Conditional Access policy of your tenant refuses the sign-in of the kit's identity."),
        means=NOT_CONNECTED,
        act=_("Show the text below to whoever manages Microsoft Entra ID. When the identity is left out of it, press Retry this step."),
    ),
    # --- shared codes, in Azure's words ---
    "wrong_account": FailureText(
        happened=_("The kit was run in subscription %(found)s. It was made for subscription %(expected)s."),
        means=NOT_CONNECTED,
        act=_("Remove the kit from subscription %(found)s, and press Run again."),
    ),
    "wrong_region": FailureText(
        happened=_("The kit was run in location %(found)s. It was made for location %(expected)s."),
        means=NOT_CONNECTED,
        act=_("Press Run again, run the new kit in %(expected)s, then remove the one in %(found)s."),
    ),
    "kit_not_found": FailureText(
        happened=_("The trust works, but the kit's resource group is not in this subscription. It may have been deleted."),
        means=NOT_CONNECTED,
        act=RUN_AGAIN,
    ),
    "changes_switched_off": FailureText(
        happened=_("The kit's own switch allowChanges is set to “no”, so the operator identity may not change anything."),
        means=NOT_CONNECTED,
        act=_("Run the kit again with allowChanges set to “yes” (the script: --allow-changes yes), then press Retry this step."),
    ),
    "kit_failed": FailureText(
        happened=_("Azure could not finish the kit's deployment."),
        means=_("Azure keeps what had been made before it failed: it costs nothing. Nothing that runs in your subscription is affected."),
        act=_("Read the cause below, mend it, and run the same kit again. Then press Retry this step."),
    ),
    "kit_not_finished": FailureText(
        happened=_("Azure did not finish the kit's deployment in the time that it usually takes."),
        means=UNTOUCHED,
        act=_(
            "Look at it in the Azure portal: Subscriptions, your subscription, Deployments. When it has succeeded, press Retry this step."
        ),
    ),
    "trust_refused": FailureText(
        happened=_("Azure refuses to let the portal in with the client ID that was reported for the operator identity."),
        means=NOT_CONNECTED,
        act=_(
            "Check that both client IDs are those of this kit and are not swapped, that the deployment has succeeded, and that nobody has "
            "changed the federated credential of the identity. Then press Retry this step."
        ),
    ),
    "trust_policy_edited": FailureText(
        happened=_(
            "The federated credential of an identity of the kit is not the one that the kit ships: it was edited, or one was added."
        ),
        means=_("The account is not connected. A wider trust could let somebody else in, so it is not used."),
        act=_("Run the same kit again to restore it, remove what was added, and press Retry this step."),
    ),
    "policy_edited": FailureText(
        happened=_("The roles of the kit's identities are not as shipped: a role was edited, or one was given or taken away."),
        means=_("The account is not connected. This portal only works with the permissions that you have reviewed."),
        act=_("Run the same kit again to restore its roles, take away what was given on top, and press Retry this step."),
    ),
    "provider_deleted": FailureText(
        happened=_("An identity of the kit no longer trusts this portal: its federated credential was deleted in Azure."),
        means=NOT_CONNECTED,
        act=_("Run the same kit again to restore it, then press Retry this step."),
    ),
    "role_deleted": FailureText(
        happened=_("An identity of the kit, a role or an assignment was deleted in Azure."),
        means=NOT_CONNECTED,
        # Azure keeps an assignment for an identity that is gone, and lets nobody write it anew for another one.
        act=_(
            "If an identity was deleted, press Run again and run the new kit, then remove the old one. If a role or an assignment was, "
            "run the same kit again and press Retry this step."
        ),
    ),
    "trust_too_wide": FailureText(
        happened=_("A sign-in that must be refused was accepted: %(names)s."),
        means=_("The account is not connected. The trust is wider than promised, so it is not used."),
        act=_("Remove what the kit made in Azure and press Run again."),
    ),
    "denied_by_organisation": FailureText(
        happened=_("An Azure Policy of your organisation, or a deny assignment, denies what the kit needs."),
        means=NOT_CONNECTED,
        act=_("Show the text below to whoever manages your policies. When it is allowed, press Retry this step."),
    ),
    "access_denied": FailureText(
        happened=_("Azure denied a call that the kit allows."),
        means=NOT_CONNECTED,
        act=_("Check that nobody has changed the kit's roles or their assignments. Then press Retry this step."),
    ),
    # Entra has one answer for a token that is too old and one that is from the future.
    "token_expired": FailureText(
        happened=_("Azure says that the token of this portal is not valid at this time."),
        means=NOT_CONNECTED,
        act=_("%(provider)s checks the clock of this portal. Press Retry this step."),
    ),
    "session_expired": FailureText(
        happened=_("Azure ended the portal's session before the step was done."),
        means=NOT_CONNECTED,
        act=_RETRY,
    ),
}

WAITS = {
    "kit_not_run": WaitText(
        sentence=_("Nobody has told us the client IDs of the kit in Azure subscription %(account_id)s yet."),
        act=_("Run the kit. The script tells them by itself; from the Azure portal, paste them here."),
    ),
    "trust_not_ready": WaitText(
        sentence=_("Azure is creating the identities and roles of the kit and spreads them to all its places. Usually under five minutes."),
    ),
    "kit_finishing": WaitText(sentence=_("Azure is finishing the kit's deployment. Usually 1 to 3 minutes.")),
    "permissions_spreading": WaitText(
        sentence=_("%(count)s permissions have not spread inside Azure yet. Usually under five minutes, at most ten.")
    ),
}

# Once connected: accounts/failures_trust.py.
TRUST = {
    "lost_account_deleted": FailureText(
        happened=_("Azure no longer knows subscription %(expected)s, or its tenant: it was deleted."),
        means=_("Azure ends what runs there. %(provider)s can no longer reach it."),
        act=_("If that was not intended, have it restored by Azure support and press Check now. If it is to stay so, press Disconnect."),
    ),
    "lost_account_disabled": FailureText(
        happened=_("Azure has disabled the subscription: its state is %(state)s."),
        means=_("Azure may have stopped what runs there. While it is disabled nothing can be changed in it, by nobody."),
        act=_("Have it enabled again: in the Azure portal its Overview says what is missing. This portal notices by itself."),
    ),
    "lost_conditional_access": FailureText(
        happened=_("A Conditional Access policy of your tenant now refuses the sign-in of the kit's identity."),
        means=STOPPED,
        act=_("Show the text below to whoever manages Microsoft Entra ID. When the identity is left out of it, press Check now."),
    ),
    "lost_denied_by_organisation": FailureText(
        happened=_("An Azure Policy of your organisation, or a deny assignment, now denies what the kit needs."),
        means=STOPPED,
        act=_("Show the text below to whoever manages your policies. When it is allowed, press Check now."),
    ),
    "lost_kit_deleting": FailureText(happened=_("The kit's resource group is being deleted in Azure."), means=STOPPED, act=RENEW),
    "lost_kit_failed": FailureText(
        happened=_("The last deployment of the kit has failed in Azure."),
        means=STOPPED,
        act=_("Read the cause below, mend it, and run the kit again; then press Check now. Or press Restore the trust."),
    ),
    "lost_kit_not_finished": FailureText(
        happened=_("A deployment of the kit was begun in Azure and has not finished for hours."),
        means=STOPPED,
        act=_(
            "Look at it in the Azure portal, at Deployments of the kit's resource group, and end it or run it again. Then press Check now."
        ),
    ),
    "lost_kit_not_found": FailureText(
        happened=_("The trust works, but the kit's resource group is no longer in this subscription."), means=STOPPED, act=RENEW
    ),
    "lost_permission_missing": FailureText(
        happened=_(
            "%(count)s permissions of the kit are gone, among them %(permissions)s. A role was edited, or its assignment was removed."
        ),
        means=STOPPED,
        act=UNDO_OR_RENEW,
    ),
    "lost_policy_edited": FailureText(
        happened=_("The roles of the kit's identities are not as shipped: a role was edited, or another one was given to an identity."),
        means=NOT_USED,
        act=UNDO_OR_RENEW,
    ),
    "lost_provider_deleted": FailureText(
        happened=_("An identity of the kit no longer trusts this portal: its federated credential was deleted, or names another issuer."),
        means=STOPPED,
        act=_("Run the kit again to put it back and press Check now, or press Restore the trust and run the new kit."),
    ),
    "lost_provider_not_registered": FailureText(
        happened=_("The subscription is no longer registered to use %(namespace)s."),
        means=STOPPED,
        act=_("Run az provider register --namespace %(namespace)s, wait until it says Registered, and press Check now."),
    ),
    # Azure keeps an assignment for an identity that is gone, and lets nobody write it anew for another one.
    "lost_role_deleted": FailureText(
        happened=_("An identity of the kit, a role or an assignment was deleted in Azure, alone or with its resource group."),
        means=STOPPED,
        act=_(
            "An identity cannot be put back: press Restore the trust and run the new kit. A role or an assignment comes back when the kit "
            "is run again; then press Check now."
        ),
    ),
    "lost_trust_policy_edited": FailureText(
        happened=_(
            "The federated credential of an identity of the kit is not the one that the kit ships: it was edited, or one was added."
        ),
        means=_("What runs there keeps running. A wider trust could let somebody else in, so nothing new is started there."),
        act=UNDO_OR_RENEW,
    ),
    "lost_trust_refused": FailureText(
        happened=_("Azure no longer lets the operator identity in: the subject or the audience of its federated credential was edited."),
        means=STOPPED,
        act=UNDO_OR_RENEW,
    ),
    "lost_wrong_tenant": FailureText(
        happened=_("The subscription was moved: it now belongs to tenant %(found)s. Tenant %(expected)s was verified."),
        means=STOPPED,
        act=_("Press Disconnect, then Reconnect with the ID of its new tenant, and run the new kit. The record stays."),
    ),
    "off_changes": FailureText(
        happened=_("The kit's own switch allowChanges is set to “no”, so the operator identity may not change anything."),
        means=_(
            "This is no fault. What runs there keeps running, and %(provider)s changes nothing there until you switch changes on again."
        ),
        act=_("Run the kit again with allowChanges set to “yes” (the script: --allow-changes yes). This portal notices by itself."),
    ),
    "off_kit": FailureText(
        happened=_("The kit's resource group was deleted in Azure, so the access of %(provider)s has ended."),
        means=_("This is no fault. What the kit did not make is still there and keeps running."),
        act=_("To go on, press Restore the trust and run a new kit. To leave it so, press Disconnect."),
    ),
}
