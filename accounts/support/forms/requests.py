"""Input of the provider's pages: a request, a note, filters."""

from datetime import datetime, timedelta
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.forms.people import LINK_LIKE
from accounts.models import Organisation
from accounts.support.actions.requests import Wish
from accounts.support.brokering.bundles import why_not_of
from accounts.support.models import AccessPolicy
from accounts.support.models.requests import ReasonType
from accounts.support.rules import scopes
from accounts.support.rules.availability import why_not_ask, why_not_direct, why_not_in_account
from accounts.support.rules.scopes import Scope
from accounts.support.states import Profile
from accounts.support.wording.words import PROFILES, lengths_up_to

FURTHEST_START = timedelta(days=14)
USUAL_MINUTES = 240
ACCESS, BUNDLE = "access", "bundle"
WHOLE_ACCOUNT = "account"
PLAIN_CASE = RegexValidator(r"\A[A-Za-z0-9][A-Za-z0-9-]*\Z", _("Enter the number of the case: letters, digits and dashes."))


class TextField(forms.CharField):
    """Sentences that somebody else reads: up to 600 characters, no web address in them."""

    def __init__(self, *, label: Any, help_text: Any = "", required: bool = True, empty: Any = "") -> None:
        widget = forms.Textarea(attrs={"rows": 4})
        errors = {"required": empty or _("Enter a few words.")}
        super().__init__(label=label, help_text=help_text, required=required, max_length=600, widget=widget, error_messages=errors)

    def validate(self, value: str) -> None:
        super().validate(value)
        if "://" in value or LINK_LIKE.search(value):
            raise ValidationError(_now("Leave web addresses out: they cannot be told from a trap. The case has a field for its link."))


class NoteForm(forms.Form):
    text = TextField(label=_("Question"))


class ViewingForm(forms.Form):
    case = forms.CharField(label=_("Case"), max_length=32, validators=[PLAIN_CASE], widget=forms.TextInput(attrs={"autocomplete": "off"}))
    reason = TextField(label=_("Reason"), help_text=_("The customer reads it in the activity log."))


class OptionalReasonForm(forms.Form):
    text = TextField(label=_("Reason"), required=False, help_text=_("Nobody needs one to decline."))


class EndingForm(forms.Form):
    text = TextField(label=_("Reason"), required=False, help_text=_("Nobody needs one to end access. It stands in the access receipt."))


