"""Every verdict about an AWS account's surroundings, provoked in the strict local AWS by what its owner may do."""

import re
from dataclasses import replace
from typing import Any

import pytest

from accounts.clouds.base import CloudError, Finding, Needs, Verdict
from accounts.kits.aws.environment import ENVIRONMENT_CHECKS
from accounts.kits.base import EnvironmentCheck
from portal.operations.catalogue import fill
from tests.clouds.aws.played import ACCOUNT, PlayedAws

REGION = "eu-central-1"
PREFIX = "byoc-3f9a1c2e-cell-"
NEEDS = Needs(vcpus=2, networks=1, addresses=1, cidr="10.64.0.0/16", name_prefix=PREFIX)
WORDS: dict[str, EnvironmentCheck] = {check.name: check for check in ENVIRONMENT_CHECKS}
OURS = [{"ResourceType": "vpc", "Tags": [{"Key": "byoc:account", "Value": ACCOUNT}, {"Key": "Name", "Value": f"{PREFIX}eu-central-1"}]}]


@pytest.fixture
def played(cloud, monkeypatch):
    if cloud.sandbox is None:
        pytest.skip("knobs are the local AWS's")
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.sandbox.portal)
    account = PlayedAws(cloud)
    assert account.run_kit() == "CREATE_COMPLETE"
    return account


def look(played: PlayedAws, name: str, region: str = REGION, needs: Needs = NEEDS) -> Finding:
    (finding,) = played.adapter().check_environment(region, needs, [name])
    assert finding.check == name
    return finding


def told(finding: Finding) -> str:
    """The sentence of the page. Whatever it names, the finding must bring."""
    words = WORDS[finding.check]
    text = {Verdict.PASS: words.passed, Verdict.WARN: words.warned, Verdict.BLOCK: words.blocked}[finding.verdict]
    assert str(text), f"{finding.check} has no words for {finding.verdict}"
    missing = [name for name in _names(str(text), str(words.remedy)) if name not in {*finding.params, "provider"}]
    assert missing == []
    return fill(text, finding.params)


def _names(*texts: str) -> list[str]:
    return [part.partition(")")[0] for text in texts for part in text.split("%(")[1:]]


def knobs(played: PlayedAws, **values: Any) -> None:
    played.cloud.sandbox.control("POST", "knobs", {name: {played.cloud.account: value} for name, value in values.items()})


def ec2(played: PlayedAws) -> Any:
    return played.cloud.owner("ec2", REGION)


# --- All is well ---------------------------------------------------------------------------------------------------------


def test_fresh_account_passes_every_check_in_the_order_of_the_kit(played):
    found = played.adapter().check_environment(REGION, NEEDS)

    assert [finding.check for finding in found] == [check.name for check in ENVIRONMENT_CHECKS]
    assert {finding.check: (finding.verdict, finding.evidence) for finding in found if finding.verdict != Verdict.PASS} == {}
    assert [bool(told(finding)) for finding in found] == [True] * len(found)
    assert [(finding.command, finding.link) for finding in found] == [("", "")] * len(found)


def test_looking_creates_nothing(played):
    before = ec2(played).describe_vpcs()["Vpcs"]

    played.adapter().check_environment(REGION, NEEDS)

    assert ec2(played).describe_vpcs()["Vpcs"] == before


def test_only_the_named_checks_are_asked(played):
    found = played.adapter().check_environment(REGION, NEEDS, ["zones", "identity"])

    assert [finding.check for finding in found] == ["identity", "zones"]


# --- Who -----------------------------------------------------------------------------------------------------------------


def test_identity_names_the_account(played):
    finding = look(played, "identity")

    assert told(finding) == "The operator role signs in to account 111122223333."
    assert finding.evidence.startswith("arn:aws:sts::111122223333:assumed-role/byoc-3f9a1c2e-g1-operator/")


