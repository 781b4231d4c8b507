"""Short-lived credentials on an engineer's computer: only where the customer agreed, one computer a code, each time through the gate."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

import boto3
import pytest
import time_machine
from botocore.exceptions import ClientError
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from accounts.access import Role
from accounts.clouds.support import Trace
from accounts.issuer.seal import seal
from accounts.support.actions.endings import revoke
from accounts.support.actions.handouts import code_for
from accounts.support.actions.policies import set_policy
from accounts.support.brokering import byoc_credentials, correlation
from accounts.support.brokering.handouts import CODE_LIFE
from accounts.support.models import AccessPolicy, AccessRequest, Act, Device, Door
from accounts.support.proof.receipts import receipt_of
from accounts.support.proof.verify_grant import check
from accounts.support.rules.policy import policy_of, values_of
from accounts.support.tasks import renew_door
from portal.operations.availability import NotAllowed
from tests.activity import assert_no_event, assert_one_event
from tests.factories import make_membership
from tests.support.factories import make_account, make_active, make_engineer, make_granted, make_policy
from tests.support.sessions import close_access, make_standing, open_access
from tests.support.test_evidence import evidence_of

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "k" * 43


@pytest.fixture(autouse=True)
def _no_counted_tries():
    cache.clear()


@pytest.fixture
def active(acme):
    """Rows alone; with a door whose secret is no secret."""
    make_policy(acme, allows_direct=True)
    request = make_active(organisation=acme, account=make_account(acme), is_direct=True)
    secret = {"AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": "shh-very-secret", "SessionToken": "token-token"}
    keep(request, secret)
    return request


def keep(request: AccessRequest, secret: dict[str, str], until: timedelta = timedelta(minutes=30)) -> Door:
    request.doors.filter(shut_at=None).update(shut_at=timezone.now())
    return Door.objects.create(
        request=request, handle="arn:x", policy="{}", sealed_secret=seal(json.dumps(secret).encode()), expires_at=timezone.now() + until
    )


def post(client, what: str, **content: str):
    return client.post(reverse(f"support:device_{what}"), json.dumps(content), content_type="application/json")


def bound(client, request: AccessRequest) -> str:
    """The ID of a computer that is bound to this grant."""
    answer = post(client, "bind", code=code_for(request, by=request.engineer), key=KEY, name="laptop")
    assert answer.status_code == HTTPStatus.OK, answer.content
    return answer.json()["device"]


def test_code_is_shown_once_and_binds_one_computer(client, acme, active):
    client.force_login(active.engineer)
    with assert_one_event(acme, action="support.code_made"):
        page = client.post(reverse("support:session_code", args=[active.pk]))
    code = page.context["code"]
    assert page["Cache-Control"] == "no-store"
    assert code not in client.get(reverse("support:session", args=[active.pk])).text
    client.logout()

    with assert_one_event(acme, action="support.device_bound"):
        answer = post(client, "bind", code=code.lower(), key=KEY, name="laptop")
    with assert_no_event():
        again = post(client, "bind", code=code, key="x" * 43, name="other")

    assert (answer.status_code, again.status_code) == (200, 404)
    assert KEY not in str(Device.objects.values().get())
    assert answer.json()["profile"] == f"byoc-{active.case}"


def test_each_handout_is_an_event_and_a_line_of_the_transcript(client, acme, alice, active):
    device = bound(client, active)

    with assert_one_event(acme, action="support.credentials_handed_out") as written:
        answer = post(client, "credentials", device=device, key=KEY)

    assert set(answer.json()) == {"Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}
    assert answer["Cache-Control"] == "no-store"
    assert "shh-very-secret" not in json.dumps(written.event.details)
    client.force_login(alice)
    seen = client.get(reverse("support:access_transcript", args=["acme", active.pk])).text
    assert "Short-lived credentials were handed" in seen
    assert "laptop" in seen
    assert "shh-very-secret" not in seen


def test_wrong_keys_old_codes_and_dropped_computers_get_nothing(client, active):
    device = bound(client, active)
    late = code_for(active, by=active.engineer)

    assert post(client, "credentials", device=device, key=KEY).status_code == 404  # a new code drops the computer before it
    with time_machine.travel(timezone.now() + CODE_LIFE):
        assert post(client, "bind", code=late, key=KEY, name="laptop").status_code == 404
    device = bound(client, active)
    assert post(client, "credentials", device=device, key="x" * 43).status_code == 404
    assert post(client, "credentials", device="nothing", key=KEY).status_code == 404
    assert Act.objects.count() == 0


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b'{"device": "x"}', b'{"device": 1, "key": "x"}', b'{"device": "x", "key": "\\u0000"}', b"[" * 5000]
)
def test_anything_else_is_refused(client, body):
    answer = client.post(reverse("support:device_credentials"), body, content_type="application/json")
    assert answer.status_code == HTTPStatus.BAD_REQUEST


def test_nobody_but_the_engineer_makes_a_code_and_only_under_a_direct_grant(client, acme, active):
    with pytest.raises(NotAllowed):
        code_for(active, by=make_engineer())
    client.force_login(make_engineer())
    assert client.post(reverse("support:session_code", args=[active.pk])).status_code == 404
    brokered = make_active(organisation=acme, account=make_account(acme))
    with assert_no_event(), pytest.raises(NotAllowed, match="hands out no credentials"):
        code_for(brokered, by=brokered.engineer)


@pytest.mark.parametrize("cloud", ["gcp", "azure"])
def test_other_clouds_say_honestly_that_they_hand_out_nothing(cloud, active):
    active.account.cloud = cloud
    active.account.save()
    with pytest.raises(NotAllowed, match="cannot be handed out"):
        code_for(active, by=active.engineer)


def test_nothing_is_handed_out_from_the_moment_of_the_end_on(client, acme, active):
    device = bound(client, active)
    revoke(active, by=make_membership(organisation=acme, role=Role.OWNER))

    with assert_no_event():
        answer = post(client, "credentials", device=device, key=KEY)

    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert Device.objects.standing().count() == 0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda row: AccessRequest.objects.filter(pk=row.pk).update(
            granted_until=timezone.now(), granted_from=timezone.now() - timedelta(hours=1)
        ),
        lambda row: row.decisions.update(seal="x"),
        lambda row: type(row.engineer).objects.filter(pk=row.engineer_id).update(is_active=False),
        lambda row: AccessPolicy.objects.update(allows_direct=False),
        lambda row: AccessRequest.objects.filter(pk=row.pk).update(profile="repair"),
    ],
    ids=["over", "decision forged", "engineer gone", "policy tightened", "row says more"],
)
def test_gate_is_asked_at_each_handout(client, active, spoil):
    device = bound(client, active)
    assert post(client, "credentials", device=device, key=KEY).status_code == 200
    spoil(active)

    assert post(client, "credentials", device=device, key=KEY).status_code == HTTPStatus.FORBIDDEN


def test_tightening_the_policy_ends_what_was_handed_out(acme, active):
    brokered = make_active(organisation=acme, account=make_account(acme))
    owner = make_membership(organisation=acme, role=Role.OWNER)

    set_policy(organisation=acme, values=values_of(policy_of(acme)) | {"allows_direct": False}, by=owner)

    assert set(AccessRequest.objects.values_list("pk", "state")) == {(active.pk, "ending"), (brokered.pk, "active")}


def test_session_that_ran_out_is_asked_for_again(client, active):
    device = bound(client, active)
    active.doors.update(expires_at=timezone.now() + timedelta(seconds=5))

    answer = post(client, "credentials", device=device, key=KEY)

    assert (answer.status_code, answer["Retry-After"]) == (HTTPStatus.ACCEPTED, "2")


def test_lines_of_the_clouds_log_are_told_as_done_with_credentials(client, acme, active):
    device = bound(client, active)
    post(client, "credentials", device=device, key=KEY)
    now = timezone.now()
    lines = [Trace("1", now, "ListStacks", False, "arn:x", "{}"), Trace("2", now - timedelta(hours=1), "ListBuckets", False, "arn:x", "{}")]

    correlation.keep(active, lines)

    assert [one.call for one in receipt_of(active).direct] == ["ListStacks"]
    assert [one.call for one in correlation.strange(active)] == ["ListBuckets"]


# --- As an engineer runs it ------------------------------------------------------------------------------------------


def run_helper(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-S", byoc_credentials.__file__, *arguments]
    return subprocess.run(command, env={"HOME": str(home), "PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)


def test_awss_own_tools_read_through_the_helper_until_the_customer_ends_it(
    acme, alice, sandbox, monkeypatch, mailoutbox, live_server, tmp_path
):
    make_policy(acme, allows_direct=True)
    standing = make_standing(organisation=acme, alice=alice, sandbox=sandbox, monkeypatch=monkeypatch)
    request = make_granted(organisation=acme, account=standing.account, is_direct=True)
    open_access(request)
    done = run_helper(tmp_path, "bind", live_server.url, code_for(request, by=request.engineer))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.partition("config:\n\n")[2]
    (tmp_path / "config").write_text(lines)
    assert (tmp_path / ".byoc").stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

    ec2 = boto3.Session(profile_name=f"byoc-{request.case}").client("ec2")
    assert ec2.describe_vpcs()["Vpcs"] is not None

    revoke(request, by=make_membership(organisation=acme, role=Role.OWNER))
    device = Device.objects.get().pk
    refused = run_helper(tmp_path, "get", str(device))
    assert (refused.returncode, "not known here" in refused.stderr) == (1, True)
    close_access(request)
    assert request.state == "revoked"
    with pytest.raises(ClientError) as found:
        ec2.describe_vpcs()
    assert found.value.response["Error"]["Code"] in {"UnauthorizedOperation", "AccessDenied"}
    assert "credentials_handed_out" in b"".join(evidence_of(request).activity).decode()
    check(evidence_of(request))


def test_worker_opens_the_session_again_for_the_computer_that_waits(acme, alice, sandbox, monkeypatch, mailoutbox):
    make_policy(acme, allows_direct=True)
    standing = make_standing(organisation=acme, alice=alice, sandbox=sandbox, monkeypatch=monkeypatch)
    request = make_granted(organisation=acme, account=standing.account, is_direct=True)
    door = open_access(request)
    Door.objects.filter(pk=door.pk).update(expires_at=timezone.now())

    assert [renew_door(str(request.pk)), renew_door(str(request.pk))] == [True, False]

    assert request.doors.standing().get().expires_at > timezone.now()
