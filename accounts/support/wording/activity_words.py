"""Words of the activity log for support access."""

from django.utils.translation import gettext_lazy as _

from accounts.support.rules.acts import act_words
from portal.audit import register_actions, register_codes, register_subjects

register_subjects(
    {
        "support_request": _("Support access request"),
        "support_policy": _("Support access policy"),
        "support_bundle": _("Diagnostic bundle"),
    }
)

register_codes("act", lambda name, _details: act_words(name))
register_actions(
    {
        "support.asked": _("Asked for support access: %(subject)s"),
        "support.answered": _("Answered a question about the support access request %(subject)s"),
        "support.returned": _("Returned the support access request %(subject)s with a question"),
        "support.requested": _("Checked the support access request %(subject)s of %(engineer)s and sent it to the customer"),
        "support.more_info": _("Asked for more information about the support access request %(subject)s"),
        "support.approved": _("Approved support access %(subject)s: %(profile)s for %(minutes)s minutes; a second approver decides, too"),
        "support.approved_anew": _(
            "Approved support access %(subject)s with less: %(profile)s for %(minutes)s minutes; a second approver decides, too"
        ),
        "support.approval_dropped": _(
            "The approval of %(approver)s, who does not decide any more, does not count for support access %(subject)s"
        ),
        "support.scheduled": _("Approved support access %(subject)s: %(profile)s for %(minutes)s minutes"),
        "support.declined": _("Declined the support access request %(subject)s"),
        "support.withdrawn": _("Withdrew the support access request %(subject)s"),
        "support.lapsed": _("The support access request %(subject)s lapsed: nobody decided in time"),
        "support.activating": _("Began to open support access %(subject)s"),
        "support.active": _("Opened support access %(subject)s"),
        "support.activation_failed": _("Support access %(subject)s could not be opened: %(code)s"),
        "support.ending": _("Began to end support access %(subject)s"),
        "support.expired": _("Support access %(subject)s ended: its time was over"),
        "support.revoked": _("Support access %(subject)s was ended early"),
        "support.completed": _("Support access %(subject)s was given back"),
        "support.close_failed": _("The end of support access %(subject)s could not be confirmed: %(code)s"),
        "support.receipt_written": _("Wrote the access receipt of %(subject)s"),
        "support.act_asked": _("Asked to do under support access %(subject)s: %(act)s"),
        "support.act_done": _("Did under support access %(subject)s: %(act)s"),
        "support.act_failed": _("Could not do under support access %(subject)s: %(act)s (%(code)s)"),
        "support.act_refused": _("Was refused under support access %(subject)s: %(act)s (%(code)s)"),
        "support.act_cut_short": _("Cut short under support access %(subject)s, which is ending: %(act)s"),
        "support.code_made": _("Made a code that lets one computer fetch credentials under support access %(subject)s"),
        "support.device_bound": _("Bound the computer %(computer)s to support access %(subject)s"),
        "support.credentials_handed_out": _(
            "Fetched short-lived credentials under support access %(subject)s, for the computer %(computer)s"
        ),
        "support.policy_tightened": _("Tightened the support access policy"),
        "support.policy_loosened": _("Confirmed a looser support access policy, which %(asked_by)s had asked for"),
        "support.policy_change_asked": _("Asked for a looser support access policy; another owner confirms it"),
        "support.policy_change_refused": _("Refused a looser support access policy"),
        "support.policy_change_withdrawn": _("Took back a change of the support access policy"),
        "support.history_exported": _("Exported the history of support access"),
        "viewing.started": _("Began to look at the pages of %(subject)s as a customer sees them, until %(until)s: %(reason)s"),
        "viewing.ended": _("Stopped looking at the pages of %(subject)s"),
        "support.bundle_requested": _("Asked for a diagnostic bundle of %(subject)s"),
        "support.bundle_collecting": _("Began to collect a diagnostic bundle of %(subject)s"),
        "support.bundle_collected": _("Collected a diagnostic bundle of %(subject)s"),
        "support.bundle_released": _("Released the diagnostic bundle of %(subject)s"),
        "support.bundle_declined": _("Declined the diagnostic bundle of %(subject)s"),
        "support.bundle_failed": _("The diagnostic bundle of %(subject)s failed: %(code)s"),
        "support.bundle_expired": _("The diagnostic bundle of %(subject)s expired"),
        "support.bundle_deleted": _("Deleted the diagnostic bundle of %(subject)s"),
    }
)
