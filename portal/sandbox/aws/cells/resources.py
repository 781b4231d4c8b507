"""The resource types of a cell that ministack does not have, and what it lets pass in those it has."""

import base64
from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import ec2, eks, iam
from ministack.services.cloudformation import provisioners

from portal.sandbox.aws.cells.asking import tag_map
from portal.sandbox.aws.cells.logs import write_beginning
from portal.sandbox.aws.patches import add_entry, replace_entry, replace_function
from portal.sandbox.sandbox import Sandbox

Properties = dict[str, Any]
Made = tuple[str, dict[str, Any]]
IMAGE = "ami-0a1b2c3d4e5f60718"  # what the newest Amazon Linux is called here
MISSING = "ministack has no such type"
TAGGED = "stack tags reach it"
NETWORKS, ADDRESSES = "vpc/L-F678F1CE", "ec2/L-0263D0A3"
USUAL_QUOTA = 5.0


def install(sandbox: Sandbox) -> None:
    """Puts the patches in place. Call once, before the first request."""
    handlers, tags = provisioners._RESOURCE_HANDLERS, provisioners._STACK_TAG_PROPERTY
    machines = Machines(sandbox)
    new: dict[str, tuple[dict[str, Callable[..., Any]], str]] = {
        "AWS::EC2::EIP": ({"create": _create_address(sandbox), "update": _retag, "delete": _delete_address}, "list"),
        "AWS::EC2::NatGateway": ({"create": _create_nat, "update": _retag, "delete": _delete_nat}, "list"),
        "AWS::EC2::Instance": ({"create": machines.create, "update": machines.update, "delete": machines.delete}, "list"),
        "AWS::EKS::Addon": ({"create": _create_addon, "update": _update_addon, "delete": _delete_addon}, "list"),
        "AWS::EKS::AccessEntry": ({"create": _create_entry, "update": _update_entry, "delete": _delete_entry}, "list"),
    }
    for name, (handler, shape) in new.items():
        add_entry(provisioners, handlers, name, handler, why=MISSING)
        add_entry(provisioners, tags, name, ("Tags", shape), why=TAGGED)
    held = "what is in use cannot be deleted"
    replace_entry(
        provisioners, handlers, "AWS::EC2::Subnet", lambda known: {**known, "delete": _holding("SubnetId", known["delete"])}, why=held
    )
    replace_entry(
        provisioners, handlers, "AWS::EC2::SecurityGroup", lambda known: {**known, "delete": _holding("Groups", known["delete"])}, why=held
    )
    replace_entry(
        provisioners,
        handlers,
        "AWS::EC2::VPC",
        lambda known: {**known, "create": _counting(sandbox, known["create"])},
        why="networks have a quota",
    )
    replace_entry(provisioners, handlers, "AWS::EKS::Cluster", _stricter_cluster, why="a cluster keeps its encryption and who may come in")
    replace_function(eks, "_get_docker", lambda _original: lambda: None, why="no cluster of its own is started here")


def refused(message: str, service: str, code: str) -> ValueError:
    return ValueError(f'Resource handler returned message: "{message} (Service: {service}, Status Code: 400)" (HandlerErrorCode: {code})')


def _answered(answer: tuple[int, Any, bytes]) -> None:
    """Raises ValueError with the service's own words where it said no."""
    if answer[0] >= HTTPStatus.BAD_REQUEST:
        raise refused(answer[2].decode(), "Eks", "InvalidRequest")


# --- networks ---


def _quota(sandbox: Sandbox, name: str) -> float:
    return sandbox.knobs.quotas.get(get_account_id(), {}).get(name, USUAL_QUOTA)


def _counting(sandbox: Sandbox, create: Callable[..., Made]) -> Callable[..., Made]:
    def count(logical_id: str, props: Properties, stack_name: str) -> Made:
        if len(ec2._vpcs) >= _quota(sandbox, NETWORKS):
            raise refused("The maximum number of VPCs has been reached.", "Ec2", "ServiceLimitExceeded")
        return create(logical_id, props, stack_name)

    return count


def _create_address(sandbox: Sandbox) -> Callable[..., Made]:
    def create(logical_id: str, props: Properties, stack_name: str) -> Made:
        if len(ec2._addresses) >= _quota(sandbox, ADDRESSES):
            raise refused("The maximum number of addresses has been reached.", "Ec2", "ServiceLimitExceeded")
        before = set(ec2._addresses)
        ec2._allocate_address({"Domain": [props.get("Domain", "vpc")]})
        (made,) = set(ec2._addresses) - before
        ec2._tags[made] = list(props.get("Tags") or [])
        return made, {"AllocationId": made, "PublicIp": ec2._addresses[made]["PublicIp"]}

    return create


def _delete_address(made: str, _props: Properties) -> None:
    ec2._release_address({"AllocationId": [made]})


