"""The operation page in a real browser: it follows the work by itself, and leaves the reader in peace."""

import re

import pytest
from playwright.sync_api import Page, expect

from accounts.access import Role
from portal.operations.models import StepLog
from portal.operations.outcomes import Done, Fail, Wait
from portal.operations.states import Party
from tests.browser.steps import sign_in
from tests.factories import make_membership, make_organisation, make_user
from tests.portal.operations.operation_kinds import advance, begin, scripted

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WAIT = Wait(60, on=Party.YOU, why="x")
POLLED = re.compile(r"/progress/")


@pytest.fixture
def acme(live_server):
    organisation = make_organisation(name="Acme", slug="acme")
    make_membership(organisation=organisation, user=make_user(email="mia@acme.example", name="Mia"), role=Role.OWNER)
    return organisation


@pytest.fixture
def server(live_server, acme, page: Page):
    address = live_server.url.replace("127.0.0.1", "localhost")
    sign_in(page, address, "mia@acme.example")
    return address


def test_page_follows_the_operation_and_keeps_the_reader_s_place(server, acme, page):
    operation = begin(
        scripted(first=Done(), second=[WAIT, Done()], third=Fail("internal_error", evidence="AccessDenied")), organisation=acme
    )
    advance(operation)
    StepLog.objects.create(step=operation.steps.get(position=1), line="Made it")
    page.goto(server + operation.get_absolute_url())
    page.get_by_text("Log of “Step first”", exact=True).click()
    page.locator("#operation-cancel").focus()

    with page.expect_response(lambda response: POLLED.search(response.url) and response.status == 204):
        pass
    with page.expect_response(lambda response: POLLED.search(response.url) and response.status == 200):
        type(operation).objects.update(version=50)

    expect(page.get_by_text("Made it")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "operation-cancel"

    advance(operation)
    expect(page.get_by_text("Failed at step 3 of 3: Step third.").first).to_be_visible()
    expect(page).to_have_title(re.compile("^Failed – Scripted work – The thing"))
    expect(page.locator("#announcer")).to_have_text("Failed at step 3 of 3: Step third.")
    assert "mark-failed" in page.locator("#favicon").get_attribute("href")
    assert page.locator("[hx-trigger]").count() == 0
    expect(page.get_by_role("button", name="Pause live updates")).to_have_count(0)

    page.get_by_role("button", name="Retry this step").click()
    expect(page.get_by_text("Queued. It starts by itself within seconds.")).to_be_visible()
    assert operation.steps.count() == 4


def test_updates_pause_when_the_reader_says_so(server, acme, page):
    operation = begin(scripted(only=WAIT), organisation=acme)
    advance(operation)
    page.goto(server + operation.get_absolute_url())
    page.get_by_role("button", name="Pause live updates").click()
    advance(operation)
    type(operation).objects.update(version=50)
    asked = []
    page.on("response", lambda response: asked.append(response.url) if POLLED.search(response.url) else None)
    page.wait_for_timeout(3500)
    assert asked == []

    with page.expect_response(POLLED):
        page.get_by_role("button", name="Resume live updates").click()


def test_check_again_stays_on_the_page_and_makes_it_due(server, acme, page):
    operation = begin(scripted(only=WAIT), organisation=acme)
    advance(operation)
    page.goto(server + operation.get_absolute_url())

    with page.expect_response(re.compile("/check/")):
        page.get_by_role("button", name="Check again").click()

    expect(page.get_by_text("Checking now…")).to_be_visible()
    assert type(operation).objects.due().get() == operation


def test_clock_of_a_running_step_ticks(server, acme, page):
    operation = begin(scripted(only=WAIT), organisation=acme)
    advance(operation)
    page.goto(server + operation.get_absolute_url())
    clock = page.locator("[data-portal-since]")
    first = clock.text_content()
    expect(clock).not_to_have_text(first)
    assert clock.evaluate("element => element.closest('[aria-live], [role=status]')") is None
