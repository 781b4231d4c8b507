"""Parts of a page that are drawn once and then kept: the frame is the same on every page of a person, and is most of what a page draws.

A kept part is drawn from what it is given and from nothing else, no request and no context: what one person was not given cannot be in
what that person sees.
"""

import secrets
from functools import lru_cache
from typing import Any

from django import template
from django.template import Context
from django.template.loader import render_to_string
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import get_current_timezone_name
from django.utils.translation import get_language

register = template.Library()

PLAIN = (str, int, bool, type(None))
# Put in at last, as they differ from answer to answer: the token of forms, the page's own address, of a list its version,
# its filters and its rows. Nobody can guess their marks.
LATE = {name: f"{name}-{secrets.token_hex(16)}" for name in ("csrf_token", "path", "version", "bar", "drawn")}
MOST = 1024  # parts that a process keeps, of a few kilobytes each

Given = tuple[tuple[str, Any], ...]


@register.simple_tag(takes_context=True)
def kept(context: Context, template_name: str, **given: Any) -> SafeString:
    """The template, drawn from `given` alone: text, numbers and tuples of them; and from what the context has of `LATE`."""
    # A literal in a template counts as safe HTML, and equals text that is not: here it is text like any other.
    plain = tuple((key, value + "" if isinstance(value, SafeString) else value) for key, value in given.items())
    drawn, late = _drawn(template_name, get_language() or "", get_current_timezone_name(), plain)
    for key in late:
        drawn = drawn.replace(LATE[key], conditional_escape(context.get(key) or ""))
    return mark_safe(drawn)  # noqa: S308  drawn by a template


@lru_cache(maxsize=MOST)
def _drawn(name: str, language: str, zone: str, given: Given) -> tuple[str, tuple[str, ...]]:
    for key, value in given:
        if not is_plain(value):
            raise template.TemplateSyntaxError(f"kept {name}: of {key}, two that are equal may look different")
    drawn = render_to_string(name, {**LATE, **dict(given)})
    return drawn, tuple(key for key, mark in LATE.items() if mark in drawn)


def is_plain(value: Any) -> bool:
    """Two that are equal look the same. Not so of rows of the database, which equal an older version of themselves, nor of safe text."""
    return all(is_plain(item) for item in value) if isinstance(value, tuple) else type(value) in PLAIN
