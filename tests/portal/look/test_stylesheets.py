"""The look, measured from its files: contrast of every token pair, weight of what a page loads, no raw colour outside tokens."""

import gzip
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders

from portal.brand import SURFACES
from portal.colour import Oklch, Rgb, contrast, to_rgb

CSS = Path(settings.BASE_DIR) / "static" / "css"
JS = Path(settings.BASE_DIR) / "static" / "js"
SHEETS = sorted(CSS.rglob("*.css"))
PAIR = re.compile(r"--([\w-]+): light-dark\(oklch\(([\d. ]+)\), oklch\(([\d. ]+)\)\);")
THEMES = ("light", "dark")
ADMIN = ("admin.css", "admin_forms.css")

# The direction's table: what each token is, in sRGB.
DIRECTION = {
    "c-canvas": ("#F7F8FA", "#0E1217"),
    "c-surface": ("#FFFFFF", "#151A21"),
    "c-sunken": ("#F1F3F6", "#0A0D11"),
    "c-ink": ("#14181F", "#E6EAF0"),
    "c-muted": ("#56606E", "#9AA5B4"),
    "c-line": ("#E1E5EA", "#28303B"),
    "c-control": ("#7E8897", "#6C7888"),
    "c-own-accent": ("#1D5FB8", "#7FB2FF"),
    "c-own-on-accent": ("#FFFFFF", "#0A1730"),
    "s-ok": ("#136C3A", "#6FD49A"),
    "s-ok-bg": ("#E7F5EC", "#12281C"),
    "s-progress": ("#1A5AA8", "#8DBBFF"),
    "s-progress-bg": ("#E8F0FB", "#13233A"),
    "s-attention": ("#8A5300", "#F0B95B"),
    "s-attention-bg": ("#FDF3E0", "#2C2210"),
    "s-critical": ("#B3261E", "#FF9A92"),
    "s-critical-bg": ("#FCEBEA", "#331716"),
    "s-neutral": ("#56606E", "#A9B3C1"),
    "s-neutral-bg": ("#EEF1F4", "#202832"),
    "s-unknown": ("#6B3FA0", "#C5A6F2"),
    "s-unknown-bg": ("#F3EDFB", "#261C38"),
}
# Foreground, background, least ratio: 4.5 for text, 3 for the edge of a control.
READ_ON = [
    *[("c-ink", surface, 4.5) for surface in ("c-canvas", "c-surface", "c-sunken")],
    *[("c-muted", surface, 4.5) for surface in ("c-canvas", "c-surface", "c-sunken")],
    *[("c-own-accent", surface, 4.5) for surface in ("c-canvas", "c-surface", "c-sunken")],
    ("c-control", "c-surface", 3.0),
    ("c-control", "c-canvas", 3.0),
    ("c-own-on-accent", "c-own-accent", 4.5),
    ("c-on-critical", "s-critical", 4.5),
    *[(f"s-{kind}", f"s-{kind}-bg", 4.5) for kind in ("ok", "progress", "attention", "critical", "neutral", "unknown")],
    *[(f"s-{kind}", "c-canvas", 4.5) for kind in ("ok", "progress", "attention", "critical", "neutral", "unknown")],
    *[("c-ink", f"s-{kind}-bg", 4.5) for kind in ("ok", "progress", "attention", "critical", "neutral", "unknown")],
    *[("c-muted", f"s-{kind}-bg", 4.5) for kind in ("ok", "progress", "attention", "critical", "neutral", "unknown")],
    *[("c-own-accent", f"s-{kind}-bg", 4.5) for kind in ("ok", "progress", "attention", "critical", "neutral", "unknown")],
]


def tokens() -> dict[str, tuple[Rgb, Rgb]]:
    found = PAIR.findall((CSS / "tokens.css").read_text())
    return {name: (_colour(light), _colour(dark)) for name, light, dark in found}


def _colour(text: str) -> Rgb:
    return Rgb.from_hex(to_rgb(Oklch(*(float(number) for number in text.split()))).hex)


