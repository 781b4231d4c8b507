"""The pages of creating an instance, and of one instance and one cell."""

import html
import re
from http import HTTPStatus

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.access import Role
from cells.actions.instances import modify_instance, upgrade_instance
from cells.models import Cell, Instance, InstanceDraft
from cells.states import CellState, Drift, InstanceState
from cells.views import cells as cell_views
from portal.operations.models import Operation
from tests.cells.factories import make_cell, make_draft, make_instance, make_plan, make_release
from tests.cells.lists import make_status
from tests.factories import make_cloud_account, make_membership, make_organisation

SCHEMA = {
    "type": "object",
    "required": ["edition"],
    "properties": {"edition": {"type": "string", "title": "Edition", "enum": ["standard", "enterprise"]}},
}


@pytest.fixture
def signed_in(client, alice):
    client.force_login(alice)
    return client


@pytest.fixture
def account(acme):
    return make_cloud_account(organisation=acme, state="connected", name="Main", external_id="111122223333")


@pytest.fixture
def plan(db):
    return make_plan(code="orders", name="Orders", parameters=SCHEMA)


def page(name, *args):
    return reverse(f"cells:{name}", args=["acme", *args])


def words(response):
    return " ".join(response.text.split())


def begin(client, account):
    """The wizard up to the settings; the draft."""
    client.post(page("instance_new"), {"plan": "orders"})
    draft = InstanceDraft.objects.get()
    client.post(page("instance_new_place", draft.pk), {"account": str(account.pk), "region": "aws:eu-west-1"})
    draft.refresh_from_db()
    return draft


# --- Creating --------------------------------------------------------------------------------------------------------


def test_wizard_leads_from_the_plan_to_one_instance_and_one_cell(signed_in, account, plan):
    draft = begin(signed_in, account)
    settings = page("instance_new_settings", draft.pk)

    shown = words(signed_in.get(settings))
    assert "First creates a deployment cell in region eu-west-1 of Main. This adds about 30 minutes" in shown
    sent = {"name": "orders-prod", "size": "small", "release": "1.0.0", "p_edition": "enterprise", "is_protected": "on"}
    assert signed_in.post(settings, sent)["Location"] == page("instance_new_check", draft.pk)
    check = words(signed_in.get(page("instance_new_check", draft.pk)))
    for said in ("orders-prod", "Main", "About 40 to 60 USD a month", "1.0.0", "Edition", "enterprise"):
        assert said in check, said
    assert not Instance.objects.exists()

    created = signed_in.post(page("instance_new_check", draft.pk))

    instance = Instance.objects.get()
    assert created["Location"] == instance.get_absolute_url()
    assert (instance.name, instance.account, instance.region, instance.is_protected) == ("orders-prod", account, "eu-west-1", True)
    assert instance.revisions.get().parameters == {"edition": "enterprise"}
    assert sorted(Operation.objects.values_list("kind", flat=True)) == ["bootstrap_cell", "create_instance"]
    assert Cell.objects.get().account == account


def test_pressed_twice_it_makes_one_instance(signed_in, account, plan, acme, alice):
    draft = make_draft(organisation=acme, account=account, plan=plan, created_by=alice, parameters={"edition": "standard"})

    first, second = (signed_in.post(page("instance_new_check", draft.pk)) for _ in range(2))

    assert first["Location"] == second["Location"] == Instance.objects.get().get_absolute_url()
    assert signed_in.get(page("instance_new_check", draft.pk))["Location"] == first["Location"]  # Back, then forward
    assert Operation.objects.filter(kind="create_instance").count() == 1


def test_draft_is_resumed_by_a_colleague_with_everything_entered(signed_in, client, account, plan, acme, bob):
    draft = begin(signed_in, account)
    signed_in.post(
        page("instance_new_settings", draft.pk), {"name": "orders-prod", "size": "small", "release": "1.0.0", "p_edition": "enterprise"}
    )
    colleague = type(client)()
    colleague.force_login(bob)

    listed = words(colleague.get(page("instance_new")))
    assert page("instance_new_check", draft.pk) in listed
    assert "orders-prod" in listed
    form = colleague.get(page("instance_new_settings", draft.pk)).context["form"]
    assert {name: str(form[name].value()) for name in ("name", "size", "release", "p_edition")} == {
        "name": "orders-prod",
        "size": "small",
        "release": "1.0.0",
        "p_edition": "enterprise",
    }
    place = colleague.get(page("instance_new_place", draft.pk)).context["form"]
    assert (str(place["account"].value()), place["region"].value()) == (str(account.pk), "aws:eu-west-1")


