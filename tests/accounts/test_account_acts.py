"""Rename, disconnect, reconnect: what each does at once, what it leaves alone, and what stands in its way."""

import re
import time
from datetime import timedelta
from http import HTTPStatus

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts import availability, kits
from accounts.actions.accounts import disconnect_account
from accounts.actions.connect import issue_kit, report_kit_itself, stop_connecting
from accounts.issuer.addresses import issuer_url
from accounts.issuer.tokens import KitReplaced, token_source
from accounts.kits.base import Report
from accounts.models import CloudAccount, Kit, OutgoingMail, TrustChange, TrustCheck, TrustWatch
from accounts.states import AccountState, KitState
from accounts.steps.watch import take_due
from portal.audit.models import Event
from portal.operations.availability import NotAllowed
from portal.operations.driver import advance
from portal.operations.models import Operation
from portal.operations.states import OperationState
from tests.activity import assert_no_event, assert_one_event
from tests.customer import Customer
from tests.factories import make_cloud_account, make_contact, make_kit, make_lost_account, make_membership, make_watched_account

pytestmark = pytest.mark.django_db
NUMBER = "111122223333"


@pytest.fixture
def owner(client, alice):
    client.force_login(alice)
    return client


def url(name, account) -> str:
    return reverse(f"accounts:{name}", args=["acme", account.pk])


@pytest.fixture
def disconnected(acme, alice):
    account = make_watched_account(organisation=acme, name="Production", external_id=NUMBER)
    disconnect_account(account, by=alice)
    return CloudAccount.objects.get(pk=account.pk)


# --- Rename ----------------------------------------------------------------------------------------------------------


def test_rename_changes_the_name_and_nothing_else(owner, acme):
    account = make_watched_account(organisation=acme, name="Production")

    with assert_one_event(acme, action="cloud_account.renamed") as written:
        owner.post(url("account_rename", account), {"name": "Production EU"})

    assert CloudAccount.objects.get().name == "Production EU"
    assert written.event.sentence == "Renamed the account from Production to Production EU"
    with assert_no_event():
        owner.post(url("account_rename", account), {"name": "Production EU"})
        assert "This field is required" in owner.post(url("account_rename", account), {"name": " "}).content.decode()


# --- Disconnect ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [make_watched_account, make_lost_account])
def test_disconnect_ends_our_access_at_once_and_keeps_the_record(owner, client, acme, alice, make):
    account = make(organisation=acme, name="Production")
    kit = account.kits.get()
    mint = token_source(kit)
    assert mint(subject="account:x:ops", audience="a")
    discovery = issuer_url(kit).partition("/trust/")[2]
    there = f"/trust/{discovery}/.well-known/openid-configuration"
    assert client.get(there).status_code == HTTPStatus.OK

    with assert_one_event(acme, action="cloud_account.disconnected"):
        owner.post(url("account_disconnect", account), {"name": " Production "})

    account.refresh_from_db()
    assert (account.state, account.failure_code, account.kits.get().state) == ("disconnected", "", KitState.OUTDATED)
    assert client.get(there).status_code == HTTPStatus.GONE
    with pytest.raises(KitReplaced):
        mint(subject="account:x:ops", audience="a")
    assert TrustWatch.objects.get().next_at is None
    assert take_due() == []
    assert account.trust_changes.filter(kind=TrustChange.Kind.TRUST).first().now == "disconnected"
    shown = owner.get(account.get_absolute_url()).content.decode()
    assert "Disconnected. Fernhill has no access to this account." in shown
    assert url("account_reconnect", account) in shown


