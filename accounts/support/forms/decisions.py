"""Input of the customer's pages: what is left of a request, filters of the history."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any, cast
from urllib.parse import urlencode

from django import forms
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.support.models import AccessPolicy, AccessRequest
from accounts.support.models.requests import AccessRequestQuerySet
from accounts.support.proof.documents import Terms
from accounts.support.rules import scopes
from accounts.support.rules.scopes import Scope
from accounts.support.states import PROFILE_ORDER, AccessState, Profile
from accounts.support.wording.words import PROFILES, lengths_up_to
from portal.audit.forms import DayField


class NarrowForm(forms.Form):
    """As asked, or less of it. There is no choice that would be more."""

    profile = forms.ChoiceField(label=_("Allow"), widget=forms.RadioSelect)
    scope = forms.ChoiceField(label=_("In"))
    minutes = forms.TypedChoiceField(label=_("For"), coerce=int)

    def __init__(self, data: Mapping[str, str] | None, *, request: AccessRequest, scope: Scope, policy: AccessPolicy) -> None:
        asked = Profile(request.profile)
        within = [scope, *scopes.narrower(request.organisation, scope)]
        self.scopes = {one.key: one for one in within}
        self.is_direct = request.is_direct
        longest = min(request.length, policy.longest)
        lengths = lengths_up_to(longest)
        initial = {"profile": asked, "scope": scope.key, "minutes": lengths[-1][0]}
        super().__init__(data, initial=initial)
        self._choice("profile").choices = [(one, profile_words(one)) for one in PROFILE_ORDER[: PROFILE_ORDER.index(asked) + 1]]
        self._choice("scope").choices = [(one.key, f"{one.label} · {scopes.kind_words(one.kind)}") for one in within]
        self._choice("minutes").choices = lengths

    def _choice(self, name: str) -> forms.ChoiceField:
        return cast(forms.ChoiceField, self.fields[name])

    @property
    def terms(self) -> Terms:
        """For a valid form."""
        data = self.cleaned_data
        return Terms(self.scopes[data["scope"]], data["profile"], data["minutes"], self.is_direct)


def profile_words(profile: Profile) -> str:
    """Its name, and what it adds to the one before."""
    return format_html('<span><strong>{}</strong> <span class="muted">· {}</span></span>', profile.label, PROFILES[profile].more)


class HistoryFilter(forms.Form):
    """Everything in it stands in the address."""

    q = forms.CharField(label=_("Find"), required=False, max_length=200, help_text=_("Case, scope or engineer"))
    state = forms.ChoiceField(label=_("State"), required=False)
    profile = forms.ChoiceField(label=_("Profile"), required=False)
    since = DayField(label=_("From"))
    until = DayField(label=_("To"))

    def __init__(self, data: Mapping[str, str]) -> None:
        super().__init__(data)
        any_one = [("", _now("Any"))]
        self._choice("state").choices = [*any_one, *AccessState.choices]
        self._choice("profile").choices = [*any_one, *Profile.choices]

    def _choice(self, name: str) -> forms.ChoiceField:
        return cast(forms.ChoiceField, self.fields[name])

    @property
    def query(self) -> str:
        """The filled-in filters, as they stand in the address. For a valid form."""
        return urlencode({name: str(value) for name, value in self.cleaned_data.items() if value})

    def apply(self, requests: AccessRequestQuerySet) -> AccessRequestQuerySet:
        """Those that pass. For a valid form."""
        data = self.cleaned_data
        for name in ("state", "profile"):
            if data[name]:
                requests = requests.filter(**{name: data[name]})
        if data["since"]:
            requests = requests.filter(created_at__gte=_midnight(data["since"]))
        if data["until"]:
            requests = requests.filter(created_at__lt=_midnight(data["until"] + timedelta(days=1)))
        return requests.with_text(data["q"]) if data["q"] else requests


def _midnight(day: Any) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
