"""Forms of instances: check input, no effects."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from django import forms
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import kits
from accounts.kit_regions import has_kit_regions, regions_url
from accounts.models import CloudAccount, Organisation
from accounts.states import AccountState
from cells.availability import REFUSALS
from cells.forms.parameters import ParametersForm
from cells.hosting import find_place, regions_in_use
from cells.models import Instance, Plan, PlanSize, Release
from cells.placement import NoPlace, Refusal
from cells.states import InstanceState
from portal.templatetags.components import date_words

MOST_NOTES, MOST_NOTES_ON_REGIONS = 80, 5
NAME_HELP = _("Letters, digits and dashes. Your endpoints carry this name. Cannot be changed later.")


class PlanForm(forms.Form):
    plan = forms.ModelChoiceField(
        Plan.objects.none(), to_field_name="code", error_messages={"required": _("Choose a plan."), "invalid_choice": _("Choose a plan.")}
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["plan"].queryset = Plan.objects.published()  # type: ignore[attr-defined]


class PlaceForm(forms.Form):
    """In which account and region. Where the provider hosts, only the region is asked."""

    account = forms.ModelChoiceField(
        CloudAccount.objects.none(),
        label=_("In which cloud account?"),
        empty_label=None,
        help_text=_("Cannot be changed later."),
        error_messages={"required": _("Choose a cloud account.")},
    )
    region = forms.ChoiceField(
        label=_("In which region?"), help_text=_("Cannot be changed later."), error_messages={"required": _("Choose a region.")}
    )

    def __init__(self, *args: Any, organisation: Organisation, plan: Plan, account: CloudAccount | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.plan, self.organisation = plan, organisation
        accounts = organisation.cloud_accounts.filter(state=AccountState.CONNECTED, cloud__in=list(plan.regions))
        if plan.needs_account:
            self.fields["account"].queryset = accounts  # type: ignore[attr-defined]
        else:
            del self.fields["account"]
        clouds = ([account.cloud] if account else sorted({one.cloud for one in accounts})) if plan.needs_account else list(plan.regions)
        self.fields["region"].choices = region_choices(plan, clouds)  # type: ignore[attr-defined]
        # Accounts whose kit is run for one region at a time: the page says where their cells can stand, and how another is added.
        narrow = [one for one in accounts if has_kit_regions(one)][:MOST_NOTES_ON_REGIONS] if plan.needs_account else []
        self.narrow_accounts = [(one, regions, regions_url(one)) for one, regions in regions_in_use(narrow)] if narrow else []

    def clean(self) -> None:
        account, place = self.cleaned_data.get("account"), self.cleaned_data.get("region", "")
        if account and place and place.partition(":")[0] != account.cloud:
            self.add_error("region", forms.ValidationError(_("This region is of another cloud than the account."), code="other_cloud"))
        elif account and place:
            self._clean_new_cell(account)

    def _clean_new_cell(self, account: CloudAccount) -> None:
        """Where no cell is yet, one would have to be made: some kits can make none, or one in their own region alone."""
        cloud, region = self.place
        found = find_place(self.plan, organisation=self.organisation, cloud=cloud, region=region, account=account)
        if found == NoPlace(Refusal.KIT_TOO_OLD):
            update = reverse("accounts:account_kit_update", args=[self.organisation.slug, account.pk])
            link = format_html('<a href="{}">{}</a>', update, _("Update the kit"))
            self.add_error("account", forms.ValidationError(format_html("{} {}.", REFUSALS[Refusal.KIT_TOO_OLD], link), code="kit_too_old"))
        elif found == NoPlace(Refusal.ONLY_WHERE_THE_KIT_IS):
            link = format_html('<a href="{}?region={}">{}</a>', regions_url(account), region, _("Use another location"))
            [(_account, regions)] = regions_in_use([account])
            known = {"account": account, "regions": ", ".join(regions), "region": region}
            words = _(
                "In %(account)s, a deployment cell can stand only where its kit was run: %(regions)s. Choose one of these, or run the kit "
                "for %(region)s too; what you have answered here is kept."
            )
            told = format_html("{} {}.", words % known, link)
            self.add_error("region", forms.ValidationError(told, code="only_where_the_kit_is"))

    @property
    def place(self) -> tuple[str, str]:
        """Cloud and region."""
        cloud, _colon, region = str(self.cleaned_data["region"]).partition(":")
        return cloud, region


def region_choices(plan: Plan, clouds: Iterable[str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """By cloud, `cloud:region` with the region's name: those that the plan is offered in."""
    choices = []
    for cloud in clouds:
        offered = plan.regions.get(cloud)
        if offered is None or cloud not in kits.KITS:
            continue
        regions = [region for region in kits.load(cloud).regions if not offered or region.code in offered]
        choices.append(
            (str(kits.load(cloud).words.cloud), [(f"{cloud}:{region.code}", f"{region.code} · {region.name}") for region in regions])
        )
    return choices


