"""The broker: written before it is done, redacted, seen by both sides, and nothing after the end."""

from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.clouds.base import CloudError
from accounts.clouds.support import ActResult
from accounts.support.actions.acts import ask_for_act
from accounts.support.actions.endings import revoke
from accounts.support.brokering import broker
from accounts.support.brokering.doors import cloud_for, open_door, opened, standing_door
from accounts.support.clouds import granted
from accounts.support.models import Act, Door
from accounts.support.models.sessions import ActState, Via
from accounts.support.rules.acts import ActKind
from accounts.support.states import Profile
from accounts.support.tasks import run_act
from portal.audit.models import Event
from portal.operations.availability import NotAllowed
from tests.activity import assert_one_event
from tests.support.factories import make_account, make_active, make_approver, make_engineer
from tests.support.sessions import build_stack, make_standing, make_standing_grant, offer_stack, open_access

pytestmark = pytest.mark.django_db(transaction=True)
RESULT = ActResult("all is well\nAWS_SECRET_ACCESS_KEY=abcdefghijklmnop", ["DescribeStacks"])


@pytest.fixture
def active(acme, monkeypatch):
    """Rows alone: nothing is asked of a cloud."""
    account = make_account(acme)
    return make_active(organisation=acme, account=account, scope=offer_stack(account, "byoc-cell", monkeypatch), profile="logs")


def ask(request, name="list_events", by=None, **arguments) -> Act:
    return ask_for_act(request, name, arguments, by=by or request.engineer)


def actions_on(request) -> list[str]:
    found = Event.objects.filter(subject_kind="support_request", subject_id=str(request.pk), action__startswith="support.act_")
    return list(found.order_by("sequence").values_list("action", flat=True))


# --- Asking ----------------------------------------------------------------------------------------------------------


def test_asking_is_on_record_before_anything_is_done(active, acme):
    with assert_one_event(acme, action="support.act_asked") as written:
        act = ask(active, "read_cluster_log", lines="50")

    assert (act.state, act.arguments, act.door) == ("asked", {"lines": "50"}, None)
    assert written.event.details["arguments"] == {"lines": "50"}


@pytest.mark.parametrize("name", ["read_cluster_log", "delete_everything"])
def test_act_beyond_the_profile_is_refused(acme, monkeypatch, name):
    account = make_account(acme)
    request = make_active(organisation=acme, account=account, scope=offer_stack(account, "byoc-cell", monkeypatch), profile="diagnose")

    with pytest.raises(NotAllowed):
        ask(request, name)
    assert not Act.objects.exists()


def test_reading_needs_a_cell(acme):
    request = make_active(organisation=acme)

    assert broker.offered(request) == []
    with pytest.raises(NotAllowed):
        ask(request)


def test_other_engineer_is_refused(active):
    with pytest.raises(NotAllowed):
        ask(active, by=make_engineer())


def test_nothing_is_asked_once_the_gate_is_closed(active):
    active.decisions.update(seal="nobody's")

    with pytest.raises(NotAllowed):
        ask(active)


# --- The result ------------------------------------------------------------------------------------------------------


def test_result_is_redacted_before_it_is_kept(active, acme):
    act = ask(active)

    with assert_one_event(acme, action="support.act_done"):
        assert broker.finish(act, RESULT)

    assert (act.state, act.redactions, act.traces) == ("done", {"secrets": 1}, ["DescribeStacks"])
    assert "abcdefghijklmnop" not in act.output
    assert len(act.sha256) == 64


def test_result_after_the_end_is_dropped(active, acme):
    act = ask(active)
    revoke(active, by=make_approver(acme))

    assert not broker.finish(act, RESULT)

    act.refresh_from_db()
    assert (act.state, act.output, act.sha256) == ("cut_short", "", "")
    assert actions_on(active) == ["support.act_asked", "support.act_cut_short"]


def test_nothing_is_started_after_the_end(active, acme):
    act = ask(active)
    revoke(active, by=make_approver(acme))

    assert not broker.carry_out(act.pk)
    with pytest.raises(NotAllowed):
        ask(active)
    assert not Door.objects.exists()


def test_act_whose_worker_is_gone_fails_once(active):
    act = ask(active)
    Act.objects.filter(pk=act.pk).update(state=ActState.RUNNING, started_at=timezone.now() - timedelta(minutes=10))

    assert [broker.give_up_lost(), broker.give_up_lost()] == [1, 0]
    act.refresh_from_db()
    assert (act.state, act.code) == ("failed", "worker_lost")


def test_act_whose_message_was_lost_is_found(active):
    act = ask(active)

    assert broker.waiting(timezone.now() - timedelta(minutes=1)) == []
    assert broker.waiting(timezone.now() + timedelta(minutes=1)) == [act.pk]


def test_agent_acts_are_offered_once_somebody_hands_them_over(acme, monkeypatch):
    handed = []
    kind = ActKind("tail_instance", "Read an instance's log", "Its newest lines.", Profile.LOGS, Via.AGENT)
    monkeypatch.setitem(broker.acts.ACTS, kind.name, kind)
    monkeypatch.setattr(broker, "TO_AGENT", [])
    account = make_account(acme)
    active = make_active(organisation=acme, account=account, scope=offer_stack(account, "byoc-cell", monkeypatch), profile="logs")
    assert kind not in broker.offered(active)

    monkeypatch.setattr(broker, "TO_AGENT", [handed.append])
    act = ask(active, kind.name)

    assert handed == [act]
    assert broker.finish(act, RESULT)


