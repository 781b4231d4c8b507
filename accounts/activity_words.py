"""Words of the activity log for what happens to cloud accounts, kits and signing keys."""

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
