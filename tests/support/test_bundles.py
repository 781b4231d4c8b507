"""Diagnostic bundles: the customer sees everything first, the provider what was released, nobody anything after the end."""

from datetime import timedelta
from http import HTTPStatus

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.access import Role
from accounts.mail import send_due_mails
from accounts.support.brokering.bundles import Collected, bundle_collected, bundle_failed, for_engineer
from accounts.support.models import Bundle, BundleFile
from accounts.support.rules.scopes import find
from accounts.support.states import BundleState
from accounts.support.tasks import expire_due_bundles
from cells.models import AgentOrder, Cell
from tests.accounts.signing_in import let_proof_grow_old
from tests.activity import assert_no_event, assert_one_event
from tests.cells.factories import make_cell, make_instance
from tests.factories import make_membership
from tests.support.factories import make_account, make_approver, make_engineer
from tests.support.guards import make_bundle, make_collected

pytestmark = pytest.mark.django_db


@pytest.fixture
def cell(acme):
    return make_cell(account=make_account(acme), stack_name="byoc-1-cell-eu-west-1")


@pytest.fixture
def approver(acme):
    return make_approver(acme)


def page(bundle, name="bundle") -> str:
    return reverse(f"support:{name}", args=[bundle.organisation.slug, bundle.pk])


def desk(bundle) -> str:
    return reverse("support:case_bundle", args=[bundle.pk])


def collected(acme, **fields) -> Bundle:
    bundle = make_collected(acme, None)
    Bundle.objects.filter(pk=bundle.pk).update(**fields)
    bundle.refresh_from_db()
    return bundle


def texts(bundle) -> list[bool]:
    return [bool(file.sealed_text) for file in bundle.files.all()]


# --- Starting --------------------------------------------------------------------------------------------------------


def test_customer_starts_one_of_an_instance(client, acme, approver, cell):
    instance = make_instance(cell=cell, name="orders")
    client.force_login(approver.user)
    new = reverse("support:bundle_new", args=["acme"])
    assert "Last log lines" in client.get(new).text

    with assert_one_event(acme, action="support.bundle_collecting"):
        answer = client.post(new, {"scope": f"instance:{instance.pk}", "reason": "It is slow."})

    bundle = Bundle.objects.get()
    assert (bundle.state, bundle.is_by_customer, bundle.asked_by) == ("collecting", True, approver.user)
    assert answer.url == page(bundle)
    order = AgentOrder.objects.get()
    assert (order.name, order.instance, order.cell, order.bundle) == ("collect_bundle", instance, cell, bundle)
    assert 'hx-trigger="every 3s"' in client.get(page(bundle)).text


def test_second_one_of_the_same_is_refused(client, acme, approver, cell):
    client.force_login(approver.user)
    new, given = reverse("support:bundle_new", args=["acme"]), {"scope": f"cell:{cell.pk}"}
    client.post(new, given)

    with assert_no_event():
        client.post(new, given)

    assert Bundle.objects.count() == 1


def test_nothing_is_started_where_no_agent_can_be_asked(client, acme, approver, cell):
    Cell.objects.filter(pk=cell.pk).update(is_agent_disabled=True)
    client.force_login(approver.user)

    with assert_no_event():
        shown = client.post(reverse("support:bundle_new", args=["acme"]), {"scope": f"cell:{cell.pk}"}, follow=True)

    assert "The agent of the cell is switched off." in shown.text
    assert not Bundle.objects.exists()


def test_customer_agrees_to_one_that_an_engineer_asked_for(client, acme, approver):
    bundle = make_bundle(acme, approver.user)
    client.force_login(approver.user)
    assert "Collect the bundle" in client.get(page(bundle)).text

    client.post(page(bundle, "bundle_collect"))

    bundle.refresh_from_db()
    assert (bundle.state, AgentOrder.objects.get().bundle) == ("collecting", bundle)


@pytest.mark.parametrize("who", ["operator", "provider"])
def test_others_neither_read_nor_decide(who, client, acme):
    bundle = collected(acme)
    is_provider = who == "provider"
    member = make_membership(organisation=acme, role=Role.OWNER if is_provider else Role.OPERATOR)
    if is_provider:
        member.user.is_staff = True
        member.user.save()
    client.force_login(member.user)

    shown = client.get(page(bundle))

    assert shown.status_code == HTTPStatus.OK
    assert "ERROR" not in shown.text
    for name, data in (("bundle_release", {"part": "log"}), ("bundle_discard", {})):
        with assert_no_event():
            client.post(page(bundle, name), data)
    bundle.refresh_from_db()
    assert bundle.state == BundleState.COLLECTED


# --- Looking through and releasing -----------------------------------------------------------------------------------


def test_collected_parts_wait_for_the_customer_who_gets_a_mail(client, acme, approver, mailoutbox):
    bundle = collected(acme)
    send_due_mails()
    assert [mail.to for mail in mailoutbox] == [[approver.user.email]]
    assert mailoutbox[0].subject == f"A diagnostic bundle of {bundle.scope_label} waits for you"
    assert page(bundle) in mailoutbox[0].body
    client.force_login(approver.user)

    shown = client.get(page(bundle)).text

    assert "ERROR password=[removed]" in shown
    assert "Value that is called a secret: removed once" in shown
    assert shown.count('type="checkbox"') == 2
    client.force_login(bundle.asked_by)
    assert "ERROR" not in client.get(desk(bundle)).text


