"""Words of the activity log for offboarding."""

from django.utils.translation import gettext_lazy as _

from portal.audit import register_actions, register_fields, register_subjects

register_subjects({"offboarding": _("Offboarding")})
register_fields({"scheduled_for": _("Begins"), "certificate": _("SHA-256 of the certificate"), "count": _("Number"), "reason": _("Reason")})
register_actions(
    {
        "offboarding.planned": _("Planned the offboarding of %(subject)s"),
        "offboarding.cancelled": _("Cancelled the offboarding of %(subject)s"),
        "offboarding.blocked": _("The offboarding of %(subject)s was to begin, and is blocked"),
        "offboarding.in_progress": _("The removal of what is left in %(subject)s goes on"),
        "offboarding.waiting_for_you": _("Only the kit is left in %(subject)s: it can be removed"),
        "offboarding.stuck": _("The offboarding of %(subject)s is stuck: %(code)s"),
        "offboarding.complete": _("%(subject)s is offboarded: the cloud has refused the sign-in twice"),
        "offboarding.complete_unasked": _("%(subject)s is offboarded: an owner's word stands where the cloud could not be asked"),
        "offboarding.never_run_confirmed": _("Confirmed that the kit of %(subject)s was never run, or is removed"),
        "offboarding.closed": _("Closed the offboarding of %(subject)s with leftovers"),
        "offboarding.closing_asked": _("Asked to close the offboarding of %(subject)s with leftovers"),
        "offboarding.consented": _("Consented to closing the offboarding of %(subject)s with leftovers"),
        "offboarding.handed_over": _("Handed the stuck offboarding of %(subject)s to the provider"),
        "cloud_account.offboarding_begun": _("Began to offboard %(subject)s"),
        "cloud_account.ready_to_offboard": _("Only the kit is left in %(subject)s"),
    }
)
