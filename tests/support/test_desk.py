"""The engineer's pages: asking with a preview, the check by a second person, and no customer's data."""

from datetime import timedelta
from http import HTTPStatus

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone
from structlog.testing import capture_logs

from accounts.support import clouds, hooks
from accounts.support.actions.decisions import ask_for_more
from accounts.support.brokering.endings import end
from accounts.support.models import AccessRequest, Bundle
from accounts.support.states import AccessState
from accounts.support.tasks import end_due_grants, lapse_due_requests
from cells.models import Cell
from portal.audit import Actor
from portal.operations.transitions import IllegalMove
from tests.activity import assert_no_event, assert_one_event
from tests.cells.factories import make_cell
from tests.support.factories import (
    make_account,
    make_active,
    make_approver,
    make_engineer,
    make_granted,
    make_policy,
    make_request,
    make_requested,
    scope_for,
)

pytestmark = pytest.mark.django_db


def cell_of(account):
    return Cell.objects.filter(account=account).first() or make_cell(account=account, stack_name="byoc-1-cell")


def filled(account, **changed: str) -> dict[str, str]:
    given = {
        "wants": "access",
        "scope": f"cell:{cell_of(account).pk}",
        "case": "CASE-9",
        "reason_type": "alert",
        "reason": "The cell raised an alarm. I want to read why.",
        "profile": "diagnose",
        "minutes": "60",
        "place": "Berlin",
    }
    return given | changed


def new_page(organisation) -> str:
    return f"{reverse('support:case_new')}?customer={organisation.pk}"


@pytest.mark.parametrize("name", ["case_list", "case_new", "review_queue", "session_list", "case_bundles", "case_history"])
def test_desk_does_not_exist_for_customers_and_staff(name, client, alice):
    client.force_login(alice)
    assert client.get(reverse(f"support:{name}")).status_code == HTTPStatus.NOT_FOUND
    client.force_login(make_engineer())
    assert client.get(reverse(f"support:{name}")).status_code == HTTPStatus.OK
    assert client.get("/o/acme/").status_code == HTTPStatus.NOT_FOUND


def test_preview_is_what_the_customer_reads(client, acme):
    account, engineer = make_account(acme), make_engineer(name="Mia Köhler")
    client.force_login(engineer)
    with assert_no_event():
        preview = client.post(new_page(acme), filled(account, preview="yes"))
    assert not AccessRequest.objects.exists()
    client.post(new_page(acme), filled(account))
    asked = AccessRequest.objects.get()
    client.force_login(make_engineer())
    check = reverse("support:case_check", args=[asked.pk])
    checked = client.get(check).text
    client.post(check)
    client.force_login(make_approver(acme).user)
    shown = client.get(reverse("support:access_request", args=["acme", asked.pk]))

    assert preview.context["preview"].sentence == shown.context["page"].sentence
    for said in ("If you decline", "Without a decision", "What is removed before anybody reads it", "Signed web token"):
        assert (said in preview.text, said in checked, said in shown.text) == (True, True, True), said
    # An engineer can open no page of the customer's.
    assert (cell_of(account).get_absolute_url() in shown.text, "/o/acme/" in preview.text) == (True, False)
    assert "Mia Köhler (support engineer, Fernhill, Berlin) asks to look at the state of" in preview.text


def test_asking_checking_and_returning_write_one_event_each(client, acme):
    account, engineer, checker = make_account(acme), make_engineer(), make_engineer()
    client.force_login(engineer)
    with assert_one_event(None, action="support.asked"):
        client.post(new_page(acme), filled(account))
    asked = AccessRequest.objects.get()
    check = reverse("support:case_check", args=[asked.pk])
    with assert_no_event():
        own = client.post(check, follow=True)
    assert "This is your own request. Somebody else checks it." in own.text
    client.force_login(checker)
    with assert_one_event(None, action="support.returned"):
        client.post(check, {"return": "yes", "text": "Why the whole account?"})
    client.force_login(engineer)
    with assert_one_event(None, action="support.answered"):
        client.post(reverse("support:case_edit", args=[asked.pk]), filled(account, answer="The cells share it."))
    client.force_login(checker)
    with assert_one_event(acme, action="support.requested"):
        client.post(check)
    client.force_login(engineer)
    with assert_one_event(acme, action="support.withdrawn"):
        client.post(reverse("support:case_withdraw", args=[asked.pk]))


