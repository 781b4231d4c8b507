"""Mails that have not left yet, for provider staff: to whom, since when, why. Their text opens doors and is not shown."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.models import OutgoingMail
from portal.audit.admin import ReadOnlyAdmin


@admin.register(OutgoingMail)
class OutgoingMailAdmin(ReadOnlyAdmin):
    list_display = ("subject", "to", "created_at", "tries", "due_at", "last_error")
    list_filter = ("created_at", "last_error")
    search_fields = ("to", "subject")
    search_help_text = _("E-mail address or subject")
    fields = ("subject", "to", "created_at", "tries", "due_at", "last_error")
