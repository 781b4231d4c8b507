"""What connecting waits for on its way in each cloud, in words, and that a fault which passes costs nothing but a look."""

import pytest

from portal.operations.models import Operation
from portal.operations.states import OperationState, Party
from tests.accounts.test_twenty_failures import Case
from tests.hands import HANDS

pytestmark = pytest.mark.django_db(transaction=True)
NOT_RUN = {
    "aws": "The kit has not been run in AWS account 111122223333 yet.",
    "azure": "Nobody has told us the client IDs of the kit in Azure subscription 22222222-aaaa-4aaa-8aaa-222222222222 yet.",
    "gcp": "The kit has not been run in Google Cloud project acme-data-prod yet.",
}
# On Google Cloud a new pool looks for a while as if it were not there.
SPREADING = {
    "aws": "AWS is creating what the kit makes and spreads it to all its places. This usually takes under two minutes.",
    "azure": "If the kit ran a minute ago, wait: new IDs take a moment.",
    "gcp": NOT_RUN["gcp"],
}


@pytest.fixture(params=sorted(HANDS))
def case(request, acme, alice, client, sandbox, settings, monkeypatch) -> Case:
    hand = HANDS[request.param]
    return Case(hand, acme=acme, alice=alice, client=client, sandbox=sandbox, settings=settings, monkeypatch=monkeypatch)


def test_connect_waits_for_the_kit_then_for_it_to_spread_then_connects(case):
    cloud = case.hand.cloud
    waiting = case.look()
    assert (waiting.state, waiting.waiting_on, waiting.waiting_why) == (OperationState.WAITING, Party.YOU, "kit_not_run")
    assert NOT_RUN[cloud] in case.page()

    case.hand.run_kit()
    spread(case, 3600)
    assert case.look().state == OperationState.WAITING
    assert SPREADING[cloud] in case.page()

    spread(case, 0)
    assert case.look().state == OperationState.SUCCEEDED
    case.account.refresh_from_db()
    assert case.account.state == "connected"
    assert not case.account.trust_checks.filter(is_ok=False).exists()


def spread(case: Case, seconds: int) -> None:
    case.sandbox.control("POST", "knobs", {"propagation_seconds": seconds})
    case.sandbox.control("POST", "gcp/knobs", {"propagation_seconds": seconds})


@pytest.mark.parametrize(
    ("shut", "open_again", "code", "words"),
    [
        (Case.shut_issuer, Case.open_issuer, "issuer_unreachable", "cannot fetch the public keys of this portal. Fernhill has"),
        (
            lambda case: case.set_clock(-3600),
            lambda case: case.set_clock(0),
            "token_expired",
            "says that the token of this portal is not valid at this time. Fernhill has to set the clock",
        ),
    ],
    ids=["issuer", "clock"],
)
def test_connect_fault_of_the_portal_before_the_first_sign_in_is_said_and_is_the_providers(case, shut, open_again, code, words):
    """The kit may wait for days: a fault of ours must not hide behind tries that nobody sees."""
    case.hand.run_kit()
    shut(case)

    for _look in range(2):
        waiting = case.look()
        assert (waiting.state, waiting.waiting_on, waiting.waiting_why) == (OperationState.WAITING, Party.PROVIDER, code)
    assert words in case.page()
    # What staff filter their list of operations by.
    assert Operation.objects.get(waiting_on=Party.PROVIDER, waiting_why=code) == waiting

    open_again(case)
    assert case.look().state == OperationState.SUCCEEDED, case.page()


@pytest.mark.parametrize("kind", ["throttle", "503", "lost_reply"])
def test_connect_passing_fault_is_waited_out(case, kind):
    case.hand.run_kit()
    case.hand.fault(kind, 1)

    looks = 1
    while case.look().state != OperationState.SUCCEEDED:
        looks += 1
        assert case.operation.waiting_why == "retrying", case.page()
        assert looks < 4

    assert case.account.kits.count() == 1
    assert [step.attempt for step in case.operation.steps.all()] == [1] * case.operation.steps.count()
