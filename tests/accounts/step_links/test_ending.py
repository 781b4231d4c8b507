"""When the link of a step ends, and what it answers then."""

from datetime import timedelta
from http import HTTPStatus

import pytest
from django.utils import timezone

from accounts import kits
from accounts.actions.connect import issue_kit, stop_connecting
from accounts.actions.step_links import send_step, withdraw_step
from accounts.models import CloudAccount, StepLink
from accounts.models.people import token_hash
from accounts.states import AccountState
from tests.accounts.step_links.pages import ARN, page
from tests.activity import assert_no_event
from tests.fragments import assert_same_fragment


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
