"""Forms of the connect wizard: check input, no effects."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts import kits
from accounts.availability import why_not_name
from accounts.kits.base import IdentityField as IdentityQuestion
from accounts.kits.base import Report
from accounts.models import CloudAccount
from accounts.models.cloud_accounts import SHOWN_STATES, Cloud


class AccountFilterForm(forms.Form):
    """What the list of cloud accounts takes from its address."""

    q = forms.CharField(required=False, max_length=100)
    state = forms.ChoiceField(required=False, choices=SHOWN_STATES)


class StartForm(forms.Form):
    cloud = forms.ChoiceField(label=_("Which cloud?"), widget=forms.RadioSelect, error_messages={"required": _("Choose a cloud.")})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(cloud, kits.load(cloud).words.choice) for cloud in Cloud.values if cloud in kits.KITS]
        self.fields["cloud"].choices = choices  # type: ignore[attr-defined]


def unused_name(account: CloudAccount, name: str) -> str:
    """The name, unless another account of the organisation has it. Raises ValidationError."""
    if reason := why_not_name(account.organisation, name, but=account):
        raise forms.ValidationError(reason, code="name_taken")
    return name


class IdentityForm(forms.Form):
    """The name, and what this cloud asks to know one account from another."""

    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        help_text=_("How your team calls this account, for example “Production”."),
    )

    def __init__(self, *args: Any, account: CloudAccount, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.account = account
        for question in kits.load(account.cloud).identity_fields:
            self.fields[question.name] = IdentityField(question)

    def clean_name(self) -> str:
        return unused_name(self.account, str(self.cleaned_data["name"]))

    @property
    def external_id(self) -> str:
        found: str = self.cleaned_data["external_id"]
        return found

    @property
    def identity(self) -> dict[str, str]:
        """The answers beside the account's own id."""
        return {name: value for name, value in self.cleaned_data.items() if name not in {"name", "external_id"}}


class IdentityField(forms.CharField):
    def __init__(self, question: IdentityQuestion) -> None:
        attrs = {"autocomplete": "off", "spellcheck": "false"} | ({"inputmode": "numeric"} if question.is_numeric else {})
        super().__init__(label=question.label, help_text=question.help, max_length=64, widget=forms.TextInput(attrs=attrs))
        self.question = question

    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        try:
            return self.question.clean(text)
        except ValueError as error:
            raise forms.ValidationError(self.question.error, code="identity") from error


class PlaceForm(forms.Form):
    region = forms.ChoiceField()

    def __init__(self, *args: Any, account: CloudAccount, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kit, field = kits.load(account.cloud), self.fields["region"]
        field.label, field.help_text = kit.words.place_label, kit.words.place_help
        field.choices = [(region.code, f"{region.name} ({region.code})") for region in kit.regions]  # type: ignore[attr-defined]


class ReportForm(forms.Form):
    """What somebody pasted about a kit that was run. `report` is it, read."""

    evidence = forms.CharField(max_length=4000, widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"}))

    def __init__(self, *args: Any, account: CloudAccount, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kit = kits.load(account.cloud)
        self.fields["evidence"].label = self.kit.words.report_label
        self.fields["evidence"].help_text = self.kit.words.report_help

    def clean_evidence(self) -> Report:
        report = self.kit.read_report(self.cleaned_data["evidence"])
        if report is None:
            raise forms.ValidationError(self.kit.words.report_error, code="evidence")
        return report
