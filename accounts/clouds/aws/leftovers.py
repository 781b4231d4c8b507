"""What still bears our tags in a region, whatever made it. The tagging index remembers what is gone, so the services have the last word."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from accounts.clouds.aws.console_pages import console_page
from accounts.clouds.aws.errors import translated
from accounts.clouds.base import CloudError
from accounts.clouds.stacks import StackPart

# As CloudFormation calls them; what is not here keeps the name in its ARN.
KINDS = {
    "cloudformation:stack": "AWS::CloudFormation::Stack",
    "ec2:elastic-ip": "AWS::EC2::EIP",
    "ec2:instance": "AWS::EC2::Instance",
    "ec2:internet-gateway": "AWS::EC2::InternetGateway",
    "ec2:launch-template": "AWS::EC2::LaunchTemplate",
    "ec2:natgateway": "AWS::EC2::NatGateway",
    "ec2:network-interface": "AWS::EC2::NetworkInterface",
    "ec2:route-table": "AWS::EC2::RouteTable",
    "ec2:security-group": "AWS::EC2::SecurityGroup",
    "ec2:subnet": "AWS::EC2::Subnet",
    "ec2:volume": "AWS::EC2::Volume",
    "ec2:vpc": "AWS::EC2::VPC",
    "eks:access-entry": "AWS::EKS::AccessEntry",
    "eks:addon": "AWS::EKS::Addon",
    "eks:cluster": "AWS::EKS::Cluster",
    "eks:nodegroup": "AWS::EKS::Nodegroup",
    "elasticloadbalancing:loadbalancer": "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "kms:key": "AWS::KMS::Key",
}
MADE_AS = "aws:cloudformation:logical-id"
GONE = {"terminated", "shutting-down", "deleted", "deleting", "PendingDeletion"}


class Leftovers:
    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client

    def find(self, tags: Mapping[str, str]) -> Sequence[StackPart]:
        wanted = [{"Key": key, "Values": [value]} for key, value in sorted(tags.items())]
        with translated("GetResources"):
            pages = self._client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(TagFilters=wanted)
            found = {told["ResourceARN"]: told["Tags"] for page in pages for told in page["ResourceTagMappingList"]}
        return [_part(arn, found[arn]) for arn in sorted(found) if self._stands(arn)]

    def _stands(self, arn: str) -> bool:
        """What is ended but still listed for an hour, or for the days that a key waits, is no leftover."""
        kind, made = _kind(arn), arn.rpartition("/")[2]
        try:
            match kind:
                case "ec2:instance":
                    with translated("DescribeInstances"):
                        told = self._client("ec2").describe_instances(Filters=[{"Name": "instance-id", "Values": [made]}])
                    return any(one["State"]["Name"] not in GONE for group in told["Reservations"] for one in group["Instances"])
                case "ec2:natgateway":
                    with translated("DescribeNatGateways"):
                        told = self._client("ec2").describe_nat_gateways(Filter=[{"Name": "nat-gateway-id", "Values": [made]}])
                    return any(one["State"] not in GONE for one in told["NatGateways"])
                case "kms:key":
                    with translated("DescribeKey"):
                        return self._client("kms").describe_key(KeyId=made)["KeyMetadata"]["KeyState"] not in GONE
        except CloudError as error:
            # A key of which we may not read is still there, and a region's services may be slow to agree.
            if error.code not in {"access_denied", "unknown_cloud_error"}:
                raise
        return True


def _kind(arn: str) -> str:
    _arn, _partition, service, _region, _account, resource = arn.split(":", 5)
    return f"{service}:{resource.split('/')[0].split(':')[0]}"


def _part(arn: str, tags: Sequence[Mapping[str, str]]) -> StackPart:
    """What a stack made once is called as the stack called it."""
    kind = _kind(arn)
    # `stack/name/uuid`: people know a stack by its name.
    called = arn.split("/")[1] if kind == "cloudformation:stack" else arn.rpartition("/")[2]
    name = next((tag["Value"] for tag in tags if tag["Key"] == MADE_AS), called)
    known = KINDS.get(kind, kind)
    return StackPart(known, name, made=arn, state="ready", link=console_page(known, arn, arn.split(":")[3]))
