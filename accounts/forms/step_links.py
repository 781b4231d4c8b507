"""Form of "Send this step to a colleague": check input, no effects."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.forms.people import AddressField, email_widget


class SendStepForm(forms.Form):
    email = AddressField(
        label=_("Your colleague's e-mail address"),
        required=False,
        help_text=_("Leave it empty to get the link shown once, to send it yourself."),
        widget=email_widget(),
    )
    days = forms.TypedChoiceField(
        label=_("The link works for"),
        coerce=int,
        choices=[("1", _("1 day")), ("3", _("3 days")), ("7", _("7 days"))],
        initial="3",
        help_text=_("Never longer than the kit itself, and no longer than until the kit has run."),
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose how long the link works.")},
    )

    @property
    def sending(self) -> dict[str, Any]:
        """As `send_step` takes it."""
        return {"email": self.cleaned_data["email"], "lifetime": timedelta(days=self.cleaned_data["days"])}
