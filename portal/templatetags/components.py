"""The components every template may use without loading anything; all of them stand on the gallery page.

Leaves are built here, anything with structure has a template under `templates/components/`. A component takes what it shows as
arguments and never looks into the context, so it renders the same in a page and in a fragment.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

from django import template
from django.forms import BaseForm
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext, pgettext_lazy
from lucide.templatetags.lucide import lucide

from portal.charts import sparkline, strip

register = template.Library()

# Shape, icon and word together say the state, never colour alone (UX section d, status grammar).
STATUS_ICONS = {
    "ok": "circle-check",
    "progress": "loader-circle",
    "attention": "triangle-alert",
    "critical": "octagon-x",
    "neutral": "circle-minus",
    "unknown": "circle-question-mark",
}
STATUS_WORDS = {
    "ok": pgettext_lazy("status", "Fine"),
    "progress": pgettext_lazy("status", "In progress"),
    "attention": pgettext_lazy("status", "Needs attention"),
    "critical": pgettext_lazy("status", "Failed"),
    "neutral": pgettext_lazy("status", "No data"),
    "unknown": pgettext_lazy("status", "Unknown"),
}
EMPTY_ICONS = {"empty": "inbox", "error": "cloud-off", "filtered": "search-x", "forbidden": "lock"}
# Marks in a user agent, the telling ones first: every browser claims to be an older one too.
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
BUTTON_KINDS = ("primary", "quiet", "danger")

Item = Mapping[str, Any]


# --- Leaves ----------------------------------------------------------------------------------------------------------


@register.simple_tag
def icon(name: str, size: int = 16, label: str = "") -> SafeString:
    """Inline SVG of a lucide icon; decorative unless `label` names it."""
    return _icon(str(name), size, str(label))


@lru_cache(maxsize=512)
def _icon(name: str, size: int, label: str) -> SafeString:
    said: dict[str, object] = {"role": "img", "aria_label": label} if label else {"aria_hidden": "true"}
    svg: str = lucide(name, size=size, stroke_width="1.75", focusable="false", **{"class": f"icon icon-{name}"}, **said)
    return mark_safe(" ".join(svg.split()).replace("> <", "><").replace(" />", "/>"))  # noqa: S308  built from the icon package


@register.simple_tag
def status_icon(kind: str, size: int = 16) -> SafeString:
    """The icon of a status kind, without its word: only beside the word."""
    return icon(STATUS_ICONS[_kind(kind)], size)


@register.simple_tag
def badge(kind: str, label: object) -> SafeString:
    """A status in one word. `kind`: ok, progress, attention, critical, neutral, unknown. Healthy stays quiet: ok has no fill."""
    return format_html(
        '<span class="badge badge-{}">{}<span class="badge-label">{}</span></span>', _kind(kind), status_icon(kind, 14), label
    )


@register.simple_tag
def button(label: str, kind: str = "primary", name: str = "", value: str = "", icon: str = "") -> SafeString:
    """A submit button: verb and object. `kind`: primary, quiet, danger. Links use the same classes: `class="button button-quiet"`."""
    if kind not in BUTTON_KINDS:
        raise template.TemplateSyntaxError(f"button: kind {kind!r} is none of {', '.join(BUTTON_KINDS)}")
    sent = format_html(' name="{}" value="{}"', name, value) if name else ""
    drawn = _icon(str(icon), 16, "") if icon else ""
    return format_html('<button type="submit" class="button button-{}"{}>{}{}</button>', kind, sent, drawn, label)


# --- Time ------------------------------------------------------------------------------------------------------------


@register.simple_tag
def when(moment: datetime | None, style: str = "absolute") -> SafeString | str:
    """A point in time in the reader's zone, with its offset. `style`: absolute, relative (recent past or near future), clock, date.

    Relative keeps the exact time one key press away: it takes focus and shows it. Nothing for None.
    """
    if moment is None or moment == "":
        return ""
    local = timezone.localtime(moment)
    machine = machine_time(moment)
    if style == "relative":
        return format_html(
            '<time class="when" datetime="{}" tabindex="0">{}<span class="when-exact">{}</span></time>',
            machine,
            relative(moment),
            exact(local),
        )
    shown = {"absolute": exact, "clock": _clock, "date": date_words}[style](local)
    return format_html('<time datetime="{}">{}</time>', machine, shown)


def machine_time(moment: datetime) -> str:
    """`2026-11-21T14:02:09Z`, as the `datetime` attribute has it."""
    return f"{moment.astimezone(UTC).isoformat()[:19]}Z"


def exact(local: datetime) -> str:
    """`21 Nov 2026, 14:02 (UTC+1)`."""
    return _("%(time)s (%(offset)s)") % {"time": date_format(local, pgettext("date format", "j M Y, H:i")), "offset": offset(local)}


def _clock(local: datetime) -> str:
    return _("%(time)s (%(offset)s)") % {"time": date_format(local, pgettext("time format", "H:i:s")), "offset": offset(local)}


def date_words(local: date) -> str:
    """`21 Nov 2026`."""
    return date_format(local, pgettext("date format", "j M Y"))


def offset(local: datetime) -> str:
    """The offset from UTC of an aware local time: `UTC`, `UTC+2`, `UTC-3:30`."""
    minutes = int((local.utcoffset() or timedelta()).total_seconds()) // 60
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '-'}{hours}" + (f":{rest:02}" if rest else "")


def relative(moment: datetime) -> str:
    """`3 minutes ago`, `in 2 hours`, `just now`; a plain date beyond a week either way."""
    seconds = (timezone.now() - moment).total_seconds()
    distance = abs(seconds)
    if distance < 45:  # noqa: PLR2004  below this nobody counts
        return _("just now")
    if distance < 3600:  # noqa: PLR2004
        count = max(1, round(distance / 60))
        text = (
            ngettext("%(count)d minute ago", "%(count)d minutes ago", count),
            ngettext("in %(count)d minute", "in %(count)d minutes", count),
        )
    elif distance < 86400:  # noqa: PLR2004
        count = max(1, round(distance / 3600))
        text = ngettext("%(count)d hour ago", "%(count)d hours ago", count), ngettext("in %(count)d hour", "in %(count)d hours", count)
    elif distance < 7 * 86400:
        count = max(1, round(distance / 86400))
        text = ngettext("%(count)d day ago", "%(count)d days ago", count), ngettext("in %(count)d day", "in %(count)d days", count)
    else:
        return date_words(timezone.localtime(moment))
    return text[0 if seconds > 0 else 1] % {"count": count}


@register.simple_tag
def elapsed(seconds: float | timedelta | None) -> str:
    """A length of time in words: `32s`, `5m 32s`, `1h 05m`, `2d 3h`. Takes seconds or a timedelta; nothing for None."""
    if seconds is None or seconds == "":
        return ""
    whole = int(seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds))
    minutes, rest = divmod(max(whole, 0), 60)
    hours, minutes_left = divmod(minutes, 60)
    days, hours_left = divmod(hours, 24)
    if days:
        return pgettext("elapsed time", "%(days)dd %(hours)dh") % {"days": days, "hours": hours_left}
    if hours:
        return pgettext("elapsed time", "%(hours)dh %(minutes)02dm") % {"hours": hours, "minutes": minutes_left}
    if minutes:
        return pgettext("elapsed time", "%(minutes)dm %(seconds)02ds") % {"minutes": minutes, "seconds": rest}
    return pgettext("elapsed time", "%(seconds)ds") % {"seconds": rest}


@register.simple_tag
def zone_name() -> str:
    """The zone this page speaks and its offset right now: `Times in Europe/Berlin (UTC+1)`."""
    zone, now = timezone.get_current_timezone_name(), offset(timezone.localtime())
    return _("Times in UTC") if zone == now else _("Times in %(zone)s (%(offset)s)") % {"zone": zone, "offset": now}


# --- With a body -----------------------------------------------------------------------------------------------------


@register.simple_block_tag
def verdict(content: str, kind: str) -> SafeString:
    """The sentence a detail page opens with: state and evidence."""
    return format_html('<p class="verdict verdict-{}">{}<span>{}</span></p>', _kind(kind), status_icon(kind, 22), _safe(content))


@register.simple_block_tag
def card(content: str, title: str = "", level: int = 2) -> str:
    """A separable object (a request, an account). With a title it is a named region."""
    return render_to_string("components/card.html", {"content": _safe(content), "title": title, "level": level, "id": _id("card", title)})


@register.simple_block_tag
def notice(content: str, kind: str, title: str = "") -> str:
    """One banner a page at most; outcomes stand where the act was."""
    return render_to_string("components/notice.html", {"content": _safe(content), "kind": _kind(kind), "title": title})


@register.simple_block_tag
def empty(content: str, title: str = "", kind: str = "empty") -> str:
    """Why a list shows nothing. `kind`: empty (never any), filtered (none match), error (not loaded), forbidden (not for this role)."""
    return render_to_string(
        "components/empty.html", {"content": _safe(content), "kind": kind, "title": title, "icon_name": EMPTY_ICONS[kind]}
    )


# --- With structure --------------------------------------------------------------------------------------------------


@register.simple_tag
def filled(sentence: object, **values: object) -> str:
    """A sentence that comes with %(name)s in it, filled in."""
    return str(sentence) % values


@register.inclusion_tag("components/copyable.html")
def copyable(text: object, label: str, multiline: bool = False) -> dict[str, object]:
    """Text, or a list of lines, to carry elsewhere byte for byte, with a copy button; a selectable field without JavaScript."""
    if isinstance(text, list | tuple):
        text = "\n".join(text)
    # A literal in a template counts as safe HTML, and adding to it ends that: here it is text like any other.
    return {"text": str(text) + "", "label": label, "multiline": multiline}


@register.inclusion_tag("components/tabs.html")
def tabs(items: Sequence[Item], label: str = "") -> dict[str, object]:
    """Tabs that are links. `items`: label, url, is_current; optional count."""
    return {"items": items, "label": label}


@register.inclusion_tag("components/crumbs.html")
def crumbs(items: Sequence[Item]) -> dict[str, object]:
    """The way here. `items`: label and url; the last one is this page and needs no url."""
    return {"items": items}


@register.inclusion_tag("components/steps_nav.html")
def steps_nav(items: Sequence[Item | str], current: int) -> dict[str, object]:
    """Progress through a wizard. `items`: labels, or label and url (a url makes a finished step a link); `current` counts from 1."""
    steps = [item if isinstance(item, Mapping) else {"label": item, "url": ""} for item in items]
    return {"steps": steps, "current": current, "total": len(steps), "title": steps[current - 1]["label"]}


@register.inclusion_tag("components/live_toggle.html")
def live_toggle() -> dict[str, object]:
    """The reader's switch for a page that updates itself; hidden without JavaScript, where nothing does."""
    return {}


