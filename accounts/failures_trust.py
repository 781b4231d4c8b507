"""Words for what can happen to the trust of a connected account: the same losses as while connecting, but now something may run there.

`lost_<code>` with the codes of the adapters, `off_<code>` for what the customer has switched off. Each in four parts as everywhere.
"""

from collections.abc import Mapping
from dataclasses import replace

from django.utils.translation import gettext_lazy as _

from portal.operations.catalogue import FailureText, WaitText, register_failures, register_waits

STOPPED = _("What runs there keeps running. %(provider)s can create, update or remove nothing there until the trust is restored.")
NOT_USED = _("What runs there keeps running. Nothing new is started there until the trust is again the one that you reviewed.")
UNDO_OR_RENEW = _("Undo the change and press Check now, or press Restore the trust and run the new kit.")
RENEW = _("Press Restore the trust and run the new kit. The account and its history stay.")
FRESH = _("Press Restore the trust and run the new kit there. If it is no longer yours, press Disconnect.")

LOST = {
    "lost_access_denied": FailureText(
        happened=_("%(cloud)s denies a call that the kit allows."),
        means=STOPPED,
        act=_("Check who changed the kit's roles or a policy above them. Then press Check now, or press Restore the trust."),
    ),
    "lost_account_deleted": FailureText(
        happened=_("%(cloud)s says that this %(kind)s was deleted, or is about to be."),
        means=_("%(cloud)s ends what runs there. %(provider)s can no longer reach it."),
        act=_("If that was not intended, have it restored in %(cloud)s and press Check now. Else press Disconnect."),
    ),
    "lost_account_disabled": FailureText(
        happened=_("%(cloud)s says that this %(kind)s is disabled."),
        means=_("%(cloud)s may have stopped what runs there. %(provider)s can change nothing there meanwhile."),
        act=_("Have it enabled again in %(cloud)s. This portal notices by itself."),
    ),
    "lost_account_recreated": FailureText(
        happened=_("This %(kind)s was deleted and made anew under the same name."),
        means=_("What ran in the earlier one is gone with it, and so is its trust. The new one knows nothing of this portal."),
        act=_("Press Disconnect, then Reconnect with what tells the new one apart, and run the new kit there. The record stays."),
    ),
    "lost_api_disabled": FailureText(
        happened=_("An interface of %(cloud)s that the kit had switched on is off: %(service)s."),
        means=STOPPED,
        act=_("Switch it on again in %(cloud)s, then press Check now."),
    ),
    "lost_boundary_removed": FailureText(
        happened=_("A limit of the kit was removed or edited in %(cloud)s."),
        means=_("What runs there keeps running. Without the limit more could be done than you have reviewed, so nothing new is started."),
        act=UNDO_OR_RENEW,
    ),
    "lost_conditional_access": FailureText(
        happened=_("A sign-in policy of your organisation in %(cloud)s refuses the kit's identity."),
        means=STOPPED,
        act=_("Show the text below to whoever manages sign-in in %(cloud)s. Then press Check now."),
    ),
    "lost_denied_by_organisation": FailureText(
        happened=_("A policy of your organisation in %(cloud)s now denies what the kit needs."),
        means=STOPPED,
        act=_("Show the text below to whoever manages your organisation in %(cloud)s. When it is allowed, press Check now."),
    ),
    "lost_identity_disabled": FailureText(
        happened=_("The operator identity of the kit was disabled in %(cloud)s."),
        means=STOPPED,
        act=_("Enable it again in %(cloud)s and press Check now. To leave it so, press Disconnect."),
    ),
    "lost_key_found": FailureText(
        happened=_("Somebody made a key for an identity of the kit: %(account)s."),
        means=_("What runs there keeps running. A key that does not end could let somebody else in, so nothing new is started there."),
        act=_("Delete the key in %(cloud)s, find out who made it, then press Check now."),
    ),
    "lost_kit_deleting": FailureText(happened=_("What the kit made is being deleted in %(cloud)s."), means=STOPPED, act=RENEW),
    "lost_kit_failed": FailureText(
        happened=_("A change of what the kit made has failed in %(cloud)s."),
        means=STOPPED,
        act=_("Read the cause below and mend it in %(cloud)s, then press Check now. Or press Restore the trust."),
    ),
    "lost_kit_generation_wrong": FailureText(
        happened=_("What stands there is kit number %(found_generation)s. Number %(generation)s was verified."),
        means=NOT_USED,
        act=RENEW,
    ),
    "lost_kit_not_found": FailureText(
        happened=_("The trust works, but what the kit made is no longer all there."), means=STOPPED, act=RENEW
    ),
    "lost_kit_not_finished": FailureText(
        happened=_("A change of what the kit made was begun in %(cloud)s and has not finished for hours."),
        means=STOPPED,
        act=_("Look at the kit in the console of %(cloud)s and finish or undo the change. Then press Check now."),
    ),
    "lost_kit_of_another_account": FailureText(
        happened=_("What stands there says that it belongs to another cloud account of this portal."), means=NOT_USED, act=RENEW
    ),
    "lost_kit_version_wrong": FailureText(
        happened=_("What stands there is kit version %(found_version)s. Version %(version)s was verified."), means=NOT_USED, act=RENEW
    ),
    "lost_perimeter_denied": FailureText(
        happened=_("A service perimeter of your organisation refuses the portal's calls."),
        means=STOPPED,
        act=_("Show the text below to whoever manages the perimeter. When it is allowed, press Check now."),
    ),
    "lost_permission_missing": FailureText(
        happened=_("%(count)s permissions of the kit are gone, among them %(permissions)s."), means=STOPPED, act=UNDO_OR_RENEW
    ),
    "lost_policy_edited": FailureText(
        happened=_("The permissions of a role of the kit were edited in %(cloud)s."), means=NOT_USED, act=UNDO_OR_RENEW
    ),
    "lost_provider_deleted": FailureText(
        happened=_("The identity provider of the kit was deleted in %(cloud)s."), means=STOPPED, act=FRESH
    ),
    "lost_provider_not_registered": FailureText(
        happened=_("A service of %(cloud)s that the kit had registered is no longer registered: %(namespace)s."),
        means=STOPPED,
        act=_("Register it again in %(cloud)s, then press Check now."),
    ),
    "lost_region_disabled": FailureText(
        happened=_("The region of the kit can no longer be used in this account."),
        means=STOPPED,
        act=_("Enable the region in %(cloud)s, then press Check now."),
    ),
    "lost_role_deleted": FailureText(happened=_("A role of the kit was deleted in %(cloud)s."), means=STOPPED, act=RENEW),
    "lost_token_refused": FailureText(
        happened=_("%(cloud)s no longer accepts the tokens of this portal: what the kit says about them was edited."),
        means=STOPPED,
        act=UNDO_OR_RENEW,
    ),
    "lost_trust_policy_edited": FailureText(
        happened=_("The trust in %(cloud)s is not the one that the kit ships: its policy or its audience was edited."),
        means=_("What runs there keeps running. A wider trust could let somebody else in, so nothing new is started there."),
        act=UNDO_OR_RENEW,
    ),
    "lost_trust_refused": FailureText(
        happened=_("%(cloud)s refuses to let the operator identity in. It did so before."),
        means=STOPPED,
        act=UNDO_OR_RENEW,
    ),
    "lost_too_much_granted": FailureText(
        happened=_("%(cloud)s allows what the kit promises never to do: %(permissions)s."),
        means=_("What runs there keeps running. More could be done than you have reviewed, so nothing new is started there."),
        act=_("Take away what was given to the kit's identities from outside the kit, then press Check now."),
    ),
    "lost_trust_too_wide": FailureText(
        happened=_("A sign-in that must be refused was accepted: %(names)s."),
        means=_("What runs there keeps running. The trust is wider than promised, so nothing new is started there."),
        act=_("Press Restore the trust, run the new kit, then remove the old one in %(cloud)s."),
    ),
    "lost_wrong_account": FailureText(
        happened=_("The trust leads to %(kind)s %(found)s instead of %(expected)s."), means=NOT_USED, act=RENEW
    ),
    "lost_wrong_region": FailureText(
        happened=_("The kit now stands in region %(found)s instead of %(expected)s."), means=NOT_USED, act=RENEW
    ),
    "lost_wrong_tenant": FailureText(
        happened=_("This %(kind)s now belongs to another directory: %(found)s instead of %(expected)s."),
        means=STOPPED,
        act=_("Press Disconnect, then Reconnect with its new directory, and run the new kit. The record stays."),
    ),
}
OFF = {
    "off_changes": FailureText(
        happened=_("You have switched off changes with the kit's own switch."),
        means=_(
            "This is no fault. What runs there keeps running, and %(provider)s changes nothing there until you switch changes on again."
        ),
        act=_("Run the kit's own update with changes allowed. This portal notices by itself within minutes."),
    ),
    "off_kit": FailureText(
        happened=_("You have deleted the kit."),
        means=_("This is no fault. %(provider)s has no access any more. What the kit did not make is still there."),
        act=_("To go on, press Restore the trust and run a new kit. To leave it so, press Disconnect."),
    ),
}
NOTHING_CHANGED = _("Nothing is known to be wrong. What runs there is not affected.")
BY_ITSELF = _("There is nothing for you to do. The next look is made by itself.")
# Why a look had no answer: never the customer's doing.
UNCLEAR = {
    "unclear_cloud_unavailable": FailureText(
        happened=_("%(cloud)s does not answer, or answers with a fault of its own."), means=NOTHING_CHANGED, act=BY_ITSELF
    ),
    "unclear_issuer_unreachable": FailureText(
        happened=_("%(cloud)s could not fetch the public keys of this portal."),
        means=NOTHING_CHANGED,
        act=_("%(provider)s sees this. The next look is made by itself."),
    ),
    "unclear_kit_not_finished": FailureText(
        happened=_("What the kit made is being changed in %(cloud)s at this moment."), means=NOTHING_CHANGED, act=BY_ITSELF
    ),
    "unclear_session_expired": FailureText(
        happened=_("%(cloud)s ended the portal's session in the middle of a look."), means=NOTHING_CHANGED, act=BY_ITSELF
    ),
    "unclear_throttled": FailureText(happened=_("%(cloud)s asked to slow down."), means=NOTHING_CHANGED, act=BY_ITSELF),
    "unclear_token_expired": FailureText(
        happened=_("%(cloud)s says that the portal's token had expired when it arrived."),
        means=NOTHING_CHANGED,
        act=_("%(provider)s checks the clock of this portal. The next look is made by itself."),
    ),
    "unclear_token_refused": FailureText(
        happened=_("%(cloud)s accepts no token of this portal, in no account."),
        means=NOTHING_CHANGED,
        act=_("%(provider)s sees this. The next look is made by itself."),
    ),
    "unclear_unknown_cloud_error": FailureText(
        happened=_("%(cloud)s answered with something this portal does not know."),
        means=NOTHING_CHANGED,
        act=_("%(provider)s sees this. The next look is made by itself."),
    ),
}
STAYS_CONNECTED = _("The account stays connected with the kit in use. Only the new kit is not in use.")


def register_renewal(cloud: str, failures: Mapping[str, FailureText], waits: Mapping[str, WaitText]) -> None:
    """What happens to a kit that is tried beside the one in use, in the words of connecting: all but what it means for the account."""
    told = {code: replace(text, means=STAYS_CONNECTED) for code, text in failures.items()}
    register_failures(told, variant=f"{cloud}-renewal")
    register_waits(waits, variant=f"{cloud}-renewal")


register_failures(LOST | OFF | UNCLEAR)
