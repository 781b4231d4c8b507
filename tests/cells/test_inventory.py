"""The list of what a deletion found: what is the same thing, what holds it, whose look counts, and who may decide to keep it."""

from datetime import timedelta
from http import HTTPStatus

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.clouds.aws.console_pages import console_page
from accounts.clouds.stacks import StackLook, StackPart, StackState
from cells.actions.cells import request_cell_deletion
from cells.models import CellResource
from cells.states import CellState
from cells.steps.inventory import Look, holder_in, is_same_id, take_stock, to_retain
from portal.operations.driver import StepContext
from portal.operations.models import Operation
from portal.operations.recorder import claim
from tests.accounts.test_twenty_failures import read
from tests.activity import assert_no_event
from tests.cells.factories import make_cell, make_resource
from tests.factories import make_cloud_account, make_membership
from tests.fragments import element

VPC = StackPart("AWS::EC2::VPC", "Network", "vpc-1", "ready")
SUBNET = StackPart("AWS::EC2::Subnet", "Subnet", "subnet-1", "ready")
LISTED_VPC = StackPart("AWS::EC2::VPC", "Network", "arn:aws:ec2:eu-west-1:1:vpc/vpc-1", "ready", link="https://console.example/vpc-1")
VOLUME = StackPart("AWS::EC2::Volume", "vol-1", "arn:aws:ec2:eu-west-1:1:volume/vol-1", "ready")


def gone(part):
    return StackPart(part.kind, part.name, part.made, "deleted")


def failed(part, detail="It is in use."):
    return StackPart(part.kind, part.name, part.made, "failed", detail)


def standing(*parts, state=StackState.DELETING):
    return StackLook(state, parts=parts)


ABSENT = StackLook(StackState.ABSENT)


@pytest.fixture
def cell(acme):
    return make_cell(account=make_cloud_account(organisation=acme, state="connected", name="Main"), name="Main in Ireland")


@pytest.fixture
def stuck(cell):
    type(cell).objects.filter(pk=cell.pk).update(
        state=CellState.FAILED, failed_while=CellState.DELETING, failure_code="stack_delete_failed"
    )
    cell.refresh_from_db()
    return cell


@pytest.fixture
def ctx(cell, alice):
    """A worker that holds the operation."""
    operation, steps = claim(request_cell_deletion(cell, by=alice).pk)
    return StepContext(operation, steps[0])


def outcomes(cell) -> dict[str, str]:
    return dict(cell.resources.values_list("name", "outcome"))


# --- What is the same thing ---


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("vpc-1", "arn:aws:ec2:eu-west-1:1:vpc/vpc-1", True),
        ("vpc-1", "arn:aws:ec2:eu-west-1:1:vpc/vpc-11", False),
        ("vpc-1", "vpc-1", True),
        ("byoc-1/nodes", "arn:aws:eks:eu-west-1:1:nodegroup/byoc-1/nodes/0a1b", True),
        ("byoc-1|vpc-cni", "arn:aws:eks:eu-west-1:1:addon/byoc-1/vpc-cni/0a1b", True),
        ("projects/p/locations/r/clusters/c", "https://container.googleapis.com/v1/projects/p/locations/r/clusters/c", True),
        ("projects/p/global/networks/a", "projects/p/global/networks/ab", False),
        ("/subscriptions/S/resourceGroups/G/x", "/subscriptions/s/resourcegroups/g/x", True),
        ("", "arn:aws:ec2:eu-west-1:1:vpc/vpc-1", False),
    ],
)
def test_ids_of_one_thing(one, other, is_same):
    assert is_same_id(one, other) == is_same_id(other, one) == is_same


@pytest.mark.parametrize(
    ("said", "holder"),
    [
        (
            "The network resource 'projects/p/global/networks/n' is already being used by 'projects/p/regions/r/forwardingRules/a1b2'",
            "projects/p/regions/r/forwardingRules/a1b2",
        ),
        (
            "Subnet a is in use by /subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkInterfaces/nic and cannot go.",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkInterfaces/nic",
        ),
        ("The subnet 'subnet-1' has dependencies and cannot be deleted.", ""),
        ("", ""),
    ],
)
def test_holder_is_named_where_the_cloud_names_it(said, holder):
    assert holder_in(said) == holder