def test_disconnect_asks_for_the_name_and_for_a_fresh_proof_of_identity(owner, acme):
    account = make_watched_account(organisation=acme, name="Production")
    page = owner.get(url("account_disconnect", account)).content.decode()
    assert "Type Production to confirm" in page
    assert "This is not offboarding" in page
    assert "What runs in the account keeps running, and Fernhill cannot repair, update or delete it." in page
    assert "You and the operational contacts get a mail." in page

    with assert_no_event():
        assert "This is not the name" in owner.post(url("account_disconnect", account), {"name": "Staging"}).content.decode()
        session = owner.session
        session["account_authentication_methods"] = [{"method": "password", "at": time.time() - 400}]
        session.save()
        response = owner.post(url("account_disconnect", account), {"name": "Production"})

    assert reverse("account_reauthenticate") in response["Location"]
    assert CloudAccount.objects.get().state == "connected"


def test_disconnect_is_refused_while_something_needs_the_trust(owner, acme, alice, monkeypatch):
    account = make_watched_account(organisation=acme, name="Production")
    monkeypatch.setattr(availability, "NEEDS_TRUST", [lambda account: "", lambda account: "Two cells run there. Delete them first."])

    assert "Two cells run there." in owner.get(url("account_disconnect", account)).content.decode()
    with assert_no_event():
        response = owner.post(url("account_disconnect", account), {"name": "Production"})

    assert (response.status_code, CloudAccount.objects.get().state) == (HTTPStatus.CONFLICT, "connected")


@pytest.mark.parametrize("state", sorted(set(AccountState) - {"connected", "needs_attention"}))
def test_disconnect_what_is_not_connected_is_refused(alice, state):
    account = make_cloud_account(state=state)

    with pytest.raises(NotAllowed):
        disconnect_account(account, by=alice)

    assert CloudAccount.objects.get().state == state


@pytest.mark.parametrize(
    "tab", ["account_detail", "account_environment", "account_trust", "account_permissions", "account_kit", "account_activity"]
)
def test_disconnected_account_says_so_on_every_tab_with_one_way_back(owner, disconnected, tab):
    permission = kits.load("aws").permissions[0]
    TrustCheck.objects.create(account=disconnected, kind=TrustCheck.Kind.PERMISSION, name=permission.key, is_ok=True)
    TrustCheck.objects.create(account=disconnected, kind=TrustCheck.Kind.REFUSAL, name="wrong_subject", is_ok=True)

    shown = owner.get(url(tab, disconnected)).content.decode()

    assert "Disconnected. Fernhill has no access to this account." in shown
    assert "What runs in the account keeps running." in shown
    assert shown.count(f'href="{url("account_reconnect", disconnected)}"') == 1
    history = shown.split("What has changed")[0] if tab == "account_trust" else shown
    assert "badge-ok" not in history
    assert 'class="badge badge-attention"' in shown


def test_disconnected_account_marks_old_results_with_their_date(owner, disconnected):
    held = TrustCheck.objects.create(account=disconnected, kind=TrustCheck.Kind.PERMISSION, name="ec2:CreateVpc", is_ok=True)
    TrustCheck.objects.create(account=disconnected, kind=TrustCheck.Kind.REFUSAL, name="wrong_subject", is_ok=True)

    shown = owner.get(disconnected.get_absolute_url()).content.decode()

    assert f'as last verified <time datetime="{held.checked_at:%Y-%m-%dT%H:%M:%SZ}">' in shown
    assert "Refused when last tried" in shown
    assert "Refused, as it must be" not in shown


def test_disconnected_account_asks_a_reader_for_nothing(client, acme, disconnected):
    client.force_login(make_membership(organisation=acme, role="auditor").user)

    shown = client.get(disconnected.get_absolute_url()).content.decode()

    assert "An owner or operator of your organisation can reconnect it." in shown
    assert url("account_reconnect", disconnected) not in shown


