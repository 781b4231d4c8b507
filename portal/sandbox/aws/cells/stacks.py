"""CloudFormation as a cell sees it: a failed stack goes on, resources are listed from their first event, drift is read, tags are found."""

from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import ec2, eks, kms, tagging
from ministack.services.cloudformation import _stack_events, _stacks, drift, handlers

from portal.sandbox.aws.cells.asking import arn, tag_map
from portal.sandbox.aws.patches import add_entry, replace_entry, replace_function
from portal.sandbox.sandbox import Sandbox

Params = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]
# A stack whose failed resources were left as they are may be updated: the console's own "retry" is such an update.
GOES_ON = {"CREATE_FAILED": "CREATE_COMPLETE", "UPDATE_FAILED": "UPDATE_COMPLETE"}
CONTINUES = "_sandbox_continues"
KINDS = {
    "eipalloc": "elastic-ip", "eni": "network-interface", "i": "instance", "igw": "internet-gateway", "lt": "launch-template",
    "nat": "natgateway", "rtb": "route-table", "sg": "security-group", "subnet": "subnet", "vol": "volume", "vpc": "vpc",
}  # fmt: skip


def install(sandbox: Sandbox) -> None:
    """Puts the patches in place. Call once, before the first request."""
    actions = handlers._ACTION_HANDLERS
    replace_entry(handlers, actions, "UpdateStack", _going_on, why="a failed stack that was not rolled back can be updated")
    again = "an update that tries again what failed is no update of nothing"
    replace_function(handlers, "_stack_has_no_updates", _counting_failures, why=again)
    replace_entry(handlers, actions, "DescribeStackResources", _listing_all, why="AWS lists a resource from its first event to its last")
    for name, reader in READERS.items():
        add_entry(drift, drift._DRIFT_READERS, name, reader, why="drift of what a cell is made of")
    tagging._COLLECTORS.clear()
    for name, collect in {"cloudformation": _stacks_tagged, "ec2": _ec2_tagged, "eks": _eks_tagged, "kms": _keys_tagged}.items():
        lagging = _lagging(name, collect, sandbox)
        add_entry(tagging, tagging._COLLECTORS, name, lagging, why="only services that are played have tags, and their index lags")


# --- stacks ---


def _going_on(original: Callable[[Params], Answer]) -> Callable[[Params], Answer]:
    def update(params: Params) -> Answer:
        stack = handlers._resolve_stack(handlers._p(params, "StackName"))
        status = (stack or {}).get("StackStatus", "")
        if stack is None or status not in GOES_ON or handlers._p(params, "DisableRollback", "false").lower() != "true":
            return original(params)
        stack["StackStatus"], stack[CONTINUES] = GOES_ON[status], True
        answer = original(params)
        del stack[CONTINUES]
        if answer[0] != HTTPStatus.OK:
            stack["StackStatus"] = status
        return answer

    return update


def _counting_failures(original: Callable[..., bool]) -> Callable[..., bool]:
    def has_none(stack: Mapping[str, Any], *rest: Any, **named: Any) -> bool:
        return not stack.get(CONTINUES) and original(stack, *rest, **named)

    return has_none


def _listing_all(original: Callable[[Params], Answer]) -> Callable[[Params], Answer]:
    def describe(params: Params) -> Answer:
        stack = handlers._resolve_stack(handlers._p(params, "StackName"))
        if stack is None or handlers._p(params, "LogicalResourceId"):
            return original(params)
        newest = {event["LogicalResourceId"]: event for event in _stack_events.get(stack["StackId"], [])}
        newest.pop(stack["StackName"], None)
        members = "".join(_member(stack, name, event) for name, event in newest.items())
        inner = f"<DescribeStackResourcesResult><StackResources>{members}</StackResources></DescribeStackResourcesResult>"
        answer: Answer = handlers._xml(200, "DescribeStackResourcesResponse", inner)
        return answer

    return describe