def test_pages_are_not_skipped(signed_in, plan, acme, alice):
    draft = InstanceDraft.objects.create(organisation=acme, plan=plan, created_by=alice)

    assert signed_in.get(page("instance_new_check", draft.pk))["Location"] == page("instance_new_settings", draft.pk)
    assert signed_in.get(page("instance_new_settings", draft.pk))["Location"] == page("instance_new_place", draft.pk)


def test_another_plan_forgets_what_need_not_fit_it(signed_in, account, plan):
    draft = begin(signed_in, account)
    make_plan(code="other", name="Other")

    signed_in.post(page("instance_new_plan", draft.pk), {"plan": "orders"})
    draft.refresh_from_db()
    assert draft.region == "eu-west-1"
    signed_in.post(page("instance_new_plan", draft.pk), {"plan": "other"})

    draft.refresh_from_db()
    assert (draft.plan.code, draft.region, draft.account, draft.parameters) == ("other", "", None, {})


def test_discarded_draft_is_gone(signed_in, account, plan):
    draft = begin(signed_in, account)

    signed_in.post(page("instance_new_discard", draft.pk))

    assert not InstanceDraft.objects.exists()
    assert signed_in.get(page("instance_new_place", draft.pk)).status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("name", ["instance_new", "instance_new_place", "instance_new_settings"])
def test_refused_form_comes_back_by_its_own_address_with_what_was_sent(name, signed_in, account, plan):
    draft = begin(signed_in, account)
    there = page(name) if name == "instance_new" else page(name, draft.pk)

    refused = signed_in.post(there, {"name": "Not A Name", "plan": "none", "region": "moon"})
    shown = signed_in.get(there)

    assert (refused.status_code, refused["Location"]) == (HTTPStatus.FOUND, there)
    assert "<title>Error: " in shown.text
    assert "There is a problem" in shown.text
    if name == "instance_new_settings":
        assert 'value="Not A Name"' in shown.text


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (CellState.READY, "Runs in the deployment cell “Main in eu-west-1”, which is there already."),
        (CellState.BOOTSTRAPPING, "Waits until the deployment cell “Main in eu-west-1” has been created, and then runs in it."),
    ],
)
def test_place_says_what_happens_to_the_cell(state, said, signed_in, account, plan, acme, alice):
    make_cell(account=account, state=state, name="Main in eu-west-1")
    draft = make_draft(organisation=acme, account=account, plan=plan, created_by=alice)

    assert said in words(signed_in.get(page("instance_new_settings", draft.pk)))


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (CellState.FAILED, "The deployment cell in this region has failed. Retry or delete it first."),
        (CellState.DELETING, "The deployment cell in this region is being deleted. Wait until it is gone."),
    ],
)
def test_place_without_room_is_refused_and_said(state, said, signed_in, account, plan, acme, alice):
    make_cell(account=account, state=state)
    draft = make_draft(organisation=acme, account=account, plan=plan, created_by=alice, region="eu-north-1")

    answer = signed_in.post(page("instance_new_place", draft.pk), {"account": str(account.pk), "region": "aws:eu-west-1"}, follow=True)

    assert said in words(answer)
    draft.refresh_from_db()
    assert draft.region == "eu-north-1"


def test_room_that_is_gone_by_the_last_page_makes_nothing(signed_in, account, plan, acme, alice):
    draft = make_draft(organisation=acme, account=account, plan=plan, created_by=alice)
    make_cell(account=account, state=CellState.FAILED)

    answer = signed_in.post(page("instance_new_check", draft.pk), follow=True)

    assert words(answer).count("The deployment cell in this region has failed.") == 1
    assert not Instance.objects.exists()


def test_name_taken_meanwhile_is_said_and_makes_nothing(signed_in, account, plan, acme, alice):
    make_cell(account=account)
    draft = make_draft(organisation=acme, account=account, plan=plan, created_by=alice, name="orders-prod")
    make_instance(account=account, name="orders-prod")

    answer = signed_in.post(page("instance_new_check", draft.pk), follow=True)

    assert "Another instance of your organisation has this name." in answer.text
    assert Instance.objects.count() == 1


def test_plan_taken_from_the_offer_ends_its_drafts_kindly(signed_in, account, plan, acme, alice):
    draft = make_draft(organisation=acme, account=account, plan=plan, created_by=alice)
    plan.releases.update(is_offered=False)

    for name in ("instance_new_place", "instance_new_settings", "instance_new_check"):
        answer = signed_in.get(page(name, draft.pk), follow=True)
        assert answer.redirect_chain[-1][0] == page("instance_new_plan", draft.pk)
        assert "This plan has nothing to offer now. Choose another one." in answer.text


