"""What CloudFormation asks of its caller for one resource of a cell: every action with its resource and the keys that policies look at.

Taken from the handlers of the public resource schemas and from the services' own authorization references.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import ec2, kms

from portal.sandbox.aws.cells.asking import Ask, Asker, Work, arn, eks, making, on, passing, requested, retagging, standing, tag_map


def asks(resource_type: str, work: Work) -> list[Ask] | None:
    """None for a type that is no part of a cell."""
    if resource_type not in ASKERS:
        return None
    reads = [Ask(action) for action in READS.get(resource_type, ())] if work.verb != "delete" else []
    found = [*ASKERS[resource_type](work), *reads]
    always = {"aws:calledviafirst": "cloudformation.amazonaws.com"}
    return [Ask(ask.action, ask.resource, always | {key.lower(): value for key, value in ask.context.items()}) for ask in found]


# --- networks ---


def _network(work: Work) -> Iterator[Ask]:
    if work.verb == "create":
        tags = tag_map(work.props.get("Tags"))
        yield from making("CreateVpc", "vpc", tags)
        yield Ask("ec2:ModifyVpcAttribute", arn("vpc"), {f"aws:ResourceTag/{key}": value for key, value in tags.items()})
    elif work.verb == "update":
        yield from retagging("vpc", work)
    else:
        yield on("DeleteVpc", "vpc", work.made)


def _in_network(create: str, kind: str, delete: str) -> Asker:
    """Subnets and route tables: EC2 asks for the network too."""

    def ask(work: Work) -> Iterator[Ask]:
        if work.verb == "create":
            yield from making(create, kind, tag_map(work.props.get("Tags")))
            yield on(create, "vpc", work.props["VpcId"])
        elif work.verb == "update":
            yield from retagging(kind, work)
        else:
            yield on(delete, kind, work.made)

    return ask


def _group(work: Work) -> Iterator[Ask]:
    if work.verb == "delete":
        yield on("DeleteSecurityGroup", "security-group", work.made)
        return
    if work.verb == "create":
        yield from making("CreateSecurityGroup", "security-group", tag_map(work.props.get("Tags")))
        yield on("CreateSecurityGroup", "vpc", work.props["VpcId"])
        ours = {f"aws:ResourceTag/{key}": value for key, value in tag_map(work.props.get("Tags")).items()}
    else:
        yield from retagging("security-group", work)
        ours = standing(work.made)
    for side, name in (("Ingress", "SecurityGroupIngress"), ("Egress", "SecurityGroupEgress")):
        if work.props.get(name, []) != work.old.get(name, []):
            yield Ask(f"ec2:AuthorizeSecurityGroup{side}", arn("security-group", work.made), ours)
            yield Ask(f"ec2:AuthorizeSecurityGroup{side}", arn("security-group-rule"))
            if side == "Egress" or work.verb == "update":
                yield Ask(f"ec2:RevokeSecurityGroup{side}", arn("security-group", work.made), ours)


def _simple(create: str, kind: str, delete: str) -> Asker:
    def ask(work: Work) -> Iterator[Ask]:
        if work.verb == "create":
            yield from making(create, kind, tag_map(work.props.get("Tags")))
        elif work.verb == "update":
            yield from retagging(kind, work)
        else:
            yield on(delete, kind, work.made)

    return ask


def _attachment(work: Work) -> Iterator[Ask]:
    call = "DetachInternetGateway" if work.verb == "delete" else "AttachInternetGateway"
    yield on(call, "internet-gateway", work.props["InternetGatewayId"])
    yield on(call, "vpc", work.props["VpcId"])


def _route(work: Work) -> Iterator[Ask]:
    call = {"create": "CreateRoute", "update": "ReplaceRoute", "delete": "DeleteRoute"}[work.verb]
    yield on(call, "route-table", work.props["RouteTableId"])


def _association(work: Work) -> Iterator[Ask]:
    call = "DisassociateRouteTable" if work.verb == "delete" else "AssociateRouteTable"
    yield on(call, "route-table", work.props["RouteTableId"])
    yield on(call, "subnet", work.props["SubnetId"])


def _nat(work: Work) -> Iterator[Ask]:
    if work.verb == "create":
        yield from making("CreateNatGateway", "natgateway", tag_map(work.props.get("Tags")))
        yield on("CreateNatGateway", "subnet", work.props["SubnetId"])
        yield on("CreateNatGateway", "elastic-ip", work.props["AllocationId"])
    elif work.verb == "update":
        yield from retagging("natgateway", work)
    else:
        yield on("DeleteNatGateway", "natgateway", work.made)


# --- keys ---


def _key(work: Work) -> Iterator[Ask]:
    tags = tag_map(work.props.get("Tags"))
    if work.verb == "create":
        yield Ask("kms:CreateKey", "*", requested(tags))
        yield Ask("kms:TagResource", "*", requested(tags))
        for action in ("EnableKeyRotation", "DescribeKey", "GetKeyPolicy", "GetKeyRotationStatus", "ListResourceTags"):
            yield Ask(f"kms:{action}", "*", {f"aws:ResourceTag/{key}": value for key, value in tags.items()})
    elif work.verb == "delete":
        yield Ask("kms:DescribeKey", key_arn(work.made), key_tags(work.made))
        yield Ask("kms:ScheduleKeyDeletion", key_arn(work.made), key_tags(work.made))


def key_arn(made: str) -> str:
    return f"arn:aws:kms:{get_region()}:{get_account_id()}:key/{made.rpartition('/')[2]}"


def key_tags(made: str) -> dict[str, Any]:
    record = kms._resolve_key(made) or {}
    return {f"aws:ResourceTag/{tag['TagKey']}": tag["TagValue"] for tag in record.get("Tags", [])}


def _alias(work: Work) -> Iterator[Ask]:
    call = "kms:DeleteAlias" if work.verb == "delete" else "kms:CreateAlias"
    yield Ask(call, f"arn:aws:kms:{get_region()}:{get_account_id()}:{work.props['AliasName']}")
    yield Ask(call, key_arn(work.props["TargetKeyId"]), key_tags(work.props["TargetKeyId"]))


# --- clusters ---


def _cluster(work: Work) -> Iterator[Ask]:
    cluster, tags = eks(f"cluster/{work.props['Name']}"), tag_map(work.props.get("Tags"))
    if work.verb == "create":
        access = work.props.get("AccessConfig", {})
        keys = {
            "eks:authenticationMode": access.get("AuthenticationMode", "CONFIG_MAP"),
            "eks:bootstrapClusterCreatorAdminPermissions": str(access.get("BootstrapClusterCreatorAdminPermissions", True)).lower(),
        }
        yield Ask("eks:CreateCluster", cluster, requested(tags) | keys)
        yield Ask("eks:TagResource", cluster, requested(tags))
        yield passing(work.props["RoleArn"], "eks.amazonaws.com")
        for encryption in work.props.get("EncryptionConfig", []):
            key = encryption["Provider"]["KeyArn"]
            yield Ask("kms:DescribeKey", key, key_tags(key))
            yield Ask("kms:CreateGrant", key, key_tags(key) | {"kms:GrantIsForAWSResource": "true"})
    elif work.verb == "update":
        yield Ask("eks:UpdateClusterConfig", cluster)
        if work.props.get("Version") != work.old.get("Version"):
            yield Ask("eks:UpdateClusterVersion", cluster)
    else:
        yield Ask("eks:DeleteCluster", cluster)
    yield Ask("eks:DescribeCluster", cluster)


def _nodegroup(work: Work) -> Iterator[Ask]:
    cluster = work.props["ClusterName"]
    group = eks(f"nodegroup/{cluster}/{work.props.get('NodegroupName', '*')}/0")
    if work.verb == "create":
        tags = tag_map(work.props.get("Tags"))
        yield Ask("eks:CreateNodegroup", eks(f"cluster/{cluster}"), requested(tags))
        yield Ask("eks:TagResource", group, requested(tags))
        yield passing(work.props["NodeRole"], "eks.amazonaws.com")
        yield Ask("iam:GetRole", work.props["NodeRole"])
        if template := work.props.get("LaunchTemplate"):
            yield from launching(template["Id"], work.props.get("InstanceTypes", []), work.props.get("Subnets", [])[:1])
    elif work.verb == "update":
        yield Ask("eks:UpdateNodegroupConfig", group)
        if work.props.get("LaunchTemplate") != work.old.get("LaunchTemplate"):
            yield Ask("eks:UpdateNodegroupVersion", group)
    else:
        yield Ask("eks:DeleteNodegroup", group)
    yield Ask("eks:DescribeNodegroup", group)


def _addon(work: Work) -> Iterator[Ask]:
    cluster = work.props["ClusterName"]
    addon = eks(f"addon/{cluster}/{work.props['AddonName']}/0")
    pods = work.props.get("PodIdentityAssociations", [])
    if work.verb == "create":
        tags = tag_map(work.props.get("Tags"))
        yield Ask("eks:CreateAddon", eks(f"cluster/{cluster}"), requested(tags))
        yield Ask("eks:TagResource", addon, requested(tags))
        for pod in pods:
            yield Ask("eks:CreatePodIdentityAssociation", eks(f"cluster/{cluster}"))
            yield passing(pod["RoleArn"], "pods.eks.amazonaws.com")
            yield Ask("iam:GetRole", pod["RoleArn"])
    elif work.verb == "update":
        yield Ask("eks:UpdateAddon", addon)
    else:
        yield Ask("eks:DeleteAddon", addon)
        for _pod in pods:
            yield Ask("eks:DeletePodIdentityAssociation", eks(f"podidentityassociation/{cluster}/a-0"))
    yield Ask("eks:DescribeAddon", addon)
    for _pod in pods:
        yield Ask("eks:DescribePodIdentityAssociation", eks(f"podidentityassociation/{cluster}/a-0"))


def _entry(work: Work) -> Iterator[Ask]:
    cluster, principal = work.props["ClusterName"], work.props["PrincipalArn"]
    account, _, name = principal.partition("arn:aws:iam::")[2].partition(":")
    entry = eks(f"access-entry/{cluster}/role/{account}/{name.rpartition('/')[2]}/0")
    if work.verb == "delete":
        yield Ask("eks:DeleteAccessEntry", entry)
        return
    if work.verb == "create":
        tags = tag_map(work.props.get("Tags"))
        yield Ask("eks:CreateAccessEntry", eks(f"cluster/{cluster}"), requested(tags) | {"eks:principalArn": principal})
        yield Ask("eks:TagResource", entry, requested(tags))
    for policy in work.props.get("AccessPolicies", []):
        yield Ask("eks:AssociateAccessPolicy", entry, {"eks:policyArn": policy["PolicyArn"]})
    yield Ask("eks:DescribeAccessEntry", entry)
    yield Ask("eks:ListAssociatedAccessPolicies", entry)


# --- machines ---


def _template(work: Work) -> Iterator[Ask]:
    if work.verb == "create":
        yield from making("CreateLaunchTemplate", "launch-template", specified(work.props, "launch-template"))
    elif work.verb == "update":
        yield on("CreateLaunchTemplateVersion", "launch-template", work.made)
    else:
        yield on("DeleteLaunchTemplate", "launch-template", work.made)


def specified(holder: Mapping[str, Any], kind: str) -> dict[str, str]:
    return {
        key: value
        for spec in holder.get("TagSpecifications", [])
        if spec["ResourceType"] == kind
        for key, value in tag_map(spec["Tags"]).items()
    }


def launching(template: str, types: Sequence[str], subnets: Sequence[str], tags: Mapping[str, str] | None = None) -> Iterator[Ask]:
    """EC2 asks for everything that a new machine is made of and stands in."""
    data = ec2._launch_templates[template]["Versions"][-1]["LaunchTemplateData"]
    for kind in types or [data.get("InstanceType", "")]:
        keys = {"ec2:InstanceType": kind, "ec2:MetadataHttpTokens": data.get("MetadataOptions", {}).get("HttpTokens", "optional")}
        if profile := data.get("IamInstanceProfile", {}).get("Name"):
            keys["ec2:InstanceProfile"] = f"arn:aws:iam::{get_account_id()}:instance-profile/{profile}"
        yield from making("RunInstances", "instance", {**specified(data, "instance"), **(tags or {})}, **keys)
    disks = [mapping["Ebs"] for mapping in data.get("BlockDeviceMappings", [])] or [{}]
    for disk in disks:
        yield from making(
            "RunInstances", "volume", specified(data, "volume"), **{"ec2:Encrypted": str(disk.get("Encrypted", False)).lower()}
        )
    yield from making("RunInstances", "network-interface", specified(data, "network-interface"))
    yield on("RunInstances", "launch-template", template)
    for card in data.get("NetworkInterfaces", []):
        yield on("RunInstances", "subnet", card["SubnetId"])
        for group in card.get("Groups", []):
            yield on("RunInstances", "security-group", group)
    for subnet in subnets:
        yield on("RunInstances", "subnet", subnet)
    yield Ask("ec2:RunInstances", f"arn:aws:ec2:{get_region()}::image/ami-0", {"ec2:Owner": "amazon"})
    yield Ask("ec2:DescribeLaunchTemplateVersions")


def _machine(work: Work) -> Iterator[Ask]:
    if work.verb == "delete":
        yield on("TerminateInstances", "instance", work.made)
        return
    if work.made:
        yield on("DescribeInstanceAttribute", "instance", work.made)
    if work.verb == "update" and work.props.get("LaunchTemplate") == work.old.get("LaunchTemplate"):
        yield from retagging("instance", work)
        return
    template = work.props["LaunchTemplate"]["LaunchTemplateId"]
    data = ec2._launch_templates[template]["Versions"][-1]["LaunchTemplateData"]
    tags = {**specified(data, "instance"), **tag_map(work.props.get("Tags"))}
    yield from launching(template, [], [], tag_map(work.props.get("Tags")))
    yield Ask("ec2:DescribeInstanceAttribute", arn("instance"), {f"aws:ResourceTag/{key}": value for key, value in tags.items()})
    if profile := data.get("IamInstanceProfile", {}).get("Name"):
        yield passing(f"arn:aws:iam::{get_account_id()}:role/{profile}", "ec2.amazonaws.com")
    image = str(data.get("ImageId", ""))
    if image.startswith("resolve:ssm:"):
        yield Ask("ssm:GetParameters", f"arn:aws:ssm:{get_region()}::parameter{image.removeprefix('resolve:ssm:')}")


ASKERS: dict[str, Asker] = {
    "AWS::EC2::EIP": _simple("AllocateAddress", "elastic-ip", "ReleaseAddress"),
    "AWS::EC2::Instance": _machine,
    "AWS::EC2::InternetGateway": _simple("CreateInternetGateway", "internet-gateway", "DeleteInternetGateway"),
    "AWS::EC2::LaunchTemplate": _template,
    "AWS::EC2::NatGateway": _nat,
    "AWS::EC2::Route": _route,
    "AWS::EC2::RouteTable": _in_network("CreateRouteTable", "route-table", "DeleteRouteTable"),
    "AWS::EC2::SecurityGroup": _group,
    "AWS::EC2::Subnet": _in_network("CreateSubnet", "subnet", "DeleteSubnet"),
    "AWS::EC2::SubnetRouteTableAssociation": _association,
    "AWS::EC2::VPC": _network,
    "AWS::EC2::VPCGatewayAttachment": _attachment,
    "AWS::EKS::AccessEntry": _entry,
    "AWS::EKS::Addon": _addon,
    "AWS::EKS::Cluster": _cluster,
    "AWS::EKS::Nodegroup": _nodegroup,
    "AWS::KMS::Alias": _alias,
    "AWS::KMS::Key": _key,
}
# What CloudFormation reads to see that a resource is there, and for a comparison with its template.
READS = {
    "AWS::EC2::EIP": ("ec2:DescribeAddresses",),
    "AWS::EC2::Instance": ("ec2:DescribeInstances", "ec2:DescribeLaunchTemplates", "ec2:DescribeVolumes"),
    "AWS::EC2::InternetGateway": ("ec2:DescribeInternetGateways",),
    "AWS::EC2::LaunchTemplate": ("ec2:DescribeLaunchTemplates", "ec2:DescribeLaunchTemplateVersions"),
    "AWS::EC2::NatGateway": ("ec2:DescribeNatGateways",),
    "AWS::EC2::Route": ("ec2:DescribeRouteTables",),
    "AWS::EC2::RouteTable": ("ec2:DescribeRouteTables",),
    "AWS::EC2::SecurityGroup": ("ec2:DescribeSecurityGroups", "ec2:DescribeSecurityGroupRules"),
    "AWS::EC2::Subnet": ("ec2:DescribeSubnets", "ec2:DescribeNetworkAcls"),
    "AWS::EC2::SubnetRouteTableAssociation": ("ec2:DescribeRouteTables",),
    "AWS::EC2::VPC": ("ec2:DescribeVpcs", "ec2:DescribeVpcAttribute"),
    "AWS::EC2::VPCGatewayAttachment": ("ec2:DescribeInternetGateways", "ec2:DescribeVpcs"),
    "AWS::EKS::Cluster": ("ec2:DescribeSubnets", "ec2:DescribeVpcs", "ec2:DescribeSecurityGroups"),
    "AWS::EKS::Nodegroup": ("ec2:DescribeSubnets", "ec2:DescribeSecurityGroups"),
    "AWS::KMS::Alias": ("kms:ListAliases",),
}