def test_disconnect_tells_the_contacts_and_who_did_it_once_each(acme, alice, mailbox, django_capture_on_commit_callbacks):
    account = make_watched_account(organisation=acme, name="Production", external_id=NUMBER)
    make_contact(organisation=acme, email="night@acme.example", confirmed_at=timezone.now())
    make_contact(organisation=acme, email=alice.email.upper(), confirmed_at=timezone.now())
    make_contact(organisation=acme, email="unconfirmed@acme.example")

    with django_capture_on_commit_callbacks(execute=True):
        disconnect_account(account, by=alice)
    with pytest.raises(NotAllowed), django_capture_on_commit_callbacks(execute=True):
        disconnect_account(account, by=alice)

    assert sorted(mail.to[0] for mail in mailbox) == sorted([alice.email, "night@acme.example"])
    assert {mail.subject for mail in mailbox} == {"Production is disconnected"}
    assert f"{alice} has disconnected AWS {NUMBER} (Production) of Acme." in mailbox[0].body
    assert account.get_absolute_url() in mailbox[0].body


def test_disconnect_that_is_rolled_back_tells_nobody(acme, alice):
    account = make_watched_account(organisation=acme)

    with transaction.atomic():
        disconnect_account(account, by=alice)
        transaction.set_rollback(True)

    assert not OutgoingMail.objects.exists()


# --- Reconnect -------------------------------------------------------------------------------------------------------


def test_reconnect_makes_the_next_kit_of_the_same_record(owner, acme, disconnected):
    with assert_one_event(acme, action="cloud_account.kit_issued"):
        response = owner.post(url("account_reconnect", disconnected), {"generation": "1"})

    assert response["Location"] == url("connect_run", disconnected)
    disconnected.refresh_from_db()
    assert disconnected.state == "waiting_for_kit"
    assert list(disconnected.kits.values_list("generation", "state")) == [(2, "current"), (1, "outdated")]
    assert owner.get(url("connect_run", disconnected)).status_code == HTTPStatus.OK
    owner.post(url("account_reconnect", disconnected), {"generation": "1"})
    assert disconnected.kits.count() == 2


def test_reconnect_page_says_why_not(owner, acme):
    account = make_watched_account(organisation=acme)

    assert "Only a disconnected account" in owner.get(url("account_reconnect", account)).content.decode()
    assert owner.post(url("account_reconnect", account), {"generation": "1"}).status_code == HTTPStatus.CONFLICT
    assert account.kits.count() == 1


def test_reconnect_a_project_made_anew_takes_its_new_number(owner, acme, alice):
    account = make_cloud_account(
        organisation=acme, external_id="acme-prod", identity={"project_number": "111"}, state="disconnected", connected_at=timezone.now()
    )
    CloudAccount.objects.filter(pk=account.pk).update(cloud="gcp", home_region="europe-west1")

    owner.post(url("account_reconnect", account), {"generation": "0", "project_number": "123456789012"})

    account.refresh_from_db()
    assert (account.state, account.identity) == ("waiting_for_kit", {"project_number": "123456789012"})


def test_stop_reconnecting_leads_back_to_disconnected_and_never_to_a_draft(owner, acme, alice, disconnected):
    issue_kit(disconnected, after_generation=1, by=alice)
    account = CloudAccount.objects.get()

    with assert_one_event(acme, action="cloud_account.connecting_stopped"):
        stop_connecting(account, by=alice)

    account.refresh_from_db()
    assert account.state == "disconnected"
    assert not account.kits.exclude(state=KitState.OUTDATED).exists()
    assert Operation.objects.get().state == OperationState.CANCELLED


@pytest.mark.django_db(transaction=True)
def test_reconnect_verifies_everything_again(acme, alice, sandbox, mailoutbox):
    make_contact(organisation=acme, email="night@acme.example", confirmed_at=timezone.now())
    account = make_cloud_account(organisation=acme, external_id=NUMBER, name="Production")
    issue_kit(account, after_generation=0, by=alice)
    customer = Customer(sandbox, NUMBER)
    customer.run_kit(account.kits.get())
    advance(Operation.objects.get().pk)
    disconnect_account(account, by=alice)
    checked = account.trust_checks.first().checked_at

    issue_kit(CloudAccount.objects.get(), after_generation=1, by=alice)
    customer.run_kit(Kit.objects.get(generation=2))
    advance(Operation.objects.filter(kind="connect_cloud_account").newest_first().first().pk)

    account = CloudAccount.objects.select_related("watch").get()
    assert (account.state, account.watch.verdict) == ("connected", "holds")
    assert account.watch.next_at > timezone.now() + timedelta(minutes=30)
    assert account.trust_checks.first().checked_at > checked
    assert list(account.trust_changes.order_by("id").values_list("was", "now")) == [("holds", "disconnected"), ("disconnected", "holds")]
    actions = list(Event.objects.order_by("sequence").values_list("action", flat=True))
    assert actions[-4:] == ["cloud_account.kit_issued", "cloud_account.verifying", "cloud_account.connected", "operation.succeeded"]


