"""Disconnecting, reconnecting and renewing the kit in every cloud: which trust is in use at each moment, and which is dead."""

from http import HTTPStatus

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.actions.accounts import disconnect_account
from accounts.actions.connect import issue_kit
from accounts.actions.renewal import start_renewal, stop_renewal
from accounts.clouds.base import CloudAdapter, CloudError, Subject
from accounts.issuer.addresses import issuer_url
from accounts.issuer.tokens import KitReplaced, sign, token_source
from accounts.mail import send_due_mails
from accounts.models import CloudAccount, Kit, TrustWatch
from accounts.states import AccountState
from accounts.steps.adapters import adapter_for
from accounts.steps.watch import take_due
from accounts.targets import target_of
from portal.audit.models import Event
from portal.operations.actions import request_retry
from portal.operations.availability import NotAllowed
from portal.operations.states import OperationState
from tests.activity import assert_one_event
from tests.clouds.stands import STANDS
from tests.factories import make_contact
from tests.hands import HANDS
from tests.standing import Standing, told

pytestmark = pytest.mark.django_db(transaction=True)
# What each cloud says of a kit whose issuer has answered 410 and whose keys it had to fetch anew.
DEAD = {"aws": {"issuer_unreachable", "token_refused"}, "azure": {"issuer_unreachable"}, "gcp": {"issuer_unreachable"}}


@pytest.fixture(params=sorted(HANDS))
def standing(request, acme, alice, sandbox, monkeypatch, mailoutbox) -> Standing:
    make_contact(organisation=acme, email="night@acme.example", confirmed_at=timezone.now())
    return Standing(request.param, organisation=acme, alice=alice, sandbox=sandbox, monkeypatch=monkeypatch)


def is_trusted(kit: Kit) -> bool:
    """Whether a cloud that asks is still given the keys for this kit."""
    return Client().get(f"/trust/{kit.account_id}/g{kit.generation}/.well-known/openid-configuration").status_code == HTTPStatus.OK


def opens(kit: Kit) -> bool:
    """Whether the cloud lets the operator in with this kit at this moment."""
    kit = Kit.objects.select_related("account").get(pk=kit.pk)
    try:
        adapter_for(kit.account, kit, was_trusted=True).probe_trust()
    except (CloudError, KitReplaced):
        return False
    return True


def test_every_cloud_has_a_hand():
    assert set(HANDS) == set(STANDS)


def test_disconnect_ends_tokens_at_once_and_reconnect_takes_the_next_generation(standing):
    first = standing.account.kits.get()
    mint = token_source(first)
    assert opens(first)

    disconnect_account(standing.account, by=standing.alice)

    with pytest.raises(KitReplaced):
        mint(subject="account:x:ops", audience="a")
    assert (standing.account.state, is_trusted(first), opens(first)) == ("disconnected", False, False)
    assert (take_due(), standing.watch.next_at) == ([], None)

    issue_kit(standing.account, after_generation=1, by=standing.alice)
    second = standing.run(2)
    operation = standing.drive()

    assert (operation.state, operation.failure_evidence) == (OperationState.SUCCEEDED, "")
    assert (standing.account.state, standing.watch.verdict) == ("connected", "holds")
    assert standing.kits == [(1, "outdated"), (2, "current")]
    assert [(is_trusted(kit), opens(kit)) for kit in (first, second)] == [(False, False), (True, True)]
    with pytest.raises(KitReplaced):
        mint(subject="account:x:ops", audience="a")
    assert list(standing.account.trust_changes.order_by("id").values_list("was", "now")) == [
        ("holds", "disconnected"), ("disconnected", "holds"),
    ]  # fmt: skip


def test_disconnect_a_token_of_before_is_refused_by_the_cloud_that_fetches_the_keys_anew(standing, monkeypatch):
    """What was signed a moment before, sent once the cloud's copy of our keys has run out."""
    account, kit = standing.account, standing.account.kits.get()
    target = target_of(account, kit)
    token = sign(issuer=issuer_url(kit), subject=target.subject(Subject.OPS), audience=target.audience)
    assert adapter_with(account, kit, token).probe_trust().external_id == account.external_id

    disconnect_account(account, by=standing.alice)
    standing.sandbox.control("POST", "forget-keys")

    with pytest.raises(CloudError) as refused:
        adapter_with(account, kit, token).probe_trust()
    assert refused.value.code in DEAD[account.cloud], refused.value.raw


def adapter_with(account: CloudAccount, kit: Kit, token: str) -> CloudAdapter:
    """As somebody would who has got hold of one token."""
    from accounts import kits
    from accounts.clouds import open_account

    target = target_of(account, kit, was_trusted=True)
    return open_account(account.cloud, target, lambda **_: token, kits.load(account.cloud).shipped(target))


