"""One table says what is kept for how long: nothing is missing in it, and the page shows it whole."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.html import escape

from accounts.closing.terms import TERMS, Term, holdings
from tests.guards.test_models import TENANCY_PATHS


def test_every_table_of_an_organisation_stands_under_one_term():
    found = [one.model for one in holdings()]

    assert sorted(found) == sorted(TENANCY_PATHS)


def test_the_way_to_the_organisation_is_the_one_that_tenancy_knows():
    for one in holdings():
        assert one.paths[0] == TENANCY_PATHS[one.model], one.model


def test_every_holding_is_under_a_term_that_exists():
    assert {one.term for one in holdings()} == {term.code for term in TERMS}


@pytest.mark.parametrize(
    ("days", "words"),
    [(1, "1 day"), (30, "30 days"), (365, "1 year (365 days)"), (1096, "3 years (1096 days)")],
)
def test_a_period_is_told_as_it_is_counted(days, words):
    assert Term("any", timedelta(days=days), "", "", "").period == words


def test_closing_home_shows_every_term_with_its_period_and_every_kind_of_record(client, bob, acme):
    client.force_login(bob)

    page = client.get(reverse("closing:closing_home", args=["acme"])).text

    for term in TERMS:
        for words in (term.title, term.period, term.what, term.why, *term.records):
            assert escape(str(words)) in page
