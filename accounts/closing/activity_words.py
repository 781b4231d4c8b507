"""Words of the activity log for the closing of an organisation."""

from django.utils.translation import gettext_lazy as _

from portal.audit import register_actions, register_fields

register_fields({"term": _("Term"), "rows": _("Deleted rows"), "last_event": _("Last event"), "invitations": _("Invitations withdrawn")})
register_actions(
    {
        "organisation.exported": _("Exported everything that is held for %(subject)s"),
        "organisation.closing_planned": _("Planned the closing of %(subject)s"),
        "organisation.closing_cancelled": _("Called off the closing of %(subject)s"),
        "organisation.closing_blocked": _("The closing of %(subject)s is called off: something was in the way"),
        "organisation.closed": _("%(subject)s is closed"),
        "organisation.erased": _("Deleted what was kept of a closed organisation until the end of its term"),
    }
)