def test_account_that_does_not_let_us_in_cannot_be_asked_anything(played):
    played.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=played.kit.shipped(played.target).provider)

    with pytest.raises(CloudError) as raised:
        played.adapter(was_trusted=True).check_environment(REGION, NEEDS)

    assert raised.value.code == "provider_deleted"


def test_permissions_taken_away_block(played):
    played.iam.delete_role_policy(RoleName="byoc-3f9a1c2e-g1-operator", PolicyName="network")

    finding = look(played, "permissions")

    assert finding.verdict == Verdict.BLOCK
    assert re.search(r"Permissions that the operator role lacks: \d+, among them ec2:AllocateAddress", told(finding))
    assert "ec2:CreateVpc: implicitDeny" in finding.evidence
    assert finding.command.startswith(
        "aws iam simulate-principal-policy --policy-source-arn arn:aws:iam::111122223333:role/byoc-3f9a1c2e-g1-operator --action-names ec2:"
    )


def test_permissions_switched_off_block(played):
    played.turn("AllowChanges", "no")

    assert look(played, "permissions").verdict == Verdict.BLOCK


# --- Where ---------------------------------------------------------------------------------------------------------------


def test_region_that_is_off_blocks_and_silences_what_it_would_have_to_answer(played):
    knobs(played, places={"closed_regions": ["ap-east-1"]})

    finding = look(played, "region_enabled", "ap-east-1")
    silent = look(played, "quota_networks", "ap-east-1")

    assert (finding.verdict, told(finding)) == (Verdict.BLOCK, "ap-east-1 is off in this account.")
    assert (finding.evidence, finding.command) == ("not-opted-in", "aws account enable-region --region-name ap-east-1")
    assert (silent.verdict, silent.params["code"]) == (Verdict.UNKNOWN, "region_disabled")


def test_region_that_does_not_exist_blocks(played):
    assert look(played, "region_enabled", "eu-nowhere-9").verdict == Verdict.BLOCK


def scp(action: str, **condition: Any) -> dict[str, Any]:
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [allow, {"Effect": "Deny", "Action": action, "Resource": "*", **condition}]}


def test_rule_of_the_organisation_blocks_and_counts_as_no_missing_permission(played):
    knobs(played, scps=scp("eks:CreateCluster"))

    finding = look(played, "organisation_policy")

    assert finding.verdict == Verdict.BLOCK
    assert told(finding) == "A rule of your organisation forbids what a cell needs in eu-central-1: eks:CreateCluster."
    assert "--target-id 111122223333 --filter SERVICE_CONTROL_POLICY" in finding.command
    assert look(played, "permissions").verdict == Verdict.PASS


def test_rule_about_regions_blocks_there_and_nowhere_else(played):
    knobs(played, scps=scp("ec2:CreateVpc", Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}))

    assert look(played, "organisation_policy", "eu-west-1").verdict == Verdict.BLOCK
    assert look(played, "organisation_policy").verdict == Verdict.PASS


@pytest.mark.parametrize(
    ("zones", "verdict", "sentence"),
    [
        (3, Verdict.PASS, "3 zones are up in eu-central-1: eu-central-1a, eu-central-1b, eu-central-1c."),
        (2, Verdict.WARN, "Only 2 zones are up in eu-central-1. A cell can be built, with less room to outlive a failure."),
        (1, Verdict.BLOCK, "Only 1 zones are up in eu-central-1; a cluster needs 2."),
    ],
)
def test_zones(played, zones, verdict, sentence):
    knobs(played, places={"zones": zones})

    finding = look(played, "zones")

    assert (finding.verdict, told(finding)) == (verdict, sentence)


