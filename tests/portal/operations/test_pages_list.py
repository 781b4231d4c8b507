"""An operation's log, and the list of operations."""

import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from portal.operations.models import Step, StepLog
from portal.operations.outcomes import Fail
from tests.fragments import assert_same_fragment, element
from tests.portal.operations.operation_kinds import advance, begin, scripted
from tests.portal.operations.pages import HTMX, ON_YOU, _no_history, client_of_alice, page, url

__all__ = ["_no_history", "client_of_alice"]  # fixtures
pytestmark = pytest.mark.django_db


# --- Log -----------------------------------------------------------------------------------------------------------------


def test_log_shows_the_last_lines_and_offers_the_rest(client_of_alice: Client, acme: Any) -> None:
    operation = begin(organisation=acme)
    step = operation.steps.get()
    StepLog.objects.bulk_create(StepLog(step=step, line=f"line {number}") for number in range(250))
    Step.objects.update(log_count=250)

    log = element(page(client_of_alice, operation), "log-1")

    assert log.count('<span id="line-') == 200
    assert "line 249<" in log
    assert "line 49<" not in log
    assert "The last 200 lines." in log


def test_log_downloads_all_attempts(client_of_alice: Client, acme: Any) -> None:
    operation = begin(scripted(only=Fail("internal_error")), organisation=acme)
    at = datetime(2026, 11, 21, 14, 2, 11, tzinfo=UTC)
    for attempt in (2, 1):
        step = Step.objects.update_or_create(operation=operation, position=1, attempt=attempt, name="only")[0]
        StepLog.objects.create(step=step, at=at, line=f"said <{attempt}>")

    response = client_of_alice.get(url("log", operation, "only"))

    assert response["Content-Disposition"] == f'attachment; filename="{operation.reference}-only.log"'
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response.content.decode() == "2026-11-21T14:02:11Z 1 said <1>\n2026-11-21T14:02:11Z 2 said <2>\n"
    assert client_of_alice.get(url("log", operation, "other")).status_code == HTTPStatus.NOT_FOUND


# --- List ----------------------------------------------------------------------------------------------------------------


def list_url(acme: Any, query: str = "") -> str:
    return reverse("accounts:operation_list", args=[acme.slug]) + query


def listed(client: Client, address: str, **headers: str) -> list[str]:
    return re.findall(r"OP-[0-9A-Z]{6}", client.get(address, headers=headers).content.decode())


def test_list_is_newest_first_and_the_organisation_s_own(client_of_alice: Client, acme: Any, charlie: Any) -> None:
    operations = [begin(organisation=acme) for _ in range(3)]
    begin(organisation=charlie.memberships.get().organisation)
    assert listed(client_of_alice, list_url(acme)) == [operation.reference for operation in reversed(operations)]


def test_list_has_a_constant_number_of_queries(client_of_alice: Client, acme: Any, django_assert_num_queries: Any) -> None:
    client_of_alice.get(list_url(acme))  # the first page of a session writes that there is one
    for new, shown in ((1, 1), (2, 3)):
        for _ in range(new):
            begin(organisation=acme)
        with django_assert_num_queries(4):
            assert len(listed(client_of_alice, list_url(acme))) == shown


def test_list_filters_by_state_and_kind(client_of_alice: Client, acme: Any) -> None:
    waits, other = scripted(only=ON_YOU), scripted()
    waiting, queued = begin(waits, organisation=acme), begin(other, organisation=acme)
    advance(waiting)
    assert listed(client_of_alice, list_url(acme, "?state=waiting")) == [waiting.reference]
    assert listed(client_of_alice, list_url(acme, f"?kind={other.kind.name}")) == [queued.reference]
    assert listed(client_of_alice, list_url(acme, "?state=nonsense&kind=nonsense&after=nonsense")) == [queued.reference, waiting.reference]
    html = client_of_alice.get(list_url(acme, "?state=failed")).content.decode()
    assert "No operation matches" in html
    assert '<option value="failed" selected>' in html


def test_list_without_any_says_what_starts_one(client_of_alice: Client, acme: Any) -> None:
    html = client_of_alice.get("/o/acme/operations/").content.decode()

    assert "Connecting a cloud account starts the first one." in html
    assert '<a class="button button-quiet" href="/o/acme/accounts/">See the cloud accounts</a>' in html
    assert 'name="state"' not in html


def test_list_without_a_match_says_so_and_clears(client_of_alice: Client, acme: Any) -> None:
    html = client_of_alice.get("/o/acme/operations/?state=failed").content.decode()

    assert "No operation of your organisation is of this state and kind." in html
    assert '<a class="button button-quiet" href="/o/acme/operations/">Clear the filters</a>' in html
    assert 'name="state"' in html


def test_list_pages_by_place(client_of_alice: Client, acme: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.operations.views.PAGE_SIZE", 2)
    newest_first = [begin(organisation=acme).reference for _ in range(5)][::-1]
    seen, address = [], list_url(acme)
    while address:
        html = client_of_alice.get(address).content.decode()
        seen += re.findall(r"OP-[0-9A-Z]{6}", html)
        older = re.search(r'href="([^"]+)">Older', html)
        address = older[1].replace("&amp;", "&") if older else ""
    assert seen == newest_first
    assert f'href="{list_url(acme)}?">Newest' in html


def test_list_fragment_equals_its_piece_of_the_page(client_of_alice: Client, acme: Any) -> None:
    begin(organisation=acme)
    with time_machine.travel(datetime.now(UTC), tick=False):
        fragment = client_of_alice.get(list_url(acme), headers=HTMX).content.decode()
        assert_same_fragment(client_of_alice.get(list_url(acme)).content.decode(), fragment)
