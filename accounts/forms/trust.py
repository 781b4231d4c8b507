"""Forms about a connected account: its name, its end, and where it belongs now."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts import kits
from accounts.forms.connect import IdentityField, unused_name
from accounts.models import CloudAccount


class RenameForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=80, help_text=_("How your team calls this account. Nothing in the cloud carries this name.")
    )

    def __init__(self, *args: Any, account: CloudAccount, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.account = account

    def clean_name(self) -> str:
        return unused_name(self.account, str(self.cleaned_data["name"]))


class DisconnectForm(forms.Form):
    """The account's name, typed: what ends access is done on purpose."""

    name = forms.CharField(max_length=80, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}))

    def __init__(self, *args: Any, account: CloudAccount, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = str(account)
        self.fields["name"].label = _("Type %(name)s to confirm") % {"name": self.expected}
        self.fields["name"].error_messages["required"] = _("Type the name %(name)s.") % {"name": self.expected}

    def clean_name(self) -> str:
        typed = str(self.cleaned_data["name"]).strip()
        if typed != self.expected:
            raise forms.ValidationError(_("This is not the name of the account. Nothing was changed."), code="name")
        return typed


class ReconnectForm(forms.Form):
    """Where the account belongs, as this cloud asks it: a project that was made anew has another number. Nothing to ask on AWS."""

    def __init__(self, *args: Any, account: CloudAccount, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for question in kits.load(account.cloud).identity_fields[1:]:
            self.fields[question.name] = IdentityField(question)
            self.initial.setdefault(question.name, account.identity.get(question.name, ""))

    @property
    def identity(self) -> dict[str, str]:
        return dict(self.cleaned_data)
