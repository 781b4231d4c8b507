"""What is said of a place, read aloud for each cloud."""

import pytest
from django.conf import settings

from accounts import kits
from cells import stacks
from cells.place_words import place_words
from cells.placement import Bootstrap, NoPlace, Refusal, Reuse, WaitFor
from cells.states import CellState
from tests.cells.factories import make_cell
from tests.factories import make_cloud_account

pytestmark = pytest.mark.django_db
PLACES = [("aws", "eu-west-1"), ("gcp", "europe-west3"), ("azure", "westeurope")]


@pytest.fixture(params=PLACES, ids=[cloud for cloud, _region in PLACES])
def place(request):
    """Cloud, region and an account whose kit was run for another region of that cloud."""
    cloud, region = request.param
    home = next(one.code for one in kits.load(cloud).regions if one.code != region)
    return cloud, region, make_cloud_account(name="Main", cloud=cloud, home_region=home, state="connected")


def test_new_cell_is_told_with_its_own_region_and_not_the_accounts(place):
    cloud, region, account = place

    told = place_words(Bootstrap(str(account.pk), region), cloud, region, account)

    assert told.sentence == (
        f"First creates a deployment cell in region {region} of Main. This adds about 30 minutes and the resources below. "
        "Later instances in that region and account run in the same cell."
    )
    assert (told.kind, list(told.parts)) == ("progress", list(stacks.load(cloud).parts()))
    assert account.home_region not in told.sentence


@pytest.mark.parametrize(
    ("placement", "state", "sentence"),
    [
        (Reuse, CellState.READY, "Runs in the deployment cell “Main, over there”, which is there already."),
        (WaitFor, CellState.BOOTSTRAPPING, "Waits until the deployment cell “Main, over there” has been created, and then runs in it."),
    ],
)
def test_cell_that_is_there_is_told_by_its_name(place, placement, state, sentence):
    cloud, region, account = place
    cell = make_cell(account=account, region=region, state=state, name="Main, over there")

    assert place_words(placement(str(cell.pk)), cloud, region, account).sentence == sentence


def test_place_at_the_providers_tells_nothing_of_its_cells(place):
    cloud, region, account = place
    cell = make_cell(account=account, region=region, name="of the provider")

    told = place_words(Reuse(str(cell.pk)), cloud, region, None)

    assert told.sentence == f"Runs in region {region}, in an account of {settings.PROVIDER_NAME}."


def test_place_that_only_the_kits_region_has_sends_nobody_to_connect_an_account_twice(place):
    """The portal refuses the same account a second time."""
    cloud, region, account = place

    told = place_words(NoPlace(Refusal.ONLY_WHERE_THE_KIT_IS), cloud, region, account)

    assert told.sentence == (
        "In this account a deployment cell can stand only where its kit was run. Choose such a region, or run the kit for this one too: "
        "open the account under Cloud accounts and choose “Use another location”. What you have answered here is kept."
    )


@pytest.mark.parametrize(
    ("cloud", "label"),
    [("aws", "Region for the kit"), ("gcp", "Home region of the project"), ("azure", "Location for the kit and the first cell")],
)
def test_kits_own_region_is_no_promise_of_where_cells_stand(cloud, label):
    kit = kits.load(cloud)

    assert str(kit.words.place_label) == label
    assert ("Cells in other locations are possible later" in str(kit.words.place_help)) == (not kit.cell_regions_are_free)
    assert "first cell" not in str(kit.words.place_help)