def test_giving_back_writes_one_event_and_only_by_the_engineer(client, acme):
    request = make_active(organisation=acme)
    there = reverse("support:case_end", args=[request.pk])
    client.force_login(make_engineer())
    with assert_no_event():
        client.post(there)
    client.force_login(request.engineer)
    with assert_one_event(acme, action="support.ending"):
        client.post(there)
    request.refresh_from_db()
    assert request.ends_as == AccessState.COMPLETED


def test_bundle_instead_of_access_opens_nothing(client, acme):
    cell = make_cell(account=make_account(acme), stack_name="byoc-1-cell-eu-west-1")
    client.force_login(make_engineer())
    with assert_one_event(acme, action="support.bundle_requested"):
        client.post(new_page(acme), filled(cell.account, wants="bundle", scope=f"cell:{cell.pk}"))
    assert (Bundle.objects.count(), AccessRequest.objects.count()) == (1, 0)


def test_bundle_is_previewed_as_the_customer_will_read_it(client, acme):
    account, engineer = make_account(acme), make_engineer(name="Mia Köhler")
    client.force_login(engineer)
    with assert_no_event():
        preview = client.post(new_page(acme), filled(account, wants="bundle", preview="yes")).text
    assert not Bundle.objects.exists()
    client.post(new_page(acme), filled(account, wants="bundle"))
    client.force_login(make_approver(acme).user)
    shown = client.get(Bundle.objects.get().get_absolute_url()).text

    for said in (
        "Mia Köhler of Fernhill asks for it. If you agree, the cell's agent collects it and you look it through.",
        "I want to read why.",
        "Last log lines",
        "Mail address",
        "The rules know kinds of secrets, not every secret.",
    ):
        assert (said in preview, said in shown) == (True, True), said


def test_whole_account_is_offered_only_where_credentials_may_be_handed_out(client, acme):
    account, engineer = make_account(acme, name="Main account"), make_engineer()
    client.force_login(engineer)
    whole, new = scope_for(account).key, new_page(acme)
    assert whole not in client.get(new).text
    assert "Acme has no cell that support access could be about." in client.get(new).text

    answer = client.post(new, filled(account, scope=whole))
    assert "Nothing can be read under a whole account: every reading is about one cell." in answer.text
    assert not AccessRequest.objects.exists()

    make_policy(acme, allows_direct=True)
    assert whole in client.get(new).text
    client.post(new, filled(account, scope=whole))
    assert not AccessRequest.objects.exists()
    client.post(new, filled(account, scope=whole, is_direct="on"))
    assert AccessRequest.objects.get().scope_kind == "account"


def test_bundle_is_about_a_cell_or_an_instance(client, acme):
    account = make_account(acme)
    client.force_login(make_engineer())
    shown = client.post(new_page(acme), filled(account, wants="bundle", scope=scope_for(account).key))
    assert "A diagnostic bundle is about one cell or one instance." in shown.text
    assert not Bundle.objects.exists()


def test_reason_takes_no_web_address(client, acme):
    client.force_login(make_engineer())
    shown = client.post(new_page(acme), filled(make_account(acme), reason="Approve at https://evil.example now"))
    assert "Leave web addresses out" in shown.text


def test_scope_of_another_customer_cannot_be_chosen(client, acme, charlie):
    foreign = make_account(charlie.memberships.get().organisation)
    client.force_login(make_engineer())
    client.post(new_page(acme), filled(foreign))
    assert not AccessRequest.objects.exists()


def test_rules_of_the_customer_refuse_before_anybody_reads(client, acme):
    make_policy(acme, mode="off")
    client.force_login(make_engineer())
    shown = client.post(new_page(acme), filled(make_account(acme)))
    assert "Acme has switched support access off." in shown.text


