"""The whole story on the strict local clouds, from the request to the receipt; and the receipt's own promises."""

import hashlib
import html
import json
from datetime import timedelta
from http import HTTPStatus

import pytest
import time_machine
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from accounts.clouds.gcp.leases import NEVER
from accounts.clouds.support import Trace
from accounts.support.actions.endings import revoke
from accounts.support.brokering import correlation
from accounts.support.brokering.doors import cloud_for, opened
from accounts.support.clouds import granted
from accounts.support.models import AccessRequest, Act, TraceMatch
from accounts.support.rules.acts import act_words
from accounts.support.tasks import review_ended_grants, run_act, write_due_receipts
from portal.operations.models import Operation
from tests.activity import assert_one_event
from tests.factories import make_membership
from tests.support.factories import code_of, give_totp, make_approver, make_engineer
from tests.support.guards import make_ended
from tests.support.sessions import build_stack, close_access, drive, make_standing, make_standing_grant, open_access

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_counted_tries():
    cache.clear()


@pytest.mark.parametrize(("cloud", "called"), [("aws", "AWS"), ("azure", "Azure"), ("gcp", "Google Cloud")])
def test_whole_story_from_request_to_receipt(client, acme, alice, sandbox, monkeypatch, mailoutbox, cloud, called):
    standing = make_standing(organisation=acme, alice=alice, sandbox=sandbox, monkeypatch=monkeypatch, cloud=cloud)
    scope = build_stack(standing, monkeypatch)
    engineer, checker, approver = make_engineer(name="Mia Köhler"), make_engineer(), make_membership(organisation=acme, role="approver")
    secret = give_totp(approver.user)

    # The engineer asks, a second one checks.
    client.force_login(engineer)
    form = {"wants": "access", "scope": scope.key, "case": "CASE-7", "reason_type": "customer", "reason": "I read why the update failed."}
    answer = client.post(f"{reverse('support:case_new')}?customer={acme.pk}", form | {"profile": "diagnose", "minutes": "60"})
    assert answer.status_code == HTTPStatus.FOUND, answer.context["form"].errors
    asked = AccessRequest.objects.get()
    client.force_login(checker)
    client.post(reverse("support:case_check", args=[asked.pk]), {"verb": "send", "answer": "send", "send": ""})
    asked.refresh_from_db()
    assert asked.state == "requested"

    # The customer approves with a code.
    client.force_login(approver.user)
    page = reverse("support:access_approve", args=["acme", asked.pk])
    token = client.get(page).context["token"]
    client.post(page, {"offer": token, "code": code_of(secret), "method": "totp"})
    asked.refresh_from_db()
    assert asked.state == "scheduled"

    # It opens, one act is done, the customer ends it.
    door = open_access(asked)
    held = opened(door)
    client.force_login(engineer)
    client.post(reverse("support:session_act", args=[asked.pk]), {"act": "describe_cell"})
    run_act(str(Act.objects.get().pk))
    assert scope.stack in client.get(reverse("support:session", args=[asked.pk])).text
    client.force_login(approver.user)
    client.post(reverse("support:access_end", args=["acme", asked.pk]))
    close_access(asked)
    assert asked.state == "revoked"
    assert cloud_for(asked).probe(held, granted(asked)).is_refused

    # The cloud's own log agrees with ours.
    with time_machine.travel(asked.ended_at + timedelta(minutes=21)):
        assert [review_ended_grants(), review_ended_grants()] == [1, 0]
    operation = drive("compare_support_log")
    assert (operation.failure_code, operation.data["strange"], operation.data["missing"]) == ("", 0, 0)
    assert set(TraceMatch.objects.exclude(act=None).values_list("call", flat=True)) == set(Act.objects.get().traces)

    shown = client.get(reverse("support:access_receipt", args=["acme", asked.pk])).text
    proof = asked.proofs.get(is_refused=True)
    assert f"denied by {called} at" in shown
    assert " was allowed to " in shown
    assert f"denied by {called} at" in client.get(asked.get_absolute_url()).text
    assert "Did under support access" in (told := client.get(reverse("accounts:activity", args=["acme"])).text)
    assert str(act_words(Act.objects.get().name)) in html.unescape(told)
    for said in ("Mia Köhler", "CASE-7", "Nothing was changed.", asked.sha256, "Every line of the log belongs"):
        assert said in shown
    told = json.loads(client.get(reverse("support:access_receipt_json", args=["acme", asked.pk])).content)
    assert told["end"]["proofs"][0]["evidence"] == proof.evidence

    # Once the granted time is over, the denial is taken away again. On Azure the identity rests for a day longer.
    assert denials(standing)
    past = timezone.now() - timedelta(hours=2)
    AccessRequest.objects.filter(pk=asked.pk).update(granted_from=past, granted_until=past + timedelta(hours=1))
    assert review_ended_grants() == 1
    operation = drive("tidy_support_access")
    assert operation.state == "succeeded", (operation.failure_code, operation.failure_evidence)
    assert bool(denials(standing)) is (cloud == "azure")


def denials(standing) -> list[str]:
    """What stands in the cloud because of the end."""
    if standing.account.cloud == "azure":
        return [entry["id"] for entry in standing.hand.assignments("support-lease")]
    if standing.account.cloud == "gcp":
        return [bound["role"] for bound in standing.hand.policy("")["bindings"] if bound.get("condition", {}).get("expression") == NEVER]
    names = standing.hand.iam.list_role_policies(RoleName=f"{standing.hand.name}-support")["PolicyNames"]
    return [name for name in names if "ended" in name]


