"""The filter bars of the fleet's lists. Everything in them stands in the address; what makes no sense there is left out."""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, Self, cast
from urllib.parse import urlencode

from django import forms
from django.db import models
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.utils.functional import Promise, cached_property
from django.utils.safestring import SafeString
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import CloudAccount, Organisation
from accounts.models.cloud_accounts import Cloud
from cells.fleet.facets import HOSTED, Facets
from cells.fleet.health import cells_of_health, cells_of_link
from cells.fleet.paging import Order
from cells.models import Cell, Instance
from cells.states import AgentLink, CellState, Drift, Health, InstanceState

PAGE_SIZES = (50, 25, 100)  # the usual one first
SORTS = ("name", "-name", "region", "-region", "created_at", "-created_at")
FOLDED = ("plan", "account", "cloud", "link", "drift", "size")
LEAST_ID = 4  # letters of an id before it is looked for as one


STATE = pgettext_lazy("fleet filter", "State")
ANY = pgettext_lazy("fleet filter", "Any")


def _choices(choices: type[models.TextChoices]) -> list[tuple[str, Any]]:
    return [("", ANY), *choices.choices]


class Chip(NamedTuple):
    """A filter in use: what it is, its value in words, and the query string without it."""

    label: str
    value: str
    query: str


class Sort(NamedTuple):
    """Of a column: the query that sorts by it, or the other way round, and what `aria-sort` says now."""

    query: str
    aria: str


class Sorts(NamedTuple):
    """Of each column that a list is sorted by; see SORTS."""

    name: Sort
    region: Sort
    created_at: Sort


class FoundField(forms.ChoiceField):
    """A choice among what is there: offered once that is known. What is not there finds nothing, and says so."""

    def valid_value(self, value: object) -> bool:
        return "\0" not in str(value) and len(str(value)) <= 60  # noqa: PLR2004  longer than any code here