def _create_nat(_logical_id: str, props: Properties, _stack_name: str) -> Made:
    before = set(ec2._nat_gateways)
    ec2._create_nat_gateway({"SubnetId": [props["SubnetId"]], "AllocationId": [props["AllocationId"]]})
    (made,) = set(ec2._nat_gateways) - before
    ec2._tags[made] = list(props.get("Tags") or [])
    return made, {"NatGatewayId": made}


def _delete_nat(made: str, _props: Properties) -> None:
    ec2._delete_nat_gateway({"NatGatewayId": [made]})


def _retag(made: str, _old: Properties, new: Properties, *_names: Any) -> Made:
    ec2._tags[made] = list(new.get("Tags") or [])
    address = ec2._addresses.get(made)
    return made, {"AllocationId": made, "PublicIp": address["PublicIp"]} if address else {"NatGatewayId": made}


def _holding(field: str, delete: Callable[..., None]) -> Callable[..., None]:
    """A network interface that somebody else made keeps its subnet and its firewall groups alive."""

    def hold(made: str, props: Properties) -> None:
        for card in ec2._network_interfaces.values():
            inside = card.get(field, card.get("GroupSet", [])) if field == "Groups" else card.get(field)
            groups = (
                [group.get("GroupId") if isinstance(group, Mapping) else group for group in inside]
                if isinstance(inside, list)
                else [inside]
            )
            if made in groups:
                kind = "subnet" if field == "SubnetId" else "resource"
                raise refused(f"The {kind} '{made}' has dependencies and cannot be deleted. DependencyViolation", "Ec2", "InvalidRequest")
        delete(made, props)

    return hold


# --- machines ---


