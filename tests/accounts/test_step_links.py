"""Send one step to a colleague: what its link opens, for how long, and what it never opens."""

from datetime import timedelta
from http import HTTPStatus

import pytest
import time_machine
from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from accounts import kits
from accounts.access import Role
from accounts.actions.connect import issue_kit, stop_connecting
from accounts.actions.renewal import start_renewal
from accounts.actions.step_links import send_step, withdraw_step
from accounts.models import CloudAccount, Kit, StepLink
from accounts.models.cloud_accounts import KIT_LIFETIME
from accounts.models.people import token_hash
from accounts.models.step_links import STEP_LINK_LIFETIME
from accounts.states import AccountState
from portal.audit.models import Event
from portal.operations.availability import NotAllowed
from portal.operations.models import Operation
from tests.activity import assert_no_event, assert_one_event
from tests.factories import (
    make_cloud_account,
    make_contact,
    make_kit,
    make_lost_account,
    make_membership,
    make_step_link,
    make_watched_account,
)
from tests.fragments import assert_same_fragment

ARN = "arn:aws:cloudformation:us-east-1:111122223333:stack/byoc-x-kit/5d1b0c6e"
AZURE = {
    "cloud": "azure",
    "external_id": "8f2f4c1e-1111-4222-8333-444455556666",
    "identity": {"tenant_id": "1d2c3b4a-1111-4222-8333-444455556666"},
    "home_region": "westeurope",
}


@pytest.fixture(autouse=True)
def _fresh_limits():
    cache.clear()


@pytest.fixture
def account(acme, alice):
    made = make_cloud_account(organisation=acme, external_id="111122223333", name="Production", created_by=alice)
    issue_kit(made, after_generation=0, by=alice)
    return CloudAccount.objects.get(pk=made.pk)


@pytest.fixture
def token(account, alice):
    """Of an open link to the account's kit."""
    make_step_link(kit=account.kits.get(), sent_by=alice, token="a-token", email="cloud@acme.example")
    return "a-token"


def page(token, name="step_link", **kwargs):
    return reverse(f"accounts:{name}", kwargs={"token": token, **kwargs})


def own(account, name):
    return reverse(f"accounts:{name}", args=["acme", account.pk])


# --- Making it ---------------------------------------------------------------------------------------------------------


def test_send_step_keeps_the_hash_of_the_token_only(account, alice):
    with assert_one_event(account.organisation, action="step_link.made") as written:
        link, url = send_step(account, by=alice)

    token = url.rstrip("/").rpartition("/")[2]
    assert link.token_hash == token_hash(token)
    assert len(token) >= 43
    assert token not in str(Event.objects.values()) + str(StepLink.objects.values())
    assert (written.event.subject_id, written.event.details["sent_to"]) == (str(account.pk), "")
    assert abs(link.expires_at - timezone.now() - STEP_LINK_LIFETIME) < timedelta(minutes=1)


def test_send_step_never_lives_longer_than_the_kit(account, alice):
    with time_machine.travel(timezone.now() + KIT_LIFETIME - timedelta(hours=5)):
        link, _ = send_step(account, by=alice)

    assert link.expires_at == account.kits.get().expires_at


def test_send_step_again_replaces_the_link_in_one_event(client, account, token, alice):
    with assert_one_event(account.organisation, action="step_link.replaced"):
        _, url = send_step(account, by=alice)

    assert client.get(page(token)).status_code == HTTPStatus.GONE
    assert client.get(url.removeprefix("http://localhost:8000")).status_code == HTTPStatus.OK


def test_kit_has_one_live_link(account, token, alice):
    with pytest.raises(IntegrityError, match="step_link_one_a_kit"), transaction.atomic():
        make_step_link(kit=account.kits.get(), sent_by=alice)


def test_link_expires_after_it_was_made(account, alice):
    with pytest.raises(IntegrityError, match="step_link_expires_later"), transaction.atomic():
        make_step_link(kit=account.kits.get(), sent_by=alice, expires_at=timezone.now() - timedelta(days=1))


@pytest.mark.parametrize("state", sorted(set(AccountState) - {AccountState.WAITING_FOR_KIT}))
def test_send_step_needs_a_kit_that_waits(state, acme, alice):
    account = make_cloud_account(organisation=acme, state=state)
    make_kit(account=account)

    with assert_no_event(), pytest.raises(NotAllowed, match="no kit that waits"):
        send_step(account, by=alice)


def test_send_step_has_a_limit_a_day(account, alice, monkeypatch):
    monkeypatch.setattr("accounts.availability.STEP_LINKS_A_DAY", 2)
    send_step(account, by=alice)
    send_step(account, by=alice)

    with assert_no_event(), pytest.raises(NotAllowed, match="2 such links"):
        send_step(account, by=alice)