@pytest.mark.parametrize(
    ("kind", "made", "page"),
    [
        ("AWS::EC2::VPC", "vpc-1", "https://eu-west-1.console.aws.amazon.com/vpcconsole/home?region=eu-west-1#VpcDetails:VpcId=vpc-1"),
        (
            "AWS::EC2::Volume",
            "arn:aws:ec2:eu-west-1:1:volume/vol-1",
            "https://eu-west-1.console.aws.amazon.com/ec2/home?region=eu-west-1#VolumeDetails:volumeId=vol-1",
        ),
        ("AWS::IAM::Role", "arn:aws:iam::1:role/x", "https://console.aws.amazon.com/go/view?arn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx"),
        ("AWS::EC2::Route", "rtb-1|0.0.0.0/0", ""),
        ("AWS::EC2::VPC", "", ""),
    ],
)
def test_console_page_of_a_resource(kind, made, page):
    assert console_page(kind, made, "eu-west-1") == page


# --- What a look writes ---


@pytest.mark.django_db(transaction=True)
def test_each_look_is_held_against_the_list(ctx, cell):
    """The life of a deletion: listed, going, held, gone, still listed for a while, gone for good."""
    take_stock(ctx, cell, Look(standing(VPC, SUBNET), [LISTED_VPC, VOLUME]))
    assert outcomes(cell) == {"Network": "found", "Subnet": "found", "vol-1": "found"}
    network = cell.resources.get(name="Network")
    assert (network.origin, network.is_listed, network.link) == ("stack", True, "https://console.example/vpc-1")

    take_stock(ctx, cell, Look(standing(VPC, gone(SUBNET))))
    assert outcomes(cell) == {"Network": "found", "Subnet": "removed", "vol-1": "found"}

    remaining = take_stock(ctx, cell, Look(standing(failed(VPC), gone(SUBNET), state=StackState.DELETE_FAILED)))
    assert {row.name for row in remaining} == {"Network", "vol-1"}
    assert cell.resources.get(name="Network").is_stuck

    take_stock(ctx, cell, Look(ABSENT))  # a look at the stack alone calls nothing gone
    assert outcomes(cell)["Network"] == "found"

    take_stock(ctx, cell, Look(ABSENT, []))
    assert set(outcomes(cell).values()) == {"removed"}

    take_stock(ctx, cell, Look(ABSENT, [LISTED_VPC]))
    network = cell.resources.get(name="Network")
    assert (network.outcome, network.outcome_at, network.is_stuck) == ("found", None, False)
    assert cell.resources.count() == 3


@pytest.mark.django_db(transaction=True)
def test_part_that_was_never_made_is_no_resource(ctx, cell):
    take_stock(ctx, cell, Look(standing(StackPart("AWS::EKS::Cluster", "Cluster", "", "failed"))))

    assert not cell.resources.exists()


@pytest.mark.django_db(transaction=True)
def test_same_look_twice_writes_the_same(ctx, cell):
    """A worker killed after it has written, before it could say so."""
    look = Look(standing(failed(VPC), SUBNET), [LISTED_VPC, VOLUME])
    take_stock(ctx, cell, look)
    before = list(cell.resources.values())

    take_stock(ctx, cell, look)

    assert list(cell.resources.values()) == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "change", [{"fence": 99}, {"state": "cancelled", "ended_at": timezone.now(), "next_run_at": None, "lease_until": None}]
)
def test_look_of_a_worker_that_lost_its_operation_is_not_written(change, ctx, cell):
    take_stock(ctx, cell, Look(standing(VPC)))
    Operation.objects.filter(pk=ctx.operation.pk).update(**change)

    take_stock(ctx, cell, Look(ABSENT, []))

    assert outcomes(cell) == {"Network": "found"}