# --- Through the cloud -----------------------------------------------------------------------------------------------


def test_acts_read_the_cloud_through_the_door_which_is_opened_again_when_it_ran_out(acme, alice, sandbox, monkeypatch, mailoutbox):
    standing = make_standing(organisation=acme, alice=alice, sandbox=sandbox, monkeypatch=monkeypatch)
    scope = build_stack(standing, monkeypatch)
    request = make_standing_grant(standing, scope=scope, profile="logs")
    first = open_access(request)

    for name in ("describe_cell", "list_events", "read_cluster_log"):
        act = ask(request, name)
        run_act(str(act.pk))
        act.refresh_from_db()
        assert (act.state, act.code, act.raw_error, act.door) == ("done", "", "", first)
    assert scope.stack in Act.objects.get(name="describe_cell").output

    Door.objects.filter(pk=first.pk).update(expires_at=timezone.now())
    act = ask(request)
    run_act(str(act.pk))
    act.refresh_from_db()
    first.refresh_from_db()
    assert act.state == "done"
    assert act.door != first
    assert first.sealed_secret == ""
    assert standing_door(request, timezone.now()) == act.door == open_door(request)

    standing.hand.update(AllowSupport="no")
    act = ask(request)
    run_act(str(act.pk))
    act.refresh_from_db()
    assert (act.state, act.code) == ("refused", "access_denied")


# --- Pages -----------------------------------------------------------------------------------------------------------


def test_engineer_asks_on_the_page_and_reads_what_came(client, active):
    client.force_login(active.engineer)
    page = reverse("support:session", args=[active.pk])

    shown = client.get(page).text
    assert "Read the log of a cell&#x27;s cluster" in shown
    assert ">Number of lines</label>" in shown
    assert "data-portal-until" in shown

    refused = client.post(reverse("support:session_act", args=[active.pk]), {"act": "read_cluster_log", "arg-lines": "9999"}, follow=True)
    assert "“Number of lines” cannot be “9999”" in refused.text
    assert client.post(reverse("support:session_act", args=[active.pk]), {"act": "list_events"}).status_code == HTTPStatus.FOUND
    broker.finish(Act.objects.get(), ActResult("byoc-cell CREATE_COMPLETE"))

    shown = client.get(page)
    assert "byoc-cell CREATE_COMPLETE" in shown.text
    live = reverse("support:session_transcript", args=[active.pk])
    assert client.get(live, {"v": shown.context["version"]}).status_code == HTTPStatus.NO_CONTENT
    assert "byoc-cell CREATE_COMPLETE" in client.get(live, {"v": "older"}).text


def test_session_page_is_for_its_engineer_alone(client, active, alice):
    for other in (make_engineer(), alice):
        client.force_login(other)
        assert client.get(reverse("support:session", args=[active.pk])).status_code == HTTPStatus.NOT_FOUND


def test_customer_reads_along_and_ends_it(client, active, acme):
    broker.finish(ask(active, "read_cluster_log", lines="50"), ActResult("byoc-cell CREATE_COMPLETE"))
    client.force_login(make_approver(acme).user)
    page = reverse("support:access_transcript", args=["acme", active.pk])

    shown = client.get(page).text
    assert "Read the log of a cell&#x27;s cluster · Number of lines: 50<" in shown
    assert "byoc-cell CREATE_COMPLETE" in shown
    assert "End access now" in shown

    client.post(reverse("support:access_end", args=["acme", active.pk]))
    live = reverse("support:access_transcript_live", args=["acme", active.pk])
    assert "Ending" in client.get(live, {"v": "older"}).text


@pytest.mark.parametrize("kind", ["lost_reply", "502_html"])
def test_broken_line_to_the_cloud_fails_the_act_at_once(acme, alice, sandbox, monkeypatch, mailoutbox, kind):
    """Not after minutes, as though its worker were gone; and the end says that it must ask again."""
    standing = make_standing(organisation=acme, alice=alice, sandbox=sandbox, monkeypatch=monkeypatch)
    request = make_standing_grant(standing, scope=build_stack(standing, monkeypatch))
    door = open_access(request)
    sandbox.control("POST", "faults", {"kind": kind, "action": "*", "count": None})

    act = ask(request, "list_events")
    run_act(str(act.pk))

    act.refresh_from_db()
    assert (act.state, act.code) == ("failed", "cloud_unavailable")
    for ask_cloud in (
        lambda: cloud_for(request).probe(opened(door), granted(request)),
        lambda: cloud_for(request).open(granted(request)),
        lambda: cloud_for(request).tidy(replace(granted(request), ends_at=timezone.now() - timedelta(minutes=1))),
    ):
        with pytest.raises(CloudError) as found:
            ask_cloud()
        assert (found.value.code, found.value.retryable) == ("cloud_unavailable", True)
