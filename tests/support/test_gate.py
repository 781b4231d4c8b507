"""No path lets anything out without enough valid decisions over the very document.

Over generated policies, requests, decisions, times and actors.
"""

import copy
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from accounts.models import CloudAccount, Organisation, User
from accounts.states import AccountState
from accounts.support.models import AccessPolicy, AccessRequest, Decision
from accounts.support.models.decisions import Method, Verb
from accounts.support.models.policies import Mode
from accounts.support.proof.documents import Terms, build, granted_span, parse, sha256_of, text_of
from accounts.support.proof.seals import seal_decision
from accounts.support.rules.gate import ALLOWING, reason_for
from accounts.support.rules.offers import is_no_wider
from accounts.support.rules.scopes import Scope
from accounts.support.states import AccessState, Profile

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SPOILED = ["verb", "document", "sha256", "seal", "aside", "staff", "engineer", "checker", "desk", "method", "twice"]


def person(**fields) -> User:
    return User(**{"id": uuid4(), "email": f"{uuid4().hex}@people.example", "name": "Somebody", "is_active": True} | fields)


class World:
    """One grant with its decisions, in memory: valid as it is made."""

    def __init__(self, *, mode=Mode.TWO_FOR_WRITES, profile=Profile.OPERATE, minutes=60, wished=None, approvals=2):
        self.organisation = Organisation(id=uuid4(), name="Acme", slug="acme")
        account = CloudAccount(
            id=uuid4(), organisation=self.organisation, cloud="aws", name="Main", external_id="111122223333", state=AccountState.CONNECTED
        )
        self.policy = AccessPolicy(organisation=self.organisation, mode=mode, version=3)
        self.engineer, self.checker = person(is_support_engineer=True), person(is_support_engineer=True)
        self.row = AccessRequest(
            organisation=self.organisation,
            account=account,
            scope_kind="account",
            scope_id=str(account.pk),
            scope_label="Main",
            engineer=self.engineer,
            case="CASE-1",
            reason_type="customer",
            reason="Because",
            profile=profile,
            starts_at=wished,
            length=timedelta(minutes=minutes),
            decide_by=NOW + timedelta(hours=72),
            state=AccessState.ACTIVE,
            checked_by=self.checker,
            checked_at=NOW,
        )
        scope = Scope("account", str(account.pk), "Main", account.pk)
        document = build(self.row, Terms(scope, profile, minutes), self.policy, NOW, policy_text=lambda *_: "policy")
        self.row.document = text_of(document)
        self.row.sha256 = sha256_of(self.row.document)
        span = granted_span(document, self.policy, NOW)
        self.row.granted_from, self.row.granted_until = span.begins, span.ends
        self.decisions = [self.approval(person()) for _ in range(approvals)]

    def approval(self, approver, **fields) -> Decision:
        given = {"verb": Verb.APPROVE, "document": self.row.document, "sha256": self.row.sha256, "method": Method.TOTP}
        decision = Decision(request=self.row, approver=approver, **given | fields)
        decision.seal = seal_decision(decision)
        return decision

    def reason(self, now=None, *, is_off=False) -> str:
        return reason_for(self.row, self.decisions, now or self.row.granted_from, is_off=is_off)


@given(
    mode=st.sampled_from([mode for mode in Mode if mode != Mode.OFF]),
    profile=st.sampled_from(Profile),
    minutes=st.integers(15, 480),
    wished=st.none() | st.integers(1, 10_000).map(lambda ahead: NOW + ahead * MINUTE),
    number=st.integers(0, 4),
    state=st.sampled_from(AccessState),
    offset=st.integers(-600, 3000),
    spoiled=st.lists(st.sampled_from(SPOILED), max_size=4),
    is_off=st.booleans(),
)
@settings(max_examples=400, deadline=None)
def test_open_only_with_enough_valid_decisions_in_time(mode, profile, minutes, wished, number, state, offset, spoiled, is_off):
    world = World(mode=mode, profile=profile, minutes=minutes, wished=wished, approvals=number)
    world.row.state = state
    for place, how in enumerate(spoiled[:number]):
        spoil(world, place, how)
    now = world.row.granted_from + offset * MINUTE / 4
    # Counted here without the gate: the untouched decisions, by different people.
    valid = len(world.decisions[len(spoiled[:number]) :])
    needed = world.policy.approvals_for(profile)
    in_time = world.row.granted_from <= now < world.row.granted_until
    twice = sum(how == "twice" for how in spoiled[:number])

    is_open = world.reason(now, is_off=is_off) == ""

    if is_open:
        assert state in ALLOWING
        assert in_time
        assert not is_off
        # One that was given twice counts once: at most one of them stands for that person.
        assert valid + min(twice, 1) >= needed
    elif state in ALLOWING and in_time and not is_off:
        assert valid < needed


