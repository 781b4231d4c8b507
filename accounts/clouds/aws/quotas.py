"""How much of AWS's limits is in use in a region: each limit with the call that counts what counts against it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from accounts.clouds.aws.errors import translated

# The families that the limit on standard instances counts, by the letters before the generation: "m" of "m6i.large", "im" is none.
STANDARD = {"a", "c", "d", "h", "i", "m", "r", "t", "z"}
COUNTED_STATES = {"pending", "running"}  # a stopped machine counts against nothing
LIVE_GATEWAYS = {"pending", "available"}


@dataclass(frozen=True)
class Quota:
    """One limit, as Service Quotas names it."""

    service: str
    code: str


VCPUS = Quota("ec2", "L-1216C47A")
NETWORKS = Quota("vpc", "L-F678F1CE")
ADDRESSES = Quota("ec2", "L-0263D0A3")
GATEWAYS = Quota("vpc", "L-FE5A380F")  # in each zone


def limit_of(client: Any, quota: Quota) -> int:
    """What holds in this account; AWS's default where nothing was ever set."""
    asked = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    with translated("GetServiceQuota"):
        try:
            found = client.get_service_quota(**asked)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchResourceException":
                raise
            found = client.get_aws_default_service_quota(**asked)
    return int(found["Quota"]["Value"])


def vcpus_in_use(ec2: Any) -> int:
    with translated("DescribeInstances"):
        pages = ec2.get_paginator("describe_instances").paginate(
            Filters=[{"Name": "instance-state-name", "Values": sorted(COUNTED_STATES)}]
        )
        machines = [machine for page in pages for reservation in page["Reservations"] for machine in reservation["Instances"]]
    return sum(_vcpus(machine) for machine in machines if _counts(machine))


def _counts(machine: Mapping[str, Any]) -> bool:
    family = machine["InstanceType"].partition(".")[0]
    letters = family[: next((at for at, sign in enumerate(family) if sign.isdigit()), len(family))]
    return letters in STANDARD and machine.get("InstanceLifecycle") != "spot"


def _vcpus(machine: Mapping[str, Any]) -> int:
    options = machine.get("CpuOptions", {})
    return int(options.get("CoreCount", 1)) * int(options.get("ThreadsPerCore", 1))


def networks(ec2: Any) -> list[Mapping[str, Any]]:
    with translated("DescribeVpcs"):
        return [vpc for page in ec2.get_paginator("describe_vpcs").paginate() for vpc in page["Vpcs"]]


def addresses_in_use(ec2: Any) -> int:
    with translated("DescribeAddresses"):
        return len(ec2.describe_addresses()["Addresses"])


def zones(ec2: Any) -> list[str]:
    """The region's own zones that are up; local and wavelength zones hold no cluster."""
    wanted = [{"Name": "zone-type", "Values": ["availability-zone"]}]
    with translated("DescribeAvailabilityZones"):
        told = ec2.describe_availability_zones(Filters=wanted)["AvailabilityZones"]
    return sorted(zone["ZoneName"] for zone in told if zone["State"] == "available")


def gateways_by_zone(ec2: Any) -> Counter[str]:
    """NAT gateways in use in each zone, by the subnet they stand in."""
    with translated("DescribeNatGateways"):
        pages = ec2.get_paginator("describe_nat_gateways").paginate()
        subnets = [gateway["SubnetId"] for page in pages for gateway in page["NatGateways"] if gateway["State"] in LIVE_GATEWAYS]
    if not subnets:
        return Counter()
    with translated("DescribeSubnets"):
        told = ec2.describe_subnets(SubnetIds=sorted(set(subnets)))["Subnets"]
    zone_of = {subnet["SubnetId"]: subnet["AvailabilityZone"] for subnet in told}
    return Counter(zone_of[subnet] for subnet in subnets)
