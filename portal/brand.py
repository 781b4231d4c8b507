"""The provider's accent in our palette: measured on every surface of both themes, and what to use where it fails.

An accent is text, link and button fill at once, so it needs 4.5:1 on canvas, surface and sunken. One setting gives both themes:
the colour itself where it passes, else the nearest of its hue that does. `manage.py check` says so when that happens.
"""

from functools import lru_cache
from typing import NamedTuple

from django.conf import settings

from portal.colour import Rgb, contrast, nearest_passing

TEXT_RATIO = 4.5
# Canvas, surface, sunken as in static/css/tokens.css; a test holds the two together.
SURFACES = {
    "light": (Rgb.from_hex("#F7F8FA"), Rgb.from_hex("#FFFFFF"), Rgb.from_hex("#F1F3F6")),
    "dark": (Rgb.from_hex("#0E1217"), Rgb.from_hex("#151A21"), Rgb.from_hex("#0A0D11")),
}
WHITE, NIGHT = Rgb.from_hex("#FFFFFF"), Rgb.from_hex("#0A1730")


class Accent(NamedTuple):
    """An accent measured for one theme."""

    asked: Rgb
    used: Rgb
    on: Rgb
    ratio: float  # of the colour asked for, on the surface where it is weakest

    @property
    def passes(self) -> bool:
        return self.asked == self.used


def measure(accent: str) -> dict[str, Accent]:
    """The accent in each theme. Raises ValueError unless `accent` is `#rgb` or `#rrggbb`."""
    asked = Rgb.from_hex(accent)
    return {theme: _measured(asked, surfaces) for theme, surfaces in SURFACES.items()}


def _measured(asked: Rgb, surfaces: tuple[Rgb, ...]) -> Accent:
    used = nearest_passing(asked, surfaces, TEXT_RATIO)
    if used is None:  # cannot happen: black or white of any hue passes on these surfaces
        raise ValueError(f"no lightness of {asked.hex} is readable")
    on = max((WHITE, NIGHT), key=lambda text: contrast(text, used))
    return Accent(asked, used, on, min(contrast(asked, surface) for surface in surfaces))


def brand_stylesheet() -> str:
    """CSS that sets the --brand- properties from the settings; without a brand, the portal's own accent stays."""
    return _stylesheet(settings.BRAND_ACCENT)


@lru_cache(maxsize=4)
def _stylesheet(accent: str) -> str:
    if not accent:
        return ":root {}\n"
    light, dark = (measure(accent)[theme] for theme in ("light", "dark"))
    return (
        ":root {\n"
        f"  --brand-accent: light-dark({light.used.hex}, {dark.used.hex});\n"
        f"  --brand-on-accent: light-dark({light.on.hex}, {dark.on.hex});\n"
        "}\n"
    )