class Machines:
    """Instances from launch templates. What one is told when it starts goes to whoever plays the machine."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def create(self, _logical_id: str, props: Properties, _stack_name: str) -> Made:
        data = self._data(props)
        profile = data.get("IamInstanceProfile", {}).get("Name", "")
        if profile and profile not in iam._instance_profiles:
            raise refused(
                f"Value ({profile}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name", "Ec2", "NotFound"
            )
        (card,) = data["NetworkInterfaces"]
        (machine,) = ec2._launch_instances_internal(
            image_id=IMAGE if str(data["ImageId"]).startswith("resolve:ssm:") else data["ImageId"],
            instance_type=data["InstanceType"],
            subnet_id=card["SubnetId"],
            count=1,
            user_data=data.get("UserData", ""),
            sg_ids=card.get("Groups"),
            iam_profile={"Arn": f"arn:aws:iam::{get_account_id()}:instance-profile/{profile}", "Id": profile} if profile else None,
        )
        made = machine["InstanceId"]
        machine["PublicIpAddress"] = machine["PublicDnsName"] = ""
        spec: Any = next((spec["Tags"] for spec in data.get("TagSpecifications", []) if spec["ResourceType"] == "instance"), [])
        merged = tag_map(spec) | tag_map(props.get("Tags"))
        ec2._tags[made] = [{"Key": key, "Value": value} for key, value in merged.items()]
        self._boot(made, data)
        return made, {"InstanceId": made, "PrivateIp": machine["PrivateIpAddress"]}

    def update(self, made: str, old: Properties, new: Properties, *names: Any) -> Made:
        """Another launch template, or another version of it, is another machine."""
        if old.get("LaunchTemplate") != new.get("LaunchTemplate"):
            return self.create("", new, str(names[0]) if names else "")
        ec2._tags[made] = list(new.get("Tags") or [])
        return made, {"InstanceId": made, "PrivateIp": ec2._instances[made]["PrivateIpAddress"]}

    def delete(self, made: str, _props: Properties) -> None:
        if made in ec2._instances:
            for mapping in ec2._instances[made].get("BlockDeviceMappings", []):
                ec2._volumes.pop(mapping.get("Ebs", {}).get("VolumeId"), None)
            ec2._terminate_instances({"InstanceId.1": [made]})
        self.sandbox.agents.halt(made)

    def _data(self, props: Properties) -> dict[str, Any]:
        template = ec2._launch_templates.get(props["LaunchTemplate"]["LaunchTemplateId"])
        if template is None:
            raise refused("The specified launch template does not exist.", "Ec2", "NotFound")
        wanted = int(props["LaunchTemplate"]["Version"])
        (version,) = (version for version in template["Versions"] if int(version["VersionNumber"]) == wanted)
        data: dict[str, Any] = version["LaunchTemplateData"]
        return data

    def _boot(self, made: str, data: Mapping[str, Any]) -> None:
        told = base64.b64decode(data.get("UserData", "")).decode()
        if told:
            self.sandbox.agents.boot(made, told)


# --- clusters ---


def _stricter_cluster(known: dict[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    create = known["create"]

    def create_cluster(logical_id: str, props: Properties, stack_name: str) -> Made:
        role = str(props.get("RoleArn", "")).rpartition("/")[2]
        if role not in iam._roles:
            raise refused(f"Role with arn: {props.get('RoleArn')}, could not be assumed because it does not exist", "Eks", "InvalidRequest")
        for subnet in props["ResourcesVpcConfig"]["SubnetIds"]:
            if subnet not in ec2._subnets:
                raise refused(f"The subnet ID '{subnet}' does not exist", "Eks", "InvalidRequest")
        if len({ec2._subnets[subnet]["AvailabilityZone"] for subnet in props["ResourcesVpcConfig"]["SubnetIds"]}) < 2:  # noqa: PLR2004
            raise refused("Subnets specified must be in at least two different AZs", "Eks", "InvalidRequest")
        made: Made = create(logical_id, props, stack_name)
        cluster = eks._clusters[made[0]]
        cluster["accessConfig"] = {"authenticationMode": props.get("AccessConfig", {}).get("AuthenticationMode", "CONFIG_MAP")}
        cluster["encryptionConfig"] = [
            {"resources": one["Resources"], "provider": {"keyArn": one["Provider"]["KeyArn"]}} for one in props.get("EncryptionConfig", [])
        ]
        write_beginning(made[0], props)
        return made

    return {**known, "create": create_cluster}


def _create_addon(_logical_id: str, props: Properties, _stack_name: str) -> Made:
    cluster, name = props["ClusterName"], props["AddonName"]
    pods = [{"serviceAccount": pod["ServiceAccount"], "roleArn": pod["RoleArn"]} for pod in props.get("PodIdentityAssociations", [])]
    body = {"addonName": name, "tags": tag_map(props.get("Tags")), "configurationValues": props.get("ConfigurationValues", "")}
    _answered(eks._create_addon(cluster, {**body, "podIdentityAssociations": pods}))
    return f"{cluster}|{name}", {"Arn": eks._addons[f"{cluster}/{name}"]["addonArn"]}


def _update_addon(made: str, _old: Properties, new: Properties, *_names: Any) -> Made:
    cluster, _, name = made.partition("|")
    _answered(eks._update_addon(cluster, name, {"configurationValues": new.get("ConfigurationValues", "")}))
    eks._addons[f"{cluster}/{name}"]["tags"] = eks._tags[eks._addons[f"{cluster}/{name}"]["addonArn"]] = tag_map(new.get("Tags"))
    return made, {"Arn": eks._addons[f"{cluster}/{name}"]["addonArn"]}


def _delete_addon(made: str, _props: Properties) -> None:
    cluster, _, name = made.partition("|")
    eks._delete_addon(cluster, name)


def _create_entry(_logical_id: str, props: Properties, _stack_name: str) -> Made:
    cluster, principal = props["ClusterName"], props["PrincipalArn"]
    if principal.rpartition("/")[2] not in iam._roles:
        raise refused(f"The specified principalArn is invalid: {principal}", "Eks", "InvalidRequest")
    body = {"principalArn": principal, "type": props.get("Type", "STANDARD"), "tags": tag_map(props.get("Tags"))}
    _answered(eks._create_access_entry(cluster, body))
    _associate(props)
    return f"{cluster}|{principal}", {"AccessEntryArn": eks._access_entry_arn(cluster, principal)}


def _associate(props: Properties) -> None:
    for policy in props.get("AccessPolicies", []):
        scope = {"type": policy["AccessScope"]["Type"], "namespaces": policy["AccessScope"].get("Namespaces", [])}
        body = {"policyArn": policy["PolicyArn"], "accessScope": scope}
        _answered(eks._associate_access_policy(props["ClusterName"], props["PrincipalArn"], body))


def _update_entry(made: str, _old: Properties, new: Properties, *_names: Any) -> Made:
    _associate(new)
    return made, {"AccessEntryArn": eks._access_entry_arn(*made.split("|", 1))}


def _delete_entry(made: str, _props: Properties) -> None:
    eks._delete_access_entry(*made.split("|", 1))


# --- after a kill ---

STACK = "aws:cloudformation:stack-id"


def forget_unrecorded(stack_id: str, recorded: Collection[str]) -> None:
    """What a stack had made when the process was killed, before it could write that down: it is made again."""
    for made in [made for made, tags in ec2._tags.items() if tag_map(tags).get(STACK) == stack_id and made not in recorded]:
        for store in (ec2._instances, ec2._nat_gateways, ec2._addresses, ec2._security_groups, ec2._route_tables):
            store.pop(made, None)
        for store in (ec2._subnets, ec2._internet_gateways, ec2._vpcs):
            store.pop(made, None)
        ec2._tags.pop(made, None)
    for records, key in ((eks._addons, "addonName"), (eks._access_entries, "principalArn"), (eks._nodegroups, "nodegroupName")):
        for name in [name for name, record in records.items() if record.get("tags", {}).get(STACK) == stack_id]:
            if not {records[name][key], f"{records[name]['clusterName']}|{records[name][key]}"} & set(recorded):
                records.pop(name)
    for name in [name for name, record in eks._clusters.items() if record.get("tags", {}).get(STACK) == stack_id]:
        if name not in recorded:
            eks._clusters.pop(name)
