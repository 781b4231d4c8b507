"""Renewing a kit against the strict local AWS: the kit in use stays in use until the new one has proven itself, whatever dies meanwhile."""

from datetime import timedelta
from http import HTTPStatus

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from accounts import kits
from accounts.actions.accounts import disconnect_account
from accounts.actions.connect import issue_kit
from accounts.actions.renewal import start_renewal, stop_renewal
from accounts.kits.aws import template
from accounts.mail import send_due_mails
from accounts.models import CloudAccount, Kit, TrustWatch
from accounts.states import AccountState, KitState
from accounts.steps.watch import watch_once
from portal.audit.models import Event
from portal.operations.actions import request_cancel, request_retry
from portal.operations.availability import NotAllowed
from portal.operations.driver import advance
from portal.operations.models import Operation
from portal.operations.registry import KINDS
from portal.operations.states import OperationState
from portal.operations.tasks import ring_due_operations
from tests import kill_server
from tests.activity import assert_no_event, assert_one_event
from tests.customer import Customer
from tests.factories import make_cloud_account, make_contact, make_lost_account, make_watched_account
from tests.kill import POINTS, lose_lease
from tests.worker import flush_broker, process_environment, work_off_queue

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "111122223333"
STEPS = tuple(step.name for step in KINDS["renew_kit"].steps)


@pytest.fixture
def customer(sandbox):
    return Customer(sandbox, NUMBER)


@pytest.fixture
def account(acme, alice, customer, mailoutbox):
    """Connected with its first kit."""
    flush_broker()
    make_contact(organisation=acme, email="night@acme.example", confirmed_at=timezone.now())
    account = make_cloud_account(organisation=acme, external_id=NUMBER, name="Production")
    issue_kit(account, after_generation=0, by=alice)
    customer.run_kit(account.kits.get())
    drive()
    send_due_mails()
    mail.outbox.clear()
    return CloudAccount.objects.get()


def newest() -> Operation:
    """The newest attempt to connect or to renew."""
    return Operation.objects.filter(kind__in=["connect_cloud_account", "renew_kit", "restore_trust"]).newest_first().first()


def drive() -> Operation:
    operation = newest()
    lose_lease(operation.pk)
    advance(operation.pk)
    operation.refresh_from_db()
    return operation


def kits_of(account) -> list[tuple[int, str]]:
    return list(account.kits.order_by("generation").values_list("generation", "state"))


def is_trusted(client, kit) -> bool:
    return client.get(f"/trust/{kit.account_id}/g{kit.generation}/.well-known/openid-configuration").status_code == HTTPStatus.OK


def test_renewal_takes_over_only_when_everything_is_proven(account, acme, alice, customer, client):
    first = account.kits.get()
    with assert_one_event(acme, action="cloud_account.renewal_started"):
        start_renewal(account, after_generation=1, by=alice)
    second = account.kits.get(generation=2)

    operation = drive()
    assert (operation.waiting_on, operation.waiting_why) == ("you", "kit_not_run")
    assert CloudAccount.objects.get().state == "connected"
    assert (is_trusted(client, first), is_trusted(client, second)) == (True, True)
    assert kits_of(account) == [(1, "current"), (2, "candidate")]
    watch_once(account.watch.pk)
    assert TrustWatch.objects.get().verdict == "holds"

    customer.run_kit(second)
    operation = drive()

    assert (operation.state, operation.failure_evidence) == (OperationState.SUCCEEDED, "")
    account.refresh_from_db()
    assert (account.state, kits_of(account)) == ("connected", [(1, "outdated"), (2, "current")])
    assert (is_trusted(client, first), is_trusted(client, second)) == (False, True)
    assert not account.trust_checks.filter(is_ok=False).exists()
    assert not account.trust_changes.exists()
    watch_once(account.watch.pk)
    assert TrustWatch.objects.get().verdict == "holds"
    send_due_mails()
    assert sorted(message.to[0] for message in mail.outbox) == ["alice@people.example", "night@acme.example"]
    assert mail.outbox[0].subject == f"Production runs kit {second.version}"


