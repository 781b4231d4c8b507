"""The look by tag, where the index of tags lags behind what stands: the services have the last word."""

import uuid

import pytest

from accounts.clouds.base import CloudError
from tests.clouds.aws.stand import stand
from tests.clouds.test_stacks_contract import built, delete

__all__ = ["stand"]  # fixtures


@pytest.fixture
def ours(stand):
    return stand.stack.tags(stand.target, stand.cell)


def found(stand, ours):
    return {part.made.rpartition("/")[2]: part.kind for part in stand.stacks().find_leftovers(stand.region, ours)}


def let_the_index_stand_still(stand, ours):
    stand.control("POST", "knobs", {"tag_index_mark": uuid.uuid4().hex})
    return found(stand, ours)


def make(stand, tags):
    """One of each that is made in a moment; their ids and kinds."""
    ec2 = stand.client("ec2")
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]

    def tagged(kind):
        return {"TagSpecifications": [{"ResourceType": kind, "Tags": listed}]}

    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16", **tagged("vpc"))["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.99.0.0/24", **tagged("subnet"))["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc, **tagged("security-group"))["GroupId"]
    disk = ec2.create_volume(AvailabilityZone=f"{stand.region}a", Size=1, **tagged("volume"))["VolumeId"]
    address = ec2.allocate_address(Domain="vpc", **tagged("elastic-ip"))["AllocationId"]
    return {
        vpc: "AWS::EC2::VPC", subnet: "AWS::EC2::Subnet", group: "AWS::EC2::SecurityGroup",
        disk: "AWS::EC2::Volume", address: "AWS::EC2::EIP",
    }  # fmt: skip


def take_away(stand, made):
    ec2, (vpc, subnet, group, disk, address) = stand.client("ec2"), made
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_security_group(GroupId=group)
    ec2.delete_vpc(VpcId=vpc)
    ec2.delete_volume(VolumeId=disk)
    ec2.release_address(AllocationId=address)


def test_what_the_index_does_not_know_yet_is_found_and_named(stand, ours):
    assert let_the_index_stand_still(stand, ours) == {}

    made = make(stand, ours)
    make(stand, {**ours, "byoc:account": "somebody-else"})

    assert found(stand, ours) == made


def test_what_the_index_still_remembers_is_gone_where_its_service_says_so(stand, ours):
    made = make(stand, ours)
    assert let_the_index_stand_still(stand, ours) == made

    take_away(stand, made)

    assert found(stand, ours) == {}


def test_whole_cell_that_the_index_remembers_is_gone_once_its_stack_is(stand, ours):
    built(stand)
    assert {"AWS::EKS::Cluster", "AWS::CloudFormation::Stack", "AWS::EC2::LaunchTemplate"} <= set(
        let_the_index_stand_still(stand, ours).values()
    )

    delete(stand)

    assert found(stand, ours) == {}


def test_cluster_that_the_index_does_not_know_yet_is_found(stand, ours):
    let_the_index_stand_still(stand, ours)

    built(stand)

    kinds = set(found(stand, ours).values())
    assert {"AWS::EKS::Cluster", "AWS::EC2::VPC", "AWS::EC2::Instance", "AWS::EC2::NatGateway", "AWS::EC2::LaunchTemplate"} <= kinds


def test_nothing_is_listed_twice(stand, ours):
    built(stand)

    listed = [part.made.rpartition("/")[2] for part in stand.stacks().find_leftovers(stand.region, ours)]

    assert len(listed) == len(set(listed)) > 10


@pytest.mark.parametrize("action", ["DescribeVolumes", "ListClusters"])
def test_service_that_may_not_be_asked_leaves_the_index_its_word(stand, ours, action):
    made = make(stand, ours)
    stand.control("POST", "faults", {"kind": "access_denied", "action": action, "count": None})

    assert found(stand, ours) == made


def test_service_that_does_not_answer_is_no_clean_look(stand, ours):
    stand.control("POST", "faults", {"kind": "503", "service": "ec2", "action": "DescribeVolumes", "count": None})

    with pytest.raises(CloudError) as refused:
        found(stand, ours)

    assert refused.value.retryable
