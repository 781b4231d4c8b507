"""Operations in the administration: found quickly, never changed."""

import time
from http import HTTPStatus
from typing import Any

import pytest
from allauth.account.internal.userkit import user_id_to_str
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portal.audit.admin import ReadOnlyAdmin
from portal.operations.models import Operation
from portal.operations.outcomes import Fail
from tests.activity import assert_no_event
from tests.factories import make_organisation, make_user
from tests.portal.operations.operation_kinds import advance, begin, scripted

pytestmark = pytest.mark.django_db


@pytest.fixture
def superuser(client: Client) -> Client:
    """The client, signed in as one, with a second factor proven."""
    user = make_user(is_staff=True, is_superuser=True)
    client.force_login(user)
    session = client.session
    session["account_authentication_methods_user"] = user_id_to_str(user)
    session["account_authentication_methods"] = [{"method": "mfa", "type": "totp", "at": time.time()}]
    session.save()
    return client


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:operations_operation_{name}", args=args)


def found(client: Client, query: dict[str, str]) -> list[Operation]:
    response = client.get(url("changelist"), query)
    assert response.status_code == HTTPStatus.OK
    return list(response.context["cl"].result_list)


def test_list_has_search_and_filters() -> None:
    model_admin = admin.site.get_model_admin(Operation)
    assert isinstance(model_admin, ReadOnlyAdmin)
    assert len(model_admin.list_filter) >= 3
    assert model_admin.list_select_related


def test_list_finds_by_reference_subject_organisation_and_person(superuser: Client) -> None:
    person = make_user(email="anna@acme.example")
    operation = begin(organisation=make_organisation(name="Needle"), by=person, subject_id="subject-7")
    begin()
    for words in (operation.reference, str(operation.pk), "subject-7", "Needle", "anna@acme"):
        assert found(superuser, {"q": words}) == [operation]


def test_list_filters_by_state_and_code(superuser: Client) -> None:
    failed = begin(scripted(only=Fail("denied")))
    begin()
    advance(failed)
    assert found(superuser, {"state__exact": "failed"}) == [failed]
    assert found(superuser, {"failure_code": "denied"}) == [failed]


def test_list_has_a_constant_number_of_queries(superuser: Client) -> None:
    counts = []
    superuser.get(url("changelist"))
    for _ in range(2):
        begin(by=make_user())
        begin(by=make_user())
        with CaptureQueriesContext(connection) as queries:
            superuser.get(url("changelist"))
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 12


def test_object_page_opens_with_the_verdict_and_shows_the_steps(superuser: Client) -> None:
    operation = begin(scripted(first=Fail("denied", evidence="AccessDenied")))
    advance(operation)

    html = superuser.get(url("change", operation.pk)).content.decode()

    assert "Failed at step 1 of 1: Step first." in html
    assert html.index("Failed at step 1") < html.index("AccessDenied")
    assert operation.get_absolute_url() in html
    assert "denied" in html
    assert 'name="_save"' not in html


def test_nothing_can_be_changed_even_by_a_superuser(superuser: Client) -> None:
    operation = begin()
    with assert_no_event():
        for address in (url("changelist"), url("change", operation.pk), url("delete", operation.pk), url("add")):
            assert superuser.post(address, {"state": "succeeded"}).status_code == HTTPStatus.FORBIDDEN
    operation.refresh_from_db()
    assert operation.state == "queued"