@pytest.mark.django_db(transaction=True)
def test_what_is_kept_is_left_alone_in_the_stack_and_nothing_else(ctx, cell, alice):
    take_stock(ctx, cell, Look(standing(VPC, SUBNET), [VOLUME]))
    kept = {"outcome": "kept", "outcome_at": timezone.now(), "kept_by": alice, "kept_why": "Ours"}
    cell.resources.exclude(name="Subnet").update(**kept)

    assert to_retain(cell, standing(failed(VPC), failed(SUBNET))) == ["Network"]
    assert to_retain(cell, standing(gone(VPC), failed(SUBNET))) == []
    remaining = take_stock(ctx, cell, Look(ABSENT, [LISTED_VPC, VOLUME]))
    assert remaining == []
    assert outcomes(cell) == {"Network": "kept", "Subnet": "removed", "vol-1": "kept"}


# --- What the database keeps ---


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"outcome": "vanished", "outcome_at": timezone.now()}, "cell_resource_outcome_known"),
        ({"origin": "guess"}, "cell_resource_origin_known"),
        ({"outcome": "removed"}, "cell_resource_outcome_has_a_time"),
        ({"outcome_at": timezone.now()}, "cell_resource_outcome_has_a_time"),
        ({"outcome": "kept", "outcome_at": timezone.now()}, "cell_resource_kept_says_who_and_why"),
    ],
)
def test_row_that_makes_no_sense_is_refused(values, constraint, cell):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        make_resource(cell=cell, **values)


@pytest.mark.django_db
def test_resource_is_on_the_list_once(cell):
    make_resource(cell=cell, made="subnet-1")
    with pytest.raises(IntegrityError, match="cell_resource_once"), transaction.atomic():
        make_resource(cell=cell, made="subnet-1")


# --- Who may decide ---


def keep_page(cell):
    return reverse("cells:cell_keep", args=["acme", cell.pk])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "Main"}, "This is not the name. Nothing was changed."),
        ({"name": ""}, "Type the name Main in Ireland."),
        ({"why": ""}, "Say why it is kept."),
        ({"resource": []}, "Choose at least one."),
        ({"resource": ["0"]}, "One of these is not there any more. Choose again."),
        ({"resource": ["²"]}, "One of these is not there any more. Choose again."),
    ],
)
def test_keeping_takes_the_name_a_reason_and_a_choice(changes, says, stuck, alice, client):
    client.force_login(alice)
    row = make_resource(cell=stuck)
    with assert_no_event():
        client.post(keep_page(stuck), {"resource": [row.pk], "why": "Ours", "name": stuck.name} | changes)

    page = client.get(keep_page(stuck)).text
    assert says in page
    assert "<title>Error: " in page
    assert outcomes(stuck) == {row.name: "found"}


@pytest.mark.django_db
@pytest.mark.parametrize("state", [*CellState])
@pytest.mark.parametrize("while_", ["bootstrapping", "deleting"])
def test_keeping_is_offered_only_when_a_deletion_has_failed(state, while_, cell, alice, client):
    client.force_login(alice)
    row = make_resource(cell=cell)
    what = {"failed_while": while_, "failure_code": "x"} if state == CellState.FAILED else {}
    type(cell).objects.filter(pk=cell.pk).update(state=state, **what)
    is_open = state == CellState.FAILED and while_ == "deleting"

    assert ("Keep on purpose" in client.get(cell.get_absolute_url()).text) == is_open
    assert ("Why is it kept?" in client.get(keep_page(cell)).text) == is_open
    client.post(keep_page(cell), {"resource": [row.pk], "why": "Ours", "name": cell.name})
    client.post(reverse("cells:cell_release", args=["acme", cell.pk]), {"resource": "x"})

    assert outcomes(cell) == {row.name: "kept" if is_open else "found"}


@pytest.mark.django_db
def test_resource_that_was_asked_about_is_chosen_and_so_is_what_is_stuck(stuck, alice, client):
    client.force_login(alice)
    held, asked, other = make_resource(cell=stuck), make_resource(cell=stuck, state="ready"), make_resource(cell=stuck, state="ready")

    page = client.get(f"{keep_page(stuck)}?resource={asked.pk}").text

    chosen = [
        row.pk for row in (held, asked, other) if f'value="{row.pk}"' in page and "checked" in page.split(f'value="{row.pk}"')[1][:60]
    ]
    assert chosen == [held.pk, asked.pk]


