"""The way to a connected account in the other clouds, by the page's own links and commands, in the played Cloud Shell and Azure portal.

The first cloud's journey (`test_connect.py`) has the worker, the mistakes and the stranger; here a worker's look is made by the test.
"""

import re
from types import SimpleNamespace

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.actions.connect import issue_kit
from accounts.kit_links import kit_links
from accounts.models import CloudAccount, Organisation, User
from portal.operations.driver import advance
from portal.operations.models import Operation
from tests.browser.steps import answer_until_kit, read_command, run_in_shell, sign_in, start_connecting
from tests.browser.test_accessibility import examine, look_at_all
from tests.clouds.azure.account import SUBSCRIPTION, TENANT
from tests.hands import HANDS, make_account

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def clouds(portal, sandbox, live_server, settings, monkeypatch):
    """The portal knows the played consoles, and kits can tell it that they have run."""
    for cloud in ("azure", "gcp"):
        for name, value in HANDS[cloud].environment(sandbox).items():
            monkeypatch.setenv(name, value)
    settings.PORTAL_URL = live_server.url
    consoles = {"azure": f"{sandbox.console_url}/azure", "gcp": f"{sandbox.console_url}/shell/gcp"}
    settings.CONSOLE_URLS = {**settings.CONSOLE_URLS, **consoles}
    return SimpleNamespace(portal=portal, sandbox=sandbox)


def answer(page: Page, cloud: str, **answers: str) -> None:
    """From Home to the kit."""
    start_connecting(page, cloud)
    page.get_by_label("What does your team call this account?").fill("Data")
    for label, text in answers.items():
        page.get_by_label(label.replace("_", " "), exact=True).fill(text)
    page.get_by_role("button", name="Continue").click()
    answer_until_kit(page)


def watch(page: Page) -> None:
    page.get_by_role("link", name=re.compile("^I have started it")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Connecting Data")


def see_it_connected(page: Page) -> None:
    """A worker looks; the page moves on by itself, and its last page is good in every look."""
    advance(Operation.objects.get(kind="connect_cloud_account").pk)
    page.wait_for_url("**/connect/done/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Data is connected")
    assert examine(page) == []


def test_owner_connects_a_google_cloud_project_by_cloud_shell(clouds, page):
    sign_in(page, clouds.portal, "owner@acme.example")
    answer(page, "Google Cloud project", Project_id="acme-data-prod", Project_number="123456789012")

    run_in_shell(page, "Open Cloud Shell (opens in a new tab)")
    watch(page)
    see_it_connected(page)


def test_owner_connects_an_azure_subscription_by_cloud_shell(clouds, page):
    sign_in(page, clouds.portal, "owner@acme.example")
    answer(page, "Azure subscription", Subscription_ID=SUBSCRIPTION, Tenant_ID=TENANT)

    run_in_shell(page, "Open Azure Cloud Shell (opens in a new tab)", project=SUBSCRIPTION)
    watch(page)
    see_it_connected(page)


def test_owner_connects_an_azure_subscription_by_its_portal_and_pastes_the_ids(clouds, page):
    # The portal registers what a template needs; the played one leaves that to us.
    clouds.sandbox.control("PATCH", "azure/subscriptions", {"id": SUBSCRIPTION, "registered": ["Microsoft.ManagedIdentity"]})
    sign_in(page, clouds.portal, "owner@acme.example")
    answer(page, "Azure subscription", Subscription_ID=SUBSCRIPTION, Tenant_ID=TENANT)
    page.get_by_role("navigation", name="How to run the kit").get_by_role("link", name="Azure portal").click()
    parameters = read_command(page, "Parameters")

    with page.expect_popup() as opened:
        page.get_by_role("link", name="Deploy to Azure (opens in a new tab)").click()
    ids = deploy(opened.value, parameters)
    watch(page)
    page.get_by_label("Client IDs").fill(ids)
    page.get_by_role("button", name="Look now").click()
    see_it_connected(page)


def deploy(azure: Page, parameters: str) -> str:
    """The page's parameters in the played Azure portal, to the outputs of the deployment."""
    azure.get_by_label("Which directory are you in?").select_option(TENANT)
    azure.get_by_role("button", name="Sign in").click()
    azure.get_by_text("Edit parameters").click()
    azure.get_by_label("Parameters file (JSON)").fill(parameters)
    azure.get_by_role("button", name="Save").click()
    azure.get_by_label("Subscription", exact=True).select_option(SUBSCRIPTION)
    azure.get_by_label("Region", exact=True).select_option("westeurope")
    for switch in ("allowChanges", "allowSupport"):
        azure.get_by_label(switch, exact=True).select_option("yes")
    azure.get_by_role("button", name="Review + create").click()
    azure.get_by_role("button", name="Create", exact=True).click()
    expect(azure.get_by_role("status").first).to_contain_text("Your deployment is complete", timeout=30_000)
    return "\n".join(azure.get_by_label(name, exact=True).input_value() for name in ("clientId", "supportClientId"))


@pytest.mark.parametrize("cloud", ["azure", "gcp"])
def test_wizard_pages_of_a_cloud(clouds, page, complaints, cloud):
    """As test_accessibility.py looks at those of the first cloud: every theme, on a phone and on a desk."""
    acme, owner, hand = Organisation.objects.get(slug="acme"), User.objects.get(email="owner@acme.example"), HANDS[cloud]
    draft = make_account(cloud, organisation=acme, external_id=hand.another_id, name="Draft")
    waiting = make_account(cloud, organisation=acme, name="Waiting")
    issue_kit(waiting, after_generation=0, by=owner)
    advance(Operation.objects.get().pk)
    routes = kit_links(waiting.kits.get()).routes
    paths = [_path(f"connect_{step}", draft) for step in ("account", "place", "review", "preflight")]
    paths += [f"{_path('connect_run', waiting)}?via={route}" for route in routes]
    paths += [_path(name, waiting) for name in ("connect_waiting", "connect_stop", "account_detail", "account_kit")]
    sign_in(page, clouds.portal, "owner@acme.example")

    look_at_all(page, clouds.portal, paths, complaints)

    waiting.kits.update(expires_at=timezone.now())
    Operation.objects.update(next_run_at=timezone.now())
    advance(Operation.objects.get().pk)
    assert Operation.objects.get().failure_code == "kit_expired"
    look_at_all(page, clouds.portal, [_path("connect_waiting", waiting)], complaints)


def _path(name: str, account: CloudAccount) -> str:
    return reverse(f"accounts:{name}", args=["acme", account.pk])