@pytest.mark.parametrize("name", DIRECTION)
def test_token_equals_the_direction(name):
    assert tuple(colour.hex for colour in tokens()[name]) == DIRECTION[name]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("foreground", "background", "least"), READ_ON)
def test_token_pair_reaches_its_contrast(foreground, background, least, theme):
    pairs, index = tokens(), THEMES.index(theme)

    assert contrast(pairs[foreground][index], pairs[background][index]) >= least


def test_brand_is_measured_on_the_surfaces_pages_have():
    pairs = tokens()

    for index, theme in enumerate(THEMES):
        assert SURFACES[theme] == tuple(pairs[name][index] for name in ("c-canvas", "c-surface", "c-sunken"))


@pytest.mark.parametrize("path", SHEETS, ids=lambda path: path.name)
def test_raw_colours_stand_in_tokens_only(path):
    if path.name == "tokens.css":
        return
    raw = re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[^{]*;)|\brgba?\(|\bhsla?\(", path.read_text())

    assert raw == []


@pytest.mark.parametrize("path", SHEETS, ids=lambda path: path.name)
def test_custom_properties_that_are_used_exist(path):
    defined = set(re.findall(r"(--[\w-]+):", "".join(sheet.read_text() for sheet in SHEETS)))
    brand = {"--brand-accent", "--brand-on-accent", "--brand-radius", "--brand-font"}

    assert set(re.findall(r"var\((--[\w-]+)", path.read_text())) - defined - brand == set()


def test_every_sheet_is_loaded_once_and_short_enough_to_read():
    loaded = re.findall(r'static "css/([\w/-]+\.css)"', (Path(settings.BASE_DIR) / "templates/components/styles.html").read_text())

    # The administration loads its own from its own pages.
    assert sorted([*loaded, *ADMIN]) == sorted(path.relative_to(CSS).as_posix() for path in SHEETS)
    assert max(path.read_text().count("\n") for path in SHEETS) <= 400


def test_every_token_is_used():
    sheets = "".join(sheet.read_text() for sheet in SHEETS)

    assert set(re.findall(r"(--[\w-]+):", (CSS / "tokens.css").read_text())) - set(re.findall(r"var\((--[\w-]+)", sheets)) == set()


def sources() -> str:
    root = Path(settings.BASE_DIR)
    files = [*root.glob("templates/**/*.html"), *root.glob("portal/**/*.py"), *root.glob("accounts/**/*.py"), *JS.glob("*.js")]
    return "\n".join(path.read_text() for path in files)


def test_every_class_is_asked_for():
    """By its whole name, or by the part before a dash where a template or a tag puts the rest together. The admin's are Django's own."""
    text = sources()
    words = set(re.findall(r"[\w-]+", text))
    composed = tuple(f"{start}-" for start in re.findall(r"([\w-]+)-\{", text))
    sheets = {path.name: re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL) for path in SHEETS}
    selectors = " ".join(re.findall(r"([^{}]+)\{", "".join(sheet for name, sheet in sheets.items() if name not in ADMIN)))

    classes = set(re.findall(r"\.([a-zA-Z][\w-]*)", selectors))
    assert len(classes) > 100
    assert {name for name in classes - words if not name.startswith(composed)} == set()


def compressed(*texts: bytes) -> int:
    return sum(len(gzip.compress(text, 9)) for text in texts)


def test_stylesheets_weigh_at_most_40_kb():
    assert compressed(*(path.read_bytes() for path in SHEETS)) <= 40_000


def test_scripts_with_htmx_weigh_at_most_60_kb():
    htmx = Path(finders.find("django_htmx/htmx-2.min.js"))

    assert compressed(htmx.read_bytes(), *(path.read_bytes() for path in JS.glob("*.js"))) <= 60_000


def test_every_behaviour_is_loaded_by_pages():
    loaded = re.findall(r'static "js/([\w-]+\.js)"', (Path(settings.BASE_DIR) / "templates/components/scripts.html").read_text())

    assert sorted(loaded) == sorted(path.name for path in JS.glob("*.js"))
