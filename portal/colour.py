"""Colour by measurement: OKLCH to sRGB and back, WCAG contrast, the nearest colour that passes. Pure Python.

OKLab matrices: https://bottosson.github.io/posts/oklab/ ; contrast: WCAG 2.2, "relative luminance" and "contrast ratio".
"""

import math
import re
from typing import NamedTuple

HEX = re.compile(r"#([0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)
LINEAR_BELOW = 0.04045
LUMINANCE_WEIGHTS = (0.2126, 0.7152, 0.0722)


class Rgb(NamedTuple):
    """sRGB, each channel 0 to 1."""

    red: float
    green: float
    blue: float

    @classmethod
    def from_hex(cls, text: str) -> "Rgb":
        """Raises ValueError unless `text` is `#rgb` or `#rrggbb`."""
        if not HEX.fullmatch(text):
            raise ValueError(f"{text!r} is not a colour like #1D5FB8")
        digits = text[1:] if len(text) == len("#rrggbb") else "".join(digit * 2 for digit in text[1:])
        return cls(*(int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)))

    @property
    def hex(self) -> str:
        return "#" + "".join(f"{round(min(1, max(0, channel)) * 255):02X}" for channel in self)

    @property
    def in_gamut(self) -> bool:
        return all(-0.0005 <= channel <= 1.0005 for channel in self)  # noqa: PLR2004  under one step of 8 bits


class Oklch(NamedTuple):
    """Lightness 0 to 1, chroma from 0, hue in degrees."""

    lightness: float
    chroma: float
    hue: float

    @property
    def css(self) -> str:
        return f"oklch({self.lightness:.4f} {self.chroma:.4f} {self.hue:.2f})"


def to_oklch(colour: Rgb) -> Oklch:
    red, green, blue = (_linear(channel) for channel in colour)
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    lightness = 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short
    a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    return Oklch(lightness, math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360)


def to_rgb(colour: Oklch) -> Rgb:
    """May lie outside sRGB: ask `in_gamut`, or use `fit`."""
    a = colour.chroma * math.cos(math.radians(colour.hue))
    b = colour.chroma * math.sin(math.radians(colour.hue))
    long = (colour.lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (colour.lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (colour.lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return Rgb(
        _encoded(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
        _encoded(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
        _encoded(-0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short),
    )


def fit(colour: Oklch) -> Rgb:
    """The colour, its chroma reduced until a screen can show it: lightness and hue stay."""
    low, high = 0.0, colour.chroma
    if to_rgb(colour).in_gamut:
        return to_rgb(colour)
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if to_rgb(colour._replace(chroma=middle)).in_gamut else (low, middle)
    return to_rgb(colour._replace(chroma=low))


def contrast(one: Rgb, other: Rgb) -> float:
    """WCAG contrast ratio, 1 to 21, of the colours as a screen shows them (8 bits a channel)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def nearest_passing(colour: Rgb, surfaces: tuple[Rgb, ...], ratio: float) -> Rgb | None:
    """The colour itself if it reaches `ratio` on every surface, else the one of its hue nearest in lightness that does.

    None when no lightness of this hue can: the surfaces lie too far apart.
    """
    start = to_oklch(colour)
    for distance in range(201):
        for lightness in (start.lightness - distance / 200, start.lightness + distance / 200):
            if not 0 <= lightness <= 1:
                continue
            candidate = Rgb.from_hex(fit(start._replace(lightness=lightness)).hex) if distance else colour
            if all(contrast(candidate, surface) >= ratio for surface in surfaces):
                return candidate
    return None


def _luminance(colour: Rgb) -> float:
    shown = (round(min(1, max(0, channel)) * 255) / 255 for channel in colour)
    return sum(weight * _linear(channel) for weight, channel in zip(LUMINANCE_WEIGHTS, shown, strict=True))


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= LINEAR_BELOW else ((channel + 0.055) / 1.055) ** 2.4


def _encoded(channel: float) -> float:
    return channel * 12.92 if channel <= LINEAR_BELOW / 12.92 else 1.055 * channel ** (1 / 2.4) - 0.055