# --- The receipt -----------------------------------------------------------------------------------------------------


def test_receipt_json_has_the_hash_that_the_page_shows(client, acme, alice):
    request = make_ended(acme, alice)
    request.receipts.all().delete()
    assert write_due_receipts() == 1
    client.force_login(alice)

    answer = client.get(reverse("support:access_receipt_json", args=["acme", request.pk]))

    sha256 = hashlib.sha256(answer.content).hexdigest()
    assert sha256 in client.get(reverse("support:access_receipt", args=["acme", request.pk])).text
    assert answer["Content-Disposition"].startswith("attachment")


def test_receipt_calls_arguments_as_the_form_does_and_its_file_by_their_names(client, acme, alice):
    request = make_ended(acme, alice)
    act = make_act(request, name="read_cluster_log", arguments={"lines": "50"})
    request.receipts.all().delete()
    assert write_due_receipts() == 1
    client.force_login(alice)

    shown = client.get(reverse("support:access_receipt", args=["acme", request.pk])).text

    assert "Read the log of a cell&#x27;s cluster · Number of lines: 50<" in shown
    told = json.loads(client.get(reverse("support:access_receipt_json", args=["acme", request.pk])).content)
    assert [one["arguments"] for one in told["acts"]] == [act.arguments]


def test_receipt_is_there_only_after_the_end(client, acme, alice):
    request = make_ended(acme, alice)
    AccessRequest.objects.filter(pk=request.pk).update(state="ending")
    client.force_login(alice)

    assert client.get(reverse("support:access_receipt", args=["acme", request.pk])).status_code == HTTPStatus.NOT_FOUND


def test_customer_has_the_log_compared_again(client, acme, alice):
    request = make_ended(acme, alice)
    client.force_login(make_approver(acme).user)
    url = reverse("support:access_receipt_compare", args=["acme", request.pk])

    with assert_one_event(acme, action="operation.started"):
        client.post(url)
    assert "being read already" in client.post(url, follow=True).text
    assert Operation.objects.filter(kind="compare_support_log").count() == 1


# --- The cloud's own log ---------------------------------------------------------------------------------------------


def line(call: str, at, number: int = 1, **more) -> Trace:
    return Trace(f"event-{number}", at, call, more.get("is_refused", False), "arn:aws:sts::1:assumed-role/byoc/x", "{}")


def make_act(request, **fields) -> Act:
    now = timezone.now()
    done = {"state": "done", "started_at": now, "finished_at": now, "name": "list_events", "traces": ["DescribeStacks"], **fields}
    return Act.objects.create(request=request, via="cloud", by=request.engineer, **done)


def test_line_that_no_act_explains_is_flagged_on_the_receipt(client, acme, alice):
    request = make_ended(acme, alice)
    act = make_act(request)

    correlation.keep(request, [line("DescribeStacks", act.started_at), line("ListBuckets", act.started_at, 2)])
    correlation.keep(request, [line("ListBuckets", act.started_at, 2)])

    assert [one.call for one in correlation.strange(request)] == ["ListBuckets"]
    assert correlation.missing(request) == []
    AccessRequest.objects.filter(pk=request.pk).update(compared_at=timezone.now())
    client.force_login(alice)
    shown = client.get(reverse("support:access_receipt", args=["acme", request.pk])).text
    assert "A line that no act explains" in shown
    assert "ListBuckets" in shown


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_session_used_beside_the_portal_is_flagged(acme, alice, sandbox, monkeypatch, mailoutbox, cloud):
    """Whoever has the secret reads with it, and no act of ours says so: the cloud's own log does. On Azure readings leave no line."""
    standing = make_standing(organisation=acme, alice=alice, sandbox=sandbox, monkeypatch=monkeypatch, cloud=cloud)
    request = make_standing_grant(standing, scope=build_stack(standing, monkeypatch))
    door = open_access(request)
    used = cloud_for(request).act(opened(door), granted(request), "list_events", {})
    revoke(request, by=make_approver(acme))
    close_access(request)

    with time_machine.travel(request.ended_at + timedelta(minutes=21)):
        assert review_ended_grants() == 1
    operation = drive("compare_support_log")

    found = {one.call for one in correlation.strange(request)}
    assert found
    assert found <= set(used.traces)
    assert (operation.data["strange"], operation.data["missing"]) == (len(correlation.strange(request)), 0)


def test_act_that_the_log_does_not_show_is_flagged(acme, alice):
    request = make_ended(acme, alice)
    act = make_act(request, traces=["DescribeStacks", "DescribeCluster"])

    correlation.keep(request, [line("DescribeStacks", act.started_at)])

    assert [(one.act, one.calls) for one in correlation.missing(request)] == [(act, ["DescribeCluster"])]


@pytest.mark.parametrize(("minutes", "call", "said"), [(0, "DescribeVpcs", "opening"), (0, "DescribeStacks", ""), (30, "DescribeVpcs", "")])
def test_only_our_own_calls_at_the_opening_and_the_end_explain_themselves(acme, alice, minutes, call, said):
    """The old session used later, or for something else, is nobody's that we know."""
    request = make_ended(acme, alice)

    correlation.keep(request, [line(call, timezone.now() + timedelta(minutes=minutes))])

    assert request.traces.get().explained == said


def test_line_of_the_same_call_at_another_time_is_not_the_acts(acme, alice):
    request = make_ended(acme, alice)
    act = make_act(request)

    correlation.keep(request, [line("DescribeStacks", act.started_at + timedelta(minutes=2))])

    assert request.traces.get().act is None
