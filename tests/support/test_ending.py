"""Ending support access in the local AWS: refused by the cloud and kept as proof; what is not refused is loud."""

from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.utils import timezone

from accounts.actions.accounts import disconnect_account
from accounts.mail import send_due_mails
from accounts.models import CloudAccount
from accounts.support.actions.endings import give_back, revoke
from accounts.support.brokering.doors import cloud_for, opened
from accounts.support.clouds import granted
from accounts.support.models import EndProof
from accounts.support.tasks import close_ending_grants, end_due_grants
from portal.audit.models import Event
from portal.operations.actions import request_retry
from portal.operations.driver import advance
from portal.operations.models import Step
from tests.kill import lose_lease
from tests.support.factories import make_approver
from tests.support.sessions import close_access, make_standing, make_standing_grant, newest, open_access
from tests.worker import flush_broker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def standing(acme, alice, sandbox, monkeypatch, mailoutbox):
    flush_broker()
    return make_standing(organisation=acme, alice=alice, sandbox=sandbox, monkeypatch=monkeypatch)


@pytest.fixture
def request_(standing):
    return make_standing_grant(standing)


def actions_on(request) -> list[str]:
    found = Event.objects.filter(subject_kind="support_request", subject_id=str(request.pk)).order_by("sequence")
    return list(found.values_list("action", flat=True))


def test_revoked_access_is_refused_by_the_cloud_and_the_secret_is_gone(request_, acme):
    door = open_access(request_)
    held = opened(door)

    revoke(request_, by=make_approver(acme), reason="Enough")
    assert (request_.state, request_.ends_as) == ("ending", "revoked")
    close_access(request_)

    proof = request_.proofs.get(is_refused=True)
    door.refresh_from_db()
    assert (request_.state, request_.end_reason) == ("revoked", "Enough")
    assert (proof.door, door.sealed_secret, door.shut_at) == (door, "", proof.asked_at)
    assert "not authorized" in proof.evidence
    assert proof.cloud_request
    assert cloud_for(request_).probe(held, granted(request_)).is_refused
    assert actions_on(request_)[-4:] == ["support.ending", "support.revoked", "support.receipt_written", "operation.succeeded"]


@pytest.mark.parametrize("way", ["engineer", "time"])
def test_other_ways_to_end_lead_to_the_same_proof(request_, way):
    open_access(request_)

    if way == "engineer":
        give_back(request_, by=request_.engineer)
    else:
        with time_machine.travel(request_.granted_until + timedelta(seconds=1)):
            assert end_due_grants() == 1
    close_access(request_)

    assert request_.state == {"engineer": "completed", "time": "expired"}[way]
    assert request_.proofs.filter(is_refused=True).count() == 1


def test_end_that_is_not_refused_is_loud_and_can_be_tried_again(request_, acme, standing, mailoutbox):
    """The customer took our right to write the denial: the session lives on until somebody looks."""
    open_access(request_)
    iam = standing.hand.iam
    role = f"{standing.hand.name}-operator"
    iam.put_role_policy(
        RoleName=role,
        PolicyName="no-denials",
        PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iam:PutRolePolicy","Resource":"*"}]}',
    )
    revoke(request_, by=make_approver(acme))
    operation = newest("close_support_access")
    for _turn in range(2):
        lose_lease(operation.pk)
        advance(operation.pk)
    operation.refresh_from_db()
    assert (operation.state, operation.waiting_why) == ("waiting", "session_not_refused_yet")
    Step.objects.filter(operation=operation, name="prove_end").update(deadline=timezone.now() - timedelta(seconds=1))
    mail.outbox.clear()
    operation = close_access(request_)

    assert (operation.failure_code, request_.state, request_.failure_code) == ("end_not_refused", "close_failed", "end_not_refused")
    assert EndProof.objects.filter(is_refused=False).count() == 1
    send_due_mails()
    assert {"night@acme.example", request_.engineer.email} <= {
        message.to[0] for message in mail.outbox if "not confirmed" in message.subject
    }

    iam.delete_role_policy(RoleName=role, PolicyName="no-denials")
    request_retry(operation, by=request_.engineer)
    request_.refresh_from_db()
    assert request_.state == "ending"
    close_access(request_)
    assert (request_.state, request_.failure_code) == ("revoked", "")


def test_open_session_of_an_account_that_left_is_asked_with_until_the_cloud_refuses_it(request_, standing, alice):
    """The kit signs nothing more, so no denial can be written. What shuts the session is its end, or the customer's own switch."""
    open_access(request_)
    disconnect_account(CloudAccount.objects.get(pk=request_.account_id), by=alice)
    request_.refresh_from_db()
    assert request_.state == "ending"

    assert close_ending_grants() in {0, 1}
    operation = newest("close_support_access")
    for _turn in range(4):
        lose_lease(operation.pk)
        advance(operation.pk)
    operation.refresh_from_db()
    assert (operation.state, operation.waiting_why) == ("waiting", "session_not_refused_yet")
    assert not request_.proofs.filter(is_refused=True).exists()

    standing.hand.delete_support_identity()
    close_access(request_)
    assert request_.state == "revoked"
    assert request_.proofs.filter(is_refused=True).exists()