def size_words(size: PlanSize) -> str:
    """`Small: 0.5 vCPU, 512 MiB. About 40 to 60 USD a month.`"""
    return str(
        _("%(name)s: %(cpu)s vCPU, %(memory)s. About %(low)s to %(high)s %(currency)s a month.")
        % {
            "name": size.name,
            "cpu": f"{size.cpu / 1000:g}",
            "memory": memory_words(size.memory),
            "low": f"{size.cost_from:.0f}",
            "high": f"{size.cost_to:.0f}",
            "currency": size.currency,
        }
    )


def memory_words(mib: int) -> str:
    return f"{mib / 1024:g} GiB" if mib >= 1024 else f"{mib} MiB"  # noqa: PLR2004


class SizeField(forms.ModelChoiceField):  # type: ignore[type-arg]  # generic only for the type checker
    """One size of the plan, with what it costs; the form sets the queryset."""

    def __init__(self) -> None:
        words = {"required": _("Choose a size."), "invalid_choice": _("Choose one of these sizes.")}
        super().__init__(
            PlanSize.objects.none(),
            label=_("Which size?"),
            to_field_name="code",
            empty_label=None,
            widget=forms.RadioSelect,
            error_messages=words,
        )

    def label_from_instance(self, obj: PlanSize) -> str:
        return size_words(obj)


class ReleaseField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """One version of the plan, with what it brings; the form sets the queryset, and which one runs now."""

    current: Release | None = None

    def __init__(self, *, label: Any) -> None:
        words = {"required": _("Choose a version."), "invalid_choice": _("This version is not offered. Choose another one.")}
        super().__init__(Release.objects.none(), label=label, to_field_name="version", empty_label=None, error_messages=words)

    def label_from_instance(self, obj: Release) -> str:
        about = f"{date_words(timezone.localdate(obj.published_at))}. {Truncator(obj.notes).chars(MOST_NOTES)}".rstrip()
        is_earlier = self.current is not None and obj.is_earlier_than(self.current)
        words = _("%(version)s, an earlier version · %(about)s") if is_earlier else _("%(version)s · %(about)s")
        return str(words % {"version": obj.version, "about": about})


class SettingsForm(ParametersForm):
    """Name, version, size, and the plan's own parameters."""

    name = forms.RegexField(
        r"^[a-z][a-z0-9-]{1,58}[a-z0-9]$",
        label=_("What shall the instance be called?"),
        help_text=NAME_HELP,
        error_messages={
            "required": _("Enter a name for the instance."),
            "invalid": _("Start with a small letter; then 2 to 59 small letters, digits or dashes, and no dash at the end."),
        },
    )
    size = SizeField()
    release = ReleaseField(label=_("Which version?"))

    def __init__(self, *args: Any, plan: Plan, organisation: Organisation, **kwargs: Any) -> None:
        super().__init__(*args, schema=plan.parameters, **kwargs)
        self.organisation = organisation
        self.fields["size"].queryset = plan.sizes.all()  # type: ignore[attr-defined]
        self.fields["release"].queryset = plan.releases.filter(is_offered=True)  # type: ignore[attr-defined]
        self.fields["is_protected"] = forms.BooleanField(
            label=_("Protect it from deletion"), required=False, help_text=_("Nobody can delete it until the protection is switched off.")
        )

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if self.organisation.instances.exclude(state=InstanceState.DELETED).filter(name__iexact=name).exists():
            raise forms.ValidationError(_("Another instance of your organisation has this name."), code="taken")
        return name


class ModifyForm(ParametersForm):
    """Another size, other parameters. After a failure the same once more is a wish as well."""

    size = SizeField()

    def __init__(self, *args: Any, instance: Instance, parameters: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, schema=instance.plan.parameters, parameters=parameters, **kwargs)
        self.instance, self.before = instance, parameters
        self.fields["size"].queryset = instance.plan.sizes.all()  # type: ignore[attr-defined]

    def clean(self) -> None:
        super().clean()
        if self.errors or self.instance.state == InstanceState.FAILED:
            return
        if (self.cleaned_data["size"], self.parameters) == (self.initial["size"], _said_in_full(self.before, self.schema)):
            raise forms.ValidationError(_("Nothing is different from how it runs now. Change something first."), code="unchanged")