@pytest.mark.django_db
def test_resource_of_another_cell_is_neither_kept_nor_released(stuck, acme, alice, client):
    client.force_login(alice)
    elsewhere = make_cell(account=stuck.account, region="us-east-1", state=CellState.FAILED, failed_while=CellState.DELETING)
    foreign = make_resource(cell=elsewhere)
    make_resource(cell=stuck)

    with assert_no_event():
        client.post(keep_page(stuck), {"resource": [foreign.pk], "why": "Ours", "name": stuck.name})

    assert CellResource.objects.get(pk=foreign.pk).outcome == "found"


@pytest.mark.django_db
def test_member_without_the_right_reads_the_list_and_decides_nothing(stuck, acme, client):
    reader = make_membership(organisation=acme, role="auditor").user
    client.force_login(reader)
    row = make_resource(cell=stuck, held_by="network-interface/eni-1")

    page = client.get(stuck.get_absolute_url())

    assert (page.status_code, "Held by network-interface/eni-1" in page.text, "Keep on purpose" in page.text) == (
        HTTPStatus.OK,
        True,
        False,
    )
    assert client.post(keep_page(stuck), {"resource": [row.pk]}).status_code == HTTPStatus.FORBIDDEN


@pytest.mark.django_db
def test_list_counts_what_was_found_region_by_region(stuck, alice, client):
    client.force_login(alice)
    later = {"outcome_at": timezone.now() + timedelta(minutes=1)}
    make_resource(cell=stuck)
    make_resource(cell=stuck, outcome="removed", **later)
    make_resource(cell=stuck, outcome="removed", **later)
    make_resource(cell=stuck, outcome="kept", kept_by=alice, kept_why="Backups", **later)

    page = read(client.get(stuck.get_absolute_url()))

    assert "4 resources found: 2 removed, 1 kept on purpose, 1 still there." in page
    assert "Kept by Alice" in page
    assert "eu-west-1" in page


@pytest.mark.django_db
def test_list_begins_with_what_remains_and_folds_what_is_removed(stuck, alice, client):
    client.force_login(alice)
    later = {"outcome_at": timezone.now() + timedelta(minutes=1)}
    make_resource(cell=stuck, name="Address", outcome="removed", **later)
    make_resource(cell=stuck, name="Backups", outcome="kept", kept_by=alice, kept_why="Backups", **later)
    make_resource(cell=stuck, name="Network")

    shown = element(client.get(stuck.get_absolute_url()).text, "cell-inventory")

    before, folded, after = shown.partition("<details")
    assert folded
    assert before.index("Network") < before.index("Backups")
    assert "Address" not in before
    assert "1 resource was removed" in after
    assert "Address" in after


@pytest.mark.django_db
def test_list_of_a_deletion_under_way_folds_what_has_its_turn_and_shows_what_is_stuck(cell, alice, client):
    client.force_login(alice)
    type(cell).objects.filter(pk=cell.pk).update(state=CellState.DELETING)
    make_resource(cell=cell, name="Address", state="ready")
    make_resource(cell=cell, name="Machines", state="deleting")
    make_resource(cell=cell, name="Network")

    shown = element(client.get(cell.get_absolute_url()).text, "cell-inventory")

    before, _details, folded = shown.partition("<details")
    assert "3 resources found: 2 to be removed, 1 still there." in before
    assert ("Network" in before, "Address" in before, "Machines" in before) == (True, False, False)
    assert "2 resources are to be removed" in folded
    assert folded.count("badge-neutral") == 2


@pytest.mark.django_db
def test_list_takes_one_query_whatever_its_length(stuck, alice, client):
    client.force_login(alice)
    counts = []
    client.get(stuck.get_absolute_url())  # what is looked up once a process
    for more in (1, 9):
        for _ in range(more):
            make_resource(cell=stuck)
        with CaptureQueriesContext(connection) as queries:
            client.get(stuck.get_absolute_url())
        counts.append(len(queries))
    assert counts[0] == counts[1]
