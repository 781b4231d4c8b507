"""What provider staff see of the fleet, read-only, and what they change of the offer, each time with a reason."""

import json
from http import HTTPStatus

import pytest
from django.contrib import admin
from django.urls import reverse

from cells.models import Cell, HostingAccount, Instance, Plan, PlanSize, Release
from portal.audit.models import Event
from tests.activity import assert_no_event
from tests.cells.factories import make_cell, make_instance, make_plan
from tests.cells.lists import make_status
from tests.factories import make_cloud_account, make_organisation
from tests.portal.test_admin_site import make_staff, sign_in

FLEET = [Cell, Instance]
OFFER = [Plan, Release, HostingAccount]
SIZE = {"code": "small", "name": "Small", "cpu": "500", "memory": "512", "storage": "0", "cost_from": "40", "cost_to": "60"}
SIZE |= {"currency": "USD", "position": "0"}
PLAN = {"code": "orders", "name": "Orders", "summary": "Orders of your shop.", "hosting": "customer", "tenancy": "dedicated"}
PLAN |= {"regions": '{"aws": []}', "parameters": "{}", "is_published": "on", "reason": "Case 4711"}
FORMSET = {"sizes-TOTAL_FORMS": "1", "sizes-INITIAL_FORMS": "0", "releases-TOTAL_FORMS": "0", "releases-INITIAL_FORMS": "0"}


@pytest.fixture
def office(client, db):
    sign_in(client, make_staff(email="sam@fernhill.example"))
    return client


def place(model, page, *args):
    return reverse(f"admin:cells_{model._meta.model_name}_{page}", args=args)


def plan_form(**values):
    return PLAN | FORMSET | {f"sizes-0-{name}": value for name, value in SIZE.items()} | values


def errors(response):
    form = response.context["adminform"].form
    return {name: list(map(str, found)) for name, found in form.errors.items()}


@pytest.mark.parametrize("model", [*FLEET, *OFFER])
def test_changelist_has_three_filters_a_search_and_facets(model):
    model_admin = admin.site._registry[model]

    assert len(model_admin.list_filter) >= 3
    assert model_admin.search_fields
    assert model_admin.search_help_text
    assert model_admin.show_facets == admin.ShowFacets.ALLOW


@pytest.mark.parametrize("model", FLEET)
def test_changelist_of_a_hundred_rows_takes_twelve_queries(model, office, django_assert_max_num_queries):
    plan = make_plan()
    for number in range(100):
        cell = make_cell(account=make_cloud_account(state="connected", external_id=f"{number:012}"))
        make_instance(cell=cell, plan=plan)
        make_status(cell)

    with django_assert_max_num_queries(12):
        page = office.get(place(model, "changelist"), {"q": "eu-west"})

    assert len(page.context["cl"].result_list) == 100


@pytest.mark.parametrize("model", FLEET)
def test_fleet_is_only_read(model, office):
    row = make_instance(cell=make_cell())
    pk = row.pk if model is Instance else row.cell_id

    assert office.get(place(model, "change", pk)).status_code == HTTPStatus.OK
    with assert_no_event():
        assert office.post(place(model, "change", pk), {}).status_code == HTTPStatus.FORBIDDEN
        assert office.post(place(model, "add"), {}).status_code == HTTPStatus.FORBIDDEN
        assert office.post(place(model, "delete", pk), {"post": "yes"}).status_code == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize(("link", "seconds"), [("connected", 5), ("stale", 100), ("offline", 400), ("never", None)])
def test_cells_filter_by_link_as_pages_show_it(link, seconds, office):
    for number, age in enumerate((5, 100, 400, None)):
        cell = make_cell(account=make_cloud_account(state="connected", external_id=f"{number:012}"), name=f"age {age}")
        if age:
            make_status(cell, seconds=age)

    shown = office.get(place(Cell, "changelist"), {"link": link}).context["cl"].queryset

    assert [cell.name for cell in shown] == [f"age {seconds}"]


@pytest.mark.parametrize(("seconds", "state", "words"), [(5, "running", "Healthy"), (400, "running", "Not heard"), (5, "stopped", "–")])
def test_instances_are_listed_with_what_is_known_of_them_now(seconds, state, words, office):
    cell = make_cell(account=make_cloud_account(state="connected"))
    make_status(cell, seconds=seconds)
    make_instance(cell=cell, name="orders", state=state, health="healthy")

    text = " ".join(office.get(place(Instance, "changelist")).text.split())

    assert f'<td class="field-health_words">{words}</td>' in text
    assert '<td class="field-place">AWS eu-west-1</td>' in text


@pytest.mark.parametrize(
    ("values", "link", "drift"),
    [
        ({"drift": "in_sync"}, "Connected", "In sync"),
        ({"is_agent_disabled": True}, "Switched off by the customer", "Not compared yet"),
        ({"state": "deleted", "drift": "in_sync"}, "–", "–"),
    ],
)
def test_cells_are_listed_with_words_for_staff(values, link, drift, office):
    make_status(make_cell(**values), seconds=5)

    page = " ".join(office.get(place(Cell, "changelist")).text.split())

    assert f'<td class="field-agent_link">{link}</td><td class="field-drift_words">{drift}</td>' in page
    assert "Disabled by you" not in page


def test_instances_filter_by_the_clouds_name(office):
    make_instance(name="in aws")
    make_instance(name="in gcp", account=make_cloud_account(cloud="gcp", state="connected", external_id="orders-live-1"))

    page = office.get(place(Instance, "changelist"), {"cloud": "gcp"})

    assert [instance.name for instance in page.context["cl"].result_list] == ["in gcp"]
    assert ">Google Cloud</a>" in " ".join(page.text.split()).replace("> ", ">").replace(" <", "<")


