"""Rows of support access for tests. Keywords only; a request comes to a state by the very actions that people use."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value, yield_hotp_counters_from_time
from django.utils import timezone

from accounts.access import Role
from accounts.models import CloudAccount, Membership, Organisation, User
from accounts.support.actions.decisions import approve
from accounts.support.actions.requests import Wish, ask_for_access, send_to_customer
from accounts.support.models import AccessPolicy, AccessRequest
from accounts.support.models.decisions import Method
from accounts.support.proof.proofs import Proof
from accounts.support.rules.offers import asked_terms, draw, scope_of
from accounts.support.rules.policy import policy_of
from accounts.support.rules.scopes import Scope, find
from accounts.support.states import AccessState
from accounts.support.transitions import move_request
from portal.audit import Actor
from tests.factories import make_membership, make_user, make_watched_account
from tests.support.passkeys import Passkey

_numbers = itertools.count(1)


def make_engineer(*, name: str = "") -> User:
    """With an authenticator app: without one the desk stays shut."""
    engineer = make_user(name=name or f"Engineer {next(_numbers)}", is_support_engineer=True)
    give_totp(engineer)
    return engineer


def make_approver(organisation: Organisation, *, role: Role = Role.APPROVER, factor: str = "totp", **fields: Any) -> Membership:
    """A member who may decide, with an authenticator app (or a passkey, or nothing)."""
    membership = make_membership(organisation=organisation, role=role, **fields)
    if factor == "totp":
        give_totp(membership.user)
    elif factor == "passkey":
        Passkey(membership.user)
    return membership


def give_totp(user: User) -> str:
    """An authenticator app; the secret, from which `code_of` makes codes."""
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    return secret


def code_of(secret: str, *, step: int = 0) -> str:
    counters = list(yield_hotp_counters_from_time())
    return format_hotp_value(hotp_value(secret, counters[len(counters) // 2] + step))


def make_account(organisation: Organisation, **fields: Any) -> CloudAccount:
    return make_watched_account(organisation=organisation, **fields)


def make_policy(organisation: Organisation, **fields: Any) -> AccessPolicy:
    policy, _ = AccessPolicy.objects.update_or_create(organisation=organisation, defaults={"version": 1, **fields})
    return policy


def scope_for(account: CloudAccount) -> Scope:
    scope = find(account.organisation, f"account:{account.pk}")
    assert scope is not None
    return scope


def make_wish(scope: Scope, **fields: Any) -> Wish:
    given: dict[str, Any] = {
        "scope": scope,
        "case": f"CASE-{next(_numbers)}",
        "case_url": "https://cases.fernhill.example/1",
        "reason_type": "customer",
        "reason": "The cell reports a failed update. I want to read its events.",
        "profile": "diagnose",
        "minutes": 60,
        "starts_at": None,
        "place": "Berlin",
    }
    return Wish(**given | fields)


def make_request(
    *, organisation: Organisation, account: CloudAccount | None = None, engineer: User | None = None, **wish: Any
) -> AccessRequest:
    """Asked by an engineer, not checked yet."""
    scope = wish.pop("scope", None) or scope_for(account or make_account(organisation))
    return ask_for_access(organisation=organisation, wish=make_wish(scope, **wish), by=engineer or make_engineer())


def make_requested(*, checker: User | None = None, **fields: Any) -> AccessRequest:
    """Before the customer."""
    request = make_request(**fields)
    send_to_customer(request, by=checker or make_engineer())
    return request


def make_waiting(*, organisation: Organisation) -> AccessRequest:
    """Before the customer; the row alone, as though the actions had made it."""
    now = timezone.now()
    fields = make_wish(scope_for(make_account(organisation))).fields()
    checked = {"checked_by": make_engineer(), "checked_at": now, "shown_at": now, "state": AccessState.REQUESTED}
    return AccessRequest.objects.create(
        organisation=organisation, engineer=make_engineer(), decide_by=now + timedelta(hours=72), **fields, **checked
    )


def approve_by_code(request: AccessRequest, membership: Membership, **terms: Any) -> None:
    """As the page does it, once the code was right."""
    request.refresh_from_db()
    approve(request, offer=offer_on(request, **terms), proof=Proof(Method.TOTP), by=membership)


def approve_by_passkey(request: AccessRequest, membership: Membership, key: Passkey, **terms: Any) -> None:
    request.refresh_from_db()
    offer = offer_on(request, **terms)
    approve(request, offer=offer, proof=Proof(Method.PASSKEY, key.assertion(offer.text)), by=membership)


def offer_on(request: AccessRequest, **terms: Any) -> Any:
    scope = scope_of(request)
    assert scope is not None
    return draw(request, replace(asked_terms(request, scope), **terms), policy_of(request.organisation))


def make_granted(*, organisation: Organisation, approvers: Sequence[Membership] = (), **fields: Any) -> AccessRequest:
    """SCHEDULED, for now, by as many approvers as its profile needs."""
    request = make_requested(organisation=organisation, **fields)
    people = list(approvers) or [make_approver(organisation) for _ in range(policy_of(organisation).approvals_for(request.profile))]
    for person in people:
        approve_by_code(request, person)
    return request


def make_active(**fields: Any) -> AccessRequest:
    request = make_granted(**fields)
    for state in (AccessState.ACTIVATING, AccessState.ACTIVE):
        move_request(request, state, by=Actor.worker("test"))
    return request


def soon(**delta: int) -> Any:
    return timezone.now() + timedelta(**delta)
