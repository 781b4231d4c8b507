"""Whether a deployment cell could be built in a region of an AWS account: questions only, each answered with what AWS said."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from ipaddress import ip_network
from typing import Any, Protocol

from botocore.exceptions import ClientError

from accounts.clouds.aws import quotas
from accounts.clouds.aws.errors import classify, translated
from accounts.clouds.aws.quotas import ADDRESSES, GATEWAYS, NETWORKS, VCPUS, Quota
from accounts.clouds.aws.shipped import ShippedKit
from accounts.clouds.base import CloudError, Finding, Identity, Needs, PermissionProbe, PermissionResult, Target, Verdict

ZONES_WANTED = 3
ZONES_NEEDED = 2  # EKS takes no cluster with fewer
MOST_NAMES = 5
AWS_DISK_KEY = "alias/aws/ebs"
GLOBAL_REGION = "us-east-1"  # what AWS takes IAM's requests to be for
CONNECTED = {"active", "provisioning"}
TAG = "byoc:account"


class Account(Protocol):
    """What a check asks of the adapter."""

    @property
    def target(self) -> Target: ...
    @property
    def shipped(self) -> ShippedKit: ...
    def probe_trust(self) -> Identity: ...
    def check_permissions(self, probes: Sequence[PermissionProbe]) -> Sequence[PermissionResult]: ...


class Client(Protocol):
    def __call__(self, service: str, *, region: str) -> Any: ...


class Surroundings:
    """The checks of one region. Each answers on its own: what may not be read does not silence the others."""

    def __init__(self, account: Account, client: Client, region: str, needs: Needs) -> None:
        self.account = account
        self.client = client
        self.region = region
        self.needs = needs
        self.home = account.target.region
        self.checks: dict[str, Callable[[str], Finding]] = {
            "identity": self._identity,
            "permissions": self._permissions,
            "region_enabled": self._region,
            "organisation_policy": self._organisation,
            "zones": self._zones,
            "quota_vcpus": self._vcpus,
            "quota_networks": self._networks,
            "quota_addresses": self._addresses,
            "quota_gateways": self._gateways,
            "address_range": self._overlap,
            "names_free": self._names,
            "disk_encryption": self._disks,
        }

    def findings(self, only: Sequence[str] = ()) -> list[Finding]:
        return [self._ask(name) for name in self.checks if not only or name in only]

    def _ask(self, name: str) -> Finding:
        try:
            found = self.checks[name](name)
        except CloudError as error:
            return Finding(name, Verdict.UNKNOWN, error.raw, {"code": error.code, "region": self.region, **error.params})
        return replace(found, params={"region": self.region, **found.params})

    @cached_property
    def _ec2(self) -> Any:
        """EC2 in the region. In one that is off every call fails with words that mislead, so that is said instead."""
        status = self._opt_in
        if status == "not-opted-in":
            raise CloudError("region_disabled", raw=f"{self.region}: {status}")
        return self.client("ec2", region=self.region)

    # --- who ---

    def _identity(self, name: str) -> Finding:
        identity = self.account.probe_trust()
        return Finding(name, Verdict.PASS, identity.principal, {"account_id": identity.external_id})

    @cached_property
    def _simulated(self) -> Sequence[PermissionResult]:
        """Every permission of the operator role, asked for in this region."""
        return self.account.check_permissions([self._here(probe) for probe in self.account.shipped.probes])

    def _here(self, probe: PermissionProbe) -> PermissionProbe:
        region = GLOBAL_REGION if probe.action.startswith(("iam:", "sts:")) else self.region
        resource = probe.resource.replace(f":{self.home}:", f":{self.region}:")
        return replace(probe, resource=resource, context={**probe.context, "aws:RequestedRegion": region})

    def _permissions(self, name: str) -> Finding:
        missing = [result for result in self._simulated if not result.is_granted and not result.is_denied_by_organisation]
        if not missing:
            return Finding(name, Verdict.PASS, "", {"count": str(len(self._simulated))})
        actions = [result.permission for result in missing]
        params = {"count": str(len(missing)), "permissions": _named(actions)}
        evidence = "\n".join(f"{result.permission}: {result.detail}" for result in missing)
        role = f"arn:aws:iam::{self.account.target.external_id}:role/{self.account.shipped.roles['operator'].name}"
        command = f"aws iam simulate-principal-policy --policy-source-arn {role} --action-names {' '.join(actions)}"
        return Finding(name, Verdict.BLOCK, evidence, params, command, self._console("cloudformation", self.home, "#/stacks"))

    # --- where ---

    @cached_property
    def _opt_in(self) -> str:
        """Asked of the kit's own region, which is on: a region that is off does not answer for itself."""
        with translated("DescribeRegions"):
            told = self.client("ec2", region=self.home).describe_regions(RegionNames=[self.region], AllRegions=True)["Regions"]
        return str(told[0]["OptInStatus"]) if told else "unknown to AWS"

    def _region(self, name: str) -> Finding:
        if self._opt_in in {"opt-in-not-required", "opted-in"}:
            return Finding(name, Verdict.PASS, self._opt_in)
        command = f"aws account enable-region --region-name {self.region}"
        return Finding(name, Verdict.BLOCK, self._opt_in, {}, command, "https://console.aws.amazon.com/billing/home#/account")

    def _organisation(self, name: str) -> Finding:
        """The simulation sees rules without conditions, and a dry run of the first call sees them all."""
        denied = [result.permission for result in self._simulated if result.is_denied_by_organisation]
        told = self._dry_run()
        if not denied and not told:
            return Finding(name, Verdict.PASS)
        evidence = "\n".join(filter(None, [*(f"{action}: denied by the organisation" for action in denied), told]))
        command = (
            f"aws organizations list-policies-for-target --target-id {self.account.target.external_id} --filter SERVICE_CONTROL_POLICY"
        )
        link = "https://console.aws.amazon.com/organizations/v2/home/policies/service-control-policy"
        return Finding(name, Verdict.BLOCK, evidence, {"permissions": _named(denied or ["ec2:CreateVpc"])}, command, link)

    def _dry_run(self) -> str:
        """What AWS answers to creating a cell's network without creating it: nothing when it would be let."""
        tags = [{"Key": TAG, "Value": self.account.target.account}]
        wanted = {"CidrBlock": self.needs.cidr, "TagSpecifications": [{"ResourceType": "vpc", "Tags": tags}], "DryRun": True}
        try:
            self._ec2.create_vpc(**wanted)
        except ClientError as error:
            if error.response["Error"]["Code"] == "DryRunOperation":
                return ""
            refused = classify("CreateVpc", error)
            if refused.code == "denied_by_organisation":
                return refused.raw
            if refused.code == "access_denied" and self._may_create():
                return refused.raw  # the role's own policies would let it, so the rule is one above them
            if refused.code == "access_denied":
                return ""
            raise refused from error
        raise CloudError("unknown_cloud_error", raw="CreateVpc: a dry run was answered as if it were none")

    def _may_create(self) -> bool:
        return any(result.permission == "ec2:CreateVpc" and result.is_granted for result in self._simulated)

    def _zones(self, name: str) -> Finding:
        found = quotas.zones(self._ec2)
        params = {"count": str(len(found)), "wanted": str(ZONES_WANTED), "needed": str(ZONES_NEEDED), "names": ", ".join(found)}
        evidence = ", ".join(found)
        if len(found) >= ZONES_WANTED:
            return Finding(name, Verdict.PASS, evidence, params)
        command = f"aws ec2 describe-availability-zones --region {self.region} --output table"
        return Finding(name, Verdict.WARN if len(found) >= ZONES_NEEDED else Verdict.BLOCK, evidence, params, command)

    # --- how much ---

    def _vcpus(self, name: str) -> Finding:
        return self._quota(name, VCPUS, quotas.vcpus_in_use(self._ec2), self.needs.vcpus)

    def _networks(self, name: str) -> Finding:
        return self._quota(name, NETWORKS, len(self._vpcs), self.needs.networks)

    def _addresses(self, name: str) -> Finding:
        return self._quota(name, ADDRESSES, quotas.addresses_in_use(self._ec2), self.needs.addresses)

    def _gateways(self, name: str) -> Finding:
        """One gateway for each address. A cell puts it into the zone with the most room."""
        used, zones = quotas.gateways_by_zone(self._ec2), quotas.zones(self._ec2)
        emptiest = min((used[zone] for zone in zones), default=0)
        return self._quota(name, GATEWAYS, emptiest, self.needs.addresses)

    def _quota(self, name: str, quota: Quota, used: int, needed: int) -> Finding:
        """Room for one cell passes; room for no second one is worth a warning."""
        limit = quotas.limit_of(self.client("service-quotas", region=self.region), quota)
        free = limit - used
        params = {"free": str(max(free, 0)), "limit": str(limit), "used": str(used), "needed": str(needed)}
        evidence = f"{quota.service} {quota.code}: limit {limit}, in use {used}"
        if free >= 2 * needed:
            return Finding(name, Verdict.PASS, evidence, params)
        command = (
            f"aws service-quotas request-service-quota-increase --region {self.region} --service-code {quota.service} "
            f"--quota-code {quota.code} --desired-value {used + 2 * needed}"
        )
        link = self._console("servicequotas", self.region, f"services/{quota.service}/quotas/{quota.code}")
        return Finding(name, Verdict.WARN if free >= needed else Verdict.BLOCK, evidence, params, command, link)

    # --- what is there ---

    @cached_property
    def _vpcs(self) -> list[Mapping[str, Any]]:
        return quotas.networks(self._ec2)

    def _overlap(self, name: str) -> Finding:
        wanted = ip_network(self.needs.cidr)
        others = [vpc for vpc in self._vpcs if not self._is_own(_tags(vpc).get("Name", ""), _tags(vpc))]
        hits = {vpc["VpcId"]: cidr for vpc in others for cidr in _ranges(vpc) if wanted.overlaps(ip_network(cidr))}
        params = {"cidr": self.needs.cidr}
        if not hits:
            return Finding(name, Verdict.PASS, f"{len(self._vpcs)} networks", params)
        connected = sorted(set(hits) & self._connected())
        shown = [f"{vpc} ({cidr})" for vpc, cidr in hits.items()]
        params |= {"names": _named(connected or shown)}
        command = f"aws ec2 describe-vpcs --region {self.region} --query 'Vpcs[].[VpcId,CidrBlock]' --output table"
        link = self._console("vpcconsole", self.region, "#vpcs:")
        evidence = "\n".join(f"{line}{' connected' if line.split()[0] in connected else ''}" for line in shown)
        return Finding(name, Verdict.BLOCK if connected else Verdict.WARN, evidence, params, command, link)

    def _connected(self) -> set[str]:
        """Networks that are peered or hang on a transit gateway."""
        with translated("DescribeVpcPeeringConnections"):
            pages = self._ec2.get_paginator("describe_vpc_peering_connections").paginate()
            peerings = [peering for page in pages for peering in page["VpcPeeringConnections"]]
        with translated("DescribeTransitGatewayVpcAttachments"):
            pages = self._ec2.get_paginator("describe_transit_gateway_vpc_attachments").paginate()
            attached = [found for page in pages for found in page["TransitGatewayVpcAttachments"]]
        ends = [peering[end] for peering in peerings if peering["Status"]["Code"] in CONNECTED for end in _ENDS if end in peering]
        return {end["VpcId"] for end in ends if "VpcId" in end} | {
            found["VpcId"] for found in attached if found["State"] not in {"deleted", "deleting", "failed", "rejected"}
        }

    def _names(self, name: str) -> Finding:
        """What a cell would be called, and is none that the portal has. With this account's own tag it is left over from one."""
        prefix = self.needs.name_prefix
        found = {cluster: self._tags_of(cluster) for cluster in self._clusters() if cluster.startswith(prefix)}
        for vpc in self._vpcs:
            tags = _tags(vpc)
            if tags.get("Name", "").startswith(prefix):
                found[f"{tags['Name']} ({vpc['VpcId']})"] = tags
        found = {label: tags for label, tags in found.items() if not self._is_own(label.partition(" ")[0], tags)}
        params = {"prefix": prefix}
        if not found:
            return Finding(name, Verdict.PASS, "", params)
        taken = [label for label, tags in found.items() if tags.get(TAG) != self.account.target.account]
        params |= {"names": _named(taken or list(found))}
        command = f"aws eks list-clusters --region {self.region}"
        return Finding(name, Verdict.BLOCK if taken else Verdict.WARN, "\n".join(found), params, command)

    def _is_own(self, name: str, tags: Mapping[str, str]) -> bool:
        return tags.get(TAG) == self.account.target.account and self.needs.is_of_a_cell(name)

    def _clusters(self) -> list[str]:
        assert self._ec2  # the region answers
        with translated("ListClusters"):
            pages = self.client("eks", region=self.region).get_paginator("list_clusters").paginate()
            return [cluster for page in pages for cluster in page["clusters"]]

    def _tags_of(self, cluster: str) -> Mapping[str, str]:
        with translated("DescribeCluster"):
            told = self.client("eks", region=self.region).describe_cluster(name=cluster)["cluster"]
        tags: Mapping[str, str] = told.get("tags", {})
        return tags

    def _disks(self, name: str) -> Finding:
        with translated("GetEbsEncryptionByDefault"):
            is_on = self._ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"]
        if not is_on:
            return Finding(name, Verdict.PASS, "EbsEncryptionByDefault: false", {"by_default": "no"})
        with translated("GetEbsDefaultKmsKeyId"):
            key = str(self._ec2.get_ebs_default_kms_key_id()["KmsKeyId"])
        if key.endswith(AWS_DISK_KEY):
            return Finding(name, Verdict.PASS, key, {"by_default": "yes"})
        command = f"aws kms get-key-policy --region {self.region} --key-id {key} --policy-name default"
        link = self._console("kms", self.region, f"#/kms/keys/{key.rpartition('/')[2]}")
        return Finding(name, Verdict.WARN, key, {"by_default": "yes", "key": key}, command, link)

    def _console(self, service: str, region: str, path: str) -> str:
        base = f"https://{region}.console.aws.amazon.com/{service}/home"
        return f"{base}?region={region}{path}" if path.startswith("#") else f"{base}/{path}?region={region}"


_ENDS = ("RequesterVpcInfo", "AccepterVpcInfo")


def _ranges(vpc: Mapping[str, Any]) -> list[str]:
    """Every IPv4 range of a network, the ones added later too."""
    more = [entry["CidrBlock"] for entry in vpc.get("CidrBlockAssociationSet", []) if entry["CidrBlockState"]["State"] == "associated"]
    return list(dict.fromkeys([vpc["CidrBlock"], *more]))


def _tags(resource: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags", [])}


def _named(names: Sequence[str]) -> str:
    """The first few, as a sentence takes them."""
    shown = ", ".join(names[:MOST_NAMES])
    return f"{shown} (+{len(names) - MOST_NAMES})" if len(names) > MOST_NAMES else shown