def test_renewal_that_fails_leaves_the_kit_in_use(account, acme, alice, customer, client):
    checks = list(account.trust_checks.order_by("pk").values())
    start_renewal(account, after_generation=1, by=alice)
    second = account.kits.get(generation=2)
    customer.run_kit(second)
    customer.client("iam").delete_role_permissions_boundary(RoleName=f"byoc-{second.suffix}-support")

    operation = drive()

    account.refresh_from_db()
    assert (operation.state, operation.failure_code) == (OperationState.FAILED, "boundary_removed")
    assert (account.state, account.failure_code, kits_of(account)) == ("connected", "", [(1, "current"), (2, "candidate")])
    assert is_trusted(client, account.kits.get(generation=1))
    assert list(account.trust_checks.order_by("pk").values()) == checks
    watch_once(account.watch.pk)
    assert TrustWatch.objects.get().verdict == "holds"
    send_due_mails()
    assert "The account stays connected with the kit in use." in mail.outbox[0].body

    start_renewal(account, after_generation=2, by=alice)
    assert kits_of(account) == [(1, "current"), (2, "outdated"), (3, "candidate")]
    with pytest.raises(NotAllowed, match="no longer in use"):
        request_retry(operation, by=alice)


def test_renewal_can_be_retried(account, alice, customer):
    start_renewal(account, after_generation=1, by=alice)
    Kit.objects.filter(generation=2).update(reported={"external_id": "999900001111"})
    assert drive().failure_code == "wrong_account"
    customer.run_kit(account.kits.get(generation=2))

    request_retry(newest(), by=alice)

    assert drive().state == OperationState.SUCCEEDED
    assert kits_of(account) == [(1, "outdated"), (2, "current")]


def test_renewal_restores_a_trust_that_was_lost(account, acme, alice, customer):
    customer.delete_provider()
    for moment in (timezone.now(), timezone.now() - timedelta(minutes=9)):
        TrustWatch.objects.update(next_at=timezone.now(), since=moment)
        watch_once(account.watch.pk)
        TrustWatch.objects.update(since=timezone.now() - timedelta(minutes=9))
    account.refresh_from_db()
    assert (account.state, account.failure_code) == ("needs_attention", "lost_provider_deleted")

    start_renewal(account, after_generation=1, by=alice)
    assert newest().title == "Restore the trust"
    customer.run_kit(account.kits.get(generation=2))
    assert drive().state == OperationState.SUCCEEDED

    account = CloudAccount.objects.select_related("watch").get()
    assert (account.state, account.failure_code, account.watch.verdict) == ("connected", "", "holds")
    assert list(account.trust_changes.order_by("id").values_list("was", "now")) == [("holds", "lost"), ("lost", "holds")]
    renewed = Event.objects.get(action="cloud_account.kit_renewed")
    assert renewed.details["state"] == ["needs_attention", "connected"]
    send_due_mails()
    told = [message for message in mail.outbox if message.subject == "The trust of Production is restored"]
    assert sorted(message.to[0] for message in told) == sorted([alice.email, "night@acme.example"])
    assert "has taken over, and everything was verified again. The account is connected." in told[0].body


@pytest.mark.parametrize(
    "end",
    [
        lambda account, by: stop_renewal(account, by=by),
        lambda account, by: request_cancel(newest(), by=by),
    ],
    ids=["stopped", "cancelled"],
)
def test_renewal_given_up_leaves_the_kit_in_use(account, acme, alice, client, end):
    start_renewal(account, after_generation=1, by=alice)
    drive()

    with assert_one_event(acme):
        end(account, alice)

    assert kits_of(account) == [(1, "current"), (2, "outdated")]
    assert [is_trusted(client, kit) for kit in account.kits.order_by("generation")] == [True, False]
    assert newest().state == OperationState.CANCELLED
    assert CloudAccount.objects.get().state == "connected"