class RequestForm(forms.Form):
    """What an engineer asks for, of one customer. Choices are what exists there and what its policy allows."""

    wants = forms.ChoiceField(
        label=_("Would a diagnostic bundle do?"),
        choices=[
            (BUNDLE, _("Yes, ask for a diagnostic bundle. The customer looks it through before we see it, and nobody gets access.")),
            (ACCESS, _("No, ask for access")),
        ],
        initial=ACCESS,
        widget=forms.RadioSelect,
    )
    scope = forms.ChoiceField(label=_("Scope"), help_text=_("The smallest that will do."))
    case = forms.CharField(label=_("Case"), max_length=32, validators=[PLAIN_CASE], widget=forms.TextInput(attrs={"autocomplete": "off"}))
    reason_type = forms.ChoiceField(
        label=_("What led to it"), choices=ReasonType.choices, help_text=_("In the words that the customer reads.")
    )
    reason = TextField(label=_("Reason"), help_text=_("Two sentences. The customer reads them exactly as you write them."))
    profile = forms.ChoiceField(label=_("Profile"), choices=Profile.choices, initial=Profile.DIAGNOSE, widget=forms.RadioSelect)
    minutes = forms.TypedChoiceField(label=_("Length"), coerce=int)
    starts_at = forms.DateTimeField(
        label=_("Start"),
        required=False,
        help_text=_("Empty: as soon as it is approved."),
        widget=forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"}),
        input_formats=["%Y-%m-%dT%H:%M"],
    )
    case_url = forms.URLField(label=_("Link to the case"), required=False, max_length=500, assume_scheme="https")
    place = forms.CharField(
        label=_("Where you work"), required=False, max_length=80, help_text=_("City or country. The customer reads it.")
    )
    is_direct = forms.BooleanField(label=_("Hand out short-lived credentials instead of working through this portal"), required=False)

    def __init__(self, *args: Any, organisation: Organisation, policy: AccessPolicy, words: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.policy = policy
        # Every reading is about one cell: a whole account gives something only to whoever works with credentials.
        kinds = set(scopes.KINDS) if policy.allows_direct else set(scopes.KINDS) - {WHOLE_ACCOUNT}
        found = scopes.choices(organisation, words=words, kinds=kinds)
        self.is_cut, self.words = found.is_cut, words
        self.scopes: dict[str, Scope] = found.with_key(organisation, str(self.data.get("scope", self.initial.get("scope", ""))))
        lengths = lengths_up_to(policy.longest)
        self._choice("scope").choices = grouped(list(self.scopes.values()))
        self._choice("minutes").choices = lengths
        self._choice("profile").choices = [(one, profile_words(one)) for one in Profile]
        self.fields["minutes"].initial = str(min(USUAL_MINUTES, policy.longest_minutes))
        if not policy.allows_direct:
            del self.fields["is_direct"]

    def _choice(self, name: str) -> forms.ChoiceField:
        return cast(forms.ChoiceField, self.fields[name])

    def clean_starts_at(self) -> datetime | None:
        starts_at: datetime | None = self.cleaned_data["starts_at"]
        if starts_at is None:
            return None
        if starts_at < timezone.now():
            raise ValidationError(_now("This time is over. Leave it empty for a start at the approval."))
        if starts_at > timezone.now() + FURTHEST_START:
            raise ValidationError(_now("Ask for a start within the next 14 days."))
        return starts_at

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        scope = self.scopes.get(data.get("scope", ""))
        if scope and (reason := self._why_not_scope(scope, data)):
            self.add_error("scope", reason)
        if data.get("wants") == ACCESS and scope and data.get("is_direct") and (reason := why_not_direct(scope.cloud)):
            self.add_error("is_direct", reason)
        if data.get("wants") == ACCESS and "minutes" in data and "starts_at" in data:
            wished = data["starts_at"] or timezone.now()
            is_direct = bool(data.get("is_direct"))
            if reason := why_not_ask(self.policy, minutes=data["minutes"], wished=wished, is_direct=is_direct):
                self.add_error(None, reason)
        return data

    def _why_not_scope(self, scope: Scope, data: dict[str, Any]) -> str:
        if data.get("wants") == BUNDLE:
            return why_not_of(scope)
        if scope.kind == WHOLE_ACCOUNT and not data.get("is_direct"):
            return _now("Nothing can be read under a whole account: every reading is about one cell. Choose a cell or an instance.")
        return why_not_in_account(scope.account)

    @property
    def wish(self) -> Wish:
        """For a valid form."""
        data = self.cleaned_data
        return Wish(
            scope=self.scopes[data["scope"]],
            case=data["case"],
            case_url=data["case_url"],
            reason_type=data["reason_type"],
            reason=data["reason"],
            profile=data["profile"],
            minutes=data["minutes"],
            starts_at=data["starts_at"],
            place=data["place"],
            is_direct=bool(data.get("is_direct")),
        )


class AnswerForm(RequestForm):
    """A request that came back: changed or not, with an answer."""

    answer = TextField(label=_("Your answer"), help_text=_("Whoever asked reads it."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["wants"]

    def clean(self) -> dict[str, Any]:
        self.cleaned_data["wants"] = ACCESS
        return super().clean()


def profile_words(profile: Profile) -> str:
    """Its name, and what it allows."""
    return format_html('<span><strong>{}</strong><br><span class="muted">{}</span></span>', profile.label, PROFILES[profile].can)


def grouped(found: list[Scope]) -> list[tuple[str, Any]]:
    """As a select shows them: one group a kind, wide ones first."""
    kinds = dict.fromkeys(scope.kind for scope in found)
    groups = [(scopes.kind_words(kind), [(one.key, _label(one)) for one in found if one.kind == kind]) for kind in kinds]
    return [("", _now("Choose one")), *groups]


def _label(scope: Scope) -> str:
    return f"{scope.label} · {scope.region}" if scope.region else scope.label
