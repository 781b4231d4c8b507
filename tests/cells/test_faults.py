"""What goes wrong while a cell is built, used and taken away: what the portal says, what stays, and that going on succeeds."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.actions.renewal import start_renewal
from cells.actions.cells import request_cell_deletion, request_cell_update
from cells.actions.instances import create_instance, delete_instance, modify_instance, upgrade_instance
from cells.actions.resources import keep_resources
from cells.models import AgentKey, Cell, CellStatus, Instance
from cells.stacks.aws.stack import STACK as AWS_STACK
from cells.states import CellState, InstanceState
from portal.operations.actions import request_cancel, request_retry
from portal.operations.availability import NotAllowed
from portal.operations.catalogue import failure_text
from portal.operations.models import Operation
from portal.operations.names import named
from portal.operations.states import OperationState, Party
from tests.accounts.test_twenty_failures import read
from tests.cells.factories import make_plan, make_release
from tests.cells.living import drive, drive_to_end, drive_to_failure, drive_to_wait, let_time_pass, machines, newest, wish, workloads
from tests.clouds.aws.cells import QUOTA
from tests.clouds.azure.cells import QUOTA as AZURE_QUOTA
from tests.standing import SECOND

pytestmark = pytest.mark.django_db(transaction=True)
CLOUDS = ("aws", "azure", "gcp")
GOOGLE_QUOTA = "googleapi: Error 403: Quota 'CPUS' exceeded.  Limit: 8.0, quotaExceeded"
NODES = "google_container_node_pool"


class Case:
    """One account with one instance asked for, and its customer before the page."""

    def __init__(self, standing, acme, alice, client, sandbox):
        self.standing, self.acme, self.alice, self.client, self.sandbox = standing, acme, alice, client, sandbox
        self.plan = make_plan()
        client.force_login(alice)

    def order(self, name="orders") -> Instance:
        return create_instance(self.acme, name=name, wish=wish(self.standing.account, self.plan), by=self.alice)

    def live(self, name="orders") -> Instance:
        instance = self.order(name)
        drive_to_end()
        instance.refresh_from_db()
        assert instance.state == InstanceState.RUNNING
        return instance

    @property
    def cell(self) -> Cell:
        return Cell.objects.get()

    def empty(self, instance) -> None:
        delete_instance(instance, by=self.alice)
        drive_to_end()

    def page(self, operation) -> str:
        return read(self.client.get(reverse("accounts:operation_detail", args=[self.acme.slug, operation.pk])))

    def press_retry(self, operation) -> None:
        operation.refresh_from_db()
        answer = self.client.post(reverse("accounts:operation_retry", args=[self.acme.slug, operation.pk]))
        assert answer.status_code == 302, read(answer)
        operation.refresh_from_db()
        assert operation.state == OperationState.QUEUED

    def until_done(self, *operations) -> None:
        drive(lambda: not Operation.objects.live().exists())
        for operation in operations:
            operation.refresh_from_db()
            assert operation.state == OperationState.SUCCEEDED, (operation.failure_code, operation.failure_evidence)

    def says(self, operation, *phrases) -> None:
        """On its page, with nothing left unfilled."""
        page = self.page(operation)
        for phrase in phrases:
            assert phrase in page, page
        assert "%(" not in page
        assert "()" not in page

    def violations(self) -> list:
        return self.sandbox.control("GET", "violations")

    # --- faults ---

    def knobs(self, **values) -> None:
        self.sandbox.control("POST", "knobs", values)

    def lower_a_quota(self) -> str:
        """For one part, until it is raised. The part's name."""
        match self.standing.account.cloud:
            case "aws":
                self.knobs(failures=[{"type": "AWS::EC2::EIP", "reason": QUOTA, "count": None}])
                return "PublicAddress"
            case "azure":
                self.knobs(failures=[{"type": "Microsoft.ContainerService/managedClusters", "reason": AZURE_QUOTA, "count": None}])
                return "cell-cluster"
            case _:
                twice = {"type": NODES, "action": "create", "reason": GOOGLE_QUOTA, "status": 403, "count": 2}
                self.sandbox.control("POST", "gcp/failures", twice)
                return f"{NODES}.machines"

    def raise_the_quota(self) -> None:
        """Google's is used up by two tries."""
        self.knobs(failures=[])


@pytest.fixture
def case(stand, acme, alice, client, sandbox):
    return lambda cloud="aws", **fields: Case(stand(cloud, **fields), acme, alice, client, sandbox)


# --- building ---


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


# --- trust ---


def test_trust_lost_while_building_waits_for_you_and_goes_on_once_it_is_back(case):
    case = case()
    case.knobs(pace_seconds=1)
    case.order()
    drive_to_wait("bootstrap_cell", "stack_working")
    case.standing.hand.delete_provider()
    case.knobs(pace_seconds=0)

    waiting = drive_to_wait("bootstrap_cell", "access_refused")
    assert waiting.waiting_on == Party.YOU
    case.says(waiting, "AWS no longer lets us into this AWS account", "Restore the trust on the account's Trust page")
    assert case.standing.watch.next_at <= timezone.now()  # whether it is lost is decided by the watch, now
    assert case.standing.lose().state == "needs_attention"
    waiting = drive_to_wait("bootstrap_cell", "account_needs_attention")
    assert waiting.waiting_on == Party.YOU

    renew(case)
    drive_to_end()
    assert case.cell.state == CellState.READY
    assert AgentKey.objects.count() == 1


def renew(case) -> None:
    """As the Trust page says: the next kit is made, run and taken into use."""
    start_renewal(case.standing.account, after_generation=case.standing.account.kits.count(), by=case.alice)
    case.standing.run(case.standing.account.kits.count())
    for _ in range(10):
        if case.standing.drive().state == "succeeded":
            break
    for _ in range(3):
        case.standing.look(later=SECOND)
    assert case.standing.account.state == "connected", case.standing.operation.failure_code


