"""What the tests of an operation's pages share."""

import re
from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from portal.operations import durations
from portal.operations.models import Operation
from portal.operations.outcomes import Wait
from portal.operations.states import Party

ON_YOU = Wait(60, on=Party.YOU, why="contact_missing")
ON_CLOUD = Wait(60, on=Party.CLOUD, why="kit_finishing")
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def _no_history() -> None:
    durations.forget_durations()


@pytest.fixture
def client_of_alice(client: Client, alice: Any) -> Client:
    client.force_login(alice)
    return client


def url(name: str, operation: Operation, *more: str) -> str:
    return reverse(f"accounts:operation_{name}", args=[operation.organisation.slug, operation.pk, *more])


def page(client: Client, operation: Operation) -> str:
    response = client.get(url("detail", operation))
    assert response.status_code == HTTPStatus.OK
    return response.content.decode()


def poll_url(html: str) -> str:
    return re.search(r'hx-get="([^"]+/progress/[^"]*)"', html)[1].replace("&amp;", "&")


def words(html: str) -> str:
    """What is read, without tags, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())
