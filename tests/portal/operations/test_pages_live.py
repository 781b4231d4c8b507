"""The live part of an operation's page, and the acts on it."""

import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from portal.operations.models import Operation, Step, StepLog
from portal.operations.outcomes import Done, Fail, Retry
from tests.activity import assert_no_event, assert_one_event
from tests.fragments import assert_same_fragment, element
from tests.portal.operations.operation_kinds import advance, begin, scripted, states
from tests.portal.operations.pages import HTMX, ON_CLOUD, ON_YOU, _no_history, client_of_alice, page, poll_url, url, words

__all__ = ["_no_history", "client_of_alice"]  # fixtures
pytestmark = pytest.mark.django_db


# --- The live fragment ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [ON_YOU, ON_CLOUD, Fail("internal_error", evidence="no"), Done(), Retry("internal_error")])
def test_progress_equals_its_piece_of_the_page(client_of_alice: Client, acme: Any, line: Any) -> None:
    operation = begin(scripted(first=Done(), second=line, third=Done()), organisation=acme)
    with time_machine.travel(datetime.now(UTC), tick=False):
        advance(operation)
        StepLog.objects.create(step=operation.steps.get(position=1), line="said")
        fragment = client_of_alice.get(url("progress", operation) + "?page", headers=HTMX).content.decode()
        assert_same_fragment(page(client_of_alice, operation), fragment)


def test_progress_unchanged_is_no_content(client_of_alice: Client, acme: Any, django_assert_num_queries: Any) -> None:
    operation = begin(organisation=acme)
    poll = poll_url(page(client_of_alice, operation))
    with django_assert_num_queries(5):
        response = client_of_alice.get(poll, headers=HTMX)
    assert (response.status_code, response.content) == (HTTPStatus.NO_CONTENT, b"")


def test_progress_after_a_change_brings_title_icon_and_announcement_once(client_of_alice: Client, acme: Any) -> None:
    operation = begin(scripted(first=ON_YOU, second=Done()), organisation=acme)
    poll = poll_url(page(client_of_alice, operation))
    advance(operation)

    changed = client_of_alice.get(poll, headers=HTMX).content.decode()

    assert "<title>Waiting for you – Scripted work – The thing – Fernhill</title>" in changed
    assert re.search(r'<link rel="icon"[^>]*mark-waiting\.svg"[^>]*id="favicon" hx-swap-oob="true">', changed)
    assert '<div hx-swap-oob="innerHTML:#announcer">Waiting for you at step 1 of 2: Step first.</div>' in changed
    Operation.objects.update(version=99)
    assert "announcer" not in client_of_alice.get(poll_url(changed), headers=HTMX).content.decode()


def test_progress_at_the_end_shows_where_to_go_on(client_of_alice: Client, acme: Any) -> None:
    """Whoever keeps the page open is led on by it: no link to look for, no page to load again."""
    kind = scripted(only=[ON_YOU, Done()], fields={"subject_url": lambda operation: "/the-thing/"})
    operation = begin(kind, organisation=acme)
    advance(operation)
    html = page(client_of_alice, operation)
    assert "operation-next" not in html

    advance(operation)
    fragment = client_of_alice.get(poll_url(html), headers=HTMX).content.decode()

    assert '<a class="button button-primary" id="operation-next" href="/the-thing/">Go to The thing</a>' in fragment
    assert_same_fragment(page(client_of_alice, operation), fragment)


def test_progress_after_a_failure_leads_nowhere_but_to_its_remedy(client_of_alice: Client, acme: Any) -> None:
    kind = scripted(only=Fail("access_denied"), fields={"subject_url": lambda operation: "/the-thing/"})
    operation = begin(kind, organisation=acme)
    advance(operation)

    assert "operation-next" not in page(client_of_alice, operation)


def test_progress_inside_another_page_leaves_its_title_alone(client_of_alice: Client, acme: Any) -> None:
    operation = begin(organisation=acme)
    html = client_of_alice.get(url("progress", operation) + "?v=0", headers=HTMX).content.decode()
    assert "<title>" not in html
    assert "favicon" not in html


