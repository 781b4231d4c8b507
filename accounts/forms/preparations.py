"""Forms around a prepared connection: staff fill in the account, the customer reads, changes, accepts or declines. No effects."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts import kits
from accounts.availability import why_not_name
from accounts.forms.connect import IdentityForm
from accounts.models import CloudAccount


class AccountForm(IdentityForm):
    """Everything about an account that the wizard asks, on one page."""

    region = forms.ChoiceField()

    def __init__(self, *args: Any, account: CloudAccount, **kwargs: Any) -> None:
        super().__init__(*args, account=account, **kwargs)
        kit, field = kits.load(account.cloud), self.fields["region"]
        field.label, field.help_text = kit.words.place_label, kit.words.place_help
        field.choices = [(region.code, f"{region.name} ({region.code})") for region in kit.regions]  # type: ignore[attr-defined]
        self.asked = [question.name for question in kit.identity_fields]
        self.order_fields(["name", *self.asked, "region"])

    @property
    def identity(self) -> dict[str, str]:
        return {name: self.cleaned_data[name] for name in self.asked if name != "external_id"}

    @property
    def filled(self) -> dict[str, Any]:
        """As the actions take it."""
        given = self.cleaned_data
        return {"name": given["name"], "external_id": self.external_id, "identity": self.identity, "region": given["region"]}


class PrepareForm(AccountForm):
    """By staff, in the administration."""

    duplicate = _("The customer has this account already, as “%(name)s”.")

    note = forms.CharField(
        label=_("Note to the customer"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("The customer reads it with the terms, in the mail and in the activity."),
    )

    def __init__(self, *args: Any, account: CloudAccount, **kwargs: Any) -> None:
        super().__init__(*args, account=account, **kwargs)
        name = self.fields["name"]
        name.label, name.help_text = _("Name"), _("How the customer's team calls this account. They can change it.")

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if why_not_name(self.account.organisation, name):
            raise forms.ValidationError(
                _("The customer has an account of this name already. Give this one another name."), code="name_taken"
            )
        return name


class TermsForm(AccountForm):
    """By the customer. `terms_hash` says which text was on the page."""

    terms_hash = forms.CharField(widget=forms.HiddenInput, max_length=64)


class DeclineForm(forms.Form):
    reason = forms.CharField(
        label=_("Why do you decline?"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("It is read by the staff who prepared the connection, and kept in the activity."),
        error_messages={"required": _("Say in a sentence why, so that it is not simply prepared again.")},
    )
