"""What stops a deletion, what it says remains, and that it is done in the end."""

import pytest

from cells.actions.cells import request_cell_deletion
from cells.actions.resources import keep_resources
from cells.states import CellState
from portal.operations.actions import request_retry
from portal.operations.availability import NotAllowed
from portal.operations.models import Operation
from portal.operations.states import OperationState
from tests.cells.living import drive, drive_to_failure, drive_to_wait, let_time_pass, newest

pytestmark = pytest.mark.django_db(transaction=True)
CLOUDS = ("aws", "azure", "gcp")


def hold(case) -> str:
    """A network interface of somebody else's in a subnet of the cell."""
    made = next(part["made"] for part in case.cell.parts if part["name"] == "PrivateSubnetB")
    card = case.standing.hand.customer.client("ec2").create_network_interface(SubnetId=made)
    return card["NetworkInterface"]["NetworkInterfaceId"]


def delete_until_it_fails(case):
    case.empty(case.live())
    card = hold(case)
    request_cell_deletion(case.cell, by=case.alice)
    return card, drive_to_failure("delete_cell")


def test_deletion_that_something_blocks_says_what_remains_and_is_retried(case):
    case = case()
    card, failed = delete_until_it_fails(case)

    assert (failed.failure_code, case.cell.state) == ("stack_delete_failed", CellState.FAILED)
    case.says(failed, "AWS could not remove PrivateSubnetB (AWS::EC2::Subnet", "What was removed stays removed.")
    remaining = {part["name"] for part in case.cell.parts if part["state"] != "deleted"}
    assert {"PrivateSubnetB", "Network"} <= remaining
    assert "Cluster" not in remaining

    case.press_retry(failed)
    assert drive_to_failure("delete_cell").failure_code == "stack_delete_failed"
    case.standing.hand.customer.client("ec2").delete_network_interface(NetworkInterfaceId=card)
    case.press_retry(failed)
    case.until_done(failed)
    assert case.cell.state == CellState.DELETED


def test_cell_that_is_deleted_once_more_goes_without_what_was_kept(case):
    case = case()
    delete_until_it_fails(case)
    kept = list(case.cell.resources.remaining())
    assert "PrivateSubnetB" in {row.name for row in kept}
    keep_resources(case.cell, ids=[row.pk for row in kept], why="Somebody else's", by=case.alice)

    request_cell_deletion(case.cell, by=case.alice)
    drive(lambda: not Operation.objects.live().exists())

    assert newest("delete_cell").state == OperationState.SUCCEEDED, (
        newest("delete_cell").failure_code,
        newest("delete_cell").failure_params,
    )
    assert case.cell.state == CellState.DELETED


def test_leftovers_are_found_by_tag_and_named(case):
    case = case()
    case.empty(case.live())
    ec2 = case.standing.hand.customer.client("ec2")
    tags = {"byoc:account": str(case.standing.pk), "byoc:cell": str(case.cell.pk), "byoc:managed": "cell"}
    specified = [{"ResourceType": "volume", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, TagSpecifications=specified)["VolumeId"]

    request_cell_deletion(case.cell, by=case.alice)
    waiting = drive_to_wait("delete_cell", "leftovers_fading")
    let_time_pass(waiting, 4)
    failed = drive_to_failure("delete_cell")

    assert failed.failure_code == "leftovers_found"
    case.says(failed, "The stack is gone, but 1 resources with the cell's tag are left", volume)
    (left,) = case.cell.parts
    assert left["made"].endswith(volume)
    ec2.delete_volume(VolumeId=volume)
    case.press_retry(failed)
    case.until_done(failed)
    assert (case.cell.state, case.cell.parts) == (CellState.DELETED, [])


def test_nobody_else_retries_what_has_moved_on(case):
    case = case()
    _, failed = delete_until_it_fails(case)
    request_cell_deletion(case.cell, by=case.alice)

    with pytest.raises(NotAllowed, match="has moved on"):
        request_retry(failed, by=case.alice)
