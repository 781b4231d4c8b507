"""“View as customer”: for a reason, for a time, on record with the customer; it reads, and changes nothing anywhere."""

from datetime import timedelta
from http import HTTPStatus

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.support.models import Viewing
from portal.audit.models import Event
from tests.activity import assert_no_event, assert_one_event
from tests.closing.guards import make_closed
from tests.factories import make_membership, make_organisation, make_user
from tests.guards.url_tree import Url, address, organisation_urls, other_urls
from tests.support.factories import give_totp, make_active

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    person = make_user(name="Sam Staff", is_staff=True)
    give_totp(person)
    client.force_login(person)
    return person


@pytest.fixture
def viewing(client, acme, alice, staff):
    answer = client.post(reverse("support:viewing_start", args=[acme.pk]), {"case": "CASE-1", "reason": "The page is said to be empty."})
    assert answer.status_code == HTTPStatus.FOUND, answer.content
    return Viewing.objects.get()


def test_start_asks_for_a_reason_and_stands_in_the_customers_own_log(client, acme, staff):
    start = reverse("support:viewing_start", args=[acme.pk])
    with assert_no_event():
        assert client.get(start).status_code == HTTPStatus.OK
        assert client.post(start, {"case": "CASE-1"}).status_code == HTTPStatus.OK

    with assert_one_event(acme, action="viewing.started") as written:
        answer = client.post(start, {"case": "CASE-1", "reason": "The page is said to be empty."})

    assert answer["Location"] == reverse("accounts:home", args=["acme"])
    assert written.event.details["reason"] == "The page is said to be empty."
    assert written.event.actor_name == "Sam Staff"
    found = Viewing.objects.get()
    assert found.until - found.started_at == timedelta(minutes=30)


def test_nobody_looks_on_in_an_organisation_that_is_closed(client, acme, alice, staff):
    make_closed(acme, alice)
    start = reverse("support:viewing_start", args=[acme.pk])

    page = client.get(start).text
    assert "Acme is closed. Nobody works there, and nobody looks on." in page
    assert "Start viewing" not in page
    with assert_no_event():
        answer = client.post(start, {"case": "CASE-1", "reason": "The page is said to be empty."})
    assert "Acme is closed. Nobody works there, and nobody looks on." in answer.text
    assert not Viewing.objects.exists()
    assert start not in client.get(reverse("admin:accounts_organisation_change", args=[acme.pk])).text


@pytest.mark.parametrize("fields", [{}, {"is_support_engineer": True}, {"is_superuser": True}])
def test_nobody_but_staff_can_start(client, acme, fields):
    person = make_user(**fields)
    make_membership(organisation=acme, user=person, role="owner")
    client.force_login(person)

    assert client.get(reverse("support:viewing_start", args=[acme.pk])).status_code == HTTPStatus.NOT_FOUND
    assert client.post(reverse("support:viewing_end")).status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("url", organisation_urls(), ids=str)
def test_no_page_of_the_customer_changes_anything_or_gives_a_file(url: Url, client, acme, alice, viewing):
    there = address(url, acme, alice)
    before = Event.objects.count()

    for method in ("post", "put", "patch", "delete"):
        assert getattr(client, method)(there).status_code == HTTPStatus.FORBIDDEN
    page = client.get(there)

    assert Event.objects.count() == before
    assert not page.headers.get("Content-Disposition", "").startswith("attachment")
    assert page.status_code in {HTTPStatus.OK, HTTPStatus.FOUND, HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NO_CONTENT}
    if page.text.lstrip().startswith("<!doctype"):
        assert "Stop viewing" in page.text


def test_no_other_page_takes_anything_either(client, viewing):
    left = {"support:viewing_end", "account_logout", "portal:theme"}
    for url in other_urls():
        if url.name in left or url.name.startswith(("issuer_", "cells:agent")):
            continue
        with assert_no_event():
            assert client.post(address(url, viewing.organisation, viewing.staff)).status_code == HTTPStatus.FORBIDDEN, url.name


def test_it_shows_this_customer_and_no_other(client, acme, viewing):
    other = make_organisation(name="Globex", slug="globex-2")
    make_membership(organisation=other)

    assert client.get(reverse("accounts:home", args=["acme"])).status_code == HTTPStatus.OK
    assert client.get(reverse("accounts:home", args=[other.slug])).status_code == HTTPStatus.NOT_FOUND
    client.get(reverse("support:viewing_start", args=[other.pk]))
    assert Viewing.objects.count() == 1


def test_own_role_there_gives_nothing_more_meanwhile(client, acme, viewing):
    make_membership(organisation=acme, user=viewing.staff, role="owner")
    request = make_active(organisation=acme)

    page = client.get(request.get_absolute_url())

    assert page.context["membership"].is_guest
    assert "End access now" not in page.text.replace("<!--", "")
    with assert_no_event():
        client.post(reverse("support:access_end", args=["acme", request.pk]))
    request.refresh_from_db()
    assert request.state == "active"


def test_what_was_read_under_a_grant_stays_between_engineer_and_customer(client, acme, viewing):
    request = make_active(organisation=acme)
    for name in ("access_transcript", "access_transcript_live", "access_evidence"):
        assert client.get(reverse(f"support:{name}", args=["acme", request.pk])).status_code == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("how", ["time", "staff", "active", "ended"])
def test_it_is_over_at_once(how, client, acme, viewing):
    home = reverse("accounts:home", args=["acme"])
    if how == "time":
        with time_machine.travel(viewing.until):
            assert client.get(home).status_code != HTTPStatus.OK
        return
    if how == "ended":
        with assert_one_event(acme, action="viewing.ended"):
            client.post(reverse("support:viewing_end"))
        with assert_no_event():
            client.post(reverse("support:viewing_end"))
    else:
        User.objects.filter(pk=viewing.staff.pk).update(**{f"is_{how}": False})

    assert client.get(home).status_code != HTTPStatus.OK
    assert timezone.now() < viewing.until
