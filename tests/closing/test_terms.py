"""One table says what is kept for how long: nothing is missing in it, and the page shows it whole."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils.html import escape

from accounts.closing.models import Closing
from accounts.closing.notices import tell
from accounts.closing.terms import TERMS, Term, holdings
from accounts.issuer.seal import unseal
from accounts.models import OutgoingMail
from tests.closing.guards import make_closed
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


def test_every_page_and_mail_of_a_closing_tells_of_the_backups_for_as_long_as_the_provider_keeps_them(client, alice, bob, acme, settings):
    settings.BACKUP_DAYS = 20
    words = f"{settings.PROVIDER_NAME} keeps backups of the whole database for 20 days."
    client.force_login(alice)

    pages = [client.get(reverse(f"closing:closing_{name}", args=["acme"])).text for name in ("home", "start")]
    tell(make_closed(acme, alice), "closing_planned", by=alice)
    tell(Closing.objects.get(), "closing_done")
    pages.append(client.get(reverse("closing:closing_done", args=["acme"])).text)

    assert [words in page for page in pages] == [True] * 3
    for told in ("after 51 days at the latest", "after 3 years (1117 days) at the latest"):
        assert [told in page for page in pages] == [True, False, True]
    bodies = [unseal(mail.sealed_body).decode() for mail in OutgoingMail.objects.filter(to=bob.email)]
    assert [words in body for body in bodies] == [True] * 2
    assert "Owners can still download the export for 30 days." in pages[1]


def test_provider_is_told_as_the_provider_and_not_as_a_member(alice, acme, settings):
    closing = make_closed(acme, alice)
    for template in ("closing_planned", "closing_done"):
        tell(closing, template, by=alice)
    bodies = [unseal(mail.sealed_body).decode() for mail in OutgoingMail.objects.filter(to=settings.PROVIDER_SUPPORT_EMAIL)]

    assert [reverse("admin:closing_closing_change", args=[closing.pk]) in body for body in bodies] == [True, True]
    assert ["The closing in the administration:" in body for body in bodies] == [True, True]
    assert [words for words in ("your sign-in", "on this page", "You are") for body in bodies if words in body] == []


def test_closing_home_says_what_the_security_record_keeps_of_persons_and_of_the_name(client, bob, acme):
    client.force_login(bob)

    page = client.get(reverse("closing:closing_home", args=["acme"])).text

    assert "No name, no address" not in page
    assert f"the security record of {settings.PROVIDER_NAME} stays. It belongs to no organisation and has no end yet." in page
    assert "name, e-mail address and network address of each person with every sign-in, and the name of the organisation" in page
    assert "keeps the name and e-mail address of earlier sign-ins" in page
