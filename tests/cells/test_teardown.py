"""A cell is taken away: everything that stood is on a list, and ends as removed or as kept on purpose. On every cloud.

The real adapters under the kit's own permissions, against the strict local clouds; what stays is held or left there by hand.
"""

import pytest
from django.urls import reverse

from cells.actions.cells import request_cell_deletion
from cells.actions.instances import create_instance, delete_instance
from cells.models import Cell, CellResource
from cells.states import CellState
from portal.operations.models import Operation
from portal.operations.states import OperationState
from tests.accounts.test_twenty_failures import read
from tests.activity import assert_no_event, assert_one_event
from tests.cells.byhand import Hand
from tests.cells.factories import make_plan
from tests.cells.living import drive, drive_to_end, drive_to_failure, drive_to_wait, let_time_pass, newest, wish

pytestmark = pytest.mark.django_db(transaction=True)
CLOUDS = ("aws", "azure", "gcp")


class Leaving:
    """A cell that has stood, without instances, and its customer before the pages."""

    def __init__(self, standing, acme, alice, client, sandbox):
        self.acme, self.alice, self.client = acme, alice, client
        client.force_login(alice)
        instance = create_instance(acme, name="orders", wish=wish(standing.account, make_plan()), by=alice)
        drive_to_end()
        delete_instance(instance, by=alice)
        drive_to_end()
        self.hand = Hand(standing, self.cell, sandbox)
        self.stood = {part["made"] for part in self.cell.parts if part["made"]}

    @property
    def cell(self) -> Cell:
        return Cell.objects.select_related("account", "organisation").get()

    @property
    def outcomes(self) -> set[str]:
        return set(self.cell.resources.values_list("outcome", flat=True))

    def delete(self) -> None:
        request_cell_deletion(self.cell, by=self.alice)

    def url(self, name: str) -> str:
        return reverse(f"cells:{name}", args=["acme", self.cell.pk])

    def page(self, where: object = "") -> str:
        return read(self.client.get(str(where) or self.cell.get_absolute_url()))

    def page_of_operation(self) -> str:
        return self.page(newest("delete_cell").get_absolute_url())

    def fail_with_leftovers(self) -> Operation:
        let_time_pass(drive_to_wait("delete_cell", "leftovers_fading"), 4)
        return drive_to_failure("delete_cell")

    def keep(self, rows, *, why="Another team's database") -> None:
        sent = {"resource": [row.pk for row in rows], "why": why, "name": self.cell.name}
        with assert_one_event(self.acme, action="cell.resources_kept"):
            assert self.client.post(self.url("cell_keep"), sent).status_code == 302

    def retry(self) -> None:
        operation = newest("delete_cell")
        assert self.client.post(reverse("accounts:operation_retry", args=["acme", operation.pk])).status_code == 302

    def until_deleted(self) -> None:
        drive(lambda: not Operation.objects.live().exists())
        operation = newest("delete_cell")
        assert operation.state == OperationState.SUCCEEDED, (operation.failure_code, operation.failure_params, operation.failure_evidence)
        assert self.cell.state == CellState.DELETED


@pytest.fixture
def leaving(stand, acme, alice, client, sandbox):
    return lambda cloud: Leaving(stand(cloud), acme, alice, client, sandbox)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_deletion_lists_everything_that_stood_and_says_what_became_of_it(cloud, leaving):
    leaving = leaving(cloud)
    leaving.delete()
    drive(leaving.cell.resources.exists)
    leaving.until_deleted()

    rows = list(leaving.cell.resources.all())
    assert leaving.stood <= {row.made for row in rows}
    assert {(row.outcome, row.region, row.account_id) for row in rows} == {("removed", leaving.cell.region, leaving.cell.account_id)}
    assert all(row.evidence and row.outcome_at >= row.found_at for row in rows)
    assert len({(row.kind, row.made) for row in rows}) == len(rows)
    for page in (leaving.page(), leaving.page_of_operation()):
        assert f"{len(rows)} resources found: {len(rows)} removed." in page
        assert leaving.cell.region in page
        assert "Keep on purpose" not in page


