"""The operation page, its live fragment, its acts and the list."""

import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.access import Role
from portal.operations import durations
from portal.operations.models import Operation, Step, StepLog
from portal.operations.outcomes import Done, Fail, Retry, Wait
from portal.operations.states import Party, StepState
from tests.activity import assert_no_event, assert_one_event
from tests.factories import make_membership
from tests.fragments import assert_same_fragment, element
from tests.portal.operations.operation_kinds import advance, begin, scripted, states

pytestmark = pytest.mark.django_db
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


# --- What the page says ------------------------------------------------------------------------------------------------


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
        with django_assert_num_queries(7):
            page(client_of_alice, operation)


# --- Who may ------------------------------------------------------------------------------------------------------------


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


# --- The live fragment ----------------------------------------------------------------------------------------------------


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
    with django_assert_num_queries(6):
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


# --- Typical durations ------------------------------------------------------------------------------------------------------


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


# --- Acts -----------------------------------------------------------------------------------------------------------------


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


# --- Log --------------------------------------------------------------------------------------------------------------------


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


# --- List -------------------------------------------------------------------------------------------------------------------


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
        with django_assert_num_queries(5):
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