def test_renewal_whose_kit_expires_leaves_the_kit_in_use(account, alice):
    start_renewal(account, after_generation=1, by=alice)
    Kit.objects.filter(generation=2).update(expires_at=account.created_at)

    assert drive().failure_code == "kit_expired"

    assert kits_of(account) == [(1, "current"), (2, "expired")]
    assert CloudAccount.objects.get().state == "connected"


def test_renewal_ends_with_the_connection(account, alice):
    start_renewal(account, after_generation=1, by=alice)

    disconnect_account(account, by=alice)

    assert kits_of(account) == [(1, "outdated"), (2, "outdated")]
    assert newest().state == OperationState.CANCELLED


def test_renewal_twice_by_double_click_makes_one(account, alice):
    start_renewal(account, after_generation=1, by=alice)

    with assert_no_event():
        start_renewal(account, after_generation=1, by=alice)

    assert kits_of(account) == [(1, "current"), (2, "candidate")]


def test_account_on_an_older_kit_is_judged_by_that_kit_and_renewed_to_the_newest(acme, alice, customer, account):
    """A kit that was shipped before: its own template ran in the cloud, and nothing of the newer one is expected there."""
    disconnect_account(account, by=alice)
    account.refresh_from_db()
    issue_kit(account, after_generation=1, by=alice)
    Kit.objects.filter(generation=2).update(version="1.2.0")
    customer.run_kit(account.kits.get(generation=2), template=template.text("1.2.0"))
    assert drive().state == OperationState.SUCCEEDED
    account = CloudAccount.objects.get()
    assert not account.trust_checks.filter(name="eks:ListClusters").exists()

    watch_once(account.watch.pk)
    seen = TrustWatch.objects.get()
    assert (seen.verdict, seen.code, seen.unclear_code) == ("holds", "", "")

    start_renewal(account, after_generation=2, by=alice)
    customer.run_kit(account.kits.get(generation=3))
    assert drive().state == OperationState.SUCCEEDED
    assert account.kits.get(state=KitState.CURRENT).version == kits.load("aws").version
    assert account.trust_checks.get(name="eks:ListClusters").is_ok


# --- kill -9 ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def killer(sandbox_process, django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        environment = process_environment(sandbox_process)
    with kill_server.running(environment) as server:
        yield server


@pytest.mark.parametrize("point", POINTS)
def test_renewal_killed_at_every_step_changes_nothing(account, alice, customer, killer, point):
    """At each death the account is connected with a kit that is trusted; at the end the new one is, once."""
    start_renewal(account, after_generation=1, by=alice)
    customer.run_kit(account.kits.get(generation=2))
    operation = newest()
    for step in STEPS:
        killer.run_until_killed(operation.pk, point=point, step=step)
        lose_lease(operation.pk)
        assert CloudAccount.objects.get().state == "connected"
        assert account.kits.filter(state=KitState.CURRENT).count() == 1

    for _round in range(20):
        work_off_queue()
        send_due_mails()
        operation.refresh_from_db()
        if not operation.is_live:
            break
        lose_lease(operation.pk)
        ring_due_operations()

    assert operation.state == OperationState.SUCCEEDED
    assert kits_of(account) == [(1, "outdated"), (2, "current")]
    actions = list(Event.objects.order_by("sequence").values_list("action", flat=True))
    assert [actions.count(action) for action in ("cloud_account.kit_renewed", "cloud_account.renewal_started")] == [1, 1]
    assert not account.trust_checks.filter(is_ok=False).exists()
    send_due_mails()
    assert sorted(message.to[0] for message in mail.outbox) == ["alice@people.example", "night@acme.example"]


# --- Pages -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def owner(client, alice):
    client.force_login(alice)
    return client


def url(page, account) -> str:
    return reverse(f"accounts:account_kit_{page}", args=["acme", account.pk])


