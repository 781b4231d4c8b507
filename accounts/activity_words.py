"""Words of the activity log for what happens to cloud accounts, kits, signing keys, organisations and people."""

from django.utils.translation import gettext_lazy as _

from portal.audit import register_actions, register_subjects

register_actions(
    {
        "cloud_account.draft_started": _("Started to connect a cloud account"),
        "cloud_account.prepared": _("Prepared a connection for the customer"),
        "cloud_account.terms_accepted": _("Accepted the terms of trust"),
        "cloud_account.preparation_declined": _("Declined the prepared connection: %(reason)s"),
        "cloud_account.details_saved": _("Saved the account's details"),
        "cloud_account.kit_reviewed": _("Reviewed what the kit creates and may do"),
        "cloud_account.kit_issued": _("Made an onboarding kit"),
        "cloud_account.kit_reported": _("Reported what the kit made"),
        "cloud_account.connecting_stopped": _("Stopped connecting"),
        "cloud_account.draft_discarded": _("Discarded the draft"),
        "cloud_account.verifying": _("The kit was run; verification began"),
        "cloud_account.connected": _("Connected"),
        "cloud_account.failed": _("Connecting failed"),
        "cloud_account.disconnected": _("Disconnected"),
        "cloud_account.renamed": _("Renamed the account from %(name_before)s to %(name)s"),
        "cloud_account.renewal_started": _("Made a new kit to take the place of the one in use"),
        "cloud_account.renewal_stopped": _("Gave the new kit up and kept the one in use"),
        "cloud_account.kit_renewed": _("The new kit %(kit_version)s took the place of %(kit_version_before)s"),
        "cloud_account.kit_removed": _("Said that what kit number %(generation)s had made is removed"),
        "cloud_account.stayed_on_kit": _("Stayed on the kit in use instead of %(declined)s"),
        "cloud_account.region_added": _("Found that the customer has run the kit for %(region)s too"),
        "cloud_account.region_given_back": _("Found that the customer has removed what the kit had made for %(region)s"),
        "cloud_account.trust_lost": _("The trust of %(subject)s was lost: %(code)s"),
        "cloud_account.trust_restored": _("The trust of %(subject)s was restored"),
        "cloud_account.switched_off": _("Found %(subject)s disabled by the customer: %(code)s"),
        "cloud_account.switched_on": _("Found %(subject)s switched on again by the customer"),
        "step_link.made": _("Made a link to the kit for a colleague"),
        "step_link.replaced": _("Made a new link to the kit for a colleague; the earlier one ended"),
        "step_link.revoked": _("Withdrew the link to the kit"),
        "step_link.opened": _("Opened the link to the kit for the first time"),
        "signing_key.made": _("Made a signing key"),
        "signing_key.active": _("Put a signing key to use"),
        "signing_key.retiring": _("Stopped signing with a key"),
        "signing_key.retired": _("Removed a signing key"),
    }
)
register_subjects({"kit_renewal": _("Kit of an account")})

register_actions(
    {
        "organisation.created": _("Set up the organisation %(subject)s"),
        "organisation.demo_loaded": _("Loaded the demo organisation with %(members)s members"),
        "organisation.renamed": _("Renamed the organisation from %(name_before)s to %(name)s"),
        "member.role_changed": _("Changed the role of %(subject)s from %(role_before)s to %(role)s"),
        "member.removed": _("Removed the member %(subject)s"),
        "member.left": _("Left the organisation"),
        "invitation.sent": _("Invited %(email)s as %(role)s"),
        "invitation.resent": _("Sent the invitation to %(email)s again"),
        "invitation.revoked": _("Withdrew the invitation to %(email)s"),
        "invitation.accepted": _("Joined the organisation as %(role)s"),
        "contact.added": _("Added the contact %(subject)s"),
        "contact.confirmed": _("Confirmed the contact address %(email)s"),
        "contact.confirmation_resent": _("Asked the contact %(subject)s again to confirm"),
        "contact.removed": _("Removed the contact %(subject)s"),
        "person.signed_up": _("Signed up"),
        "person.signed_in": _("Signed in"),
        "person.signed_out": _("Signed out"),
        "person.sign_in_failed": _("Somebody gave a wrong password for %(subject)s"),
        "person.second_factor_failed": _("Somebody gave a wrong second factor for %(subject)s"),
        "person.sessions_ended": _("Ended other sessions"),
        "person.password_changed": _("Changed the password"),
        "person.password_reset": _("Reset the password by mail"),
        "person.email_changed": _("Changed the e-mail address from %(email_before)s to %(email)s"),
        "person.second_factor_added": _("Added a second factor or passkey"),
        "person.second_factor_removed": _("Removed a second factor or passkey"),
        "person.recovery_codes_renewed": _("Renewed the recovery codes"),
        "person.profile_changed": _("Changed the profile"),
        "person.deactivated": _("Deactivated %(subject)s: %(reason)s"),
        "person.reactivated": _("Reactivated %(subject)s: %(reason)s"),
        "person.staff_rights_set": _("Set the rights of %(subject)s in the administration: %(rights)s"),
    }
)