class FleetFilter(forms.Form):
    """Input is the query string. `apply` narrows, `query` reproduces it."""

    q = forms.CharField(
        label=_("Search"),
        required=False,
        max_length=200,
        widget=forms.SearchInput(attrs={"placeholder": _("Name, ID, region, account")}),
    )
    state = forms.ChoiceField(label=STATE, required=False)
    health = forms.ChoiceField(label=pgettext_lazy("fleet filter", "Health"), required=False, choices=_choices(Health))
    region = FoundField(label=pgettext_lazy("fleet filter", "Region"), required=False)
    cloud = forms.ChoiceField(label=pgettext_lazy("fleet filter", "Cloud"), required=False, choices=_choices(Cloud))
    account = FoundField(label=pgettext_lazy("fleet filter", "Cloud account"), required=False)
    sort = forms.ChoiceField(choices=[(sort, sort) for sort in SORTS], required=False)
    size = forms.TypedChoiceField(
        label=_("Per page"),
        required=False,
        coerce=int,
        empty_value=str(PAGE_SIZES[0]),
        choices=[(size, str(size)) for size in sorted(PAGE_SIZES)],
    )
    label: ClassVar[str | Promise] = ""

    def __init__(self, data: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__({"size": str(PAGE_SIZES[0]), **data}, **kwargs)
        self.is_valid()

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Self:
        """The filters of an address. The same ones are read once: nothing about them changes."""
        return cast(Self, _read(cls, tuple((name, value) for name, value in given.items() if name in cls.base_fields)))

    def offer(self, facets: Facets) -> None:
        """What there is to choose among. Of something that is not there any more the address still speaks: it stays an answer."""
        for name, found in facets.choices.items():
            if name in self.fields:
                given = self.value(name)
                offered = (*found, (given, given)) if given and given not in dict(found) else found
                cast(forms.ChoiceField, self.fields[name]).choices = [("", ANY), *offered]

    def bar(self, facets: Facets, address: str) -> SafeString:
        """The form as pages show it, kept like other parts of theirs: what it is drawn from is all handed over."""
        data = tuple((name, str(value)) for name, value in self.data.items())
        return _bar(type(self), data, replace(facets, total=0), address, get_language() or "")

    def value(self, name: str) -> str:
        return str(self.cleaned_data.get(name) or "")

    @cached_property
    def query(self) -> dict[str, str]:
        """The filters in use, as they stand in the address."""
        return {name: self.value(name) for name in self.fields if name not in {"sort", "size"} and self.value(name)}

    @cached_property
    def page_query(self) -> dict[str, str]:
        """The filters, with order and size of a page where they are not the usual ones."""
        sort = {"sort": self.chosen_sort} if self.chosen_sort != SORTS[0] else {}
        return self.query | sort | ({"size": str(self.per_page)} if self.per_page != PAGE_SIZES[0] else {})

    @property
    def is_timeless(self) -> bool:
        """Whether `apply` means the same at any time of the day."""
        return not self.value("link")

    @property
    def chosen_sort(self) -> str:
        return self.value("sort") or SORTS[0]

    @cached_property
    def order(self) -> Order:
        return Order.of(self.chosen_sort)

    @cached_property
    def sorts(self) -> Sorts:
        return Sorts(*(self._sort(column) for column in Sorts._fields))

    def _sort(self, column: str) -> Sort:
        is_now = self.order.column == column
        sort = f"-{column}" if is_now and not self.order.is_descending else column
        query = urlencode({**{name: value for name, value in self.page_query.items() if name != "sort"}, "sort": sort})
        return Sort(query, ("descending" if self.order.is_descending else "ascending") if is_now else "")

    @property
    def per_page(self) -> int:
        return int(self.cleaned_data.get("size") or PAGE_SIZES[0])

    @property
    def has_more(self) -> bool:
        """Whether one of the folded filters is in use."""
        return any(name in self.page_query for name in FOLDED)

    def chips(self, facets: Facets | None) -> tuple[Chip, ...]:
        """Every filter in use, in words, with the query that leaves it out."""
        kept = self.page_query
        return tuple(
            Chip(str(self.fields[name].label), self._said(name, facets), urlencode({key: kept[key] for key in kept if key != name}))
            for name in self.query
        )

    def _said(self, name: str, facets: Facets | None) -> str:
        field, value = self.fields[name], self.value(name)
        choices: Any = field.choices if isinstance(field, forms.ChoiceField) else ()
        found = facets.choices.get(name, ()) if facets else ()
        return str({**dict(choices), **dict(found)}.get(value, value))


@lru_cache(maxsize=1024)
def _read(kind: type[FleetFilter], data: tuple[tuple[str, str], ...]) -> FleetFilter:
    return kind(dict(data))


@lru_cache(maxsize=256)
def _bar(kind: type[FleetFilter], data: tuple[tuple[str, str], ...], facets: Facets, address: str, language: str) -> SafeString:
    form = kind(dict(data))
    form.offer(facets)
    return render_to_string("cells/fleet/_filter.html", {"form": form, "list_url": address, "label": form.label})


class InstanceFilter(FleetFilter):
    state = forms.ChoiceField(label=STATE, required=False, choices=_choices(InstanceState))
    plan = FoundField(label=pgettext_lazy("fleet filter", "Plan"), required=False)
    label = _("Filter the instances")
    field_order = ("q", "state", "health", "region", "plan", "account", "cloud", "sort", "size")

    def apply(self, organisation: Organisation) -> QuerySet[Instance]:
        """The organisation's instances that pass. Deleted ones only where they are asked for."""
        state = self.value("state")
        found: QuerySet[Instance] = organisation.instances.filter(state=state) if state else organisation.instances.exclude(state="deleted")
        for name, column in (("health", "health"), ("cloud", "cloud"), ("region", "region"), ("plan", "plan__code")):
            found = found.filter(**{column: self.value(name)}) if self.value(name) else found
        if account := self.value("account"):
            found = found.filter(account=None) if account == HOSTED else found.filter(account__in=_ids(account))
        return found.filter(_words(self.value("q"), organisation)) if self.value("q") else found


class CellFilter(FleetFilter):
    state = forms.ChoiceField(label=STATE, required=False, choices=_choices(CellState))
    link = forms.ChoiceField(label=pgettext_lazy("fleet filter", "Agent link"), required=False, choices=_choices(AgentLink))
    drift = forms.ChoiceField(label=pgettext_lazy("fleet filter", "Drift"), required=False, choices=_choices(Drift))
    label = _("Filter the cells")

    def apply(self, organisation: Organisation) -> QuerySet[Cell]:
        """The cells in the organisation's accounts that pass. Deleted ones only where they are asked for."""
        cells = Cell.objects.for_organisation(organisation)
        found: QuerySet[Cell] = cells.filter(state=self.value("state")) if self.value("state") else cells.exclude(state="deleted")
        for name, column in (("cloud", "account__cloud"), ("region", "region"), ("drift", "drift")):
            found = found.filter(**{column: self.value(name)}) if self.value(name) else found
        if self.value("health"):
            found = cells_of_health(found, Health(self.value("health")))
        if self.value("link"):
            found = cells_of_link(found, AgentLink(self.value("link")))
        if self.value("account"):
            found = found.filter(account__in=_ids(self.value("account")))
        return found.filter(_words(self.value("q"), organisation)) if self.value("q") else found


def _ids(text: str) -> list[uuid.UUID]:
    try:
        return [uuid.UUID(text)]
    except ValueError:
        return []


def _words(text: str, organisation: Organisation) -> Q:
    """Name, region, number of the account, or the beginning of the id: with the spaces and dashes that people copy."""
    bare = text.replace(" ", "").replace("-", "")
    accounts = CloudAccount.objects.filter(organisation=organisation)
    numbered = accounts.filter(Q(external_id__icontains=text) | Q(external_id__icontains=bare or text)).values("pk")
    found = Q(name__icontains=text) | Q(region__icontains=text) | Q(account__in=numbered)
    if LEAST_ID <= len(bare) <= 32 and all(letter in "0123456789abcdef" for letter in bare.lower()):  # noqa: PLR2004  a UUID has 32
        found |= Q(id__range=(uuid.UUID(bare.ljust(32, "0")), uuid.UUID(bare.ljust(32, "f"))))
    return found
