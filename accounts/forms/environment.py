"""Which region to look at, and which check."""

from collections.abc import Sequence

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.kits import CloudKit

Choices = list[tuple[str, str]]


class EnvironmentForm(forms.Form):
    """Every page of an environment takes these; without `only` every check is meant. `home` and `seen` stand first."""

    region = forms.ChoiceField(label=_("Region"))
    only = forms.ChoiceField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: object, kit: CloudKit, home: str = "", seen: Sequence[str] = (), **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["region"].choices = _groups(kit, home, seen)  # type: ignore[attr-defined]
        self.fields["only"].choices = [("", ""), *((check.name, check.name) for check in kit.environment_checks)]  # type: ignore[attr-defined]


def _groups(kit: CloudKit, home: str, seen: Sequence[str]) -> list[tuple[str, Choices]]:
    """The kit's region, those looked at, all others: each by name."""
    named = sorted(((region.code, f"{region.name} ({region.code})") for region in kit.regions), key=lambda choice: choice[1])
    looked_at = set(seen) - {home}
    groups = (
        (_now("Region of the kit"), [choice for choice in named if choice[0] == home]),
        (_now("Checked before"), [choice for choice in named if choice[0] in looked_at]),
        (_now("Other regions"), [choice for choice in named if choice[0] not in {home, *looked_at}]),
    )
    return [(title, choices) for title, choices in groups if choices]
