"""The page of an operation: what it says, to whom, and how long it usually takes."""

import re
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.access import Role
from portal.operations import durations
from portal.operations.models import Operation, Step, StepLog
from portal.operations.outcomes import Done, Fail, Retry, Wait
from portal.operations.states import Party, StepState
from tests.factories import make_membership
from tests.fragments import element
from tests.portal.operations.operation_kinds import advance, begin, scripted
from tests.portal.operations.pages import HTMX, ON_CLOUD, ON_YOU, _no_history, client_of_alice, page, poll_url, url, words

__all__ = ["_no_history", "client_of_alice"]  # fixtures
pytestmark = pytest.mark.django_db


# --- What the page says --------------------------------------------------------------------------------------------------


def test_page_of_a_queued_operation_opens_with_its_verdict(client_of_alice: Client, acme: Any, alice: Any) -> None:
    operation = begin(scripted(first=Done(), second=Done()), organisation=acme, by=alice)

    html = page(client_of_alice, operation)

    assert "<title>Queued – Scripted work – The thing – Fernhill</title>" in html
    assert "Queued. It starts by itself within seconds." in words(element(html, "operation-progress"))
    assert words(element(html, "step-1")) == "Step first Not yet started Fernhill"
    assert operation.reference in html
    assert "Alice" in html
    assert 'hx-trigger="every 3s"' in html
    assert "mark-running.svg" in html


def test_page_of_a_wait_names_who_acts_and_what_to_do(client_of_alice: Client, acme: Any) -> None:
    kind = scripted(only=ON_YOU, fields={"your_part_url": lambda operation: "/part/"})
    operation = begin(kind, organisation=acme)
    advance(operation)

    html = page(client_of_alice, operation)

    assert "<title>Waiting for you – " in html
    assert "Waiting for you at step 1 of 1: Step only." in words(html)
    assert 'href="/part/"' in html
    assert re.search(r"Last checked \d\d:\d\d:\d\d \(UTC\)", words(element(html, "operation-looked")))
    assert "Check again" in html


def test_page_of_a_wait_for_the_cloud_uses_its_name(client_of_alice: Client, acme: Any) -> None:
    operation = begin(scripted(only=ON_CLOUD, specs={"only": {"actor": Party.CLOUD}}), organisation=acme)
    advance(operation)
    html = page(client_of_alice, operation)
    assert "Waiting for AWS at step 1 of 1: Step only." in words(html)
    assert re.fullmatch(r"Step only Waiting for AWS · \d+s AWS", words(element(html, "step-1")))


def test_page_of_a_long_queue_says_who_acts(client_of_alice: Client, acme: Any) -> None:
    operation = begin(organisation=acme)
    assert "has not been picked up yet" not in page(client_of_alice, operation)
    Operation.objects.update(state_at=timezone.now() - timedelta(minutes=2))
    assert "Waiting for Fernhill The operation has not been picked up yet." in words(page(client_of_alice, operation))


@pytest.mark.parametrize("party", Party)
def test_idle_operation_names_exactly_one_who_acts(client_of_alice: Client, acme: Any, party: Party) -> None:
    operation = begin(scripted(only=Wait(60, on=party, why="x")), organisation=acme)
    advance(operation)
    html = page(client_of_alice, operation)
    assert len(re.findall(r'class="notice-title">Waiting for', html)) == 1


def test_page_of_a_failure_has_four_parts_and_the_way_out(client_of_alice: Client, acme: Any) -> None:
    operation = begin(scripted(first=Done(), second=Fail("internal_error", evidence="<b>AccessDenied</b>")), organisation=acme)
    advance(operation)

    html = page(client_of_alice, operation)
    said = words(html)

    assert "Failed at step 2 of 2: Step second." in said
    assert "A fault in this portal stopped the step" in said
    assert "Your data and instances are not affected." in said
    assert "Fernhill sees this failure." in said
    assert f"Reference {operation.reference}" in said
    assert "&lt;b&gt;AccessDenied&lt;/b&gt;" in html
    assert "The finished steps are kept: 1 of 2." in said
    assert f'href="mailto:support@fernhill.example?subject=Help%20with%20{operation.reference}' in html
    assert "every 3s" not in html
    assert "mark-failed.svg" in html


def test_page_of_a_failure_without_words_still_helps(client_of_alice: Client, acme: Any) -> None:
    operation = begin(scripted(only=Fail("nobody_described_it")), organisation=acme)
    advance(operation)
    assert "A step could not be finished." in page(client_of_alice, operation)


def test_page_of_faults_says_how_often_it_was_tried(client_of_alice: Client, acme: Any) -> None:
    operation = begin(scripted(only=Retry("internal_error")), organisation=acme)
    advance(operation)
    advance(operation)
    assert "Tried 2 times so far." in page(client_of_alice, operation)


def test_page_after_a_retry_shows_both_attempts(client_of_alice: Client, acme: Any, alice: Any) -> None:
    operation = begin(scripted(only=[Fail("internal_error"), Done()]), organisation=acme)
    advance(operation)
    client_of_alice.post(url("retry", operation))
    advance(operation)
    said = words(element(page(client_of_alice, operation), "step-1"))
    assert re.search(r"Step only Done · \d+s Fernhill · Attempt 2 Attempt 1: Failed · ", said)


