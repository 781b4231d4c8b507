"""No path lets a credential out without valid decisions: every exit, over generated states, times, decisions, policies and people."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.clouds.base import CloudError, Subject
from accounts.models import CloudAccount, User
from accounts.states import AccountState
from accounts.support.brokering import broker, handouts
from accounts.support.brokering.doors import open_door, tokens_of
from accounts.support.clouds import current_kit
from accounts.support.models import AccessPolicy, AccessRequest, Act, Decision
from accounts.support.proof.documents import sha256_of
from accounts.support.states import AccessState
from portal.operations.availability import NotAllowed
from tests.support.factories import make_account, make_active, make_policy
from tests.support.sessions import offer_stack
from tests.support.test_evidence import act_of
from tests.support.test_handouts import KEY, keep

pytestmark = pytest.mark.django_db
CLOSING_STATES = sorted(set(AccessState) - {AccessState.ACTIVE, AccessState.ACTIVATING})


def rows(request: AccessRequest):
    return AccessRequest.objects.filter(pk=request.pk)


def one_decision(request: AccessRequest):
    return Decision.objects.filter(pk__in=list(request.decisions.values_list("pk", flat=True)[:1]))


def approver(request: AccessRequest):
    return User.objects.filter(pk__in=list(request.decisions.values_list("approver", flat=True)[:1]))


def other_text(request: AccessRequest) -> None:
    """The text and its hash rewritten together, as whoever holds the database could."""
    text = request.document.replace('"minutes":60', '"minutes":600')
    assert text != request.document
    rows(request).update(document=text, sha256=sha256_of(text))


# What closes every exit, each by itself.
SPOILERS: dict[str, Callable[[AccessRequest], Any]] = {
    "no decision": lambda request: request.decisions.all().delete(),
    "one decision of two": lambda request: one_decision(request).delete(),
    "set aside": lambda request: one_decision(request).update(set_aside_at=request.granted_from),
    "declined": lambda request: one_decision(request).update(verb="decline"),
    "another hash": lambda request: one_decision(request).update(sha256="0" * 64),
    "no seal": lambda request: one_decision(request).update(seal=""),
    "approver is staff now": lambda request: approver(request).update(is_staff=True),
    "approver is an engineer now": lambda request: approver(request).update(is_support_engineer=True),
    "text rewritten": other_text,
    "more profile": lambda request: rows(request).update(profile="repair"),
    "longer": lambda request: rows(request).update(granted_until=request.granted_until + timedelta(days=9)),
    "another engineer": lambda request: rows(request).update(
        engineer=User.objects.exclude(pk__in=[request.engineer_id, request.checked_by_id]).first()
    ),
    "engineer inactive": lambda request: User.objects.filter(pk=request.engineer_id).update(is_active=False),
    "engineer no more": lambda request: User.objects.filter(pk=request.engineer_id).update(is_support_engineer=False),
    "policy off": lambda request: AccessPolicy.objects.update(mode="off"),
    "account gone": lambda request: CloudAccount.objects.filter(pk=request.account_id).update(state=AccountState.DISCONNECTED),
}


class Exits:
    """Every way by which a credential, or what is done with one, could leave."""

    def __init__(self, request: AccessRequest, act: Act, device: str) -> None:
        self.request, self.act, self.device = request, act, device
        self.subject = f"account:{request.account_id}:{Subject.SUPPORT.value}"

    def mint(self) -> object:
        kit = current_kit(self.request.account)
        assert kit is not None
        return tokens_of(self.request, kit)(subject=self.subject, audience="sts.amazonaws.com")

    def hand_out(self) -> object:
        return handouts.hand_out(self.device, KEY)

    def make_code(self) -> object:
        return handouts.make_code(AccessRequest.objects.get(pk=self.request.pk))

    def ask(self) -> object:
        fresh = AccessRequest.objects.select_related("engineer").get(pk=self.request.pk)
        return not broker.why_not_ask(fresh, fresh.engineer)

    def is_open(self, name: str) -> bool:
        try:
            with transaction.atomic():
                return bool(getattr(self, name)())
        except (CloudError, NotAllowed, handouts.NotKnown):
            return False

    def refuse_at_the_cloud(self) -> None:
        """Opening and reading stop before any cloud is asked: there is none here, so whatever got past would be another error."""
        for call in (lambda: open_door(self.request), lambda: broker._read(Act.objects.select_related("request").get(pk=self.act.pk))):
            with pytest.raises(CloudError) as found:
                call()
            assert found.value.code == "gate_closed"


@pytest.fixture
def exits(acme, client, monkeypatch):
    make_policy(acme, allows_direct=True)
    scope = offer_stack(make_account(acme), "byoc-main", monkeypatch)
    request = make_active(organisation=acme, scope=scope, profile="operate", is_direct=True, minutes=60)
    keep(request, {"AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": "x", "SessionToken": "x"}, timedelta(days=1))
    device = handouts.bind(handouts.make_code(request), KEY, "laptop")
    return Exits(request, act_of(request, "list_events"), str(device.pk))


def test_no_exit_is_open_without_all_that_a_grant_needs(exits):
    @given(
        spoilers=st.lists(st.sampled_from(sorted(SPOILERS)), max_size=3, unique=True),
        state=st.sampled_from(AccessState),
        seconds=st.integers(-7200, 7200) | st.sampled_from([-1, 0, 3599, 3600]),
        is_direct_off=st.booleans(),
    )
    @settings(max_examples=250, deadline=None)
    def walk(spoilers, state, seconds, is_direct_off):
        request = exits.request
        length = (request.granted_until - request.granted_from).total_seconds()
        is_right = not spoilers and 0 <= seconds < length
        with transaction.atomic(), time_machine.travel(request.granted_from + timedelta(seconds=seconds), tick=False):
            rows(request).update(state=state, state_at=request.granted_from)
            if is_direct_off:
                AccessPolicy.objects.update(allows_direct=False)
            for name in spoilers:
                SPOILERS[name](request)

            assert exits.is_open("mint") == (is_right and state in {AccessState.ACTIVE, AccessState.ACTIVATING})
            assert exits.is_open("ask") == (is_right and state == AccessState.ACTIVE)
            for name in ("hand_out", "make_code"):
                assert exits.is_open(name) == (is_right and state == AccessState.ACTIVE and not is_direct_off), name
            if not is_right or state in CLOSING_STATES:
                exits.refuse_at_the_cloud()
            transaction.set_rollback(True)

    walk()


@pytest.mark.parametrize("name", sorted(SPOILERS))
def test_each_of_them_alone_closes_every_exit(name, exits):
    assert all(exits.is_open(way) for way in ("mint", "ask", "hand_out"))

    SPOILERS[name](exits.request)

    assert not any(exits.is_open(way) for way in ("mint", "ask", "hand_out", "make_code"))
    exits.refuse_at_the_cloud()
