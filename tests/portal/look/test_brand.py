"""The brand contract: any accent a provider asks for can be read in both themes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.brand import SURFACES, TEXT_RATIO, brand_stylesheet, measure
from portal.checks import check_brand_accent
from portal.colour import contrast

accents = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06X}")


@given(accents)
def test_measure_answers_any_accent_with_a_readable_one(accent):
    for theme, measured in measure(accent).items():
        assert all(contrast(measured.used, surface) >= TEXT_RATIO for surface in SURFACES[theme])
        assert contrast(measured.on, measured.used) >= TEXT_RATIO


def test_measure_keeps_an_accent_that_passes():
    light = measure("#0F6B4F")["light"]

    assert (light.used.hex, light.on.hex, light.passes) == ("#0F6B4F", "#FFFFFF", True)
    assert round(light.ratio, 2) == 5.84


def test_measure_moves_a_failing_accent_to_the_nearest_that_passes():
    light = measure("#FFD400")["light"]

    assert (light.asked.hex, light.used.hex, light.passes) == ("#FFD400", "#846D00", False)
    assert round(light.ratio, 2) == 1.29


def test_stylesheet_sets_the_brand_properties_for_both_themes(settings):
    settings.BRAND_ACCENT = "#0F6B4F"

    assert brand_stylesheet() == (
        ":root {\n  --brand-accent: light-dark(#0F6B4F, #3F9072);\n  --brand-on-accent: light-dark(#FFFFFF, #0A1730);\n}\n"
    )


def test_stylesheet_without_a_brand_leaves_the_portals_accent(settings):
    settings.BRAND_ACCENT = ""

    assert brand_stylesheet() == ":root {}\n"


@pytest.mark.parametrize("accent", ["", "#0F6B4F"])
def test_check_is_silent_without_an_accent_and_with_a_readable_one(settings, accent):
    settings.BRAND_ACCENT = accent

    assert check_brand_accent(None) == []


def test_check_warns_of_an_unreadable_accent_and_offers_the_nearest(settings):
    settings.BRAND_ACCENT = "#FFD400"

    (warning,) = check_brand_accent(None)

    assert warning.id == "portal.W002"
    assert warning.msg == "PORTAL_BRAND_ACCENT #FFD400 reaches 1.3:1 in the light theme, below 4.5:1."
    assert warning.hint == "The portal shows #846D00, the nearest of its hue that can be read."


def test_check_refuses_what_is_no_colour(settings):
    settings.BRAND_ACCENT = "teal"

    (error,) = check_brand_accent(None)

    assert (error.id, error.msg) == ("portal.E004", "PORTAL_BRAND_ACCENT: 'teal' is not a colour like #1D5FB8.")