def _member(stack: Mapping[str, Any], name: str, event: Mapping[str, Any]) -> str:
    made = event["PhysicalResourceId"] or stack.get("_resources", {}).get(name, {}).get("PhysicalResourceId", "")
    reason = event.get("ResourceStatusReason", "")
    fields = {
        "LogicalResourceId": name,
        **({"PhysicalResourceId": made} if made else {}),
        "ResourceType": event["ResourceType"],
        "ResourceStatus": event["ResourceStatus"],
        **({"ResourceStatusReason": reason} if reason else {}),
        "Timestamp": event["Timestamp"],
        "StackName": stack["StackName"],
        "StackId": stack["StackId"],
    }
    return "<member>" + "".join(f"<{key}>{handlers._esc(str(value))}</{key}>" for key, value in fields.items()) + "</member>"


# --- drift ---


def _network(made: str, _props: Mapping[str, Any]) -> dict[str, Any] | None:
    vpc = ec2._vpcs.get(made)
    if vpc is None:
        return None
    told = {"CidrBlock": vpc["CidrBlock"], "Tags": ec2._tags.get(made, [])}
    return told | {name: vpc.get(name, name == "EnableDnsSupport") for name in ("EnableDnsSupport", "EnableDnsHostnames")}


def _subnet(made: str, _props: Mapping[str, Any]) -> dict[str, Any] | None:
    subnet = ec2._subnets.get(made)
    if subnet is None:
        return None
    return {name: subnet[name] for name in ("VpcId", "CidrBlock", "AvailabilityZone", "MapPublicIpOnLaunch")} | {
        "Tags": ec2._tags.get(made, [])
    }


def _group(made: str, _props: Mapping[str, Any]) -> dict[str, Any] | None:
    group = ec2._security_groups.get(made)
    if group is None:
        return None
    return {
        "GroupDescription": group["Description"],
        "SecurityGroupIngress": [rule for one in group["IpPermissions"] for rule in _rules(one, "Source")],
        "SecurityGroupEgress": [rule for one in group["IpPermissionsEgress"] for rule in _rules(one, "Destination")],
        "Tags": ec2._tags.get(made, []),
    }


def _rules(permission: Mapping[str, Any], side: str) -> Iterator[dict[str, Any]]:
    ports = {key: permission[key] for key in ("FromPort", "ToPort") if key in permission}
    for entry in permission["IpRanges"]:
        yield {"IpProtocol": permission["IpProtocol"], **ports, **{key: entry[key] for key in ("CidrIp", "Description") if key in entry}}
    for entry in permission["UserIdGroupPairs"]:
        more = {"Description": entry["Description"]} if "Description" in entry else {}
        yield {"IpProtocol": permission["IpProtocol"], **ports, f"{side}SecurityGroupId": entry["GroupId"], **more}


def _cluster(made: str, _props: Mapping[str, Any]) -> dict[str, Any] | None:
    cluster = eks._clusters.get(made)
    if cluster is None:
        return None
    network = cluster["resourcesVpcConfig"]
    return {
        "Name": cluster["name"],
        "Version": cluster["version"],
        "RoleArn": cluster["roleArn"],
        "ResourcesVpcConfig": {
            "EndpointPrivateAccess": network["endpointPrivateAccess"],
            "EndpointPublicAccess": network["endpointPublicAccess"],
            "SecurityGroupIds": network["securityGroupIds"],
            "SubnetIds": network["subnetIds"],
        },
        "Tags": [{"Key": key, "Value": value} for key, value in cluster["tags"].items()],
    }


def _nodegroup(made: str, props: Mapping[str, Any]) -> dict[str, Any] | None:
    group = eks._nodegroups.get(f"{props['ClusterName']}/{made}")
    if group is None:
        return None
    scaling = group["scalingConfig"]
    return {
        "ScalingConfig": {f"{key[0].upper()}{key[1:]}": value for key, value in scaling.items()},
        "InstanceTypes": group["instanceTypes"],
    }


def _is_there(store: Callable[[], Any]) -> Callable[[str, Mapping[str, Any]], dict[str, Any] | None]:
    return lambda made, _props: {} if made in store() else None