def test_renewal_verifies_the_new_kit_beside_the_one_in_use_and_switches_without_a_gap(standing):
    first = standing.account.kits.get()
    start_renewal(standing.account, after_generation=1, by=standing.alice)

    operation = standing.drive()
    assert (operation.waiting_on, operation.waiting_why) == ("you", "kit_not_run")
    second = standing.run(2)
    assert (opens(first), opens(second)) == (True, bool(second_reported(second)))
    assert (standing.account.state, standing.look().watch.verdict) == ("connected", "holds")

    operation = standing.drive()

    assert (operation.state, operation.failure_evidence) == (OperationState.SUCCEEDED, "")
    account = standing.account
    assert (account.state, standing.kits) == ("connected", [(1, "outdated"), (2, "current")])
    assert [(is_trusted(kit), opens(kit)) for kit in (first, second)] == [(False, False), (True, True)]
    assert not account.trust_checks.filter(is_ok=False).exists()
    assert not account.trust_changes.exists()
    assert Event.objects.filter(action="cloud_account.kit_renewed").count() == 1
    assert standing.look().watch.verdict == "holds"
    assert "night" in dict(told())


def second_reported(kit: Kit) -> bool:
    """Azure's sign-in needs what the kit says of itself; the others' does not."""
    kit.refresh_from_db()
    return kit.account.cloud != "azure" or bool(kit.reported)


def test_renewal_refused_half_way_leaves_the_trust_in_use(standing):
    checks = list(standing.account.trust_checks.order_by("pk").values())
    first = standing.account.kits.get()
    start_renewal(standing.account, after_generation=1, by=standing.alice)
    second = standing.run(2)
    standing.hand.widen_trust()

    operation = standing.drive()

    account = standing.account
    assert (operation.state, operation.failure_code) == (OperationState.FAILED, "trust_policy_edited"), operation.failure_evidence
    assert (account.state, account.failure_code, standing.kits) == ("connected", "", [(1, "current"), (2, "candidate")])
    assert (is_trusted(first), opens(first)) == (True, True)
    assert list(account.trust_checks.order_by("pk").values()) == checks
    assert standing.look().watch.verdict == "holds"
    send_due_mails()
    assert "The account stays connected with the kit in use." in mail.outbox[0].body

    standing.hand.restore_trust()
    request_retry(operation, by=standing.alice)
    assert standing.drive().state == OperationState.SUCCEEDED, standing.operation.failure_evidence
    assert standing.kits == [(1, "outdated"), (2, "current")]
    assert (opens(first), opens(second)) == (False, True)


def test_renewal_given_up_ends_the_new_trust_alone(standing):
    first = standing.account.kits.get()
    start_renewal(standing.account, after_generation=1, by=standing.alice)
    second = standing.run(2)

    with assert_one_event(standing.account.organisation, action="cloud_account.renewal_stopped"):
        stop_renewal(standing.account, by=standing.alice)

    assert standing.kits == [(1, "current"), (2, "outdated")]
    assert [(is_trusted(kit), opens(kit)) for kit in (first, second)] == [(True, True), (False, False)]
    assert standing.look().watch.verdict == "holds"


def test_renewal_restores_a_trust_that_was_lost(standing):
    standing.hand.delete_provider()
    assert standing.lose().failure_code == "lost_provider_deleted"

    start_renewal(standing.account, after_generation=1, by=standing.alice)
    standing.run(2)
    assert standing.drive().state == OperationState.SUCCEEDED, standing.operation.failure_evidence

    account = standing.account
    assert (account.state, account.failure_code, account.watch.verdict) == (AccountState.CONNECTED, "", "holds")
    assert standing.verdicts == [("lost", "provider_deleted"), ("holds", "")]
    assert Event.objects.get(action="cloud_account.kit_renewed").details["state"] == ["needs_attention", "connected"]
    assert standing.look().watch.verdict == "holds"


def test_disconnect_ends_a_renewal_and_both_trusts(standing):
    start_renewal(standing.account, after_generation=1, by=standing.alice)
    both = [standing.account.kits.get(generation=1), standing.run(2)]

    disconnect_account(standing.account, by=standing.alice)

    assert standing.kits == [(1, "outdated"), (2, "outdated")]
    assert [(is_trusted(kit), opens(kit)) for kit in both] == [(False, False)] * 2
    assert standing.operation.state == OperationState.CANCELLED
    assert TrustWatch.objects.get().next_at is None
    with pytest.raises(NotAllowed):
        start_renewal(standing.account, after_generation=2, by=standing.alice)