def test_progress_of_a_new_look_brings_only_its_time(client_of_alice: Client, acme: Any) -> None:
    operation = begin(scripted(only=ON_CLOUD), organisation=acme)
    advance(operation)
    poll = poll_url(page(client_of_alice, operation))

    response = client_of_alice.get(poll, headers=HTMX)

    assert response["HX-Reswap"] == "none"
    assert re.match(r'<span class="muted" id="operation-looked" hx-swap-oob="true">Last checked', response.content.decode())
    Step.objects.update(last_run_at=timezone.now() - timedelta(seconds=30))
    assert client_of_alice.get(poll, headers=HTMX).status_code == HTTPStatus.NO_CONTENT


def test_progress_after_the_end_polls_no_more(client_of_alice: Client, acme: Any) -> None:
    operation = begin(organisation=acme)
    poll = poll_url(page(client_of_alice, operation))
    advance(operation)
    html = client_of_alice.get(poll, headers=HTMX).content.decode()
    assert "Succeeded." in html
    assert "hx-trigger" not in html
    assert "Ended" in words(element(html, "operation-facts-list"))


# --- Acts ----------------------------------------------------------------------------------------------------------------


def test_retry_goes_back_to_the_page_with_one_event(client_of_alice: Client, acme: Any) -> None:
    operation = begin(scripted(only=Fail("internal_error")), organisation=acme)
    advance(operation)
    with assert_one_event(acme, action="operation.retried"):
        response = client_of_alice.post(url("retry", operation))
    assert (response.status_code, response["Location"]) == (HTTPStatus.FOUND, url("detail", operation))
    assert states(operation) == [("only", 1, "failed"), ("only", 2, "pending")]


def test_retry_twice_tells_the_second(client_of_alice: Client, acme: Any) -> None:
    operation = begin(scripted(only=Fail("internal_error")), organisation=acme)
    advance(operation)
    client_of_alice.post(url("retry", operation))
    with assert_no_event():
        response = client_of_alice.post(url("retry", operation), follow=True)
    assert "Only a failed operation can be retried." in response.content.decode()
    assert operation.steps.count() == 2


def test_cancel_says_first_what_is_left_behind(client_of_alice: Client, acme: Any) -> None:
    kind = scripted(first=Done(), second=ON_YOU, fields={"cancel_note": "The stack stays; %(provider)s cannot use it."})
    operation = begin(kind, organisation=acme)
    advance(operation)

    with assert_no_event():
        said = words(client_of_alice.get(url("cancel", operation)).content.decode())

    assert "The stack stays; Fernhill cannot use it." in said
    assert "Step first: Done Step second: Waiting for you" in said
    assert "Cancel operation Keep it running" in said


def test_cancel_ends_it_with_one_event(client_of_alice: Client, acme: Any, alice: Any) -> None:
    operation = begin(scripted(only=ON_YOU), organisation=acme)
    advance(operation)
    with assert_one_event(acme, action="operation.cancelled"):
        client_of_alice.post(url("cancel", operation))
    html = page(client_of_alice, operation)
    assert "Cancelled. Steps done before that: 0 of 1." in words(html)
    assert "Cancelled by Alice" in words(html)


def test_cancel_of_what_ended_explains(client_of_alice: Client, acme: Any) -> None:
    operation = begin(organisation=acme)
    advance(operation)
    assert "There is nothing to cancel." in client_of_alice.get(url("cancel", operation)).content.decode()
    with assert_no_event():
        response = client_of_alice.post(url("cancel", operation), follow=True)
    assert "There is nothing to cancel." in response.content.decode()


def test_check_makes_it_due(client_of_alice: Client, acme: Any) -> None:
    operation = begin(scripted(only=ON_YOU), organisation=acme)
    advance(operation)
    assert client_of_alice.post(url("check", operation))["Location"] == url("detail", operation)
    assert Operation.objects.due().get() == operation


def test_check_by_htmx_leaves_the_reader_where_they_are(client_of_alice: Client, acme: Any) -> None:
    operation = begin(scripted(only=ON_YOU), organisation=acme)
    advance(operation)
    response = client_of_alice.post(url("check", operation), headers=HTMX)
    assert response["HX-Reswap"] == "none"
    assert words(response.content.decode()) == "Checking now…"


def test_acts_are_not_done_by_get(client_of_alice: Client, acme: Any) -> None:
    operation = begin(organisation=acme)
    for name in ("retry", "check"):
        assert client_of_alice.get(url(name, operation)).status_code == HTTPStatus.METHOD_NOT_ALLOWED
