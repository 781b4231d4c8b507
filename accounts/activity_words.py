"""Words of the activity log for what happens to cloud accounts, kits, signing keys, organisations and people."""

from django.utils.translation import gettext_lazy as _

from portal.audit import register_actions

register_actions(
    {
        "cloud_account.draft_started": _("Started to connect a cloud account"),
        "cloud_account.details_saved": _("Saved the account's details"),
        "cloud_account.kit_reviewed": _("Reviewed what the kit creates and may do"),
        "cloud_account.kit_issued": _("Made an onboarding kit"),
        "cloud_account.connecting_stopped": _("Stopped connecting"),
        "cloud_account.draft_discarded": _("Discarded the draft"),
        "cloud_account.verifying": _("The kit was run; verification began"),
        "cloud_account.connected": _("Connected"),
        "cloud_account.failed": _("Connecting failed"),
        "signing_key.made": _("Made a signing key"),
        "signing_key.active": _("Put a signing key to use"),
        "signing_key.retiring": _("Stopped signing with a key"),
        "signing_key.retired": _("Removed a signing key"),
    }
)

register_actions(
    {
        "organisation.created": _("Set up the organisation"),
        "organisation.renamed": _("Renamed the organisation"),
        "member.role_changed": _("Changed a member's role"),
        "member.removed": _("Removed a member"),
        "member.left": _("Left the organisation"),
        "invitation.sent": _("Invited somebody"),
        "invitation.resent": _("Sent an invitation again"),
        "invitation.revoked": _("Withdrew an invitation"),
        "invitation.accepted": _("Joined the organisation"),
        "contact.added": _("Added a contact"),
        "contact.confirmed": _("A contact confirmed the address"),
        "contact.confirmation_resent": _("Asked a contact again to confirm"),
        "contact.removed": _("Removed a contact"),
        "person.signed_up": _("Signed up"),
        "person.signed_in": _("Signed in"),
        "person.signed_out": _("Signed out"),
        "person.sessions_ended": _("Ended other sessions"),
        "person.password_changed": _("Changed the password"),
        "person.password_reset": _("Reset the password by mail"),
        "person.email_changed": _("Changed the e-mail address"),
        "person.second_factor_added": _("Added a second factor or passkey"),
        "person.second_factor_removed": _("Removed a second factor or passkey"),
        "person.recovery_codes_renewed": _("Renewed the recovery codes"),
        "person.profile_changed": _("Changed the profile"),
        "person.deactivated": _("Deactivated a person"),
        "person.reactivated": _("Reactivated a person"),
    }
)