def _machine(made: str, _props: Mapping[str, Any]) -> dict[str, Any] | None:
    machine = ec2._instances.get(made)
    return None if machine is None or machine["State"]["Name"] == "terminated" else {}


def _nat(made: str, _props: Mapping[str, Any]) -> dict[str, Any] | None:
    gateway = ec2._nat_gateways.get(made)
    return None if gateway is None or gateway["State"] == "deleted" else {}


NONE: frozenset[str] = frozenset()
READERS: dict[str, tuple[Callable[[str, Mapping[str, Any]], dict[str, Any] | None], frozenset[str]]] = {
    "AWS::EC2::EIP": (_is_there(lambda: ec2._addresses), NONE),
    "AWS::EC2::Instance": (_machine, NONE),
    "AWS::EC2::InternetGateway": (_is_there(lambda: ec2._internet_gateways), NONE),
    "AWS::EC2::LaunchTemplate": (_is_there(lambda: ec2._launch_templates), NONE),
    "AWS::EC2::NatGateway": (_nat, NONE),
    "AWS::EC2::RouteTable": (_is_there(lambda: ec2._route_tables), NONE),
    "AWS::EC2::SecurityGroup": (_group, frozenset({"GroupDescription", "SecurityGroupIngress", "SecurityGroupEgress", "Tags"})),
    "AWS::EC2::Subnet": (_subnet, frozenset({"VpcId", "CidrBlock", "AvailabilityZone", "MapPublicIpOnLaunch", "Tags"})),
    "AWS::EC2::VPC": (_network, frozenset({"CidrBlock", "EnableDnsSupport", "EnableDnsHostnames", "Tags"})),
    "AWS::EKS::AccessEntry": (_is_there(lambda: [key.replace("\0", "|") for key in eks._access_entries]), NONE),
    "AWS::EKS::Addon": (_is_there(lambda: [key.replace("/", "|") for key in eks._addons]), NONE),
    "AWS::EKS::Cluster": (_cluster, frozenset({"Name", "Version", "RoleArn", "ResourcesVpcConfig", "Tags"})),
    "AWS::EKS::Nodegroup": (_nodegroup, frozenset({"ScalingConfig", "InstanceTypes"})),
}


# --- tags ---


Tagged = Iterator[tuple[str, list[dict[str, str]]]]


def _lagging(name: str, collect: Callable[[], Tagged], sandbox: Sandbox) -> Callable[[], Tagged]:
    """The index follows the services after a while. Under a mark it tells what it has told first, of each account and region."""
    told: dict[tuple[str, str, str], list[tuple[str, list[dict[str, str]]]]] = {}

    def tell() -> Tagged:
        if not (mark := sandbox.knobs.tag_index_mark):
            return collect()
        here = (mark, get_account_id(), get_region())
        if here not in told:
            told[here] = list(collect())
        return iter(told[here])

    tell.__name__ = f"{name}_tagged"
    return tell


def _ec2_tagged() -> Tagged:
    for made, tags in list(ec2._tags.items()):
        kind = KINDS.get(made.partition("-")[0])
        is_gone = kind == "volume" and made not in ec2._volumes  # ministack forgets its tags later
        if kind and not is_gone:
            yield arn(kind, made), list(tags)


def _eks_tagged() -> Tagged:
    here = f"arn:aws:eks:{get_region()}:"
    for name, tags in list(eks._tags.items()):
        if name.startswith(here):
            yield name, _listed(tags)


def _keys_tagged() -> Tagged:
    for number, record in list(kms._keys.items()):
        where = f"arn:aws:kms:{get_region()}:{get_account_id()}:key/{number}"
        yield where, [{"Key": tag["TagKey"], "Value": tag["TagValue"]} for tag in record.get("Tags", [])]


def _stacks_tagged() -> Tagged:
    for stack in list(_stacks.values()):
        if stack["StackStatus"] != "DELETE_COMPLETE":
            yield stack["StackId"], list(stack.get("Tags") or [])


def _listed(tags: Any) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tag_map(tags).items()]