def test_kit_replaced_while_building_changes_nothing(case):
    case = case()
    case.knobs(pace_seconds=1)
    case.order()
    drive_to_wait("bootstrap_cell", "stack_working")
    case.knobs(pace_seconds=0)

    renew(case)
    drive_to_end()

    assert (case.cell.state, AgentKey.objects.count(), len(machines(case.sandbox))) == (CellState.READY, 1, 1)


def test_trust_lost_while_deleting_waits_for_you_too(case):
    case = case()
    instance = case.live()
    case.empty(instance)
    case.standing.hand.delete_provider()
    request_cell_deletion(case.cell, by=case.alice)

    assert drive_to_wait("delete_cell", "access_refused").waiting_on == Party.YOU

    case.standing.lose()
    renew(case)
    drive_to_end()
    assert case.cell.state == CellState.DELETED


# --- the agent ---


def test_agent_that_cannot_reach_the_portal_is_built_anew_by_the_retry(case, settings):
    """Its network lets nothing out, or its file is not the one that it was told: a machine that was told the same again would end alike."""
    case = case()
    right, settings.AGENT_URL = settings.AGENT_URL, "http://127.0.0.1:9"
    case.order()
    waiting = drive_to_wait("bootstrap_cell", "agent_starting")
    case.says(waiting, "The agent's machine is starting.")
    (before,) = machines(case.sandbox)
    let_time_pass(waiting, 25)
    failed = drive_to_failure("bootstrap_cell")
    assert failed.failure_code == "agent_not_heard"
    case.says(failed, "The infrastructure stands, but its agent has not reported in.")

    settings.AGENT_URL = right
    case.press_retry(failed)
    case.until_done(failed)

    (after,) = machines(case.sandbox)
    assert after["machine"] != before["machine"]
    assert (case.cell.state, AgentKey.objects.count()) == (CellState.READY, 1)


def test_agent_machine_that_is_stopped_is_said_and_comes_back_by_itself(case):
    case = case()
    instance = case.live()
    (host,) = machines(case.sandbox)
    case.sandbox.control("POST", "agents", {"act": "stop", "machine": host["machine"]})
    modify_instance(instance, size=case.plan.sizes.first(), parameters={"a": 1}, by=case.alice)
    CellStatus.objects.update(seen_at=timezone.now() - timedelta(minutes=4))
    waiting = drive_to_wait("modify_instance", "agent_silent")
    case.says(waiting, "The cell's agent has not been heard for some minutes. What runs goes on")
    assert workloads(case.sandbox) == [str(instance.pk)]

    case.sandbox.control("POST", "agents", {"act": "start", "machine": host["machine"]})
    drive_to_end()
    instance.refresh_from_db()
    assert (instance.state, instance.applied_revision) == (InstanceState.RUNNING, 2)


def test_update_brings_the_cell_a_new_agent_and_waits_for_it(case, monkeypatch, settings):
    """A stack with another content: the machine of the agent is told a token that nobody has used."""
    case = case()
    instance = case.live()
    monkeypatch.setattr(AWS_STACK, "version", "9.9.9")
    settings.AGENT_CHARTS = ["oci://registry.fernhill.example/charts"]
    request_cell_update(case.cell, by=case.alice)
    drive_to_end()

    cell = case.cell
    assert (cell.state, cell.stack_version, len(machines(case.sandbox))) == (CellState.READY, "9.9.9", 1)
    assert AgentKey.objects.valid().get().generation == cell.generation == 2
    drive(lambda: workloads(case.sandbox) == [str(instance.pk)])
    modify_instance(instance, size=case.plan.sizes.first(), parameters={"a": 1}, by=case.alice)
    drive_to_end()


# --- instances ---


def test_instance_whose_chart_never_starts_fails_and_another_release_mends_it(case):
    case = case()
    case.live()
    broken = make_release(plan=case.plan, version="2.0.0", chart="oci://registry.fernhill.example/charts/broken")
    place = wish(case.standing.account, case.plan, release=broken)
    bad = create_instance(case.acme, name="bad", wish=place, by=case.alice)
    waiting = drive_to_wait("create_instance", "instance_settling")
    let_time_pass(waiting, 25)

    failed = drive_to_failure("create_instance")

    assert failed.failure_code == "not_healthy"
    case.says(failed, "The instance was applied, but does not report that it is healthy.")
    upgrade_instance(bad, release=case.plan.releases.get(version="1.0.0"), by=case.alice)
    drive(lambda: not Operation.objects.live().exists())
    bad.refresh_from_db()
    assert bad.state == InstanceState.RUNNING
    assert sorted(Instance.objects.values_list("state", flat=True)) == ["running", "running"]


def test_instance_that_its_agent_cannot_remove_goes_with_the_cell(case):
    """The agent is gone for good. Nobody is left without a way out: what it left goes with the cell."""
    case = case()
    instance = case.live()
    (host,) = machines(case.sandbox)
    case.sandbox.control("POST", "agents", {"act": "stop", "machine": host["machine"]})
    delete_instance(instance, by=case.alice)
    waiting = drive_to_wait("delete_instance", "instance_removing")
    let_time_pass(waiting, 40)
    failed = drive_to_failure("delete_instance")
    assert failed.failure_code == "not_removed"
    case.says(failed, "The cell's agent has not said that the instance is gone.", "delete the cell")

    request_cell_deletion(case.cell, by=case.alice)
    case.until_done(newest("delete_cell"))

    instance.refresh_from_db()
    assert (case.cell.state, instance.state) == (CellState.DELETED, InstanceState.DELETED)


# --- taking away ---


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
