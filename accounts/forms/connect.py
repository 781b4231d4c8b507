"""Forms of the connect wizard: check input, no effects."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts import kits
from accounts.availability import same_account, why_not_name
from accounts.kits.base import IdentityField as IdentityQuestion
from accounts.kits.base import Report, WrongAnswer
from accounts.models import CloudAccount, Kit
from accounts.models.cloud_accounts import SHOWN_STATES, Cloud
from accounts.targets import target_of


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

    duplicate = _("This account is already in your organisation as “%(name)s”.")

    name = forms.CharField(
        label=_("What does your team call this account?"),
        max_length=80,
        help_text=_("For example “Production”. You can change it later."),
        error_messages={
            "required": _("Enter the name that your team uses for this account."),
            "max_length": _("Enter a name of at most 80 characters."),
        },
    )

    def __init__(self, *args: Any, account: CloudAccount, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.account = account
        self.existing: CloudAccount | None = None  # the same account, connected or being connected already
        for question in kits.load(account.cloud).identity_fields:
            self.fields[question.name] = IdentityField(question)

    def clean_name(self) -> str:
        return unused_name(self.account, str(self.cleaned_data["name"]))

    def clean(self) -> None:
        answers = {name: value for name, value in self.cleaned_data.items() if name != "name"}
        self._refuse_same(answers)
        if number := answers.get("external_id"):
            self.existing = same_account(self.account, number)
        if self.existing:
            self.add_error("external_id", forms.ValidationError(self.duplicate, code="duplicate", params={"name": self.existing.name}))

    def _refuse_same(self, answers: Mapping[str, str]) -> None:
        """One value as the answer to two questions: one of them was pasted into the wrong field."""
        asked: dict[str, str] = {}
        for name, value in answers.items():
            label = str(self.fields[name].label)
            if other := asked.get(value):
                same = _("You entered the same value as “%(other)s”. Enter the value of “%(label)s” here.")
                self.add_error(name, forms.ValidationError(same, code="same", params={"other": other, "label": label}))
            asked.setdefault(value, label)

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
        wanted = {"required": question.error, "max_length": question.error}
        widget = forms.TextInput(attrs=attrs)
        super().__init__(label=question.label, help_text=question.help, max_length=100, widget=widget, error_messages=wanted)
        self.question = question

    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        try:
            return self.question.clean(text)
        except WrongAnswer as error:
            raise forms.ValidationError(error.sentence, code="identity") from error
        except ValueError as error:
            raise forms.ValidationError(self.question.error, code="identity") from error


class PlaceForm(forms.Form):
    region = forms.ChoiceField(error_messages={"required": _("Choose a region."), "invalid_choice": _("Choose a region from the list.")})

    def __init__(self, *args: Any, account: CloudAccount, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kit, field = kits.load(account.cloud), self.fields["region"]
        field.label, field.help_text = kit.words.place_label, kit.words.place_help
        field.choices = [(region.code, f"{region.name} ({region.code})") for region in kit.regions]  # type: ignore[attr-defined]


class ReportForm(forms.Form):
    """What somebody pasted about a kit that was run. `report` is it, read."""

    evidence = forms.CharField(max_length=4000, widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"}))

    def __init__(self, *args: Any, account: CloudAccount, issued: Kit | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kit, self.account, self.issued = kits.load(account.cloud), account, issued
        field, words = self.fields["evidence"], self.kit.words
        field.label, field.help_text = words.report_label, words.report_help
        field.error_messages |= {"required": words.report_error, "max_length": words.report_error}

    def clean_evidence(self) -> Report:
        report = self.kit.read_report(self.cleaned_data["evidence"])
        if report is None:
            raise forms.ValidationError(self.kit.words.report_error, code="evidence")
        if self.issued and (reason := self.kit.why_not_report(report, target_of(self.account, self.issued))):
            raise forms.ValidationError(reason, code="evidence")
        return report
