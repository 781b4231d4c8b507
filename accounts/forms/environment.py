"""Which region to look at, and which check."""

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.kits import CloudKit


class EnvironmentForm(forms.Form):
    """Every page of an environment takes these; without `only` every check is meant."""

    region = forms.ChoiceField(label=_("Region"))
    only = forms.ChoiceField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: object, kit: CloudKit, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["region"].choices = [(region.code, f"{region.code} – {region.name}") for region in kit.regions]  # type: ignore[attr-defined]
        self.fields["only"].choices = [("", ""), *((check.name, check.name) for check in kit.environment_checks)]  # type: ignore[attr-defined]