@pytest.mark.parametrize("cloud", CLOUDS)
def test_part_that_something_holds_is_named_with_its_holder_and_goes_when_it_is_free(cloud, leaving):
    leaving = leaving(cloud)
    holder = leaving.hand.do("hold")
    leaving.delete()

    failed = drive_to_failure("delete_cell")

    assert failed.failure_code == "stack_delete_failed"
    stuck = [row for row in leaving.cell.resources.remaining() if row.is_stuck]
    assert stuck
    assert all(row.evidence for row in stuck)
    assert any(row.held_by.endswith(holder) for row in stuck)
    assert any(row.link.startswith("https://") for row in stuck)
    for page in (leaving.page(), leaving.page_of_operation()):
        assert all(row.made in page for row in stuck)
        assert holder in page
        assert page.count("Keep on purpose") >= len(stuck)
        assert "still there." in page

    leaving.hand.do("let_go")
    leaving.retry()
    leaving.until_deleted()
    assert leaving.outcomes == {"removed"}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_is_held_can_be_kept_on_purpose_and_the_deletion_ends_without_it(cloud, leaving):
    leaving = leaving(cloud)
    leaving.hand.do("hold")
    leaving.delete()
    drive_to_failure("delete_cell")
    remaining = list(leaving.cell.resources.remaining())

    leaving.keep(remaining)
    leaving.retry()
    leaving.until_deleted()

    kept = leaving.cell.resources.kept()
    assert {row.made for row in kept} <= {row.made for row in remaining}
    assert {(row.kept_by, row.kept_why) for row in kept} == {(leaving.alice, "Another team's database")}
    assert leaving.outcomes == {"removed", "kept"}
    page = leaving.page()
    assert "kept on purpose" in page
    assert "Another team" in page
    assert "Remove it after all" not in page


@pytest.mark.parametrize("cloud", CLOUDS)
def test_leftover_is_found_by_its_tag_and_its_removal_by_hand_is_noticed(cloud, leaving):
    leaving = leaving(cloud)
    made = leaving.hand.do("leave")
    leaving.delete()
    failed = leaving.fail_with_leftovers()

    assert failed.failure_code == "leftovers_found"
    (left,) = leaving.cell.resources.remaining()
    assert (left.origin, left.made.endswith(made), left.outcome_at) == ("tag", True, None)
    link = f'{leaving.url("cell_keep")}?resource={left.pk}"'
    assert link in leaving.client.get(failed.get_absolute_url()).text
    assert link in leaving.client.get(leaving.cell.get_absolute_url()).text

    leaving.hand.do("take_away")
    leaving.retry()
    leaving.until_deleted()
    left.refresh_from_db()
    assert (left.outcome, left.evidence) == ("removed", "A look by tag does not list it any more.")


@pytest.mark.parametrize("cloud", CLOUDS)
def test_leftover_can_be_kept_on_purpose_after_the_stack_has_gone(cloud, leaving):
    leaving = leaving(cloud)
    leaving.hand.do("leave")
    leaving.delete()
    leaving.fail_with_leftovers()
    rows = list(leaving.cell.resources.remaining())

    leaving.keep(rows, why="Backups of the year")
    leaving.retry()
    leaving.until_deleted()

    (kept,) = leaving.cell.resources.kept()
    assert (kept.pk, kept.kept_by, kept.kept_why) == (rows[0].pk, leaving.alice, "Backups of the year")


def test_kept_resource_that_is_removed_by_hand_is_noticed_at_the_next_look(leaving):
    leaving = leaving("aws")
    leaving.hand.do("hold")
    made = leaving.hand.do("leave")
    leaving.delete()
    drive_to_failure("delete_cell")
    (volume,) = [row for row in leaving.cell.resources.remaining() if row.made.endswith(made)]
    leaving.keep([volume])

    leaving.hand.do("take_away")
    leaving.hand.do("let_go")
    leaving.retry()
    leaving.until_deleted()

    volume.refresh_from_db()
    assert (volume.outcome, volume.kept_by) == ("removed", leaving.alice)


def test_decision_to_keep_can_be_taken_back_until_the_cell_is_gone(leaving):
    leaving = leaving("aws")
    leaving.hand.do("leave")
    leaving.delete()
    leaving.fail_with_leftovers()
    (row,) = leaving.cell.resources.remaining()
    leaving.keep([row])
    assert "Remove it after all" in leaving.page_of_operation()

    with assert_one_event(leaving.acme, action="cell.resource_released"):
        leaving.client.post(leaving.url("cell_release"), {"resource": row.pk})
    leaving.retry()
    again = leaving.fail_with_leftovers()

    assert again.failure_code == "leftovers_found"
    leaving.keep([row])
    leaving.retry()
    leaving.until_deleted()
    with assert_no_event():
        leaving.client.post(leaving.url("cell_release"), {"resource": row.pk})
    assert CellResource.objects.get(pk=row.pk).outcome == "kept"