@pytest.fixture
def outdated(acme):
    account = make_watched_account(organisation=acme, name="Production")
    account.kits.update(version="1.2.0")
    return account


def test_account_says_that_a_newer_kit_is_there_and_what_changes(owner, outdated):
    shown = owner.get(outdated.get_absolute_url()).content.decode()
    assert "A newer kit is available." in shown
    assert url("update", outdated) in shown

    shown = owner.get(url("update", outdated)).content.decode()
    newest = kits.load("aws").version
    assert f"Kit {newest} is available. This account runs kit 1.2.0." in shown
    assert "Kit 1.2.0 is supported until" in shown
    assert "permissions are added" in shown
    assert "eks:ListClusters" in shown


def test_stay_on_this_version_is_remembered_until_a_newer_one(owner, acme, outdated):
    with assert_one_event(acme, action="cloud_account.stayed_on_kit"):
        owner.post(url("stay", outdated))

    shown = owner.get(outdated.get_absolute_url()).content.decode()
    assert "A newer kit is available." not in shown
    assert "You stay on kit 1.2.0, supported until" in shown
    CloudAccount.objects.update(stays_on_kit_until="1.2.5")
    assert "A newer kit is available." in owner.get(outdated.get_absolute_url()).content.decode()


def test_consent_makes_the_kit_and_leads_to_running_it(owner, outdated):
    response = owner.post(url("update", outdated), {"generation": "1"})

    assert response["Location"] == url("run", outdated)
    shown = owner.get(url("run", outdated)).content.decode()
    assert "The account stays connected with the kit in use until this one is verified." in shown
    assert "Launch stack in AWS" in shown
    assert (
        "Waiting for you" in owner.get(url("waiting", outdated)).content.decode()
        or "Queued" in owner.get(url("waiting", outdated)).content.decode()
    )
    assert "is being verified beside the one in use" in owner.get(outdated.get_absolute_url()).content.decode()
    owner.post(url("stop", outdated))
    assert kits_of(outdated) == [(1, "current"), (2, "outdated")]


def test_waiting_page_of_a_renewal_loads_itself_again_when_it_is_over(owner, outdated, alice):
    start_renewal(CloudAccount.objects.get(pk=outdated.pk), after_generation=1, by=alice)
    status = f"{url('waiting', outdated)}status/"
    assert owner.get(status).status_code == HTTPStatus.NO_CONTENT
    assert status in owner.get(url("waiting", outdated)).content.decode()

    Operation.objects.update(state=OperationState.SUCCEEDED, next_run_at=None, ended_at=timezone.now())

    assert owner.get(status)["HX-Redirect"] == url("waiting", outdated)
    assert status not in owner.get(url("waiting", outdated)).content.decode()


def test_lost_trust_leads_to_restoring_it(owner, acme):
    account = make_lost_account(organisation=acme)

    shown = owner.get(reverse("accounts:account_trust", args=["acme", account.pk])).content.decode()
    assert url("update", account) in shown
    shown = owner.get(url("update", account)).content.decode()
    assert "Restore the trust" in shown
    assert "Stay on this version" not in shown


@pytest.mark.parametrize("state", [AccountState.DRAFT, AccountState.DISCONNECTED, AccountState.OFFBOARDING])
def test_kit_of_an_account_that_is_not_connected_is_not_renewed(owner, acme, state):
    account = make_cloud_account(organisation=acme, state=state)

    assert "Only the kit of a connected account" in owner.get(url("update", account)).content.decode()
    for page in ("update", "stay"):
        assert owner.post(url(page, account), {"generation": "0"}).status_code == HTTPStatus.CONFLICT
    assert not account.kits.exists()


def test_waiting_and_run_pages_without_a_renewal_lead_to_the_offer(owner, outdated):
    for page in ("run", "waiting"):
        assert owner.get(url(page, outdated))["Location"] == url("update", outdated)
