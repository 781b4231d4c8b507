"""HTML without a template engine: text is escaped where it enters, markup is a type."""

from collections.abc import Iterable
from html import escape

from portal.sandbox import wire

POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
HEADERS = (
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cache-control", "no-store"),
)


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


NOTHING = Markup("")


def fill(pattern: str, /, **values: object) -> Markup:
    """`pattern` with its `{names}` replaced; everything that is not Markup is escaped."""
    return Markup(pattern.format(**{name: safe(value) for name, value in values.items()}))


def safe(value: object) -> Markup:
    return value if isinstance(value, Markup) else Markup(escape(str(value)))


def join(parts: Iterable[object], between: str = "") -> Markup:
    return Markup(between.join(safe(part) for part in parts))


def page(title: str, body: Markup, *, banner: str, navigation: Markup = NOTHING, refresh: bool = False, status: int = 200) -> wire.Reply:
    """A whole page. `refresh` asks the script to look again in two seconds: an operation is under way."""
    html = fill(
        """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="/console/static/console.css"><script src="/console/static/console.js" defer></script>{reload}</head>
<body{refresh}><a class="skip" href="#main">Skip to content</a>
<aside class="played" aria-label="About this page"><p>{banner}</p></aside>
{navigation}
<main id="main"><h1>{title}</h1>
{body}</main></body></html>""",
        title=title,
        body=body,
        banner=banner,
        navigation=navigation,
        reload=Markup('<noscript><meta http-equiv="refresh" content="2"></noscript>') if refresh else NOTHING,
        refresh=Markup(' data-refresh="2000"') if refresh else Markup(""),
    )
    return wire.Reply(status, "text/html; charset=utf-8", html.encode(), HEADERS)


def redirect(path: str, cookie: str = "") -> wire.Reply:
    """303, after a POST or to where the reader belongs."""
    headers = (("location", path), *(((("set-cookie", cookie),)) if cookie else ()), *HEADERS)
    return wire.Reply(303, "text/plain", b"", headers)


def table(heads: Iterable[str], rows: Iterable[Iterable[object]], *, caption: str, empty: str) -> Markup:
    lines = [fill("<tr>{cells}</tr>", cells=join(fill("<td>{cell}</td>", cell=cell) for cell in row)) for row in rows]
    if not lines:
        return fill("<h2>{caption}</h2><p>{empty}</p>", caption=caption, empty=empty)
    head = join(fill('<th scope="col">{name}</th>', name=name) for name in heads)
    return fill(
        '<h2>{caption}</h2><div class="wide" tabindex="0" role="region" aria-label="{caption}">'
        "<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>",
        caption=caption, head=head, rows=join(lines),
    )  # fmt: skip


def hidden(**values: str) -> Markup:
    """Fields a form carries along unseen."""
    return join(fill('<input type="hidden" name="{name}" value="{value}">', name=name, value=value) for name, value in values.items())


def form_field(form: dict[str, list[str]], name: str) -> str:
    return (form.get(name) or [""])[0]
