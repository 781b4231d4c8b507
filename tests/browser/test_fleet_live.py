"""Instances and their list in a real browser: a change comes by itself, is said aloud, and takes nobody's place on the page."""

import pytest
from playwright.sync_api import Page, expect

from accounts.access import Role
from cells.models import Instance
from cells.states import Health, InstanceState
from tests.browser.steps import sign_in
from tests.cells.factories import make_cell, make_instance
from tests.cells.lists import make_status
from tests.factories import make_cloud_account, make_membership, make_organisation, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PATIENCE = 20_000  # milliseconds: two polls


@pytest.fixture
def instance(live_server):
    acme = make_organisation(name="Acme", slug="acme")
    make_membership(organisation=acme, user=make_user(email="mia@acme.example", name="Mia"), role=Role.OWNER)
    cell = make_cell(account=make_cloud_account(organisation=acme, state="connected", name="Main"))
    make_status(cell)
    return make_instance(cell=cell, name="orders", state=InstanceState.DEPLOYING)


@pytest.fixture
def server(live_server, instance, page: Page):
    address = live_server.url.replace("127.0.0.1", "localhost")
    sign_in(page, address, "mia@acme.example")
    return address


def run(instance):
    Instance.objects.filter(pk=instance.pk).update(state=InstanceState.RUNNING, health=Health.HEALTHY, health_at=instance.created_at)


def test_page_of_an_instance_follows_it_with_badge_acts_and_words(server, instance, page):
    page.goto(server + instance.get_absolute_url())
    expect(page.locator("#instance-state")).to_contain_text("Deploying")
    page.locator("#act-delete").focus()

    run(instance)

    expect(page.locator("#announcer")).to_have_text("orders is running now.", timeout=PATIENCE)
    expect(page.locator("#instance-state")).to_contain_text("Running")
    expect(page.get_by_role("link", name="Restart")).to_be_visible()
    expect(page.locator("#instance-live")).to_have_attribute("hx-trigger", "every 30s")
    assert page.evaluate("document.activeElement.id") == "act-delete"


def test_list_says_which_instance_has_changed(server, instance, page):
    page.goto(f"{server}/o/acme/instances/")
    expect(page.locator("#fleet-list")).to_contain_text("Deploying")

    run(instance)

    expect(page.locator("#announcer")).to_have_text("orders: Running, Healthy.", timeout=PATIENCE)
