"""What is late or stuck shows: the hint from history, the ways out, the counter of the administration."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.offboarding.models import Offboarding
from portal.operations import durations
from portal.operations.models import Operation, Step
from tests.factories import make_user
from tests.offboarding.guards import make_leaving, make_offboarding, make_stuck
from tests.portal.test_admin_site import make_staff, sign_in

pytestmark = pytest.mark.django_db
BEGUN = ({"state": "in_progress"}, {"state": "waiting_for_you"}, {"state": "stuck", "code": "offboarding_leftovers"})
LATE = "This takes longer than 95 of 100 removals did."


@pytest.fixture(autouse=True)
def _no_history():
    durations.forget_durations()
    yield
    durations.forget_durations()


def remember_deletions(organisation, count: int, seconds: int) -> None:
    """So many cells were deleted, each in so many seconds."""
    now = timezone.now()
    for number in range(count):
        told = {"organisation": organisation, "kind": "delete_cell", "subject_kind": "cell", "subject_id": str(number)}
        operation = Operation.objects.create(**told, idempotency_key=str(number), state="succeeded", ended_at=now, next_run_at=None)
        times = {"started_at": now - timedelta(seconds=seconds), "ended_at": now}
        Step.objects.create(operation=operation, name="remove", position=1, state="done", **times)


def page_of(client, account) -> str:
    return client.get(f"/o/{account.organisation.slug}/accounts/{account.pk}/offboarding/").text


@pytest.mark.parametrize(
    ("known", "minutes", "is_late"), [(20, 11, True), (20, 9, False), (19, 600, False)], ids=["late", "in time", "too little history"]
)
def test_offboarding_says_that_it_takes_longer_than_usual_by_history_alone(known, minutes, is_late, acme, alice, client):
    remember_deletions(acme, known, 600)
    account = make_leaving(acme, alice)
    make_offboarding(account=account, by=alice, irreversible_at=timezone.now() - timedelta(minutes=minutes))
    client.force_login(alice)

    assert (LATE in page_of(client, account)) == is_late


def test_stuck_offboarding_shows_reason_id_console_link_keeping_and_hand_over(acme, alice, client):
    account = make_leaving(acme, alice)
    obstruction = {
        "name": "Network (AWS::EC2::VPC)", "why": "Held by eni-7", "region": "eu-west-1", "made": "vpc-77", "url": "", "act": "",
        "link": "https://console.example/vpc-77", "keep_url": "/o/acme/keep/",
    }  # fmt: skip
    make_offboarding(
        account=account, by=alice, state="stuck", code="offboarding_leftovers", params={"count": "1"}, obstructions=[obstruction]
    )
    client.force_login(alice)

    page = page_of(client, account)

    for words in (
        "belong to no deployment cell: 1.",
        "Held by eni-7",
        "vpc-77",
        "https://console.example/vpc-77",
        "Keep on purpose",
        "Hand it to",
    ):
        assert words in page


def test_stuck_offboarding_remembers_who_handed_it_over_for_as_long_as_it_is_stuck(acme, alice, bob, client, settings):
    account = make_stuck(acme, alice)
    client.force_login(alice)
    client.post(f"/o/acme/accounts/{account.pk}/offboarding/hand-over/")
    handed = f"{alice} has handed it to {settings.PROVIDER_NAME}."

    client.force_login(bob)
    page = page_of(client, account)
    assert handed in page
    assert "No way on?" not in page

    Offboarding.objects.update(state_at=timezone.now())
    page = page_of(client, account)
    assert handed not in page
    assert "No way on?" in page


def test_administration_counts_offboardings_that_are_stuck(acme, alice, client):
    make_stuck(acme, alice)
    sign_in(client, make_staff(email="sam@fernhill.example"))

    page = client.get("/admin/").text

    assert '<dt>Stuck offboardings</dt><dd><a href="/admin/offboarding/offboarding/?state__exact=stuck">1</a></dd>' in page
    assert "Main" in client.get("/admin/offboarding/offboarding/?state__exact=stuck").text


@pytest.mark.parametrize(
    "state", [{"state": "in_progress"}, {"state": "waiting_for_you"}, {"state": "stuck", "code": "offboarding_leftovers"}]
)
def test_request_to_close_with_leftovers_is_shown_wherever_the_offboarding_is(state, acme, alice, client):
    """The provider may ask in each of these states; the customer has to find the list from the page."""
    account, sam = make_leaving(acme, alice), make_user(is_staff=True, name="Sam Fern")
    asked = {"closing_asked_by": sam, "closing_asked_at": timezone.now(), "closing_reason": "The account is closed."}
    row = make_offboarding(account=account, by=alice, **asked, **state)
    client.force_login(alice)

    page = page_of(client, account)
    assert "The account is closed." in page
    assert f"/accounts/{account.pk}/offboarding/consent/" in page

    Offboarding.objects.filter(pk=row.pk).update(consent_by=alice, consent_at=timezone.now())
    page = page_of(client, account)
    assert f"/accounts/{account.pk}/offboarding/consent/" not in page
    assert "has consented to the list." in page
