"""What the pages of leaving say first: how it stands, who acts next, and nothing that was not done or seen."""

import pytest
from django.utils import timezone

from accounts.offboarding.models import Offboarding
from accounts.offboarding.plan import plan_of
from portal.operations.models import Operation, Step
from tests.cells.factories import make_cell, make_instance
from tests.factories import make_user
from tests.offboarding.guards import (
    make_asked_to_consent,
    make_connected,
    make_leaving,
    make_offboarding,
    make_planned,
    make_stuck,
    make_untold,
)
from tests.offboarding.test_certificate import CERTIFICATE, canonical

pytestmark = pytest.mark.django_db
NONE = "nothing to do: none is here"


@pytest.fixture
def page(client, alice):
    client.force_login(alice)

    def page(account, name="offboarding/") -> str:
        answer = client.get(f"/o/acme/accounts/{account.pk}/{name}")
        assert answer.status_code == 200
        return answer.text

    return page


def test_plan_names_who_does_each_step_and_says_where_there_is_nothing_to_do(acme, alice, page, client, settings):
    settings.PROVIDER_NAME = "Fernhill"
    account = make_connected(acme, alice)

    assert [one.who for one in plan_of(account).order] == [NONE, NONE, "Fernhill", "Fernhill", "you, in your own time"]
    shown = page(account)
    assert "Not started. Nothing is in the way." in shown
    assert "No instance, no deployment cell, no support access." in shown

    make_instance(cell=make_cell(account=account), created_by=alice)
    assert [one.who for one in plan_of(account).order] == ["you, in your own time", *["Fernhill"] * 3, "you, in your own time"]
    assert "Not started. 1 thing is in the way." in page(account)
    (step, *_more) = client.get(f"/o/acme/accounts/{account.pk}/offboarding/plan.json").json()["order"]
    assert step == {"step": "Delete the instances", "who": "you, in your own time", "usually": ""}


def test_account_says_on_its_own_page_that_its_offboarding_is_planned(acme, alice, page):
    planned = "The offboarding of this account is planned"
    account = make_connected(acme, alice, name="Stays")
    assert planned not in page(account, "")

    assert planned in page(make_planned(acme, alice), "")


def test_account_says_on_its_own_page_that_its_offboarding_is_stuck(acme, alice, page):
    account = make_stuck(acme, alice)
    shown = page(account, "")
    assert "The offboarding of this account is stuck" in shown
    assert "Do not remove the kit yet." in shown

    Offboarding.objects.update(code="offboarding_kit_gone")

    shown = page(account, "")
    assert "The kit was removed before cleanup finished." in shown
    assert "Do not remove the kit" not in shown


def test_question_of_the_provider_stands_first_and_nothing_is_handed_over_beside_it(acme, alice, page):
    account = make_asked_to_consent(acme, alice)
    Offboarding.objects.update(state="stuck", code="offboarding_took_too_long")

    shown = page(account)

    assert shown.index("asks to end this offboarding with what is left") < shown.index("The removal took longer than it may")
    assert "No way on?" not in shown


def test_last_step_waits_for_the_customer_until_the_cloud_is_asked(acme, alice, page):
    account = make_untold(acme, alice)
    waits = {"state": "waiting", "waiting_on": "you", "waiting_why": "offboarding_kit", "waiting_since": timezone.now()}
    Step.objects.filter(name="kit_removed").update(**waits)
    assert (plan_of(account).checklist[-1].kind, plan_of(account).checklist[-1].word) == ("attention", "Waiting for you")

    Operation.objects.update(waiting_on="cloud", waiting_why="offboarding_kit_seen")

    assert (plan_of(account).checklist[-1].kind, plan_of(account).checklist[-1].word) == ("progress", "In progress")
    assert "A second refusal, half a minute later" in page(account)


def test_one_closed_with_leftovers_claims_no_refusal(acme, alice, page):
    account = make_leaving(acme, alice)
    asked, closed = make_user(is_staff=True), make_user(is_staff=True)
    people = {"closing_asked_by": asked, "consent_by": alice, "closed_by": closed}
    told = {"reason": "Given back", "asked_by": asked.email, "consent_by": alice.email, "closed_by": closed.email, "listed": []}
    certificate = canonical(CERTIFICATE | {"closed_with_leftovers": told})
    done = {"state": "complete", "certificate": certificate, "sha256": "0" * 64, "completed_at": timezone.now()}
    assert make_offboarding(account=account, by=alice, **people, **done).badge == "neutral"

    for name in ("offboarding/", "offboarding/certificate/"):
        shown = page(account, name)
        assert "not proven" in shown
        assert "has refused its sign-in twice" not in shown