def test_connect_send_shows_the_link_once(client, account, alice):
    client.force_login(alice)

    answer = client.post(own(account, "connect_send"), {"days": "1"}, follow=True)

    shown = StepLink.objects.get()
    assert answer.redirect_chain == [(own(account, "connect_send"), HTTPStatus.FOUND)]  # Back asks for no POST
    assert "http://localhost:8000/handover/" in answer.text
    assert f'href="{account.get_absolute_url()}"' in answer.text  # the way back to the account
    assert "no-store" in answer["Cache-Control"]
    assert abs(shown.expires_at - timezone.now() - timedelta(days=1)) < timedelta(minutes=1)
    assert "/handover/" not in str(dict(client.session.items()))
    for name in ("connect_send", "connect_run"):
        assert "/handover/" not in client.get(own(account, name)).text


def test_connect_send_mails_the_link_instead(client, account, alice, mailbox, django_capture_on_commit_callbacks):
    client.force_login(alice)

    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(own(account, "connect_send"), {"days": "3", "email": " Cloud@Acme.example"}, follow=True)

    assert answer.redirect_chain == [(own(account, "connect_run"), HTTPStatus.FOUND)]
    assert "on its way to cloud@acme.example" in answer.text
    assert "/handover/" not in answer.text
    assert (mailbox[0].to, mailbox[0].subject) == (["cloud@acme.example"], "Alice asks you to run a kit for Acme")
    token = mailbox[0].body.partition("/handover/")[2].partition("/")[0]
    assert StepLink.objects.get().token_hash == token_hash(token)


@pytest.mark.parametrize("role", [Role.APPROVER, Role.AUDITOR])
def test_connect_send_is_for_those_who_connect(role, client, account, acme):
    client.force_login(make_membership(organisation=acme, role=role).user)

    assert client.post(own(account, "connect_send"), {"days": "3"}).status_code == HTTPStatus.FORBIDDEN
    assert client.post(own(account, "connect_send_withdraw")).status_code == HTTPStatus.FORBIDDEN


# --- What it opens -----------------------------------------------------------------------------------------------------


def test_step_link_shows_what_is_asked_and_by_whom(client, account, token):
    answer = client.get(page(token))

    kit = kits.load("aws")
    text = answer.text
    assert answer.status_code == HTTPStatus.OK
    assert "Alice of Acme asks you to run one small kit in AWS account 111122223333" in text
    assert "Launch stack in AWS" in text
    assert kit.documents[0].sha256 in text
    assert [permission.action for permission in kit.permissions if permission.action not in text] == []
    assert "Not yet seen" in text
    assert "http://localhost:8000/" in text


def test_step_link_shows_nothing_else_of_the_organisation(client, account, acme, token, bob):
    make_contact(organisation=acme, name="Night desk", email="night@acme.example")
    other = make_cloud_account(organisation=acme, name="Other", external_id="444455556666")

    text = client.get(page(token)).text

    for secret in ("Production", "alice@people.example", bob.email, "Night desk", other.external_id, "/o/acme", "cloud@acme.example"):
        assert secret not in text


def test_step_link_is_kept_out_of_caches_search_engines_and_referrers(client, account, token):
    for path in (page(token), page("wrong")):
        answer = client.get(path)

        assert answer["X-Robots-Tag"] == "noindex, nofollow, noarchive"
        assert '<meta name="robots" content="noindex, nofollow, noarchive">' in answer.text
        assert "no-store" in answer["Cache-Control"]
        assert answer["Referrer-Policy"] == "same-origin"
        assert "script-src 'self'" in answer["Content-Security-Policy"]
        assert "unsafe-inline" not in answer["Content-Security-Policy"]
        assert "sessionid" not in answer.cookies


def test_step_link_opens_every_way_to_run_the_kit(client, account, token):
    assert "create-stack" in client.get(page(token) + "?via=cli").text
    assert "module" in client.get(page(token) + "?via=terraform").text
    assert "Launch stack in AWS" in client.get(page(token) + "?via=nothing").text


def test_step_link_file_is_the_file(client, account, token):
    document = kits.load("aws").documents[0]

    assert client.get(page(token, "step_link_file", file=document.file)).content.decode() == document.text
    assert client.get(page(token, "step_link_file", file="other")).status_code == HTTPStatus.NOT_FOUND


