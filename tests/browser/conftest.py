"""Headless Chromium for the journeys: one browser a run, one fresh context a test, and a console that stays silent."""

from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from portal.embedded import chromium

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


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page on which every script error and every refusal of the content policy fails the test."""
    said: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    yield page
    assert [text for text in said if not text.startswith(HINTS) and "the server responded with a status of" not in text] == []


@pytest.fixture
def violations() -> Callable[[Page], list[str]]:
    """What axe finds on a page, as `rule: element`."""

    def look(page: Page) -> list[str]:
        found = Axe().run(page).response["violations"]
        return [f"{violation['id']}: {node['target']}" for violation in found for node in violation["nodes"]]

    return look
