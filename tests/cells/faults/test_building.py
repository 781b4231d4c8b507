"""What goes wrong while a cell is built: what the portal says, what stays, and that going on succeeds."""

import pytest
from django.urls import reverse

from cells.actions.cells import request_cell_deletion
from cells.actions.instances import create_instance, delete_instance
from cells.models import AgentKey
from cells.states import CellState, InstanceState
from portal.operations.actions import request_cancel
from portal.operations.catalogue import failure_text
from portal.operations.names import named
from portal.operations.states import Party
from tests.accounts.test_twenty_failures import read
from tests.cells.living import drive_to_end, drive_to_failure, drive_to_wait, let_time_pass, machines, newest, wish, workloads

pytestmark = pytest.mark.django_db(transaction=True)
CLOUDS = ("aws", "azure", "gcp")


@pytest.mark.parametrize("cloud", CLOUDS)
def test_quota_says_what_stands_and_retry_goes_on_once_it_was_raised(case, cloud):
    case = case(cloud)
    part = case.lower_a_quota()
    instance = case.order()

    failed = drive_to_failure("bootstrap_cell")

    assert (failed.failure_code, case.cell.state, case.cell.failure_code) == ("quota_exceeded", CellState.FAILED, "quota_exceeded")
    names = named(failed, failed.failure_params)
    words = failure_text(failed.failure_code, names)
    assert (
        words.happened == f"A limit of your {names['kind']} is too low: {names['cloud']} refused to build {failed.failure_params['part']}."
    )
    assert part in failed.failure_params["part"]
    ready = {entry["name"]: entry["made"] for entry in case.cell.parts if entry["state"] == "ready"}
    assert words.means.startswith(f"{len(ready)} resources of the cell stand.")
    case.says(failed, words.happened, words.means, words.act, failed.reference)
    waiting = drive_to_wait("create_instance", "cell_failed")
    assert waiting.waiting_on == Party.YOU
    case.says(waiting, "could not be brought up. The instance is kept, and not deployed yet.", "the instance follows by itself")

    # Not raised yet: it says the same again, and nothing is built twice.
    case.press_retry(failed)
    assert drive_to_failure("bootstrap_cell").failure_code == "quota_exceeded"

    case.raise_the_quota()
    case.press_retry(failed)
    case.until_done(failed)
    assert case.cell.state == CellState.READY
    made = {entry["name"]: entry["made"] for entry in case.cell.parts}
    assert ready.items() <= made.items()
    case.until_done(newest("create_instance"))
    assert newest("create_instance").attempt == 1
    instance.refresh_from_db()
    assert instance.state == InstanceState.RUNNING
    assert (len(machines(case.sandbox)), AgentKey.objects.valid().count(), workloads(case.sandbox)) == (1, 1, [str(instance.pk)])
    assert case.violations() == []


def test_part_that_fails_for_another_reason_is_named(case):
    case = case()
    case.knobs(failures=[{"type": "AWS::EKS::Cluster", "reason": "Something of AWS's own."}])
    case.order()

    failed = drive_to_failure("bootstrap_cell")

    assert failed.failure_code == "stack_failed"
    case.says(failed, "AWS could not build Cluster (AWS::EKS::Cluster).", "Something of AWS's own.", "resources of the cell stand.")
    case.press_retry(failed)
    case.until_done(failed)


def test_throttling_is_waited_out(case):
    case = case()
    case.order()
    case.standing.hand.fault("throttle", 40, service="cloudformation")
    drive_to_wait("bootstrap_cell", "retrying")

    drive_to_end()

    assert case.cell.state == CellState.READY


def test_throttling_for_longer_than_the_budget_ends_with_words_about_cells(case):
    case = case()
    case.order()
    case.standing.hand.fault("throttle", None, service="cloudformation", action="DescribeStacks")
    operation = drive_to_wait("bootstrap_cell", "retrying")
    let_time_pass(operation, 90)

    failed = drive_to_failure("bootstrap_cell")

    case.says(failed, "AWS asked to slow down for longer than this step may take.", "0 resources of the cell stand.")
    assert "not connected" not in case.page(failed)
    case.standing.hand.drop_faults()
    case.press_retry(failed)
    case.until_done(failed)


@pytest.mark.parametrize("action", ["CreateStack", "DeleteStack"])
def test_lost_answer_makes_nothing_twice(case, action):
    case = case()
    case.standing.hand.fault("lost_reply", 1, service="cloudformation", action=action)

    instance = case.live()
    case.empty(instance)
    request_cell_deletion(case.cell, by=case.alice)
    drive_to_end()

    stacks = case.standing.hand.customer.client("cloudformation").list_stacks()["StackSummaries"]
    assert [stack["StackStatus"] for stack in stacks if stack["StackName"] == case.cell.stack_name] == ["DELETE_COMPLETE"]
    assert AgentKey.objects.count() == 1


def test_environment_that_blocks_is_looked_at_again_by_the_retry(case):
    case = case()
    case.knobs(quotas={case.standing.account.external_id: {"vpc/L-F678F1CE": 0}})
    case.order()
    failed = drive_to_failure("bootstrap_cell")

    assert (failed.failure_code, case.cell.stack_name) == ("environment_blocked", "")
    case.says(failed, "The environment of us-east-1 blocks a deployment cell.", "Nothing was built.")

    case.press_retry(failed)
    assert drive_to_failure("bootstrap_cell").failure_code == "environment_blocked"
    case.knobs(quotas={})
    case.press_retry(failed)
    case.until_done(failed)
    assert case.cell.state == CellState.READY


def test_cancelled_while_building_can_be_deleted_and_built_anew(case):
    case = case()
    case.knobs(pace_seconds=5)
    instance = case.order()
    operation = drive_to_wait("bootstrap_cell", "stack_working")
    request_cancel(operation, by=case.alice)
    waiting = drive_to_wait("create_instance", "cell_failed")
    assert (case.cell.state, case.cell.failure_code) == (CellState.FAILED, "stopped")
    case.knobs(pace_seconds=0)
    page = read(case.client.get(reverse("cells:cell_delete", args=[case.acme.slug, case.cell.pk])))
    assert "1 instance waits for this cell. It is not deployed, and its page says that the cell was deleted." in page

    request_cell_deletion(case.cell, by=case.alice)
    case.until_done(newest("delete_cell"))

    assert (case.cell.state, case.cell.parts, machines(case.sandbox)) == (CellState.DELETED, [], [])
    waiting.refresh_from_db()
    assert (waiting.state, waiting.failure_code) == ("failed", "cell_gone")
    case.says(waiting, "which this instance waited for, was deleted.", "nothing of it runs anywhere", "create it anew")
    delete_instance(instance, by=case.alice)
    case.until_done(newest("delete_instance"))
    again = create_instance(case.acme, name="orders", wish=wish(case.standing.account, case.plan), by=case.alice)
    case.until_done(newest("create_instance"))
    again.refresh_from_db()
    assert again.state == InstanceState.RUNNING
