"""Forms of an offboarding: check input, no effects."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.forms.trust import DisconnectForm
from accounts.models import CloudAccount
from accounts.offboarding.models import DEFAULT_DELAY

WHEN = (
    ("now", _("Now: it cannot be cancelled")),
    ("day", _("In 24 hours")),
    ("days", _("In 3 days")),
    ("week", _("In 7 days")),
)
DELAYS = {"now": timedelta(), "day": DEFAULT_DELAY, "days": timedelta(days=3), "week": timedelta(days=7)}


class StartForm(DisconnectForm):
    """When it begins, and the account's name typed."""

    when = forms.ChoiceField(
        label=_("When does it begin?"),
        choices=WHEN,
        initial="day",
        widget=forms.RadioSelect,
        help_text=_("Until it begins, you can cancel it. After that you cannot."),
    )
    field_order = ("when", "name")

    def __init__(self, *args: Any, account: CloudAccount, **kwargs: Any) -> None:
        super().__init__(*args, account=account, **kwargs)
        if not account.was_connected:
            del self.fields["when"]  # nothing was ever built: it begins at once

    @property
    def scheduled_for(self) -> datetime:
        return timezone.now() + DELAYS[self.cleaned_data.get("when", "now")]


class ConsentForm(DisconnectForm):
    """The account's name typed, below the very list that is consented to: `listed` says which one that was."""

    listed = forms.CharField(max_length=64, widget=forms.HiddenInput)


class CloseForm(forms.Form):
    reason = forms.CharField(label=_("Why is it closed with leftovers?"), max_length=600, widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].error_messages["required"] = _("Say why. The customer reads it.")
