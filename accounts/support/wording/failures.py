"""Words for what opening and ending support access can run into. Codes of a cloud are worded here for support, beside the general words."""

from django.utils.translation import gettext_lazy as _

from portal.operations.catalogue import FailureText, WaitText, register_failures, register_waits

NOT_OPENED = _("No access was opened. Your data and instances are not affected.")
ASK_ANEW = _("%(provider)s asks for access anew if it is still needed.")
SHUT_YOURSELF = _("Retry the end. Switch support access off in the kit to shut it yourself.")

FAILURES = {
    "support_switched_off": FailureText(
        happened=_("Support access is switched off in the kit, so %(cloud)s refused the session."),
        means=NOT_OPENED,
        act=_("Run the kit again with support access allowed, if you want it. Then %(provider)s asks anew."),
    ),
    "door_not_open_yet": FailureText(
        happened=_("%(cloud)s did not let the session in within ten minutes."),
        means=NOT_OPENED,
        act=_("Check the trust on the account's page. Then %(provider)s asks anew."),
    ),
    "door_busy": FailureText(
        happened=_("%(cloud)s was changing the same access at that time and did not open the session."),
        means=NOT_OPENED,
        act=ASK_ANEW,
    ),
    "identities_at_rest": FailureText(
        happened=_("Every support identity of the kit is in use, or rests until its last token has run out, which takes a day."),
        means=NOT_OPENED,
        act=_("%(provider)s asks anew when one of them is free again."),
    ),
    "janitor_not_running": FailureText(
        happened=_("The kit's janitor does not run, so %(cloud)s would not end the access by itself."),
        means=NOT_OPENED,
        act=_("Switch the janitor's workflow on again in the kit's resource group. Then %(provider)s asks anew."),
    ),
    "support_needs_newer_kit": FailureText(
        happened=_("The kit that runs in this account is too old for support access."),
        means=NOT_OPENED,
        act=_("Update the kit. Then %(provider)s asks anew."),
    ),
    "policy_too_long": FailureText(
        happened=_("The policy that limits the session is longer than %(cloud)s accepts."),
        means=NOT_OPENED,
        act=_("Contact %(provider)s with the reference."),
    ),
    "grant_is_over": FailureText(
        happened=_("The granted time was over before the session was open."),
        means=NOT_OPENED,
        act=ASK_ANEW,
    ),
    "gate_closed": FailureText(
        happened=_("The portal signed nothing: the grant does not allow it at this moment."),
        means=NOT_OPENED,
        act=ASK_ANEW,
    ),
    "support_not_offered": FailureText(
        happened=_("Support access is not available in %(cloud)s yet."),
        means=NOT_OPENED,
        act=_("Collect a diagnostic bundle instead."),
    ),
    "kit_missing": FailureText(
        happened=_("The account has no kit in use, so there is no identity to sign in with."),
        means=_("Nothing was done in your cloud."),
        act=_("Connect the account again."),
    ),
    "kit_replaced_meanwhile": FailureText(
        happened=_("The account's kit was replaced at this very moment."),
        means=_("Nothing was done in your cloud."),
        act=_("Retry this step."),
    ),
    "support_door_gone": FailureText(
        happened=_("The session ran out before it could be used."),
        means=NOT_OPENED,
        act=ASK_ANEW,
    ),
    "seal_broken": FailureText(
        happened=_("The portal cannot open what it has sealed: a seal key is missing."),
        means=_("The session cannot be used by anybody, but its end cannot be proven either."),
        act=_("%(provider)s puts the seal key back and retries this step."),
    ),
    "end_not_refused": FailureText(
        happened=_("%(cloud)s did not refuse the old session within twenty minutes."),
        means=_("The portal does nothing more with the session. It ends by itself at its own time at the latest."),
        act=SHUT_YOURSELF,
    ),
}
WAITS = {
    "session_not_refused_yet": WaitText(
        sentence=_("%(cloud)s has been told to refuse the session and is asked with it again until it does."),
        act=_("Nothing is done under this access any more."),
    ),
    "opening_not_over_yet": WaitText(
        sentence=_("The access was just being opened. %(cloud)s is told to refuse it, and told once more when that is surely over."),
        act=_("This takes six minutes at most. Nothing is done under this access any more."),
    ),
}
# What a cloud says at any sign-in or call, worded for support: the general words speak of connecting an account.
NOTHING_CHANGED = _("Nothing was changed in your cloud. Support access only reads.")
CHECK_TRUST = _("Check the trust on the account's page. Then retry this step, or ask for access anew.")
LATER = _("Retry this step later, or ask for access anew.")
_TRUST = FailureText(happened=_("%(cloud)s does not let the portal's identity in."), means=NOTHING_CHANGED, act=CHECK_TRUST)
_KIT = FailureText(happened=_("Something that the kit made is not there any more."), means=NOTHING_CHANGED, act=CHECK_TRUST)
_AWAY = FailureText(happened=_("%(cloud)s could not be reached, or gave no answer."), means=NOTHING_CHANGED, act=LATER)
_DENIED = FailureText(happened=_("%(cloud)s refused what the portal asked for."), means=NOTHING_CHANGED, act=CHECK_TRUST)
_EDITED = FailureText(happened=_("What holds support access is not as the kit made it."), means=NOTHING_CHANGED, act=CHECK_TRUST)
_UNKNOWN = FailureText(
    happened=_("%(cloud)s answered with an error that this portal does not know."),
    means=NOTHING_CHANGED,
    act=_("Contact %(provider)s with the reference."),
)
AT_SUPPORT = {
    **dict.fromkeys(("trust_refused", "trust_not_ready", "token_refused", "token_expired", "session_expired", "kit_not_run"), _TRUST),
    **dict.fromkeys(("provider_deleted", "role_deleted", "boundary_removed", "kit_not_found"), _KIT),
    **dict.fromkeys(("throttled", "cloud_unavailable", "issuer_unreachable", "stack_busy"), _AWAY),
    **dict.fromkeys(("access_denied", "denied_by_organisation", "region_disabled", "quota_exceeded"), _DENIED),
    **dict.fromkeys(("account_deleted", "account_disabled", "conditional_access", "provider_not_registered", "wrong_tenant"), _DENIED),
    "policy_edited": _EDITED,
    "unknown_cloud_error": _UNKNOWN,
}

register_failures(FAILURES)
register_failures(AT_SUPPORT, variant="support")
register_waits(WAITS)
