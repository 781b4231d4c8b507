"""The log in the administration: found quickly, never changed."""

import time
import uuid
from http import HTTPStatus

import pytest
from allauth.account.internal.userkit import user_id_to_str
from django.contrib import admin
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portal.audit import Actor, Subject, record
from portal.audit.admin import ReadOnlyAdmin
from portal.audit.models import Event
from tests.activity import assert_no_event
from tests.factories import make_user


def write(organisation_id=None, **fields):
    fields = {"actor": Actor.system("beat"), "action": "thing.happened"} | fields
    with transaction.atomic():
        return record(organisation_id=organisation_id, **fields)


@pytest.fixture
def superuser(client, db):
    """The client, signed in as one, with a second factor proven."""
    user = make_user(is_staff=True, is_superuser=True)
    client.force_login(user)
    session = client.session
    session["account_authentication_methods_user"] = user_id_to_str(user)
    session["account_authentication_methods"] = [{"method": "mfa", "type": "totp", "at": time.time()}]
    session.save()
    return client


def url(name, *args):
    return reverse(f"admin:audit_event_{name}", args=args)


def found(client, query):
    response = client.get(url("changelist"), query)
    assert response.status_code == HTTPStatus.OK
    return [event.sequence for event in response.context["cl"].result_list]


def test_list_has_search_filters_and_dates():
    model_admin = admin.site.get_model_admin(Event)
    assert isinstance(model_admin, ReadOnlyAdmin)
    assert len(model_admin.list_filter) >= 3
    assert model_admin.date_hierarchy == "at"


def test_list_finds_by_name_organisation_event_and_request(superuser):
    organisation = uuid.uuid4()
    event = write(organisation, subject=Subject("cloud_account", "a-1", "Production"))
    write(uuid.uuid4())
    write(uuid.uuid4(), actor=Actor.guest("desk@acme.example"))
    for text in (str(organisation), str(organisation)[:13], str(event.id), "production", "a-1", event.hash[:12]):
        assert found(superuser, {"q": text}) == [1], text
    assert len(found(superuser, {"q": "desk@acme"})) == 1
    assert len(found(superuser, {"q": "thing.hap"})) == 3
    assert found(superuser, {"q": "nothing"}) == []
    assert len(found(superuser, {"actor_kind": "guest"})) == 1
    assert found(superuser, {"subject_kind": "cloud_account"}) == [1]


def test_event_page_shows_all_and_offers_no_change(superuser):
    event = write(uuid.uuid4(), details={"state": ["draft", "connected"]})
    html = superuser.get(url("change", event.pk)).content.decode()
    assert event.hash in html
    assert event.previous in html
    assert 'name="_save"' not in html
    assert "Delete" not in html.split("<main")[-1]


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize("name", ["changelist", "add", "change", "delete", "history"])
def test_everything_but_reading_is_forbidden_even_for_a_superuser(superuser, name, method):
    event = write(uuid.uuid4())
    path = url(name, event.pk) if name in {"change", "delete", "history"} else url(name)
    with assert_no_event():
        response = getattr(superuser, method)(path, {"action": "delete_selected", "_selected_action": str(event.pk), "post": "yes"})
    assert response.status_code == HTTPStatus.FORBIDDEN
    assert Event.objects.get(pk=event.pk).hash == event.hash


@pytest.mark.parametrize("name", ["add", "delete"])
def test_pages_that_would_change_are_forbidden(superuser, name):
    event = write(uuid.uuid4())
    assert superuser.get(url(name, *([event.pk] if name == "delete" else []))).status_code == HTTPStatus.FORBIDDEN


def test_list_query_count_does_not_grow(superuser):
    counts = []
    for total in (1, 100):
        while Event.objects.count() < total:
            write(uuid.uuid4())
        superuser.get(url("changelist"))
        with CaptureQueriesContext(connection) as captured:
            superuser.get(url("changelist"))
        counts.append(len(captured))
    assert counts[0] == counts[1]
    assert counts[0] <= 12