def test_released_parts_reach_the_engineer_and_the_others_are_erased(client, acme, approver):
    bundle = collected(acme)
    client.force_login(approver.user)

    with assert_one_event(acme, action="support.bundle_released") as written:
        client.post(page(bundle, "bundle_release"), {"part": ["versions", "unknown"]})

    bundle.refresh_from_db()
    assert written.event.details["parts"] == ["versions"]
    assert written.event.details["left_out"] == ["log"]
    assert written.event.details["sha256"] == bundle.sha256
    assert (bundle.state, texts(bundle)) == ("released", [False, True])
    client.force_login(bundle.asked_by)
    shown = client.get(desk(bundle)).text
    assert "cluster v1.35.0" in shown
    assert "ERROR" not in shown
    assert "Left out by the customer:" in shown
    client.force_login(make_engineer())
    assert client.get(desk(bundle)).status_code == HTTPStatus.NOT_FOUND


def test_release_asks_for_a_fresh_proof_of_identity(client, acme, approver):
    """What is released leaves for the provider."""
    bundle = collected(acme)
    client.force_login(approver.user)
    let_proof_grow_old(client)

    with assert_no_event():
        answer = client.post(page(bundle, "bundle_release"), {"part": ["versions"]})

    assert answer["Location"].startswith(reverse("mfa_reauthenticate"))
    bundle.refresh_from_db()
    assert bundle.state == BundleState.COLLECTED


def test_release_of_nothing_is_refused(client, acme, approver):
    bundle = collected(acme)
    client.force_login(approver.user)

    with assert_no_event():
        shown = client.post(page(bundle, "bundle_release"), {}, follow=True)

    assert "Choose at least one part" in shown.text


def test_what_a_customer_released_by_themselves_is_for_every_engineer_and_nothing_before(acme):
    bundle = collected(acme, is_by_customer=True)
    engineer = make_engineer()
    assert not for_engineer(engineer).exists()
    Bundle.objects.filter(pk=bundle.pk).update(state="released", released_by=bundle.asked_by, released_at=timezone.now())

    assert list(for_engineer(engineer)) == [bundle]


@pytest.mark.parametrize(("state", "becomes"), [("requested", "declined"), ("collecting", "deleted"), ("collected", "declined")])
def test_discarded_bundle_is_empty(state, becomes, client, acme, approver):
    bundle = collected(acme, state=state)
    client.force_login(approver.user)

    client.post(page(bundle, "bundle_discard"))

    bundle.refresh_from_db()
    assert (bundle.state, texts(bundle)) == (becomes, [False, False])
    assert bundle.ended_at is not None


def test_released_bundle_can_be_taken_back(client, acme, approver):
    bundle = collected(acme)
    client.force_login(approver.user)
    client.post(page(bundle, "bundle_release"), {"part": ["log", "versions"]})

    client.post(page(bundle, "bundle_discard"))

    bundle.refresh_from_db()
    assert (bundle.state, texts(bundle)) == ("deleted", [False, False])
    client.force_login(bundle.asked_by)
    assert "cluster v1.35.0" not in client.get(desk(bundle)).text


# --- What the agent brings, and the end ------------------------------------------------------------------------------


def test_parts_are_redacted_once_more_and_lie_sealed(acme, approver):
    bundle = make_bundle(acme, approver.user)
    Bundle.objects.filter(pk=bundle.pk).update(state="collecting")
    bundle.refresh_from_db()

    assert bundle_collected(bundle, [Collected("log", "Authorization: Bearer abcdefghijkl")])

    file = BundleFile.objects.get()
    assert file.redactions == {"secrets": 2}
    assert "Authorization" not in file.sealed_text


def test_parts_that_nobody_wants_any_more_are_not_kept(acme, approver):
    bundle = make_bundle(acme, approver.user)

    assert not bundle_collected(bundle, [Collected("log", "x")])
    bundle_failed(bundle, "agent_offline")

    assert (Bundle.objects.get().state, BundleFile.objects.count()) == ("requested", 0)


@pytest.mark.parametrize("state", ["requested", "collected", "released"])
def test_bundle_expires_by_itself_once(state, acme):
    bundle = collected(acme, state=state, expires_at=timezone.now() - timedelta(seconds=1))
    later = collected(acme, expires_at=timezone.now() + timedelta(hours=1))

    with assert_one_event(acme, action="support.bundle_expired"):
        assert (expire_due_bundles(), expire_due_bundles()) == (1, 0)

    bundle.refresh_from_db()
    later.refresh_from_db()
    assert (bundle.state, texts(bundle)) == ("expired", [False, False])
    assert (later.state, texts(later)) == ("collected", [True, True])


def test_stranger_finds_no_bundle(client, acme, charlie):
    bundle = collected(acme)
    client.force_login(charlie)

    assert client.get(page(bundle)).status_code == HTTPStatus.NOT_FOUND
    assert find(charlie.memberships.get().organisation, f"cell:{bundle.scope_id}") is None
