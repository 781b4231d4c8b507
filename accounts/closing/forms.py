"""The form that plans a closing: checks input, no effects."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.closing.models import SHORTEST_WAIT
from accounts.models import Organisation

WAITS = {"days": SHORTEST_WAIT, "week": timedelta(days=7), "month": timedelta(days=30)}
WHEN = (("days", _("In 3 days")), ("week", _("In 7 days")), ("month", _("In 30 days")))


class StartForm(forms.Form):
    """When it closes, and the organisation's name typed: what ends everything is done on purpose."""

    when = forms.ChoiceField(
        label=_("When does it close?"),
        choices=WHEN,
        initial="week",
        widget=forms.RadioSelect,
        help_text=_("Until then everything works as before, and every owner can call it off. After it nobody can."),
    )
    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}))

    def __init__(self, *args: Any, organisation: Organisation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = organisation.name
        self.fields["name"].label = _("Type %(name)s to confirm") % {"name": self.expected}
        self.fields["name"].error_messages["required"] = _("Type the name %(name)s.") % {"name": self.expected}

    def clean_name(self) -> str:
        typed = str(self.cleaned_data["name"]).strip()
        if typed != self.expected:
            raise forms.ValidationError(_("This is not the name of the organisation. Nothing was changed."), code="name")
        return typed

    @property
    def scheduled_for(self) -> datetime:
        return timezone.now() + WAITS[self.cleaned_data["when"]]