def test_without_a_connected_account_the_way_to_one_is_shown(signed_in, plan, acme, alice):
    draft = InstanceDraft.objects.create(organisation=acme, plan=plan, created_by=alice)

    assert "No connected account for this plan" in signed_in.get(page("instance_new_place", draft.pk)).text


def test_page_of_an_account_leads_to_its_own_instance(signed_in, account, plan):
    make_cloud_account(organisation=account.organisation, state="connected", name="Another", external_id="999988887777")
    assert f"{page('instance_new')}?account={account.pk}" in signed_in.get(account.get_absolute_url()).text

    signed_in.post(f"{page('instance_new')}?account={account.pk}", {"plan": "orders"})

    form = signed_in.get(page("instance_new_place", InstanceDraft.objects.get().pk)).context["form"]
    assert str(form["account"].value()) == str(account.pk)


# --- One instance ----------------------------------------------------------------------------------------------------


def test_instance_page_shows_endpoints_cell_and_revision(signed_in, account):
    cell = make_cell(account=account, name="Main in eu-west-1")
    endpoints = [{"name": "web", "url": "https://orders-prod.cell.example"}]
    instance = make_instance(cell=cell, name="orders-prod", endpoints=endpoints, applied_revision=1)

    shown = words(signed_in.get(instance.get_absolute_url()))

    for said in ("https://orders-prod.cell.example", "Main in eu-west-1", "1, applied", str(instance.pk)):
        assert said in shown, said


def test_cell_with_many_instances_shows_the_first_and_leads_to_all(signed_in, account, monkeypatch):
    monkeypatch.setattr(cell_views, "INSTANCES_SHOWN", 2)
    cell = make_cell(account=account)
    plan = make_plan()
    for number in range(2):
        make_instance(cell=cell, plan=plan, name=f"orders-{number}")
    assert "See all instances of this cell" not in signed_in.get(cell.get_absolute_url()).text

    make_instance(cell=cell, plan=plan, name="orders-2")

    shown = signed_in.get(cell.get_absolute_url()).text
    assert "orders-1" in shown
    assert "orders-2" not in shown
    there = html.unescape(re.search(r'href="([^"]+)">See all instances of this cell', shown)[1])
    assert "orders-2" in signed_in.get(there).text


def test_history_says_who_what_and_from_which_to_which(signed_in, account, alice, bob):
    plan = make_plan(parameters=SCHEMA)
    instance = make_instance(cell=make_cell(account=account), plan=plan, created_by=bob, applied_revision=1)
    newer = make_release(plan=instance.plan, version="1.1.0")
    modify_instance(instance, size=instance.plan.sizes.get(), parameters={"edition": "enterprise"}, by=alice)
    Instance.objects.update(state=InstanceState.RUNNING)
    Operation.objects.update(state="succeeded", next_run_at=None, ended_at=timezone.now())
    upgrade_instance(Instance.objects.get(), release=newer, by=bob)

    shown = words(signed_in.get(page("instance_configuration", instance.pk)))

    for said in ("Version: 1.0.0 to 1.1.0", "Edition: none to enterprise", "Alice", "Bob", "runs now"):
        assert said in shown, said


def test_who_may_only_read_is_offered_no_act(client, account, acme):
    client.force_login(make_membership(organisation=acme, role=Role.AUDITOR).user)
    instance = make_instance(cell=make_cell(account=account))

    for there in (instance.get_absolute_url(), instance.cell.get_absolute_url()):
        assert "What you can do" not in client.get(there).text


# --- One cell --------------------------------------------------------------------------------------------------------


def test_cell_shows_three_axes_parts_and_differences(signed_in, account):
    part = {
        "name": "Cluster",
        "kind": "AWS::EKS::Cluster",
        "made": "byoc-x",
        "state": "ready",
        "detail": "",
        "link": "https://console.example",
    }
    difference = {"name": "Cluster", "kind": "AWS::EKS::Cluster", "path": "/Version", "expected": "1.31", "found": "1.30"}
    cell = make_cell(account=account, parts=[part], drift=Drift.DRIFTED, differences=[difference])
    make_status(cell, nodes=2, ready=1)

    overview, resources = (words(signed_in.get(page(name, cell.pk))) for name in ("cell_detail", "cell_resources"))

    for said in ("Degraded", "Connected", "Drifted", "1 of 2 ready"):
        assert said in overview, said
    for said in ("AWS::EKS::Cluster", "https://console.example", "/Version", "1.31", "1.30"):
        assert said in resources, said


def test_cell_of_another_organisation_is_not_there(signed_in):
    theirs = make_cell(account=make_cloud_account(organisation=make_organisation(slug="initech"), state="connected"))

    assert signed_in.get(page("cell_detail", theirs.pk)).status_code == HTTPStatus.NOT_FOUND