def test_step_link_writes_down_its_first_look_only(client, account, token):
    with assert_one_event(account.organisation, action="step_link.opened") as written:
        client.get(page(token))
        client.get(page(token))
        client.get(page(token, "step_link_status"))

    assert (written.event.actor_kind, written.event.actor_email) == ("guest", "cloud@acme.example")
    assert StepLink.objects.get().opened_at is not None


def test_step_link_changes_nothing_by_a_post(client, account, token):
    with assert_no_event():
        assert client.post(page(token)).status_code == HTTPStatus.METHOD_NOT_ALLOWED
        assert client.post(page(token, "step_link_status")).status_code == HTTPStatus.METHOD_NOT_ALLOWED


# --- When it ends ------------------------------------------------------------------------------------------------------


def expired(account, alice):
    StepLink.objects.update(created_at=timezone.now() - timedelta(days=4), expires_at=timezone.now() - timedelta(seconds=1))


def kit_expired(account, alice):
    account.kits.update(expires_at=timezone.now())


def kit_marked_expired(account, alice):
    account.kits.update(state="expired")


ENDS = {
    "wrong": lambda account, alice: StepLink.objects.update(token_hash=token_hash("another")),
    "expired": expired,
    "withdrawn": lambda account, alice: withdraw_step(account, by=alice),
    "sent again": lambda account, alice: send_step(account, by=alice),
    "kit replaced": lambda account, alice: issue_kit(account, after_generation=1, by=alice),
    "kit expired": kit_expired,
    "kit marked expired": kit_marked_expired,
    "stopped": lambda account, alice: stop_connecting(account, by=alice),
}


@pytest.mark.parametrize("way", ENDS)
def test_ended_link_answers_like_a_link_that_never_was(way, client, account, token, alice):
    never = client.get(page("never-made"))
    ENDS[way](account, alice)

    with assert_no_event():
        answers = [
            client.get(page(token)),
            client.get(page(token, "step_link_status")),
            client.get(page(token, "step_link_file", file=kits.load("aws").documents[0].file)),
            client.post(page(token, "step_link_report"), {"evidence": ARN}),
        ]

    assert {answer.status_code for answer in answers} == {HTTPStatus.GONE}
    assert {plain(answer) for answer in answers} == {plain(never)}
    assert "111122223333" not in never.text


def plain(answer):
    """The page without its form token and request id."""
    main = answer.text.partition("<main")[2].partition("</main>")[0]
    assert "Ask the person who sent it" in main
    return main


@pytest.mark.parametrize(
    ("state", "says"),
    [(AccountState.VERIFYING, "verifies it now"), (AccountState.CONNECTED, "has verified it"), (AccountState.FAILED, "found a problem")],
)
def test_link_whose_kit_was_run_tells_that_and_opens_nothing(state, says, client, account, token):
    CloudAccount.objects.filter(pk=account.pk).update(state=state, connected_at=timezone.now())

    answer = client.get(page(token))

    assert says in answer.text
    assert "Launch stack" not in answer.text
    assert kits.load("aws").documents[0].sha256 not in answer.text
    assert client.get(page(token, "step_link_file", file=kits.load("aws").documents[0].file)).status_code == HTTPStatus.NOT_FOUND
    with assert_no_event():
        client.post(page(token, "step_link_report"), {"evidence": ARN})
    assert account.kits.get().reported == {}


def test_step_link_status_reloads_the_page_when_the_kit_was_run(client, account, token):
    before = client.get(page(token, "step_link_status") + "?was=open", headers={"HX-Request": "true"})
    whole = client.get(page(token))
    CloudAccount.objects.filter(pk=account.pk).update(state=AccountState.VERIFYING)
    after = client.get(page(token, "step_link_status") + "?was=open", headers={"HX-Request": "true"})

    assert "Not yet seen" in before.text
    assert_same_fragment(whole.text, before.text)
    assert after["HX-Refresh"] == "true"


def test_withdraw_step_without_a_link_is_refused(account, alice):
    with assert_no_event(), pytest.raises(NotAllowed, match="no open link"):
        withdraw_step(account, by=alice)


def test_link_of_another_organisation_cannot_be_withdrawn(client, account, token, charlie):
    client.force_login(charlie)

    assert client.post(reverse("accounts:connect_send_withdraw", args=["globex", account.pk])).status_code == HTTPStatus.NOT_FOUND
    assert StepLink.objects.open().count() == 1


# --- The report --------------------------------------------------------------------------------------------------------


