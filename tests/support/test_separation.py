"""Who may do what: a table over roles, what somebody is to the request, and acts. Requester, checker and approvers are different people."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse

from accounts.access import Role
from accounts.models import Membership, Organisation
from accounts.support.actions.acts import ask_for_act
from accounts.support.actions.decisions import ask_for_more, decline
from accounts.support.actions.endings import give_back, revoke
from accounts.support.actions.policies import confirm_change, set_policy
from accounts.support.actions.requests import return_to_engineer, send_to_customer, withdraw_request
from accounts.support.models import AccessRequest
from accounts.support.rules.policy import policy_of, values_of
from accounts.support.states import AccessState
from accounts.support.transitions import move_request
from portal.audit import Actor
from portal.operations.availability import NotAllowed
from tests.factories import make_membership, make_organisation, make_user
from tests.support.factories import (
    approve_by_code,
    give_totp,
    make_account,
    make_approver,
    make_engineer,
    make_granted,
    make_request,
    make_requested,
)
from tests.support.guards import make_change
from tests.support.pages import page
from tests.support.sessions import offer_stack

pytestmark = pytest.mark.django_db

# What somebody is, beside their role in an organisation: to the provider, to the request.
RELATIONS: dict[str, dict[str, bool]] = {
    "member": {},
    "requester": {"is_support_engineer": True},
    "checker": {"is_support_engineer": True},
    "engineer": {"is_support_engineer": True},
    "staff": {"is_staff": True},
    "superuser": {"is_superuser": True},
    "former": {"is_active": False},
    "stranger": {},  # with the role in another organisation
}
DECIDERS = {("member", Role.OWNER), ("member", Role.APPROVER)}
ENDERS = {(relation, role) for relation in set(RELATIONS) - {"stranger", "former"} for role in (Role.OWNER, Role.APPROVER)}
OWNERS = {("member", Role.OWNER)}
EVERY_ROLE = tuple(Role)
CHECKERS = {(relation, role) for relation in ("checker", "engineer") for role in EVERY_ROLE}
REQUESTERS = {("requester", role) for role in EVERY_ROLE}


class Cast:
    """One person of this relation and role, and the requests they meet."""

    def __init__(self, acme: Organisation, relation: str, role: Role, monkeypatch: pytest.MonkeyPatch) -> None:
        self.acme, self.relation, self.monkeypatch = acme, relation, monkeypatch
        self.user = make_user(**RELATIONS[relation])
        give_totp(self.user)
        where = make_organisation() if relation == "stranger" else acme
        self.membership: Membership = make_membership(organisation=where, role=role, user=self.user)

    def people(self) -> dict[str, Any]:
        return {"engineer": self.user if self.relation == "requester" else make_engineer()}

    def checking(self) -> AccessRequest:
        return make_request(organisation=self.acme, **self.people())

    def requested(self) -> AccessRequest:
        return make_requested(organisation=self.acme, checker=self.user if self.relation == "checker" else None, **self.people())

    def active(self) -> AccessRequest:
        scope = offer_stack(make_account(self.acme), "byoc-main", self.monkeypatch)
        request = make_granted(organisation=self.acme, scope=scope, approvers=[make_approver(self.acme)], **self.people())
        for state in (AccessState.ACTIVATING, AccessState.ACTIVE):
            move_request(request, state, by=Actor.worker("test"))
        return request

    def tighter(self) -> None:
        set_policy(organisation=self.acme, values=values_of(policy_of(self.acme)) | {"longest_minutes": 60}, by=self.membership)


# Acts by name: who may, and doing it.
ACTS: dict[str, tuple[set[tuple[str, Role]], Callable[[Cast], object]]] = {
    "approve": (DECIDERS, lambda cast: approve_by_code(cast.requested(), cast.membership)),
    "decline": (DECIDERS, lambda cast: decline(cast.requested(), reason="", by=cast.membership)),
    "ask for more": (DECIDERS, lambda cast: ask_for_more(cast.requested(), question="Why?", by=cast.membership)),
    "end": (ENDERS, lambda cast: revoke(cast.active(), by=cast.membership)),
    "set the policy": (OWNERS, lambda cast: cast.tighter()),
    "confirm a policy": (OWNERS, lambda cast: confirm_change(make_change(cast.acme, cast.user), by=cast.membership)),
    "send to the customer": (CHECKERS, lambda cast: send_to_customer(cast.checking(), by=cast.user)),
    "return": (CHECKERS, lambda cast: return_to_engineer(cast.checking(), question="Why?", by=cast.user)),
    "withdraw": (REQUESTERS, lambda cast: withdraw_request(cast.requested(), by=cast.user)),
    "do an act": (REQUESTERS, lambda cast: ask_for_act(cast.active(), "list_events", {}, by=cast.user)),
    "give back": (REQUESTERS, lambda cast: give_back(cast.active(), by=cast.user)),
}


@pytest.mark.parametrize("role", EVERY_ROLE)
@pytest.mark.parametrize("relation", RELATIONS)
def test_act_is_done_by_those_of_the_table_and_refused_to_all_others(relation, role, acme, monkeypatch):
    for name, (allowed, act) in ACTS.items():
        with transaction.atomic():
            cast, done = Cast(acme, relation, role, monkeypatch), False
            with suppress(NotAllowed):
                act(cast)
                done = True
            transaction.set_rollback(True)
        assert done == ((relation, role) in allowed), f"{name} by {relation}, {role}"


@pytest.mark.parametrize("role", [Role.OWNER, Role.APPROVER])
@pytest.mark.parametrize("relation", [relation for relation in RELATIONS if relation != "member"])
def test_pages_change_nothing_for_whoever_may_not_decide(relation, role, acme, client, monkeypatch):
    """The pages, beside the acts behind them: the request waits on as it was."""
    cast = Cast(acme, relation, role, monkeypatch)
    request = cast.requested()
    client.force_login(cast.user)

    for name, sent in (("access_approve", {"offer": "x", "code": "1"}), ("access_decline", {}), ("access_ask", {"text": "Why?"})):
        client.get(page(request, name))
        client.post(page(request, name), sent)

    request.refresh_from_db()
    assert (request.state, request.decisions.count()) == (AccessState.REQUESTED, 0)


@pytest.mark.parametrize("relation", ["member", "staff", "superuser", "stranger"])
def test_desk_does_not_exist_for_anybody_but_engineers(relation, acme, client, monkeypatch):
    cast = Cast(acme, relation, Role.OWNER, monkeypatch)
    request = cast.checking()
    client.force_login(cast.user)

    for name in ("case_detail", "case_check", "session", "case_receipt"):
        assert client.get(reverse(f"support:{name}", args=[request.pk])).status_code == 404, name


def test_two_approvals_of_one_writing_grant_are_of_two_people_of_the_customer(acme):
    """Even where one person is tried twice, or one of the provider stands in between."""
    request = make_requested(organisation=acme, profile="operate")
    person = make_approver(acme, role=Role.OWNER)
    tried = [person, person, make_approver(acme, user=make_user(is_staff=True)), make_approver(acme, user=make_engineer(), factor="")]

    for one in tried:
        with suppress(NotAllowed):
            approve_by_code(request, one)

    request.refresh_from_db()
    assert (request.state, request.decisions.standing().count()) == (AccessState.APPROVED, 1)
