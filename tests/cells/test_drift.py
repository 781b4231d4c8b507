"""What somebody changes in the cloud by hand is seen, said once, and stands beside the state. Looking never stands in anybody's way."""

import pytest
from django.utils import timezone

from cells.actions.cells import request_cell_deletion, request_cell_update
from cells.actions.instances import create_instance, delete_instance
from cells.models import Cell
from cells.states import CellState, Drift
from cells.steps import drift
from portal.audit.models import Event
from portal.operations.driver import advance
from tests.activity import assert_no_event, assert_one_event
from tests.cells.factories import make_cell, make_plan
from tests.cells.living import drive_to_end, newest, wish
from tests.clouds.gcp.google import NUMBER, PROJECT
from tests.factories import make_cloud_account

pytestmark = pytest.mark.django_db(transaction=True)


class ByHand:
    """The customer changes one property of one part, and puts it back."""

    def __init__(self, standing, cell, sandbox):
        self.hand, self.cell, self.sandbox = standing.hand, cell, sandbox

    def change(self) -> str:
        """The part's name."""
        return getattr(self, f"_{self.cell.account.cloud}")(is_changed=True)

    def put_back(self) -> None:
        getattr(self, f"_{self.cell.account.cloud}")(is_changed=False)

    def _aws(self, *, is_changed: bool) -> str:
        network = next(part["made"] for part in self.cell.parts if part["name"] == "Network")
        ec2 = self.hand.customer.client("ec2", self.cell.region)
        ec2.modify_vpc_attribute(VpcId=network, EnableDnsHostnames={"Value": not is_changed})
        return "Network"

    def _azure(self, *, is_changed: bool) -> str:
        made = next(part["made"] for part in self.cell.parts if part["name"] == "cell-agent-rules")
        path = made.partition(self.hand.account.scope)[2] if self.hand.account.scope in made else made
        body = self.hand.account.owner("GET", path, version="2024-05-01").body
        body["properties"]["securityRules"][0]["properties"]["access"] = "Allow" if is_changed else "Deny"
        assert self.hand.account.owner("PUT", path, body, version="2024-05-01").status < 300
        return "cell-agent-rules"

    def _gcp(self, *, is_changed: bool) -> str:
        path = f"global/firewalls/{self.cell.stack_name}-closed"
        body = self.sandbox.control("GET", f"gcp/state?project={PROJECT}")["resources"][f"projects/{NUMBER}/{path}"]
        body.pop("is_live")
        self.was = getattr(self, "was", body["sourceRanges"])
        changed = {**body, "sourceRanges": ["10.0.0.0/8"] if is_changed else self.was}
        self.sandbox.control("POST", "gcp/resources", {"project": PROJECT, "path": path, "body": changed})
        return "google_compute_firewall.closed"


@pytest.fixture
def stands(stand, acme, alice):
    """A cell with one instance, ready."""

    def bring_up(cloud):
        standing = stand(cloud)
        create_instance(acme, name="orders", wish=wish(standing.account, make_plan()), by=alice)
        drive_to_end()
        return standing, Cell.objects.select_related("account").get()

    return bring_up


def compare(cell) -> Cell:
    """Rounds of the schedule, until the cloud has finished its comparison."""
    Cell.objects.update(drift_due_at=timezone.now())
    before = Cell.objects.get().drift_at
    for _round in range(200):
        for pk in drift.take_due():
            drift.compare(pk)
        found = Cell.objects.get()
        if found.drift_at != before:
            return found
        Cell.objects.update(drift_due_at=timezone.now())
    raise AssertionError("never compared")