def test_step_link_report_is_kept_as_the_guests_word(client, account, token):
    Operation.objects.update(state="waiting", waiting_on="you", waiting_why="kit_not_run", next_run_at=timezone.now() + timedelta(hours=1))

    with assert_one_event(account.organisation, action="cloud_account.kit_reported") as written:
        answer = client.post(page(token, "step_link_report"), {"evidence": ARN})

    assert (answer.status_code, answer["Location"]) == (HTTPStatus.FOUND, page(token))
    assert (written.event.actor_kind, written.event.actor_name) == ("guest", "cloud@acme.example")
    assert account.kits.get().reported["external_id"] == "111122223333"
    assert Operation.objects.get().next_run_at <= timezone.now()


def test_step_link_report_has_a_limit(client, account, token):
    codes = [client.post(page(token, "step_link_report"), {"evidence": "nonsense"}).status_code for _ in range(11)]

    assert codes == [HTTPStatus.FOUND] * 10 + [HTTPStatus.TOO_MANY_REQUESTS]


def test_step_link_report_opened_by_itself_leads_to_its_page(client, account, token):
    assert client.get(page(token, "step_link_report")).headers["Location"] == page(token)


def test_step_link_asked_without_end_is_paused(client, account, token):
    codes = [client.get(page("wrong")).status_code for _ in range(121)]

    assert codes == [HTTPStatus.GONE] * 120 + [HTTPStatus.TOO_MANY_REQUESTS]


def test_form_of_the_report_is_there_for_a_cloud_that_needs_it(client, acme, alice):
    account = make_cloud_account(organisation=acme, state=AccountState.WAITING_FOR_KIT, created_by=alice, **AZURE)
    make_step_link(kit=make_kit(account=account), sent_by=alice, token="azure")

    shown = client.get(page("azure"))
    refused = client.post(page("azure", "step_link_report"), {"evidence": "nonsense"}, follow=True)

    assert 'name="evidence"' in shown.text
    assert "Error:" in refused.text
    assert "westeurope" in shown.text


# --- The owner's page --------------------------------------------------------------------------------------------------


def test_run_page_shows_the_open_link(client, account, token, alice):
    client.force_login(alice)

    text = client.get(own(account, "connect_run")).text

    assert "Sent to cloud@acme.example by Alice" in text
    assert "Withdraw link" in text
    assert_same_fragment(text, client.get(own(account, "connect_send_status")).text)


def test_run_page_moves_on_when_the_kit_was_run(client, account, token, alice):
    client.force_login(alice)
    CloudAccount.objects.filter(pk=account.pk).update(state=AccountState.VERIFYING)

    assert client.get(own(account, "connect_send_status"))["HX-Redirect"] == own(account, "connect_waiting")

    CloudAccount.objects.filter(pk=account.pk).update(state=AccountState.CONNECTED)

    assert client.get(own(account, "connect_send_status"))["HX-Redirect"] == own(account, "connect_done")


def test_run_page_without_a_link_offers_one_and_still_goes_on_by_itself(client, account, alice):
    client.force_login(alice)

    text = client.get(own(account, "connect_run")).text

    assert "Send this step to a colleague" in text
    assert f'<div hx-get="{own(account, "connect_send_status")}" hx-trigger="every 4s" hx-swap="none" hidden></div>' in text


def test_permissions_tab_offers_the_link_while_the_kit_waits(client, account, alice):
    client.force_login(alice)
    assert own(account, "connect_send") in client.get(own(account, "account_permissions")).text

    CloudAccount.objects.filter(pk=account.pk).update(state=AccountState.CONNECTED)
    assert own(account, "connect_send") not in client.get(own(account, "account_permissions")).text


# --- The kit that is to replace another ------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [make_watched_account, make_lost_account])
def test_step_of_a_renewal_can_be_sent_and_is_over_once_the_kit_has_run(client, alice, acme, make):
    account = make(organisation=acme)
    start_renewal(account, after_generation=1, by=alice)
    client.force_login(alice)
    args = [acme.slug, account.pk]
    shown = client.get(reverse("accounts:account_kit_run", args=args)).content.decode()
    assert "Send this step to a colleague" in shown
    assert ("The account stays connected with the kit in use" in shown) is (make is make_watched_account)

    link, there = send_step(account, by=alice)
    there = there.removeprefix(settings.PORTAL_URL)
    assert link.kit.generation == 2
    client.logout()
    assert f"byoc-{link.kit.suffix}-kit" in client.get(there).content.decode()

    Kit.objects.filter(pk=link.kit_id).update(ran_at=timezone.now())
    assert "The portal has seen the kit" in client.get(there).content.decode()
    client.force_login(alice)
    moved = client.get(reverse("accounts:connect_send_status", args=args))
    assert moved["HX-Redirect"] == reverse("accounts:account_kit_waiting", args=args)