@register.inclusion_tag("components/sparkline.html", name="sparkline")
def sparkline_tag(values: Sequence[float], label: str) -> dict[str, object]:
    """A trend in a line. `label` is the conclusion, in a sentence: it is what the picture says to those who do not see it."""
    return {"chart": sparkline(values), "label": label}


@register.inclusion_tag("components/strip.html", name="strip")
def strip_tag(days: Sequence[Item], label: str) -> dict[str, object]:
    """Health, a bar a day. `days`: label, kind and optionally the day's own word, oldest first; `label` is the conclusion.

    The days are also there as a table.
    """
    width, bars = strip([(day["label"], _kind(day["kind"])) for day in days])
    words = [day.get("word") or status_word(day["kind"]) for day in days]
    return {"width": width, "days": list(zip(bars, words, strict=True)), "label": label}


@register.inclusion_tag("components/error_summary.html")
def error_summary(form: BaseForm) -> dict[str, object]:
    """All errors of a form first, each a link to its field. `{{ form }}` brings its own unless this stood before it."""
    form.has_error_summary = True  # type: ignore[attr-defined]  # form.html asks, so that no error is said twice
    return {"form": form, "fields": [field for field in form if field.errors and not field.is_hidden], "hidden": _hidden_errors(form)}


def _hidden_errors(form: BaseForm) -> list[str]:
    return [str(error) for field in form.hidden_fields() for error in field.errors]


@register.filter
def browser_name(user_agent: str) -> str:
    """`Firefox on Windows` from a user agent header: what a person recognises in a list of sessions."""
    browser = next((name for mark, name in BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in SYSTEMS if mark in user_agent), "")
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("Unknown browser")


@register.filter
def status_word(kind: str) -> str:
    """The plain word of a status kind, where nothing says it better."""
    return str(STATUS_WORDS[kind])


def _kind(kind: str) -> str:
    if kind not in STATUS_ICONS:
        raise template.TemplateSyntaxError(f"status kind {kind!r} is none of {', '.join(STATUS_ICONS)}")
    return str(kind)


def _id(prefix: str, title: str) -> str:
    # From the words, not from a counter: a fragment must equal its piece of the page.
    return f"{prefix}-{slugify(title, allow_unicode=True)}" if title else ""


def _safe(content: str) -> SafeString:
    # The body of a block tag was rendered, and so escaped, by the template it stands in.
    return mark_safe(content.strip())  # noqa: S308