def test_question_between_the_providers_people_is_not_shown_to_the_customer(client, acme):
    request = make_requested(organisation=acme)
    ask_for_more(request, question="Which cell exactly?", by=make_approver(acme))
    checker = make_engineer()
    client.force_login(request.engineer)
    client.post(reverse("support:case_edit", args=[request.pk]), filled(request.account, answer="The first one."))
    client.force_login(checker)
    client.post(reverse("support:case_check", args=[request.pk]), {"return": "yes", "text": "Between us: is that so?"})
    client.force_login(make_approver(acme).user)
    shown = client.get(reverse("support:access_request", args=["acme", request.pk])).text
    assert "The first one." in shown
    assert "Between us" not in shown
    assert "More information asked" in shown


def test_silence_lapses_and_time_ends_once_each(acme):
    waiting, unchecked = make_requested(organisation=acme), make_request(organisation=acme)
    scheduled = make_granted(organisation=acme, minutes=60)
    active = make_active(organisation=acme, minutes=60)
    with time_machine.travel(timezone.now() + timedelta(hours=73), tick=False):
        assert (lapse_due_requests(), end_due_grants()) == (2, 2)
        assert (lapse_due_requests(), end_due_grants()) == (0, 0)
    states = dict(AccessRequest.objects.values_list("pk", "state"))
    assert (states[waiting.pk], states[unchecked.pk]) == (AccessState.LAPSED, AccessState.LAPSED)
    assert (states[scheduled.pk], states[active.pk]) == (AccessState.EXPIRED, AccessState.ENDING)


def test_grant_that_was_ended_meanwhile_is_left_alone_and_the_next_one_ends(acme, monkeypatch):
    """Between the list of what is over and the turn of a row, somebody has ended it: its end stays the one it has."""
    first, second, third = (make_active(organisation=acme, minutes=minutes) for minutes in (60, 90, 120))

    def end_the_second(row):
        if row.pk == first.pk:
            end(AccessRequest.objects.get(pk=second.pk), AccessState.REVOKED, actor=Actor.system("customer"))

    monkeypatch.setattr(hooks, "ON_ENDING", [end_the_second])
    with time_machine.travel(timezone.now() + timedelta(hours=3), tick=False):
        assert end_due_grants() == 2

    ends = dict(AccessRequest.objects.values_list("pk", "ends_as"))
    assert ends == {first.pk: "expired", second.pk: "revoked", third.pk: "expired"}


def test_row_that_cannot_be_ended_is_logged_and_stops_no_other(acme, monkeypatch):
    first, second = (make_active(organisation=acme, minutes=minutes) for minutes in (60, 90))

    def fail(row):
        if row.pk == first.pk:
            raise IllegalMove(row.pk, AccessState.ACTIVE, AccessState.EXPIRED)

    monkeypatch.setattr(hooks, "ON_ENDING", [fail])
    with time_machine.travel(timezone.now() + timedelta(hours=3), tick=False), capture_logs() as logged:
        assert end_due_grants() == 1

    states = dict(AccessRequest.objects.values_list("pk", "state"))
    assert states == {first.pk: AccessState.ACTIVE, second.pk: AccessState.ENDING}
    assert [(line["event"], line["request"]) for line in logged if line["log_level"] == "error"] == [("support_row_failed", str(first.pk))]


def test_access_in_a_cloud_without_support_is_not_asked_for(client, acme, monkeypatch):
    """It says so beside the scope, and offers the bundle."""
    monkeypatch.setattr(clouds, "SUPPORT", {})
    clouds.has_support.cache_clear()
    account = make_account(acme)
    client.force_login(make_engineer())

    answer = client.post(new_page(acme), filled(account))

    assert "Support access is not available in AWS yet. Ask for a diagnostic bundle." in answer.text
    assert not AccessRequest.objects.exists()
    clouds.has_support.cache_clear()


@pytest.mark.parametrize(("version", "is_asked"), [("1.2.0", False), ("1.3.0", True)])
def test_access_under_a_kit_of_before_says_which_kit_is_needed(client, acme, version, is_asked):
    account = make_account(acme, cloud="azure")
    account.kits.update(version=version)
    client.force_login(make_engineer())

    answer = client.post(new_page(acme), filled(account))

    said = "This account runs kit 1.2.0. Support access in Azure needs kit 1.3.0 or a newer one."
    assert (said in answer.text, AccessRequest.objects.exists()) == (not is_asked, is_asked)
