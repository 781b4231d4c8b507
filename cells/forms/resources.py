"""Forms about resources that a deletion has left: check input, no effects."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from cells.forms.instances import TypedNameForm
from cells.models import CellResource


class KeepForm(TypedNameForm):
    """Which resources stay, why, and the cell's name typed: they go on costing, and nobody looks after them."""

    resource = forms.MultipleChoiceField(
        label=_("What stays in your cloud?"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one."), "invalid_choice": _("One of these is not there any more. Choose again.")},
    )
    why = forms.CharField(
        label=_("Why is it kept?"),
        help_text=_("Kept on record, with your name."),
        max_length=300,
        error_messages={"required": _("Say why it is kept.")},
    )

    field_order = ("resource", "why", "name")

    def __init__(self, *args: Any, resources: Iterable[CellResource], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["resource"].choices = [(str(row.pk), f"{row.name} · {row.kind} · {row.made}") for row in resources]  # type: ignore[attr-defined]
