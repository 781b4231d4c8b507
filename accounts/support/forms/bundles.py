"""Input of the page on which a customer starts a diagnostic bundle."""

from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Organisation
from accounts.support.brokering.bundles import SCOPES
from accounts.support.forms.requests import TextField, grouped
from accounts.support.rules import scopes
from accounts.support.rules.scopes import Scope


class BundleForm(forms.Form):
    scope = forms.ChoiceField(label=_("Cell or instance"))
    reason = TextField(label=_("What it is about"), required=False, help_text=_("Who reads the bundle reads this first."))

    def __init__(self, *args: Any, organisation: Organisation, words: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = scopes.choices(organisation, words=words, kinds=SCOPES)
        self.is_cut, self.words = found.is_cut, words
        self.scopes = found.with_key(organisation, str(self.data.get("scope", "")))
        cast(forms.ChoiceField, self.fields["scope"]).choices = grouped(list(self.scopes.values()))

    @property
    def chosen(self) -> Scope:
        """For a valid form."""
        return self.scopes[self.cleaned_data["scope"]]
