"""Input of the policy page."""

import zoneinfo
from typing import Any, cast

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.support.models import AccessPolicy
from accounts.support.models.policies import Mode, Outside
from accounts.support.rules.policy import values_of
from accounts.support.wording.words import DAYS, LENGTHS, length_words

DECIDE_HOURS = (4, 8, 24, 48, 72, 168, 336)


def _time_input() -> forms.TimeInput:
    return forms.TimeInput(format="%H:%M", attrs={"type": "time"})


class PolicyForm(forms.Form):
    mode = forms.ChoiceField(label=_("Who approves"), choices=Mode.choices, widget=forms.RadioSelect)
    longest_minutes = forms.TypedChoiceField(label=_("Longest access"), coerce=int)
    decide_hours = forms.TypedChoiceField(label=_("Time to decide"), coerce=int, help_text=_("After that a request lapses."))
    days = forms.TypedMultipleChoiceField(
        label=_("Days on which access may be open"),
        choices=DAYS,
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None: at any time."),
    )
    opens = forms.TimeField(label=_("Open from"), required=False, widget=_time_input())
    closes = forms.TimeField(
        label=_("Open until"), required=False, widget=_time_input(), help_text=_("A time before “from” is on the next morning.")
    )
    zone = forms.ChoiceField(label=_("Time zone of these hours"), required=False)
    outside = forms.ChoiceField(label=_("A request for another time"), choices=Outside.choices, widget=forms.RadioSelect)
    allows_direct = forms.BooleanField(
        label=_("Engineers may get short-lived credentials, where a request asks for them and an approver agrees"),
        required=False,
        help_text=_("Then only your cloud's own log tells what was done. Otherwise everything goes through this portal and is shown here."),
    )

    def __init__(self, *args: Any, policy: AccessPolicy, **kwargs: Any) -> None:
        super().__init__(*args, **{"initial": values_of(policy)} | kwargs)
        lengths = sorted({*LENGTHS, policy.longest_minutes})
        hours = sorted({*DECIDE_HOURS, policy.decide_hours})
        self._choice("longest_minutes").choices = [(str(one), length_words(one)) for one in lengths]
        self._choice("decide_hours").choices = [(str(one), length_words(one * 60)) for one in hours]
        zones = sorted(zone for zone in zoneinfo.available_timezones() if "/" in zone and not zone.startswith(("Etc/", "SystemV/")))
        self._choice("zone").choices = [("", _now("Choose one")), ("UTC", "UTC"), *((zone, zone.replace("_", " ")) for zone in zones)]

    def _choice(self, name: str) -> forms.ChoiceField:
        return cast(forms.ChoiceField, self.fields[name])

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("days"):
            for name, missing in (
                ("opens", _now("Enter from when.")),
                ("closes", _now("Enter until when.")),
                ("zone", _now("Choose the time zone.")),
            ):
                if name in data and not data[name]:
                    self.add_error(name, missing)
        return data

    @property
    def values(self) -> dict[str, Any]:
        """For a valid form: as `set_policy` takes them. Without days, hours mean nothing."""
        data = {name: self.cleaned_data[name] for name in self.fields}
        if not data["days"]:
            return data | {"opens": None, "closes": None, "zone": ""}
        return data | {name: data[name].strftime("%H:%M") for name in ("opens", "closes")}
