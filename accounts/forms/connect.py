"""Forms of the connect wizard: check input, no effects."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts import kits
from accounts.models import CloudAccount
from accounts.models.cloud_accounts import Cloud
from accounts.states import AccountState


class AccountFilterForm(forms.Form):
    """What the list of cloud accounts takes from its address."""

    q = forms.CharField(required=False, max_length=100)
    state = forms.ChoiceField(required=False, choices=AccountState.choices)


class StartForm(forms.Form):
    cloud = forms.ChoiceField(label=_("Which cloud?"), choices=Cloud.choices, initial=Cloud.AWS, widget=forms.RadioSelect)


class IdentityForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        help_text=_("How your team calls this account, for example “Production”."),
    )
    external_id = forms.CharField(
        label=_("AWS account number"),
        max_length=40,
        help_text=_("12 digits. Spaces and dashes are fine. Cannot be changed later."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, account: CloudAccount, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.account = account

    def clean_external_id(self) -> str:
        try:
            return kits.load(self.account.cloud).clean_account_id(self.cleaned_data["external_id"])
        except ValueError as error:
            raise forms.ValidationError(
                _("Enter the 12 digits of the AWS account number. You find them in the AWS console, top right."), code="account_number"
            ) from error


class PlaceForm(forms.Form):
    region = forms.ChoiceField(
        label=_("Region for the kit"),
        help_text=_("The kit's stack is kept here. What it makes works in every region. Cannot be changed later."),
    )

    def __init__(self, *args: Any, account: CloudAccount, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        regions = kits.load(account.cloud).regions
        self.fields["region"].choices = [(region.code, f"{region.name} ({region.code})") for region in regions]  # type: ignore[attr-defined]


class ReportForm(forms.Form):
    stack = forms.CharField(
        label=_("Stack ID"),
        max_length=300,
        help_text=_("In the AWS console: CloudFormation, your stack, Stack info. It starts with arn:aws:cloudformation."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, account: CloudAccount, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.account = account

    def clean_stack(self) -> str:
        stack: str = self.cleaned_data["stack"].strip()
        if kits.load(self.account.cloud).read_evidence(stack) is None:
            raise forms.ValidationError(_("Paste the whole stack ID: it starts with arn:aws:cloudformation."), code="stack")
        return stack
