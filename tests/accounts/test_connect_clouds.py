"""Every page of the wizard and of the account, for every cloud that has a kit: whatever a page asks of a kit, each kit gives."""

import html

import pytest
from django.urls import reverse

from accounts import kits
from accounts.actions.connect import issue_kit
from accounts.models.cloud_accounts import Cloud
from accounts.states import AccountState
from tests.factories import make_cloud_account

IDENTITIES = {
    "aws": {"external_id": "111122223333"},
    "gcp": {"external_id": "acme-data-prod", "identity": {"project_number": "123456789012"}},
    "azure": {
        "external_id": "22222222-aaaa-4aaa-8aaa-222222222222",
        "identity": {"tenant_id": "11111111-aaaa-4aaa-8aaa-111111111111"},
    },
}
WIZARD = ("account", "place", "review", "preflight")
PAGES = ("detail", "permissions", "kit", "activity", "record")


@pytest.fixture(params=Cloud.values)
def account(request, acme, client, alice):
    client.force_login(alice)
    region = kits.load(request.param).default_region
    return make_cloud_account(organisation=acme, cloud=request.param, home_region=region, **IDENTITIES[request.param])


def text(client, name, account, **query):
    answer = client.get(reverse(f"accounts:{name}", args=["acme", account.pk]), query)
    assert answer.status_code == 200, (name, answer.status_code)
    return html.unescape(answer.content.decode())


def test_every_cloud_has_a_kit_and_an_identity_here():
    assert set(Cloud.values) == set(kits.KITS) == set(IDENTITIES)


@pytest.mark.parametrize("step", WIZARD)
def test_connect_page_before_the_kit(client, account, step):
    words = kits.load(account.cloud).words
    shows = {"place": words.place_label, "preflight": account.name}.get(step, kits.load(account.cloud).identity_fields[0].label)

    assert str(shows) in text(client, f"connect_{step}", account)


def test_connect_pages_with_a_kit(client, account, alice):
    issue_kit(account, after_generation=0, by=alice)
    words = kits.load(account.cloud).words
    suffix = account.kits.get().suffix

    run = text(client, "connect_run", account)
    assert str(words.run_title) in run
    for route in client.get(reverse("accounts:connect_run", args=["acme", account.pk])).context["links"].routes:
        assert suffix in text(client, "connect_run", account, via=route)
    assert suffix in text(client, "connect_stop", account)
    assert str(words.report_label) in text(client, "connect_waiting", account)


@pytest.mark.parametrize("page", PAGES)
def test_account_page(client, account, alice, page):
    issue_kit(account, after_generation=0, by=alice)

    assert account.external_id in text(client, f"account_{page}", account)


def test_connect_done_page(client, account, alice):
    issue_kit(account, after_generation=0, by=alice)
    type(account).objects.update(state=AccountState.CONNECTED)

    assert account.external_id in text(client, "connect_done", account)


def test_account_kit_files_are_the_bytes_of_their_hash(client, account):
    for document in kits.load(account.cloud).documents:
        answer = client.get(reverse("accounts:account_kit_file", args=["acme", account.pk, document.file]))
        assert answer.content.decode() == document.text
    assert kits.load(account.cloud).documents[0].sha256 == kits.load(account.cloud).content_hash
