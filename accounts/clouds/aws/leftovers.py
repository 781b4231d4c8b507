"""What still bears our tags in a region, whatever made it.

The tagging index follows the services by minutes: it may miss what was just made, and remembers what is gone. So each service is asked too,
and has the last word on what it can list.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
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
ACCOUNT = "byoc:account"
MADE_AS = "aws:cloudformation:logical-id"
GONE = {"terminated", "shutting-down", "deleted", "deleting", "PendingDeletion", "DELETE_COMPLETE"}
UNSAID = {"access_denied", "unknown_cloud_error"}


@dataclass(frozen=True)
class Listed:
    """How EC2 lists one kind of what our stacks make, or what is made beside them."""

    operation: str
    rows: str
    made: str
    by_id: str  # name of the filter; launch templates have none
    filters: str = "Filters"
    tags: str = "Tags"


EC2 = {
    "elastic-ip": Listed("describe_addresses", "Addresses", "AllocationId", "allocation-id"),
    "instance": Listed("describe_instances", "Instances", "InstanceId", "instance-id"),
    "internet-gateway": Listed("describe_internet_gateways", "InternetGateways", "InternetGatewayId", "internet-gateway-id"),
    "launch-template": Listed("describe_launch_templates", "LaunchTemplates", "LaunchTemplateId", ""),
    "natgateway": Listed("describe_nat_gateways", "NatGateways", "NatGatewayId", "nat-gateway-id", filters="Filter"),
    "network-interface": Listed(
        "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId", "network-interface-id", tags="TagSet"
    ),
    "route-table": Listed("describe_route_tables", "RouteTables", "RouteTableId", "route-table-id"),
    "security-group": Listed("describe_security_groups", "SecurityGroups", "GroupId", "group-id"),
    "subnet": Listed("describe_subnets", "Subnets", "SubnetId", "subnet-id"),
    "volume": Listed("describe_volumes", "Volumes", "VolumeId", "volume-id"),
    "vpc": Listed("describe_vpcs", "Vpcs", "VpcId", "vpc-id"),
}


class Leftovers:
    """One look at one region."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client

    def find(self, tags: Mapping[str, str]) -> Sequence[StackPart]:
        wanted = [{"Key": key, "Values": [value]} for key, value in sorted(tags.items())]
        with translated("GetResources"):
            pages = self._client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(TagFilters=wanted)
            found = {told["ResourceARN"]: told["Tags"] for page in pages for told in page["ResourceTagMappingList"]}
        standing = {arn: found[arn] for arn in sorted(found) if self._stands(arn)}
        known = {arn.rpartition("/")[2] for arn in found}
        unlisted = [part for part in self._unlisted(tags) if part.made.rpartition("/")[2] not in known]
        return [_part(arn, tags) for arn, tags in standing.items()] + unlisted

    def _stands(self, arn: str) -> bool:
        """What is ended but still listed for an hour, or for the days that a key waits, is no leftover."""
        try:
            return self._is_there(arn)
        except CloudError as error:
            # A key of which we may not read is still there, and a region's services may be slow to agree.
            if error.code not in UNSAID:
                raise
        return True

    def _is_there(self, arn: str) -> bool:
        service, _colon, kind = _kind(arn).partition(":")
        made = arn.rpartition("/")[2]
        match service, kind:
            case "ec2", _ if kind in EC2:
                listed = EC2[kind]
                by_id = [{"Name": listed.by_id, "Values": [made]}] if listed.by_id else []
                return any(row[listed.made] == made for row in self._rows(listed, by_id))
            case "eks", _:
                return arn.split("/")[1] in self._clusters
            case "kms", "key":
                with translated("DescribeKey"):
                    return self._client("kms").describe_key(KeyId=made)["KeyMetadata"]["KeyState"] not in GONE
            case "cloudformation", "stack":
                return self._has_stack(arn)
        return True

    def _has_stack(self, arn: str) -> bool:
        try:
            with translated("DescribeStacks"):
                (stack,) = self._client("cloudformation").describe_stacks(StackName=arn)["Stacks"]
        except CloudError as error:
            if error.code == "kit_not_found":  # the table's word for a stack that does not exist
                return False
            raise
        return stack["StackStatus"] not in GONE

    def _rows(self, listed: Listed, filters: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        client, asked = self._client("ec2"), {listed.filters: filters} if filters else {}
        with translated(client.meta.method_to_api_mapping[listed.operation]):
            if client.can_paginate(listed.operation):
                pages = list(client.get_paginator(listed.operation).paginate(**asked))
            else:
                pages = [getattr(client, listed.operation)(**asked)]
        for page in pages:
            for group in page.get("Reservations", [page]):
                yield from (row for row in group[listed.rows] if _state(row) not in GONE)

    @cached_property
    def _clusters(self) -> set[str]:
        with translated("ListClusters"):
            return {name for page in self._client("eks").get_paginator("list_clusters").paginate() for name in page["clusters"]}

    def _unlisted(self, tags: Mapping[str, str]) -> Iterator[StackPart]:
        """What the services list with our tags. Whoever may not ask has the index alone."""
        looks = [partial(self._machinery, kind, listed, tags) for kind, listed in EC2.items()]
        for look in (*looks, partial(self._own_clusters, tags)):
            try:
                yield from look()
            except CloudError as error:
                if error.code not in UNSAID:
                    raise

    def _own_clusters(self, tags: Mapping[str, str]) -> Iterator[StackPart]:
        """By the beginning of their names, because the kit lets us read no others."""
        own = [name for name in sorted(self._clusters) if name.startswith(f"byoc-{tags.get(ACCOUNT, '')[:8]}-")]
        for name in own:
            with translated("DescribeCluster"):
                told = self._client("eks").describe_cluster(name=name)["cluster"]
            if tags.items() <= told.get("tags", {}).items():
                region = self._client("eks").meta.region_name
                yield StackPart(KINDS["eks:cluster"], name, made=name, state="ready", link=console_page(KINDS["eks:cluster"], name, region))

    def _machinery(self, kind: str, listed: Listed, tags: Mapping[str, str]) -> Iterator[StackPart]:
        filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in sorted(tags.items())]
        for row in self._rows(listed, filters):
            borne = {tag["Key"]: tag["Value"] for tag in row.get(listed.tags, [])}
            if tags.items() <= borne.items():
                made, known = row[listed.made], KINDS[f"ec2:{kind}"]
                region = self._client("ec2").meta.region_name
                yield StackPart(known, borne.get(MADE_AS, made), made=made, state="ready", link=console_page(known, made, region))


def _state(row: Mapping[str, Any]) -> str:
    """An instance's is an object; a gateway's is a word; most kinds have none, or one that says nothing here."""
    state = row.get("State", "")
    return str(state["Name"] if isinstance(state, Mapping) else state)


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
