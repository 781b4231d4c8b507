"""Headless Chromium for the journeys: one browser a run, one fresh context a test, and a console that stays silent."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import StringIO
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from portal.embedded import chromium
from tests.local_cloud import LocalCloud

# Hints of Chromium about its own heuristics, no faults of the page.
HINTS = ("[DOM]", "Autofocus processing was blocked")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = chromium.find()
    if program is None:
        pytest.skip("No Chromium: install it, or set PORTAL_CHROMIUM to its program.")
    # Playwright's loop runs in this thread, and Django would take that for asynchronous code.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        launched = playwright.chromium.launch(executable_path=str(program), args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, timezone_id="Europe/Berlin", permissions=["clipboard-read", "clipboard-write"]
    )
    context.set_default_timeout(10_000)
    yield context
    context.close()


def is_fault(text: str) -> bool:
    """Whether what the console says is the page's fault; the status of an answer is the test's own business."""
    return not text.startswith(HINTS) and "the server responded with a status of" not in text


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """Script errors and refusals of the content policy, on any watched page: one is enough to fail the test."""
    said: list[str] = []
    yield said
    assert [text for text in said if is_fault(text)] == []


def watched(page: Page, complaints: list[str]) -> Page:
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    return page


@pytest.fixture
def page(context: BrowserContext, complaints: list[str]) -> Page:
    return watched(context.new_page(), complaints)


@pytest.fixture
def portal(live_server: Any, sandbox: LocalCloud, monkeypatch: pytest.MonkeyPatch, settings: Any) -> str:
    """The portal's address (passkeys need `localhost`), as the demo has it: its people, its kits published, nothing connected yet."""
    from django.core.management import call_command

    from tests.browser.steps import DEMO_SECRET
    from tests.factories import PASSWORD

    # The clock may turn over to the next code between reading and typing.
    settings.MFA_TOTP_TOLERANCE = 1
    monkeypatch.setenv("PORTAL_DEMO_PASSWORD", PASSWORD)
    monkeypatch.setenv("PORTAL_DEMO_TOTP_SECRET", DEMO_SECRET)
    call_command("load_demo", quiet=True)
    with monkeypatch.context() as provider:
        provider.setenv("AWS_ENDPOINT_URL", sandbox.customer_url)
        provider.setenv("AWS_ACCESS_KEY_ID", "999988887777")
        provider.setenv("AWS_SECRET_ACCESS_KEY", "of-the-local-aws")
        call_command("publish_kits", stdout=StringIO())
    return str(live_server.url).replace("127.0.0.1", "localhost")


@pytest.fixture
def visit(browser: Browser, portal: str, complaints: list[str]) -> Iterator[Callable[..., Page]]:
    """Another device: `visit("owner@globex.example")` is a page in a browser context of its own, signed in."""
    from tests.browser.steps import sign_in

    with ExitStack() as contexts:

        def visit(email: str, *, leads_to: str = "", **options: Any) -> Page:
            context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
            context.set_default_timeout(10_000)
            contexts.callback(context.close)
            page = watched(context.new_page(), complaints)
            sign_in(page, portal, email, leads_to=leads_to)
            return page

        yield visit


@pytest.fixture
def violations() -> Callable[[Page], list[str]]:
    """What axe finds on a page, as `rule: element`."""

    def look(page: Page) -> list[str]:
        found = Axe().run(page).response["violations"]
        return [f"{violation['id']}: {node['target']}" for violation in found for node in violation["nodes"]]

    return look
