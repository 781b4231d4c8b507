"""What is asked on every page is remembered as a statement, never as an answer: whatever ends counts from the next request on."""

from datetime import timedelta
from http import HTTPStatus

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.access import Role
from accounts.models import Membership, User

PAGES = ("/o/acme/instances/", "/o/acme/cells/", "/o/acme/")


@pytest.fixture
def signed_in(client, alice):
    client.force_login(alice)
    # More often than it takes to keep a statement.
    assert [client.get(page).status_code for page in PAGES * 2] == [HTTPStatus.OK] * 6
    return client


def end_session(_alice):
    Session.objects.all().delete()


def let_session_expire(_alice):
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))


def deactivate(alice):
    User.objects.filter(pk=alice.pk).update(is_active=False)


def change_password(alice):
    alice.set_password("another one, and long enough")
    alice.save()


def delete_person(alice):
    alice.delete()


@pytest.mark.parametrize("end", [end_session, let_session_expire, deactivate, change_password, delete_person])
@pytest.mark.parametrize("page", PAGES)
def test_what_signs_a_person_out_counts_from_the_next_request(page, end, signed_in, alice):
    end(alice)

    answer = signed_in.get(page)

    assert (answer.status_code, answer.headers.get("Location", "").startswith("/auth/login/")) == (HTTPStatus.FOUND, True)


@pytest.mark.parametrize("page", PAGES)
def test_unchanged_poll_of_who_is_no_member_any_more_is_not_answered(page, signed_in, alice):
    etag = signed_in.get(page, headers={"HX-Request": "true"}).headers.get("ETag", '"x"')
    Membership.objects.filter(user=alice).delete()

    answer = signed_in.get(page, headers={"HX-Request": "true", "If-None-Match": etag})

    assert answer.status_code == HTTPStatus.NOT_FOUND


def test_another_role_counts_from_the_next_request(signed_in, alice):
    Membership.objects.filter(user=alice).update(role=Role.AUDITOR)

    assert signed_in.get("/o/acme/instances/new/").status_code == HTTPStatus.FORBIDDEN


def test_session_of_one_person_is_nobody_elses(signed_in, client, bob, alice):
    client.logout()
    client.force_login(bob)

    page = client.get("/o/acme/instances/")

    assert (page.context["user"], page.context["user"] == alice) == (bob, False)


def test_cookie_with_a_nul_is_nobodys_session(client, db):
    answer = client.get("/o/acme/", headers={"cookie": 'sessionid="\\000aaaaaaaaaaaaaaaa"'})

    assert answer.status_code == HTTPStatus.FOUND
