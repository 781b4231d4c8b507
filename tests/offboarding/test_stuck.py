"""What holds a cell under an offboarding, in each cloud: named, retried, kept on purpose, and certified as what became of it."""

import html

import pytest

from cells.models import CellResource
from portal.audit.verify_certificate import check
from portal.operations.models import Operation
from tests.cells.living import drive_to_failure, drive_to_wait, let_time_pass, newest, turn
from tests.clouds.azure.account import SUBSCRIPTION
from tests.offboarding import recovering
from tests.offboarding.leaving import OFFBOARD, Leaver
from tests.offboarding.test_orders_and_faults import see
from tests.standing import SECOND

pytestmark = pytest.mark.django_db(transaction=True)
CLOUDS = ("aws", "azure", "gcp")
LOCK_VERSION = "2020-05-01"


@pytest.fixture
def leaver(stand, acme, alice, client, sandbox):
    return lambda cloud: Leaver(stand(cloud), acme, alice, client, sandbox)


def start_until_stuck(leaver: Leaver) -> None:
    leaver.start()
    drive_to_failure("delete_cell")
    leaver.until(row="stuck")
    assert leaver.states == ("offboarding", "stuck")


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_the_customer_attached_is_named_and_the_way_out_goes_on_once_it_is_let_go(cloud, leaver):
    leaver = leaver(cloud)
    holder = leaver.hand.do("hold")
    start_until_stuck(leaver)

    page = leaver.page()
    assert "Deployment cells that could not be removed completely: 1." in page
    left = list(leaver.cell.resources.remaining())
    assert left
    for row in left:
        assert row.made in page
    stuck = [row for row in left if row.is_stuck]
    assert [(row.held_by, row.evidence) for row in stuck if (f"Held by {row.held_by}" if row.held_by else row.evidence) not in page] == []
    assert all(row.evidence for row in stuck)
    assert "<?xml" not in page
    assert holder in page
    assert all(row.link in leaver.client.get(leaver.url()).text.replace("&amp;", "&") for row in stuck if row.link)
    assert page.count("Keep on purpose") >= len(left)
    assert leaver.removal_command().splitlines()[0] not in page
    assert (newest(OFFBOARD).state, newest(OFFBOARD).waiting_why) == ("waiting", "offboarding_stuck")

    # A retry while it is still held says so again, and asks the cloud for nothing twice.
    leaver.retry_deletion()
    drive_to_failure("delete_cell")
    leaver.until(row="stuck")
    assert Operation.objects.filter(kind="delete_cell").count() == 1

    leaver.hand.do("let_go")
    leaver.retry_deletion()
    leaver.until_ready()
    leaver.remove_kit()
    leaver.until_offboarded()
    document = check(leaver.row.certificate)
    assert document["totals"]["removed"] == document["totals"]["found"] > 0


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_is_held_is_kept_on_purpose_and_certified_as_kept(cloud, leaver, alice):
    leaver = leaver(cloud)
    leaver.hand.do("hold")
    start_until_stuck(leaver)

    leaver.keep_what_remains(why="Another team's network")
    leaver.until_ready()
    leaver.remove_kit()
    leaver.until_offboarded()

    document = check(leaver.row.certificate)
    kept = [one for region in document["regions"] for one in region["resources"] if one["outcome"] == "kept"]
    assert {(one["kept_by"], one["kept_why"]) for one in kept} == {(alice.email, "Another team's network")}
    assert document["totals"]["kept"] == len(kept) > 0
    assert document["totals"]["left"] == 0
    assert document["totals"]["removed"] + len(kept) == document["totals"]["found"]
    assert "Another team" in leaver.page("certificate_detail")


@pytest.mark.parametrize("cloud", CLOUDS)
def test_leftover_of_a_cell_stops_the_way_out_until_it_is_taken_away(cloud, leaver):
    """A disk or an address with our mark that no stack knows of: listed, never deleted on a guess."""
    leaver = leaver(cloud)
    made = leaver.hand.do("leave")
    leaver.start()
    let_time_pass(drive_to_wait("delete_cell", "leftovers_fading"), 4)
    drive_to_failure("delete_cell")
    leaver.until(row="stuck")
    (left,) = leaver.cell.resources.remaining()
    assert left.made.endswith(made)
    page = leaver.page()
    assert left.made in page
    assert "Open the deletion and retry it" in page

    leaver.hand.do("take_away")
    leaver.retry_deletion()
    leaver.until_ready()
    assert not CellResource.objects.remaining().exists()


def test_lock_on_azure_is_named_and_the_way_out_goes_on_once_it_is_lifted(leaver):
    leaver = leaver("azure")
    group = leaver.hand.made("cell-net").partition("/providers/")[0]
    owner = leaver.standing.hand.account.owner
    path = f"{group.partition(f'/subscriptions/{SUBSCRIPTION}')[2]}/providers/Microsoft.Authorization/locks/hands-off"
    assert owner("PUT", path, {"properties": {"level": "CanNotDelete"}}, version=LOCK_VERSION).status in {200, 201}
    start_until_stuck(leaver)

    page = leaver.page()
    assert "lock" in page.lower()
    assert leaver.removal_command().splitlines()[0] not in page

    assert owner("DELETE", path, version=LOCK_VERSION).status in {200, 204}
    leaver.retry_deletion()
    leaver.until_ready()
    leaver.remove_kit()
    leaver.until_offboarded()


def test_what_google_refuses_to_delete_is_told_in_its_words(leaver, sandbox):
    leaver = leaver("gcp")
    refusal = {"action": "delete", "type": "google_container_cluster", "status": 400, "count": 1}
    refusal["reason"] = "googleapi: Error 400: Cluster is running incompatible operation operation-1., failedPrecondition"
    sandbox.control("POST", "gcp/failures", refusal)
    start_until_stuck(leaver)

    assert "Cluster is running incompatible operation operation-1." in leaver.page()

    leaver.retry_deletion()
    leaver.until_ready()


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_deletion_that_failed_for_want_of_the_kit_goes_on_by_itself_once_it_is_back(cloud, leaver):
    leaver = leaver(cloud)
    leaver.hand.do("hold")
    leaver.start()
    leaver.until(account="offboarding")
    drive_to_failure("delete_cell")
    leaver.remove_kit()
    see(leaver)
    see(leaver, later=SECOND)
    turn(OFFBOARD)
    assert "The kit was removed before cleanup finished." in leaver.page()

    leaver.hand.do("let_go")
    run_lines_before_the_kit(leaver)
    leaver.run_recovery_kit()
    see(leaver)
    see(leaver, later=SECOND)
    assert leaver.row.state == "in_progress"

    leaver.until_ready()
    assert leaver.cell.state == "deleted"


def run_lines_before_the_kit(leaver: Leaver) -> None:
    """As the page has them, in the played shell of this cloud."""
    page = leaver.client.get(leaver.url()).text
    label = 'aria-label="Run before the kit"><code data-portal-copy-source>'
    if leaver.account.cloud == "aws":
        assert label not in page
        return
    command = html.unescape(page.partition(label)[2].partition("</code>")[0])
    recovering.run_lines(leaver, command)