# --- What stands in the cloud ----------------------------------------------------------------------------------------


def standing(owner, account, page="account_kit") -> list[str]:
    """Numbers of the kits that a page tells how to remove."""
    return re.findall(r"Command to remove kit number (\d+)", owner.get(url(page, account)).text)


def test_kit_that_ran_is_told_until_removed_and_one_that_never_ran_is_not(owner, acme, alice, disconnected):
    assert set(standing(owner, disconnected)) == {"1"}
    issue_kit(disconnected, after_generation=1, by=alice)
    stop_connecting(CloudAccount.objects.get(), by=alice)

    for page in ("account_kit", "account_reconnect"):
        assert set(standing(owner, disconnected, page)) == {"1"}, page
    assert Operation.objects.get().subject_url == url("account_kit", disconnected)

    with assert_one_event(acme, action="cloud_account.kit_removed") as written:
        owner.post(url("account_kit_removed", disconnected), {"generation": "1"})
    assert written.event.sentence == "Said that what kit number 1 had made is removed"
    with assert_no_event():
        owner.post(url("account_kit_removed", disconnected), {"generation": "1"})
        owner.post(url("account_kit_removed", disconnected), {"generation": "2"})
    assert standing(owner, disconnected, "account_reconnect") == []


def test_kit_in_use_is_not_told_as_one_to_remove(owner, acme):
    account = make_watched_account(organisation=acme)
    make_kit(account=account, generation=2, state="outdated", ran_at=timezone.now())

    assert set(standing(owner, account)) == {"2"}
    owner.post(url("account_kit_removed", account), {"generation": "1"})
    assert account.kits.get(generation=1).removed_at is None


def test_kit_that_a_cell_was_built_under_is_kept(owner, disconnected, monkeypatch):
    monkeypatch.setattr(availability, "NEEDS_KIT", [lambda kit: "Two cells use its identities."])

    shown = owner.get(url("account_kit", disconnected)).text

    assert "Two cells use its identities." in shown
    assert "Command to remove kit number" not in shown


def test_stop_reconnecting_does_not_move_the_day_of_the_disconnection(owner, alice, disconnected):
    long_ago = timezone.now() - timedelta(days=30)
    CloudAccount.objects.update(disconnected_at=long_ago)
    issue_kit(disconnected, after_generation=1, by=alice)
    stop_connecting(CloudAccount.objects.get(), by=alice)

    assert f'Since <time datetime="{long_ago:%Y-%m-%dT%H:%M:%SZ}">' in owner.get(url("account_kit", disconnected)).text


def test_kit_has_run_when_it_reports_but_not_when_it_stopped_at_a_wrong_tenant(acme, alice):
    account = make_cloud_account(
        organisation=acme, cloud="azure", home_region="westeurope", identity={"tenant_id": "3" * 8}, external_id="s"
    )
    issue_kit(account, after_generation=0, by=alice)
    kit = Kit.objects.select_related("account__organisation").get()

    report_kit_itself(kit, report=Report({"tenant_id": "1" * 8}))
    assert Kit.objects.get().ran_at is None
    report_kit_itself(kit, report=Report({"tenant_id": "3" * 8, "client_id": "c"}))
    assert Kit.objects.get().ran_at is not None
