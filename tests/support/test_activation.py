"""Opening support access in the local AWS: at its time, through the gate, once; what cannot be opened says so."""

from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.db import transaction

from accounts.clouds.base import CloudError, Subject
from accounts.issuer.tokens import SupportNotAsked, token_source
from accounts.mail import send_due_mails
from accounts.support.brokering.doors import cloud_for, keep_door, open_door, opened, tokens_of
from accounts.support.brokering.endings import end
from accounts.support.clouds import current_kit, granted
from accounts.support.models import AccessRequest, Decision, Door
from accounts.support.states import AccessState
from accounts.support.steps.wording import locked
from accounts.support.tasks import close_ending_grants, end_due_grants, open_due_grants
from portal.audit import Actor
from portal.audit.models import Event
from portal.operations.models import Operation
from tests.support.sessions import close_access, drive, make_standing, make_standing_grant, newest, open_access

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def standing(acme, alice, sandbox, monkeypatch):
    return make_standing(organisation=acme, alice=alice, sandbox=sandbox, monkeypatch=monkeypatch)


@pytest.fixture
def request_(standing):
    return make_standing_grant(standing)


def actions_on(request) -> list[str]:
    found = Event.objects.filter(subject_kind="support_request", subject_id=str(request.pk)).order_by("sequence")
    return list(found.values_list("action", flat=True))


def test_grant_is_opened_at_its_time_and_the_cloud_lets_it_read(request_):
    door = open_access(request_)

    assert door.handle.endswith(str(request_.pk))
    assert door.expires_at <= request_.granted_until
    assert not cloud_for(request_).probe(opened(door), granted(request_)).is_refused
    assert actions_on(request_)[-3:] == ["support.activating", "support.active", "operation.succeeded"]
    assert "SecretAccessKey" not in door.sealed_secret


def test_schedule_opens_once_and_not_before_the_time(request_):
    with time_machine.travel(request_.granted_from - timedelta(minutes=1)):
        assert open_due_grants() == 0

    assert [open_due_grants(), open_due_grants()] == [1, 0]
    assert Operation.objects.filter(kind="open_support_access").count() == 1


def test_both_sides_hear_that_access_is_open(request_):
    send_due_mails()
    mail.outbox.clear()

    open_access(request_)
    send_due_mails()

    assert [message for message in mail.outbox if "has access to" in message.subject]


def test_grant_whose_decision_was_altered_opens_nothing(request_):
    """Somebody wrote rows past the portal: the gate is asked right before signing."""
    Decision.objects.filter(request=request_).update(seal="nobody's")

    open_due_grants()
    operation = drive("open_support_access")

    request_.refresh_from_db()
    assert (operation.failure_code, request_.state, request_.failure_code) == ("gate_closed", "activation_failed", "gate_closed")
    assert not Door.objects.exists()


def test_switched_off_in_the_kit_says_so(standing):
    standing.hand.update(AllowSupport="no")
    request = make_standing_grant(standing)

    open_due_grants()
    operation = drive("open_support_access")
    close_access(request)

    assert (operation.failure_code, request.state) == ("support_switched_off", "activation_failed")


def test_failure_after_the_door_was_opened_is_shut_in_the_cloud(request_):
    open_due_grants()
    request_.refresh_from_db()
    door = open_door(request_)
    Operation.objects.filter(kind="open_support_access").update(lost_leases=99)
    operation = drive("open_support_access")

    request_.refresh_from_db()
    assert (operation.failure_code, request_.state, request_.ends_as) == ("worker_lost", "ending", "activation_failed")
    close_access(request_)
    assert (request_.state, request_.proofs.get().is_refused, request_.proofs.get().door) == ("activation_failed", True, door)


def test_end_while_it_is_being_opened_is_shut_and_proven(request_):
    """A worker holds the opening, its session stands, and the customer ends it: what the worker still answers does not count."""
    open_due_grants()
    request_.refresh_from_db()
    door = open_door(request_)
    with transaction.atomic():
        end(locked(request_.pk), AccessState.REVOKED, actor=Actor.system("test"))

    assert newest("open_support_access").state == "cancelled"
    assert close_ending_grants() == 0  # it is at work already
    drive("close_support_access")

    request_.refresh_from_db()
    assert (request_.state, request_.proofs.get().door, request_.proofs.get().is_refused) == ("revoked", door, True)


def test_session_that_a_cloud_opened_after_the_end_is_not_kept(request_):
    """The answer of a worker that was slow: the grant is over by then, so nobody gets the secret."""
    open_due_grants()
    request_.refresh_from_db()
    slow = cloud_for(request_).open(granted(request_))
    with transaction.atomic():
        end(locked(request_.pk), AccessState.REVOKED, actor=Actor.system("test"))
    drive("close_support_access")

    with pytest.raises(CloudError):
        keep_door(request_, slow)

    assert not Door.objects.exists()
    assert cloud_for(request_).probe(slow, granted(request_)).is_refused


# --- Who may sign ----------------------------------------------------------------------------------------------------


def test_nobody_signs_for_support_by_the_way(request_):
    kit = current_kit(request_.account)
    with pytest.raises(SupportNotAsked):
        token_source(kit)(subject=f"account:{request_.account_id}:{Subject.SUPPORT.value}", audience="sts.amazonaws.com")
    assert token_source(kit)(subject=f"account:{request_.account_id}:{Subject.OPS.value}", audience="sts.amazonaws.com")


@pytest.mark.parametrize("state", ["scheduled", "ending", "revoked", "close_failed"])
def test_gate_is_asked_before_signing_for_support(request_, state):
    mint = tokens_of(request_, current_kit(request_.account))
    subject = f"account:{request_.account_id}:{Subject.SUPPORT.value}"
    AccessRequest.objects.filter(pk=request_.pk).update(state="active")
    assert mint(subject=subject, audience="sts.amazonaws.com")

    AccessRequest.objects.filter(pk=request_.pk).update(state=state)
    with pytest.raises(CloudError) as refused:
        mint(subject=subject, audience="sts.amazonaws.com")
    assert refused.value.code == "gate_closed"
    assert mint(subject=f"account:{request_.account_id}:{Subject.OPS.value}", audience="sts.amazonaws.com")


def test_time_over_ends_it(request_):
    open_access(request_)
    with time_machine.travel(request_.granted_until + timedelta(seconds=1)):
        assert end_due_grants() == 1
    request_.refresh_from_db()
    assert (request_.state, request_.ends_as) == ("ending", "expired")
    assert newest("close_support_access").is_live
