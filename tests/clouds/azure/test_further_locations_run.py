"""A further location as the customer adds it and gives it back: the commands of the pages, in the played Cloud Shell."""

from dataclasses import replace

import pytest

from accounts.kits.azure.kit import AzureKit
from accounts.kits.azure.names import vault_name
from accounts.kits.base import Publication
from tests.clouds.azure.account import SUBSCRIPTION
from tests.clouds.azure.browser import Browser
from tests.clouds.azure.played import PlayedAzure
from tests.clouds.azure.test_kit import BUCKET, KIT, OWNER, portal, run, shop, works

__all__ = ["portal", "shop"]  # fixtures
AWAY = "northeurope"
AWAY_VAULT = vault_name("3f9a1c2e", SUBSCRIPTION, AWAY)
PUBLISHED = Publication(BUCKET, "us-east-1", "", "")


def shell(shop: PlayedAzure) -> Browser:
    browser = Browser(shop.account.sandbox)
    browser.sign_in_to_shell(OWNER, SUBSCRIPTION)
    return browser


@pytest.fixture
def connected(shop: PlayedAzure) -> PlayedAzure:
    report = KIT.read_report(run(shop)[1])
    assert report is not None
    shop.target = replace(shop.target, reported=dict(report.values))
    return shop


def add(stand: PlayedAzure, place: str = AWAY, more: str = "") -> tuple[int, str]:
    return shell(stand).run(AzureKit().place_command(stand.target, PUBLISHED, place) + more)


def test_command_of_the_page_adds_a_location_and_leaves_the_switches(connected: PlayedAzure) -> None:
    assert run(connected, more=" --allow-support no")[0] == 0

    code, said = add(connected)

    assert code == 0, said
    assert "Deploying byoc-3f9a1c2e-g1-kit for a cell in westeurope." in said
    assert "Deploying byoc-3f9a1c2e-g1-kit for a cell in northeurope." in said
    report = connected.adapter().describe_kit()
    assert (list(report.places), report.switches) == ([AWAY], {"AllowChanges": "yes", "AllowSupport": "no"})
    connected.target = replace(connected.target, places=(AWAY,))
    assert run(connected, more=" --allow-support yes")[0] == 0
    works(connected)


def test_malformed_location_is_refused_before_anything_is_changed(connected: PlayedAzure) -> None:
    code, said = add(connected, more=" --add-region North_Europe")

    assert (code, "--region is missing or malformed" in said) == (1, True)
    assert list(connected.adapter().describe_kit().places) == []


def test_kit_that_follows_covers_every_location_in_one_command(connected: PlayedAzure) -> None:
    assert add(connected)[0] == 0
    following = replace(connected.target, suffix="3f9a1c2e-g2", generation=2, places=(AWAY,))
    # An old no on the group of a further location is not the customer's word of today.
    assert run(connected, more=" --allow-changes no")[0] == 0
    assert add(connected)[0] == 0
    assert run(connected, more=" --allow-changes yes")[0] == 0

    connected.target = following
    report = KIT.read_report(run(connected)[1])

    assert report is not None
    connected.target = replace(following, reported=dict(report.values))
    works(connected)
    assert list(connected.adapter().describe_kit().places) == [AWAY]


def test_location_is_given_back_and_taken_again_once_its_vault_is_purged(connected: PlayedAzure) -> None:
    assert add(connected)[0] == 0
    target = replace(connected.target, places=(AWAY,))
    given_back = AzureKit().place_removal_command(target, AWAY)

    code, said = shell(connected).run(given_back)

    assert code == 0, said
    works(connected)
    report = connected.adapter(places=(AWAY,)).describe_kit()
    assert (list(report.places), list(report.gone)) == ([], [AWAY])
    left = [entry["name"] for entry in connected.read("/resources")["value"] if "northeurope" in str(entry)]
    assert left == []

    # Azure keeps the vault, and with it its name, until somebody purges it.
    code, said = add(connected)
    assert code == 1
    assert "already exists in deleted state" in said
    purge = given_back.splitlines()[-1].removeprefix("# ")
    assert purge == f"az keyvault purge --subscription {SUBSCRIPTION} --name {AWAY_VAULT}"
    assert shell(connected).run(purge)[0] == 0
    assert add(connected)[0] == 0
    assert list(connected.adapter().describe_kit().places) == [AWAY]


def test_whoever_leaves_removes_every_location(connected: PlayedAzure) -> None:
    assert add(connected)[0] == 0
    command = AzureKit().removal_command(replace(connected.target, places=(AWAY,)), is_last=True)
    assert "# The cells' resource groups go too, with their vaults." in command
    assert "# The cell's resource group goes too" in AzureKit().removal_command(connected.target, is_last=True)

    code, said = shell(connected).run(command)

    assert code == 0, said
    left = connected.account.control("GET", f"resources?under=/subscriptions/{SUBSCRIPTION}")
    assert [entry["id"] for entry in left if "3f9a1c2e" in entry["id"]] == []