# --- How much ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "verdict"), [(8, Verdict.PASS), (6, Verdict.WARN), (5, Verdict.BLOCK)])
def test_vcpus_in_use_count_against_the_limit(played, limit, verdict):
    """Two machines of two vCPUs run; one of another family, one stopped and one ended do not count."""
    knobs(played, quotas={"ec2/L-1216C47A": limit})
    client = ec2(played)
    client.run_instances(ImageId="ami-1", InstanceType="m6i.large", MinCount=2, MaxCount=2)
    client.run_instances(ImageId="ami-1", InstanceType="g5.xlarge", MinCount=1, MaxCount=1)
    for end in (client.stop_instances, client.terminate_instances):
        made = client.run_instances(ImageId="ami-1", InstanceType="c6i.4xlarge", MinCount=1, MaxCount=1)["Instances"]
        end(InstanceIds=[made[0]["InstanceId"]])

    finding = look(played, "quota_vcpus")

    assert (finding.verdict, finding.params["used"], finding.params["free"]) == (verdict, "4", str(limit - 4))
    assert finding.evidence == f"ec2 L-1216C47A: limit {limit}, in use 4"
    assert told(finding)
    if verdict != Verdict.PASS:
        assert finding.command == (
            "aws service-quotas request-service-quota-increase --region eu-central-1 --service-code ec2 --quota-code L-1216C47A "
            "--desired-value 8"
        )
        assert finding.link == (
            "https://eu-central-1.console.aws.amazon.com/servicequotas/home/services/ec2/quotas/L-1216C47A?region=eu-central-1"
        )


@pytest.mark.parametrize(("limit", "verdict"), [(4, Verdict.PASS), (3, Verdict.WARN), (2, Verdict.BLOCK)])
def test_networks_in_use_count_against_the_limit(played, limit, verdict):
    knobs(played, quotas={"vpc/L-F678F1CE": limit})
    there = len(ec2(played).describe_vpcs()["Vpcs"])
    for number in range(2 - there):
        ec2(played).create_vpc(CidrBlock=f"10.{number}.0.0/16")

    finding = look(played, "quota_networks")

    assert (finding.verdict, finding.params["used"]) == (verdict, "2")
    assert told(finding)


@pytest.mark.parametrize(("limit", "verdict"), [(3, Verdict.PASS), (2, Verdict.WARN), (1, Verdict.BLOCK)])
def test_addresses_in_use_count_against_the_limit(played, limit, verdict):
    knobs(played, quotas={"ec2/L-0263D0A3": limit})
    ec2(played).allocate_address(Domain="vpc")

    finding = look(played, "quota_addresses")

    assert (finding.verdict, finding.params["used"]) == (verdict, "1")
    assert told(finding)


@pytest.mark.parametrize(("limit", "verdict"), [(3, Verdict.PASS), (2, Verdict.WARN), (1, Verdict.BLOCK)])
def test_gateways_are_counted_in_the_emptiest_zone(played, limit, verdict):
    knobs(played, quotas={"vpc/L-FE5A380F": limit})
    client = ec2(played)
    vpc = client.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    for number, (zone, gateways) in enumerate({"a": 2, "b": 1, "c": 1}.items()):
        subnet = client.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"]["SubnetId"]
        for _gateway in range(gateways):
            client.create_nat_gateway(SubnetId=subnet, AllocationId=client.allocate_address(Domain="vpc")["AllocationId"])

    finding = look(played, "quota_gateways")

    assert (finding.verdict, finding.params["used"]) == (verdict, "1")
    assert told(finding)


# --- What is there -------------------------------------------------------------------------------------------------------


def test_overlapping_network_is_a_warning(played):
    vpc = ec2(played).create_vpc(CidrBlock="10.64.8.0/24")["Vpc"]["VpcId"]

    finding = look(played, "address_range")

    assert finding.verdict == Verdict.WARN
    assert told(finding) == f"10.64.0.0/16 overlaps with {vpc} (10.64.8.0/24). A cell can be built, and never be connected with it."
    assert finding.command == "aws ec2 describe-vpcs --region eu-central-1 --query 'Vpcs[].[VpcId,CidrBlock]' --output table"


