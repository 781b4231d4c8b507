"""Forms of the provider's staff for what is offered. What could not be shown to a customer is refused here."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts import kits
from accounts.states import AccountState
from cells.forms.parameters import schema_problem
from cells.models import HostingAccount, InstanceRevision, Plan, PlanSize, Release
from cells.states import Hosting, Tenancy

FIXED_IN_USE = ("code", "cpu", "memory", "storage")


class ReasonField(forms.CharField):
    def __init__(self, help_text: Any) -> None:
        super().__init__(label=_("Reason and case"), max_length=200, help_text=help_text)


class PlanOfferForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only for the type checker
    reason = ReasonField(_("Kept in the activity log."))

    class Meta:
        model = Plan
        fields = ("code", "name", "summary", "hosting", "tenancy", "regions", "parameters", "has_backups", "is_published")
        help_texts = {
            "regions": _('By cloud, the regions it is offered in; none means all of them: {"aws": ["eu-west-1"], "gcp": []}'),
            "parameters": _("JSON Schema (2020-12) of an object: what the customer may set, in the order of the form."),
        }

    def clean_regions(self) -> dict[str, list[str]]:
        regions = self.cleaned_data["regions"]
        if not isinstance(regions, dict) or not regions or not all(isinstance(codes, list) for codes in regions.values()):
            raise forms.ValidationError(_("Write an object: each cloud with a list of its regions."), code="shape")
        for cloud, codes in regions.items():
            if cloud not in kits.KITS:
                raise forms.ValidationError(_("There is no cloud “%(cloud)s”."), code="cloud", params={"cloud": cloud})
            if unknown := [code for code in codes if code not in {region.code for region in kits.load(cloud).regions}]:
                words = {"cloud": cloud, "region": unknown[0]}
                raise forms.ValidationError(_("%(cloud)s has no region “%(region)s” that we know."), code="region", params=words)
        return regions

    def clean_parameters(self) -> dict[str, Any]:
        schema = self.cleaned_data["parameters"] or {}
        if problem := schema_problem(schema):
            raise forms.ValidationError(problem, code="schema")
        return dict(schema)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("hosting") == Hosting.CUSTOMER and cleaned.get("tenancy") not in {Tenancy.DEDICATED, None}:
            self.add_error("tenancy", _("In a customer's own account nobody else can be: choose dedicated."))
        return cleaned


class SizeForm(forms.ModelForm):  # type: ignore[type-arg]
    """A size that instances have keeps its figures: they would change under the customer's feet."""

    class Meta:
        model = PlanSize
        fields = ("code", "name", "cpu", "memory", "storage", "cost_from", "cost_to", "currency", "position")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():  # in a table the head of the column is no label
            field.widget.attrs["aria-label"] = str(field.label)
        if self.instance.pk and InstanceRevision.objects.filter(size=self.instance).exists():
            for name in FIXED_IN_USE:
                self.fields[name].disabled = True


class ReleaseForm(forms.ModelForm):  # type: ignore[type-arg]
    digest = forms.RegexField(
        r"^[0-9a-f]{64}$", label=_("SHA-256 of the chart"), error_messages={"invalid": _("Enter 64 letters and digits: 0 to 9, a to f.")}
    )
    reason = ReasonField(_("Kept in the activity log."))

    class Meta:
        model = Release
        fields = ("plan", "version", "chart", "chart_version", "digest", "notes", "is_offered")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:  # what was released stays what it was
            for name in ("plan", "version", "chart", "chart_version", "digest"):
                self.fields[name].disabled = True


class HostForm(forms.ModelForm):  # type: ignore[type-arg]
    reason = ReasonField(_("Whoever connected the account reads it in the activity."))

    class Meta:
        model = HostingAccount
        fields = ("account", "hosting", "reserved_for", "is_open")
        help_texts = {"reserved_for": _("Dedicated plans of this organisation alone. Empty: shared plans of everybody.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.fields["account"].disabled = True

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        account = cleaned.get("account")
        if account and self.instance._state.adding and account.state != AccountState.CONNECTED:
            self.add_error("account", _("Connect this account first."))
        if account and cleaned.get("reserved_for") == account.organisation:
            self.add_error("reserved_for", _("This is the account's own organisation. It needs no host."))
        return cleaned