def _said_in_full(parameters: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """As the form gives them back: a list without a line is there."""
    lists: dict[str, Any] = {name: [] for name, part in schema.get("properties", {}).items() if part.get("type") == "array"}
    return {**lists, **parameters}


class UpgradeForm(forms.Form):
    release = ReleaseField(label=_("To which version?"))

    def __init__(self, *args: Any, instance: Instance, current: Release, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        release = cast(ReleaseField, self.fields["release"])
        release.queryset = instance.plan.releases.filter(is_offered=True).exclude(pk=current.pk)
        release.current = current

    @property
    def offers(self) -> str:
        """`newer` where one is among them, else `earlier`, or empty."""
        release = cast(ReleaseField, self.fields["release"])
        offered = list(release.queryset or ())
        is_newer = any(release.current and release.current.is_earlier_than(one) for one in offered)
        return "newer" if is_newer else "earlier" if offered else ""


class TypedNameForm(forms.Form):
    """The name, typed: what cannot be undone is done on purpose."""

    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}))

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected
        self.fields["name"].label = _("Type %(name)s to confirm") % {"name": expected}
        self.fields["name"].error_messages["required"] = _("Type the name %(name)s.") % {"name": expected}

    def clean_name(self) -> str:
        typed = str(self.cleaned_data["name"]).strip()
        if typed != self.expected:
            raise forms.ValidationError(_("This is not the name. Nothing was changed."), code="name")
        return typed


WITH_BACKUP, WITHOUT_BACKUP = "yes", "no"


class DeletionForm(TypedNameForm):
    """With the choice of a final backup, where one can be taken of `backups` instances; preset unless one has just failed."""

    final_backup = forms.ChoiceField(
        label=_("Final backup"),
        help_text=_("The instance goes on running until then. What is written while the backup is taken may be missing from it."),
        widget=forms.RadioSelect,
        initial=WITH_BACKUP,
        error_messages={"required": _("Choose whether a final backup is taken first.")},
    )
    field_order = ("final_backup", "name")

    def __init__(self, *args: Any, backups: int, is_preset: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.has_choice = bool(backups)
        if not self.has_choice:
            # Asked for by nobody who reads this page, only by whoever read it while there was a choice.
            self.fields["final_backup"] = forms.CharField(required=False, max_length=10, widget=forms.HiddenInput)
            return
        field = cast("forms.ChoiceField", self.fields["final_backup"])
        field.choices = self.backup_choices(backups)
        if not is_preset:
            field.initial = None

    def backup_choices(self, backups: int) -> list[tuple[str, object]]:
        return [
            (WITH_BACKUP, _("Take a final backup first. Nothing is removed before it stands.")),
            (WITHOUT_BACKUP, _("Delete without a final backup")),
        ]

    def clean(self) -> None:
        """Nobody who asks for a backup loses the instance without one, though the page was read while there could be one."""
        if not self.has_choice and self.cleaned_data.get("final_backup") == WITH_BACKUP:
            words = _("A final backup cannot be taken any more. Nothing was deleted. Open the page again: it says why.")
            self.add_error("name", forms.ValidationError(words, code="no_backup"))

    @property
    def is_backed_up(self) -> bool:
        return bool(self.cleaned_data.get("final_backup") == WITH_BACKUP)


class DeleteAllForm(DeletionForm):
    """Below the very list that is deleted: `listed` says which one that was."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.has_choice:
            self.fields["final_backup"].help_text = _(
                "Each instance goes on running until its own backup stands. What is written while a backup is taken may be missing from it."
            )

    def backup_choices(self, backups: int) -> list[tuple[str, object]]:
        words = ngettext(
            "Take a final backup of %(count)s instance first. It is not removed before that stands.",
            "Take a final backup of %(count)s instances first. None of them is removed before its own stands.",
            backups,
        )
        return [(WITH_BACKUP, words % {"count": backups}), (WITHOUT_BACKUP, _("Delete all of them without a final backup"))]

    listed = forms.CharField(max_length=64, widget=forms.HiddenInput)