def spoil(world: World, place: int, how: str) -> None:
    """One decision that must not count."""
    decision = world.decisions[place]
    other = {"staff": person(is_staff=True), "desk": person(is_support_engineer=True), "engineer": world.engineer, "checker": world.checker}
    if how in other:
        world.decisions[place] = world.approval(other[how])
    elif how == "twice":
        world.decisions[place] = world.approval(TWIN)
    elif how == "aside":
        decision.set_aside_at = NOW
    elif how == "method":
        world.decisions[place] = world.approval(decision.approver, method="password")
    elif how == "verb":
        world.decisions[place] = world.approval(decision.approver, verb=Verb.DECLINE)
    elif how == "seal":
        decision.seal = world.approval(person()).seal
    elif how == "document":
        world.decisions[place] = world.approval(decision.approver, document=decision.document.replace('"minutes":', '"minutes":1'))
    else:
        world.decisions[place] = world.approval(decision.approver, sha256="0" * 64)


TWIN = person()

ROW_CHANGES = {
    "profile": Profile.REPAIR,
    "scope_id": "another",
    "scope_kind": "cell",
    "region": "eu-west-1",
    "stack": "byoc-other",
    "case": "CASE-2",
    "is_direct": True,
    "sha256": "0" * 64,
    "document": "",
    "engineer": person(is_support_engineer=True),
    "checked_by": person(is_support_engineer=True),
    "granted_until": NOW + timedelta(hours=90),
    "granted_from": NOW - timedelta(minutes=1),
}


@pytest.mark.parametrize("name", ROW_CHANGES)
def test_row_that_says_more_than_its_document_is_closed(name):
    world = World()
    assert world.reason(NOW + MINUTE) == ""

    setattr(world.row, name, ROW_CHANGES[name])

    assert world.reason(NOW + MINUTE) in {"document_changed", "too_few_decisions"}


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_document_changed_anywhere_is_closed_even_with_its_hash(data):
    """Whoever rewrites the document and its hash in the row has nobody's decision over it."""
    world = World()
    document = parse(world.row.document)
    name = data.draw(st.sampled_from(sorted(document)))
    changed = copy.deepcopy(document)
    changed[name] = data.draw(st.just(99) | st.text(max_size=3) | st.just({"id": "x"}))
    if changed == document:
        return
    world.row.document = text_of(changed)
    world.row.sha256 = sha256_of(world.row.document)

    assert world.reason(NOW + MINUTE) in {"document_changed", "too_few_decisions"}


def test_last_second_and_the_one_after():
    world = World()
    assert world.reason(world.row.granted_until - timedelta(microseconds=1)) == ""
    assert world.reason(world.row.granted_until) == "grant_is_over"
    assert world.reason(world.row.granted_from - timedelta(microseconds=1)) == "not_yet"


def test_engineer_who_left_and_account_that_left_close_it():
    world = World()
    world.engineer.is_active = False
    assert world.reason() == "engineer_gone"
    world = World()
    world.row.account.state = AccountState.DISCONNECTED
    assert world.reason() == "account_closed"


@given(
    profile=st.sampled_from(Profile),
    less=st.sampled_from(Profile),
    minutes=st.integers(15, 480),
    shorter=st.integers(15, 480),
)
@example(profile=Profile.LOGS, less=Profile.REPAIR, minutes=60, shorter=60)
@settings(max_examples=200, deadline=None)
def test_narrower_is_what_the_order_of_profiles_and_the_clock_say(profile, less, minutes, shorter):
    account = CloudAccount(id=uuid4())
    scope = Scope("account", str(account.pk), "Main", account.pk)
    order = list(Profile)
    is_wider = order.index(less) > order.index(profile) or shorter > minutes

    assert is_no_wider(Terms(scope, less, shorter), Terms(scope, profile, minutes)) != is_wider
    assert not is_no_wider(Terms(scope, profile, minutes, is_direct=True), Terms(scope, profile, minutes))
