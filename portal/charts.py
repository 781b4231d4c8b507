"""Charts as numbers for SVG: geometry only, drawn by templates under `templates/components/`. Colours come from the tokens."""

from collections.abc import Sequence
from typing import NamedTuple


class Sparkline(NamedTuple):
    """Paths in a box of `width` by `height`; the line never touches the edge."""

    width: int
    height: int
    line: str
    area: str
    end: tuple[float, float]


def sparkline(values: Sequence[float], *, width: int = 120, height: int = 28, margin: int = 3) -> Sparkline | None:
    """A line through the values, oldest first, from the lowest to the highest; None below two values: nothing to compare.

    What never changed is a level line: in the middle, and at the bottom where it is nothing.
    """
    if len(values) < 2:  # noqa: PLR2004
        return None
    low, span = min(values), (max(values) - min(values)) or 1
    step = (width - 2 * margin) / (len(values) - 1)
    flat = max(values) == min(values)
    level = height / 2 if low else height - margin
    points = [
        (round(margin + index * step, 2), round(level if flat else height - margin - (value - low) / span * (height - 2 * margin), 2))
        for index, value in enumerate(values)
    ]
    line = "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
    area = f"{line}L{points[-1][0]:g} {height}L{points[0][0]:g} {height}Z"
    return Sparkline(width, height, line, area, points[-1])


class Bar(NamedTuple):
    x: float
    kind: str
    label: str


def strip(days: Sequence[tuple[str, str]], *, bar: int = 4, gap: int = 2) -> tuple[int, list[Bar]]:
    """Total width and one bar a day, oldest first, from (label, status kind) pairs."""
    bars = [Bar(index * (bar + gap), kind, label) for index, (label, kind) in enumerate(days)]
    return max(0, len(bars) * (bar + gap) - gap), bars
