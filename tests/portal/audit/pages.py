"""What the tests of the activity pages share."""

from http import HTTPStatus
from types import SimpleNamespace

from django.db import transaction
from django.test import Client
from django.urls import reverse

from portal.audit import Actor, Subject, record

ANNA = Actor.user(SimpleNamespace(pk="u-anna", name="Anna", email="anna@acme.example"))
HTMX = {"HX-Request": "true"}


def write(organisation, action="cloud_account.connected", actor=ANNA, **fields):
    with transaction.atomic():
        return record(organisation_id=organisation and organisation.id, action=action, actor=actor, **fields)


def write_many(organisation, count):
    for number in range(count):
        write(organisation, subject=Subject("cloud_account", "a-1", "Production"), details={"try": number, "state": ["draft", "connected"]})


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def url(name, organisation, query=""):
    return reverse(f"accounts:{name}", args=[organisation.slug]) + (f"?{query}" if query else "")


def page(user, organisation, query="", **headers):
    response = signed_in(user).get(url("activity", organisation, query), headers=headers)
    assert response.status_code == HTTPStatus.OK
    return response.content.decode()