@pytest.mark.parametrize("cloud", ["aws", "azure", "gcp"])
def test_change_by_hand_is_drift_and_put_back_is_none(cloud, stands, acme, sandbox):
    standing, cell = stands(cloud)
    hand = ByHand(standing, cell, sandbox)
    with assert_no_event():
        assert compare(cell).drift == Drift.IN_SYNC

    name = hand.change()
    with assert_one_event(acme, action="cell.drifted"):
        found = compare(cell)
    assert (found.state, found.drift) == (CellState.READY, Drift.DRIFTED)
    (difference,) = found.differences
    assert difference["name"] == name
    assert difference["path"]
    assert difference["expected"] != difference["found"]
    with assert_no_event():
        assert compare(cell).drift == Drift.DRIFTED

    hand.put_back()
    with assert_one_event(acme, action="cell.in_sync"):
        found = compare(cell)
    assert (found.state, found.drift, found.differences) == (CellState.READY, Drift.IN_SYNC, [])
    assert Event.objects.filter(action__startswith="cell.", subject_id=str(cell.pk)).exclude(action="cell.agent_enrolled").count() == 2
    assert sandbox.control("GET", "violations") == []


def test_comparison_under_way_stops_neither_update_nor_deletion_and_its_finding_is_dropped(stands, acme, alice, sandbox, monkeypatch):
    """It has looked, and not yet written, when the cell is deleted: the answer is of a cell that is no more as it was."""
    standing, cell = stands("aws")
    name = ByHand(standing, cell, sandbox).change()
    Cell.objects.update(drift_due_at=timezone.now())
    keep = drift._keep

    def deleted_meanwhile(looked_at, look):
        assert [difference.name for difference in look.differences] == [name]
        request_cell_update(cell, by=alice)
        update = newest("update_cell")
        advance(update.pk)
        keep(looked_at, look)

    monkeypatch.setattr(drift, "_keep", deleted_meanwhile)
    for pk in drift.take_due():
        drift.compare(pk)

    assert newest("update_cell").state == "succeeded"
    # The update's own order was the one that stood: nothing of it was changed, so the finding holds.
    delete_instance(cell.instances.get(), by=alice)
    drive_to_end()
    Cell.objects.update(drift=Drift.UNKNOWN, drift_at=None, drift_due_at=timezone.now(), differences=[])

    def gone_meanwhile(looked_at, look):
        request_cell_deletion(cell, by=alice)
        keep(looked_at, look)

    monkeypatch.setattr(drift, "_keep", gone_meanwhile)
    for pk in drift.take_due():
        drift.compare(pk)
    cell.refresh_from_db()
    assert (cell.state, cell.drift, cell.drift_at) == (CellState.DELETING, Drift.UNKNOWN, None)
    drive_to_end()
    cell.refresh_from_db()
    assert cell.state == CellState.DELETED


def test_cell_that_an_operation_changes_is_not_compared(stands, alice):
    _standing, cell = stands("aws")
    request_cell_update(cell, by=alice)
    Cell.objects.update(drift_due_at=timezone.now())

    assert drift.take_due() == []
    drift.compare(cell.pk)
    assert Cell.objects.get().drift_at is None
    drive_to_end()


def test_refusal_of_the_cloud_is_no_finding(stands):
    standing, cell = stands("aws")
    compare(cell)
    standing.hand.fault("access_denied", None, service="cloudformation", action="DetectStackDrift")
    Cell.objects.update(drift_due_at=timezone.now())
    before = Cell.objects.get().drift_at

    with assert_no_event():
        for pk in drift.take_due():
            drift.compare(pk)

    found = Cell.objects.get()
    assert (found.drift, found.drift_at, found.differences) == (Drift.IN_SYNC, before, [])
    assert found.drift_due_at > timezone.now()


def test_each_cell_is_taken_by_one_round(acme):
    due = [make_cell(account=make_cloud_account(organisation=acme, state="connected")) for _ in range(3)]
    make_cell(account=make_cloud_account(organisation=acme, state="needs_attention"))
    make_cell(account=make_cloud_account(organisation=acme, state="connected"), state=CellState.UPDATING)

    assert set(drift.take_due()) == {cell.pk for cell in due}
    assert drift.take_due() == []