def test_page_of_the_end_is_quiet(client_of_alice: Client, acme: Any) -> None:
    operation = begin(organisation=acme)
    advance(operation)
    html = page(client_of_alice, operation)
    assert "Succeeded. Steps done: 1 of 1." in words(html)
    for gone in ("hx-trigger", "Cancel operation", "Check again", "data-portal-live", "data-portal-since"):
        assert gone not in html


def test_page_works_without_javascript(client_of_alice: Client, acme: Any) -> None:
    operation = begin(organisation=acme)
    html = page(client_of_alice, operation)
    assert 'id="operation-refresh" href="?"' in html
    assert "onclick" not in html
    assert " style=" not in html


def test_page_has_a_constant_number_of_queries(client_of_alice: Client, acme: Any, django_assert_num_queries: Any) -> None:
    small, large = scripted(only=ON_YOU), scripted(**{name: Done() for name in "abcdefgh"}, last=ON_YOU)
    for kind in (small, large):
        operation = begin(kind, organisation=acme)
        advance(operation)
        for step in operation.steps.all():
            StepLog.objects.create(step=step, line="said")
        page(client_of_alice, operation)
        with django_assert_num_queries(6):
            page(client_of_alice, operation)


# --- Who may -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["detail", "progress", "cancel"])
def test_operation_of_another_organisation_does_not_exist(client: Client, charlie: Any, acme: Any, name: str) -> None:
    operation = begin(organisation=acme)
    client.force_login(charlie)
    assert client.get(url(name, operation)).status_code == HTTPStatus.NOT_FOUND
    own = charlie.memberships.get().organisation
    elsewhere = reverse(f"accounts:operation_{name}", args=[own.slug, operation.pk])
    assert client.get(elsewhere).status_code == HTTPStatus.NOT_FOUND


def test_auditor_sees_and_cannot_act(client: Client, acme: Any) -> None:
    operation = begin(scripted(only=Fail("internal_error")), organisation=acme)
    advance(operation)
    client.force_login(make_membership(organisation=acme, role=Role.AUDITOR).user)

    html = page(client, operation)

    assert "An owner or operator of your organisation can retry this step." in html
    assert "Retry this step</button>" not in html
    assert client.post(url("retry", operation)).status_code == HTTPStatus.FORBIDDEN


# --- Typical durations ---------------------------------------------------------------------------------------------------


def past_runs(kind: str, acme: Any, seconds: list[int]) -> None:
    """That many finished runs of step `only`."""
    ended_at = timezone.now() - timedelta(days=1)
    operation = begin(scripted(), organisation=acme, subject_id="history")
    Operation.objects.filter(pk=operation.pk).update(kind=kind)
    Step.objects.bulk_create(
        Step(
            operation=operation,
            position=1,
            attempt=number + 2,
            name="only",
            state=StepState.DONE,
            started_at=ended_at - timedelta(seconds=took),
            ended_at=ended_at,
        )
        for number, took in enumerate(seconds)
    )


def test_step_shows_what_is_usual(client_of_alice: Client, acme: Any) -> None:
    kind = scripted(only=ON_CLOUD)
    past_runs(kind.kind.name, acme, [60 * minute for minute in range(1, 22)])
    operation = begin(kind, organisation=acme)
    advance(operation)
    assert "Usually 6–16 min" in element(page(client_of_alice, operation), "step-1")


def test_step_hides_what_few_runs_say(client_of_alice: Client, acme: Any) -> None:
    kind = scripted(only=ON_CLOUD)
    past_runs(kind.kind.name, acme, [60] * 19)
    operation = begin(kind, organisation=acme)
    advance(operation)
    assert "Usually" not in element(page(client_of_alice, operation), "step-1")


def test_late_step_says_so_with_a_way_to_help(client_of_alice: Client, acme: Any) -> None:
    kind = scripted(only=ON_CLOUD)
    past_runs(kind.kind.name, acme, [60] * 20)
    operation = begin(kind, organisation=acme)
    advance(operation)
    poll = poll_url(page(client_of_alice, operation))
    operation.steps.update(started_at=timezone.now() - timedelta(minutes=5))

    html = client_of_alice.get(poll, headers=HTMX).content.decode()

    assert "Longer than usual: 95 of 100 runs took less than 1 min." in words(html)
    assert "mailto:support@fernhill.example" in element(html, "step-1")


def test_wait_for_you_is_never_late(client_of_alice: Client, acme: Any) -> None:
    kind = scripted(only=ON_YOU)
    past_runs(kind.kind.name, acme, [60] * 20)
    operation = begin(kind, organisation=acme)
    advance(operation)
    operation.steps.update(started_at=timezone.now() - timedelta(days=5))
    assert "Longer than usual" not in page(client_of_alice, operation)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0, 0.4, "under a second"),
        (0.2, 1.4, "1 s"),
        (20, 40, "20–40 s"),
        (30, 90, "1–2 min"),
        (480, 840, "8–14 min"),
        (3600, 3600, "60 min"),
        (3600, 10800, "1–3 h"),
        (90000, 260000, "1–3 days"),
    ],
)
def test_range_in_words(low: float, high: float, words: str) -> None:
    assert durations.range_in_words(low, high) == words


def test_durations_are_asked_once_for_a_while(acme: Any, django_assert_num_queries: Any) -> None:
    past_runs("counted", acme, [10] * 20)
    with django_assert_num_queries(1):
        first = durations.usual_durations("counted")
        again = durations.usual_durations("counted")
    assert first == again == {"only": durations.Usual(10, 10, 10)}
