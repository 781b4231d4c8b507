"""Colour arithmetic against published values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.colour import Oklch, Rgb, contrast, fit, nearest_passing, to_oklch, to_rgb

BLACK, WHITE = Rgb.from_hex("#000000"), Rgb.from_hex("#FFFFFF")
colours = st.tuples(*[st.integers(0, 255)] * 3).map(lambda channels: Rgb(*(channel / 255 for channel in channels)))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    # The first three are the WCAG's and its tools' own examples.
    [("#000000", "#FFFFFF", 21.0), ("#777777", "#FFFFFF", 4.48), ("#767676", "#FFFFFF", 4.54), ("#1D5FB8", "#FFFFFF", 6.21)],
)
def test_contrast_equals_published_values(one, other, expected):
    assert round(contrast(Rgb.from_hex(one), Rgb.from_hex(other)), 2) == expected


def test_oklch_of_red_equals_the_css_specification():
    red = to_oklch(Rgb.from_hex("#FF0000"))

    assert (round(red.lightness, 3), round(red.chroma, 3), round(red.hue, 1)) == (0.628, 0.258, 29.2)


@given(colours)
def test_every_screen_colour_survives_the_way_to_oklch_and_back(colour):
    assert to_rgb(to_oklch(colour)).hex == colour.hex


@given(colours, colours)
def test_contrast_is_symmetric_and_between_1_and_21(one, other):
    assert contrast(one, other) == contrast(other, one)
    assert 1 <= contrast(one, other) <= 21


def test_fit_keeps_lightness_and_hue_of_a_colour_no_screen_has():
    wild = Oklch(0.7, 0.4, 150)

    fitted = to_oklch(fit(wild))

    assert not to_rgb(wild).in_gamut
    assert abs(fitted.lightness - 0.7) < 0.01
    assert abs(fitted.hue - 150) < 1
    assert fitted.chroma < 0.4


def test_nearest_passing_returns_the_colour_itself_when_it_passes():
    assert nearest_passing(BLACK, (WHITE,), 4.5) == BLACK


def test_nearest_passing_returns_none_when_surfaces_lie_too_far_apart():
    assert nearest_passing(Rgb.from_hex("#FF0000"), (WHITE, BLACK), 7) is None


@pytest.mark.parametrize("text", ["1D5FB8", "#12345", "blue", "#12345G", ""])
def test_from_hex_refuses_what_is_no_colour(text):
    with pytest.raises(ValueError, match="is not a colour like #1D5FB8"):
        Rgb.from_hex(text)


def test_from_hex_reads_the_short_form():
    assert Rgb.from_hex("#1af").hex == "#11AAFF"
