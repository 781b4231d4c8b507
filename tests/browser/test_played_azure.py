"""A Deploy-to-Azure link, as Azure writes it: what to deploy stands behind the #, where only a script can read it."""

from urllib.parse import parse_qs, quote, urlsplit

from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import watched
from tests.local_cloud import LocalCloud

TEMPLATE = "https://fernhill-kits.s3.us-east-1.amazonaws.com/kits/azure/1.0.0/kit.json"


def test_deploy_link_opens_the_template(context: BrowserContext, sandbox: LocalCloud, complaints: list[str]) -> None:
    page = watched(context.new_page(), complaints)

    page.goto(f"{sandbox.console_url}/azure/deploy#create/Microsoft.Template/uri/{quote(TEMPLATE, safe='')}")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("heading", name="Custom deployment")).to_be_visible()
    assert parse_qs(urlsplit(page.url).query) == {"template": [TEMPLATE]}