def test_overlapping_network_that_is_peered_blocks(played):
    client = ec2(played)
    one, other = (client.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"] for cidr in ("10.64.8.0/24", "10.9.0.0/16"))
    peering = client.create_vpc_peering_connection(VpcId=other, PeerVpcId=one)["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    assert look(played, "address_range").verdict == Verdict.WARN
    client.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)

    finding = look(played, "address_range")

    assert (finding.verdict, finding.params["names"]) == (Verdict.BLOCK, one)
    assert told(finding)


def test_overlapping_network_on_a_transit_gateway_blocks(played):
    vpc = ec2(played).create_vpc(CidrBlock="10.64.8.0/24")["Vpc"]["VpcId"]
    knobs(played, places={"transit_gateway_vpcs": [vpc]})

    assert look(played, "address_range").verdict == Verdict.BLOCK


def test_cluster_with_the_name_of_a_cell_blocks(played):
    client, role = ec2(played), "arn:aws:iam::111122223333:role/byoc-3f9a1c2e-g1-cell-cluster"
    subnets = [subnet["SubnetId"] for subnet in client.describe_subnets()["Subnets"]]
    played.cloud.owner("eks", REGION).create_cluster(name=f"{PREFIX}1", roleArn=role, resourcesVpcConfig={"subnetIds": subnets})

    finding = look(played, "names_free")

    assert (finding.verdict, finding.params["names"]) == (Verdict.BLOCK, f"{PREFIX}1")
    assert told(finding) == f"These names are taken by something that is not ours: {PREFIX}1."


def test_network_with_the_name_of_a_cell_blocks_unless_it_is_ours(played):
    client = ec2(played)
    ours = client.create_vpc(CidrBlock="10.9.0.0/16", TagSpecifications=OURS)["Vpc"]["VpcId"]
    assert look(played, "names_free").verdict == Verdict.WARN
    assert told(look(played, "names_free")) == (
        f"These are left over from a cell of this account, and a new one in their place may fail: {PREFIX}eu-central-1 ({ours})."
    )
    known = replace(NEEDS, standing=(f"{PREFIX}eu-central-1",))
    assert look(played, "names_free", needs=known).verdict == Verdict.PASS
    client.create_vpc(
        CidrBlock="10.10.0.0/16",
        TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": f"{PREFIX}x"}]}],
    )

    assert look(played, "names_free").verdict == Verdict.BLOCK
    assert look(played, "names_free", needs=replace(known, standing=(PREFIX + "x",))).verdict == Verdict.BLOCK  # called so, but not ours


def test_disks_encrypted_with_a_key_of_the_customers_are_a_warning(played):
    key = "arn:aws:kms:eu-central-1:111122223333:key/0f0f"
    knobs(played, places={"disk_key": key})

    finding = look(played, "disk_encryption")

    assert finding.verdict == Verdict.WARN
    assert (
        told(finding) == f"New disks are encrypted with your key {key}. Machines start only if its policy lets the kit's cell roles use it."
    )


def test_disks_encrypted_with_the_clouds_key_pass(played):
    knobs(played, places={"disk_key": "alias/aws/ebs"})

    assert look(played, "disk_encryption").verdict == Verdict.PASS


# --- No answer -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "code"), [("access_denied", "access_denied"), ("throttle", "throttled"), ("500", "cloud_unavailable")])
def test_check_without_an_answer_is_unknown_and_the_others_are_answered(played, kind, code):
    played.cloud.sandbox.control("POST", "faults", {"kind": kind, "service": "ec2", "action": "DescribeAddresses", "count": None})

    found = {finding.check: finding for finding in played.adapter().check_environment(REGION, NEEDS)}

    assert (found["quota_addresses"].verdict, found["quota_addresses"].params["code"]) == (Verdict.UNKNOWN, code)
    assert {name for name, finding in found.items() if finding.verdict != Verdict.PASS} == {"quota_addresses"}
