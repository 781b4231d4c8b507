"""The filter bar of the Activity page. Everything in it stands in the URL."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple, cast
from urllib.parse import urlencode

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext, pgettext_lazy

from portal.audit import words
from portal.audit.models import EventQuerySet
from portal.audit.parties import ActorKind
from portal.audit.words import Text

PAGE_SIZES = (25, 50, 100)
FOLDED = ("by", "kind", "object", "size")
# Days that every time zone can hold.
DAYS = [MinValueValidator(date(1970, 1, 2)), MaxValueValidator(date(9999, 12, 30))]


class Chip(NamedTuple):
    """A filter in use: what it is, its value in words, and the query string without it."""

    label: str
    value: str
    query: str


class DayField(forms.DateField):
    """An optional day, as browsers send it."""

    def __init__(self, *, label: Text) -> None:
        widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
        super().__init__(label=label, required=False, validators=DAYS, input_formats=["%Y-%m-%d"], widget=widget)


class ActivityFilter(forms.Form):
    """Input is the query string. `is_active` when it leaves anything out; `apply` narrows, `query` reproduces it."""

    q = forms.CharField(label=_("Find"), required=False, max_length=200)
    who = forms.CharField(label=pgettext_lazy("activity filter", "Who"), required=False, max_length=200)
    by = forms.ChoiceField(label=pgettext_lazy("activity filter", "Kind of actor"), required=False)
    what = forms.ChoiceField(label=pgettext_lazy("activity filter", "What"), required=False)
    kind = forms.ChoiceField(label=pgettext_lazy("activity filter", "Kind of object"), required=False)
    object = forms.CharField(label=pgettext_lazy("activity filter", "Object"), required=False, max_length=254)
    since = DayField(label=pgettext_lazy("activity filter", "From"))
    until = DayField(label=pgettext_lazy("activity filter", "To"))
    size = forms.TypedChoiceField(
        label=_("Per page"), required=False, coerce=int, empty_value=str(PAGE_SIZES[0]), choices=[(size, str(size)) for size in PAGE_SIZES]
    )

    def __init__(self, data: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self._choice("by").choices = [("", pgettext("activity filter", "Any")), *ActorKind.choices]
        self._choice("what").choices = _choices(words.ACTIONS, words.action_label, data.get("what", ""))
        self._choice("kind").choices = _choices(words.SUBJECTS, words.subject_label, data.get("kind", ""))

    def _choice(self, name: str) -> forms.ChoiceField:
        return cast(forms.ChoiceField, self.fields[name])

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        since, until = data.get("since"), data.get("until")
        if since and until and since > until:
            self.add_error("until", _("The last day is before the first one."))
        return data

    @property
    def query(self) -> dict[str, str]:
        """The filled-in filters as they stand in the URL; not the size of a page. For a valid form."""
        return {name: str(value) for name, value in self.cleaned_data.items() if value and name != "size"}

    @property
    def per_page(self) -> int:
        return int(self.cleaned_data["size"])

    @property
    def page_query(self) -> dict[str, str]:
        """The filters, and the size of a page where it is not the usual one."""
        return self.query | ({"size": str(self.per_page)} if self.per_page != PAGE_SIZES[0] else {})

    @property
    def is_active(self) -> bool:
        return bool(self.query)

    @property
    def has_more(self) -> bool:
        """Whether one of the folded filters is in use."""
        return any(self.data.get(name) for name in FOLDED)

    @property
    def chips(self) -> list[Chip]:
        """Every filter in use, in words, with the query that leaves it out."""
        kept = self.page_query
        return [
            Chip(str(self.fields[name].label), self._said(name), urlencode({key: kept[key] for key in kept if key != name}))
            for name in self.query
        ]

    def _said(self, name: str) -> str:
        value = self.cleaned_data[name]
        field = self.fields[name]
        if isinstance(field, forms.ChoiceField):
            return str(dict(cast(Iterable[tuple[str, str]], field.choices))[value])
        return date_format(value, pgettext("date format", "j M Y")) if isinstance(value, date) else str(value)

    def apply(self, events: EventQuerySet) -> EventQuerySet:
        """The events that pass. For a valid form; days are those of the current time zone."""
        data = self.cleaned_data
        exact = {"actor_kind": data["by"], "action": data["what"], "subject_kind": data["kind"]}
        events = events.filter(**{field: value for field, value in exact.items() if value})
        if data["since"]:
            events = events.filter(at__gte=_midnight(data["since"]))
        if data["until"]:
            events = events.filter(at__lt=_midnight(data["until"] + timedelta(days=1)))
        if data["who"]:
            events = events.by_actor(data["who"])
        if data["object"]:
            events = events.on_subject(data["object"])
        return events.with_text(data["q"]) if data["q"] else events


def _choices(codes: Iterable[str], label: Callable[[str], str], given: str) -> list[tuple[str, Text]]:
    """Any, the known codes by their words, and the given one even when nothing gave it words: a link may name it."""
    known = sorted(((code, label(code)) for code in {*codes, given} - {""}), key=lambda pair: pair[1])
    return [("", pgettext("activity filter", "Any")), *known]


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
