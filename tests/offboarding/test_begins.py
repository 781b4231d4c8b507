"""Between the plan and its time: whoever planned it loses the role, what is in the way stays, and each end is told."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import OutgoingMail
from accounts.offboarding.models import Offboarding
from accounts.offboarding.notices import tell
from portal.operations.models import Step
from tests.accounts.signing_in import let_proof_grow_old
from tests.cells.factories import make_instance
from tests.cells.living import newest, turn
from tests.factories import make_membership
from tests.losing import LOSSES, lose
from tests.offboarding.guards import make_asked_to_consent, make_connected, make_offboarding, make_planned, make_untold
from tests.offboarding.leaving import OFFBOARD

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def planned(acme, alice, client, sandbox):
    account = make_planned(acme, alice)
    client.force_login(alice)
    return account


def url(account, page=""):
    return f"/o/acme/accounts/{account.pk}/offboarding/{page}"


@pytest.mark.parametrize("loss", LOSSES)
def test_plan_of_somebody_who_may_not_any_more_does_not_begin(loss, planned, acme, alice, charlie, client):
    make_membership(organisation=acme, user=charlie, role="owner")
    lose(loss, acme, alice, role="auditor")
    turn(OFFBOARD)

    planned.refresh_from_db()
    assert (planned.state, Offboarding.objects.get().state) == ("connected", "blocked")
    client.force_login(charlie)
    page = client.get(url(planned)).text
    assert f"{alice}, who planned it, may not offboard accounts any more." in page
    assert f'href="{url(planned, "cancel/")}">Call it off and plan it anew' in page

    client.post(url(planned, "cancel/"))
    client.post(url(planned, "start/"), {"when": "now", "name": "Main"})
    turn(OFFBOARD)
    planned.refresh_from_db()
    assert planned.state != "connected"


def test_operator_who_planned_it_is_enough(planned, acme, alice):
    acme.memberships.filter(user=alice).update(role="operator")
    turn(OFFBOARD)

    assert Offboarding.objects.get().has_begun


def test_offboarding_that_could_not_begin_for_too_long_is_called_off_and_told(planned, acme, alice, client):
    make_instance(account=planned, organisation=acme, state="failed")
    turn(OFFBOARD)
    assert Offboarding.objects.get().state == "blocked"
    Step.objects.filter(state="waiting").update(patience_until=timezone.now())
    OutgoingMail.objects.all().delete()
    turn(OFFBOARD)

    planned.refresh_from_db()
    assert (planned.state, Offboarding.objects.get().state, newest(OFFBOARD).state) == ("connected", "cancelled", "failed")
    assert [mail.subject for mail in OutgoingMail.objects.filter(to=alice.email)] == [
        "The offboarding of Main is called off: it could not begin"
    ]
    page = client.get(url(planned)).text
    assert "It begins by itself" not in page
    assert "Start offboarding" in page
    assert client.post(f"{newest(OFFBOARD).get_absolute_url()}retry/").status_code == 302
    assert newest(OFFBOARD).state == "failed"


def test_who_was_removed_hears_no_more_of_it(acme, alice, bob):
    row = make_offboarding(account=make_connected(acme, alice), by=bob)
    acme.memberships.filter(user=bob).delete()

    tell(row, "offboarding_stuck")

    assert set(OutgoingMail.objects.values_list("to", flat=True)) == {alice.email}


def test_start_asks_for_a_fresh_proof_of_identity_when_the_last_one_has_grown_old(acme, alice, client):
    """Also for the POST: the page may have stood open for an hour."""
    account = make_connected(acme, alice)
    client.force_login(alice)
    assert client.get(url(account, "start/")).status_code == 200
    let_proof_grow_old(client)

    answer = client.post(url(account, "start/"), {"when": "now", "name": "Main"})

    assert "/reauthenticate/" in answer["Location"]
    assert not Offboarding.objects.exists()


@pytest.mark.parametrize(
    ("make", "page", "written"), [(make_asked_to_consent, "consent/", "consent_by"), (make_untold, "never-run/", "never_told_by")]
)
def test_owners_word_asks_for_a_fresh_proof_of_identity_when_the_last_one_has_grown_old(make, page, written, acme, alice, client):
    account = make(acme, alice)
    client.force_login(alice)
    listed = Offboarding.objects.get().listing
    let_proof_grow_old(client)

    answer = client.post(url(account, page), {"name": "Main", "listed": listed})

    assert "/reauthenticate/" in answer["Location"]
    assert getattr(Offboarding.objects.get(), written) is None


def test_second_tab_starts_no_second_one_and_calls_off_nothing_that_has_begun(planned, acme, client):
    client.post(url(planned, "start/"), {"when": "now", "name": "Main"})
    assert Offboarding.objects.count() == 1

    Offboarding.objects.update(scheduled_for=timezone.now() - timedelta(seconds=1))
    turn(OFFBOARD)
    answer = client.post(url(planned, "cancel/"), follow=True)

    assert "There is no planned offboarding to cancel" in answer.text
    assert Offboarding.objects.get().has_begun


def test_page_that_is_open_is_another_one_in_another_state(planned, acme, client):
    """Its badge, its plan and what was just said would else stand beside the new state."""
    shown = client.get(url(planned)).text
    polled = re.search(r'hx-get="([^"]*status/[^"]*)"', shown)[1]
    assert "<section" in client.get(polled, headers={"HX-Request": "true"}).text
    turn(OFFBOARD)
    assert Offboarding.objects.get().state != "planned"

    answer = client.get(polled, headers={"HX-Request": "true"})
    assert (answer.headers.get("HX-Refresh"), answer.content) == ("true", b"")


def test_file_of_the_plan_holds_the_settings_and_no_secret(planned, acme, client):
    instance = make_instance(account=planned, organisation=acme, name="orders")
    instance.revisions.update(parameters={"edition": "team", "admin_password": "hunter2-hunter2"})
    (told,) = client.get(url(planned, "plan.json")).json()["configuration"]["instances"]
    assert told["parameters"]["edition"] == "team"
    assert "hunter2" not in str(told)