@pytest.mark.parametrize("model", FLEET)
def test_what_has_failed_says_why_in_its_list(model, office):
    cell = make_cell(state="failed", failed_while="bootstrapping", failure_code="quota_exceeded")
    make_instance(cell=cell, state="failed", failed_while="creating", failure_code="quota_exceeded")

    assert "Failed (quota_exceeded)" in office.get(place(model, "changelist")).text


# --- The offer -------------------------------------------------------------------------------------------------------


def test_plan_is_added_with_its_sizes_and_a_reason(office):
    response = office.post(place(Plan, "add"), plan_form())

    assert response.status_code == HTTPStatus.FOUND, errors(response)
    plan = Plan.objects.get()
    assert (plan.code, [size.code for size in plan.sizes.all()]) == ("orders", ["small"])
    event = Event.objects.filter(action="plan.created").get()
    assert (event.organisation_id, event.details["reason"], event.subject_label) == (None, "Case 4711", "Orders")


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"reason": ""}, "reason", "required"),
        ({"regions": '["aws"]'}, "regions", "Write an object"),
        ({"regions": '{"moon": []}'}, "regions", "no cloud “moon”"),
        ({"regions": '{"aws": ["eu-nowhere-1"]}'}, "regions", "no region “eu-nowhere-1”"),
        ({"tenancy": "shared"}, "tenancy", "choose dedicated"),
        ({"parameters": '{"type": "array"}'}, "parameters", "an object with properties"),
        ({"parameters": '{"type": 7}'}, "parameters", "no JSON Schema"),
        (
            {"parameters": json.dumps({"type": "object", "properties": {"key": {"type": "string", "format": "password"}}})},
            "parameters",
            "“key” is a secret",
        ),
        ({"parameters": json.dumps({"type": "object", "properties": {"x": {"type": "object"}}})}, "parameters", "no field exists"),
    ],
)
def test_plan_that_no_customer_could_use_is_refused(values, field, words, office):
    response = office.post(place(Plan, "add"), plan_form(**values))

    assert words in " ".join(errors(response)[field])
    assert Plan.objects.count() == 0
    assert not Event.objects.filter(action__startswith="plan.").exists()


def test_size_in_use_keeps_its_figures_and_changes_its_price(office):
    instance = make_instance(cell=make_cell())
    plan, size = instance.plan, instance.plan.sizes.get()
    form = plan_form(code=plan.code, name=plan.name) | {
        "sizes-INITIAL_FORMS": "1",
        "sizes-0-id": str(size.pk),
        "sizes-0-plan": str(plan.pk),
    }

    response = office.post(place(Plan, "change", plan.pk), form | {"sizes-0-cpu": "9000", "sizes-0-cost_to": "99"})

    assert response.status_code == HTTPStatus.FOUND, errors(response)
    size.refresh_from_db()
    assert (size.cpu, size.cost_to) == (500, 99)
    assert "sizes Small" in Event.objects.get(action="plan.changed").details["fields"]


def test_release_is_published_once_and_then_only_taken_from_the_offer(office):
    plan = make_plan()
    release = {"plan": str(plan.pk), "version": "1.5.0", "chart": "oci://registry.example/orders", "chart_version": "1.5.0"}
    release |= {"is_offered": "on", "reason": "New version", "notes": ""}

    refused = office.post(place(Release, "add"), release | {"digest": "abc"})
    assert "64 letters and digits" in " ".join(errors(refused)["digest"])
    added = office.post(place(Release, "add"), release | {"digest": "a" * 64})
    assert added.status_code == HTTPStatus.FOUND, errors(added)
    made = Release.objects.get(version="1.5.0")

    office.post(place(Release, "change", made.pk), {"version": "9.9.9", "digest": "b" * 64, "notes": "Withdrawn", "reason": "A fault"})

    made.refresh_from_db()
    assert (made.version, made.digest, made.is_offered, made.notes) == ("1.5.0", "a" * 64, False, "Withdrawn")
    assert [event.action for event in Event.objects.filter(subject_kind="release").order_by("sequence")] == [
        "release.published",
        "release.changed",
    ]


def test_hosting_account_is_opened_in_the_sight_of_who_connected_it(office):
    hoster = make_organisation(name="Fernhill Hosting", slug="fernhill-hosting")
    account = make_cloud_account(organisation=hoster, state="connected")
    draft = make_cloud_account(organisation=hoster, state="draft")
    form = {"hosting": "provider", "is_open": "on", "reason": "Orders Cloud"}

    refused = office.post(place(HostingAccount, "add"), form | {"account": str(draft.pk)})
    assert "Connect this account first." in errors(refused)["account"]
    added = office.post(place(HostingAccount, "add"), form | {"account": str(account.pk)})

    assert added.status_code == HTTPStatus.FOUND, errors(added)
    event = Event.objects.get(action="hosting_account.opened")
    assert (event.organisation_id, event.details["reason"], event.subject_id) == (hoster.pk, "Orders Cloud", str(account.pk))


@pytest.mark.parametrize("model", OFFER)
def test_nothing_of_the_offer_is_deleted(model, office):
    instance = make_instance(cell=make_cell())
    host = HostingAccount.objects.create(account=make_cloud_account(state="connected"), hosting="provider")
    row = {Plan: instance.plan, Release: instance.plan.releases.get(), HostingAccount: host}[model]

    assert office.get(place(model, "change", row.pk)).status_code == HTTPStatus.OK
    assert office.post(place(model, "delete", row.pk), {"post": "yes"}).status_code == HTTPStatus.FORBIDDEN
    assert model.objects.filter(pk=row.pk).exists()
    assert PlanSize.objects.exists()
