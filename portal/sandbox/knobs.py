"""What the control endpoint turns: delays, failures on order, limits. One object, read by everything."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass
class ResourceFailure:
    """Makes CloudFormation fail on a resource. `logical_id` "" means any resource of the type; `count` None means always."""

    type: str
    action: str = "create"  # create | update | delete
    reason: str = 'Resource handler returned message: "Internal Failure" (HandlerErrorCode: InternalFailure)'
    logical_id: str = ""
    count: int | None = 1


# How long one resource takes beside another: of a cell a cluster takes by far the most, a route next to nothing.
WEIGHTS = {
    "AWS::EC2::Instance": 2.0,
    "AWS::EC2::NatGateway": 2.0,
    "AWS::EKS::AccessEntry": 0.5,
    "AWS::EKS::Addon": 0.7,
    "AWS::EKS::Cluster": 7.0,
    "AWS::EKS::Nodegroup": 4.0,
    "AWS::KMS::Alias": 0.2,
    "AWS::KMS::Key": 0.5,
}
NETWORK, NETWORK_WEIGHT = "AWS::EC2::", 0.2


@dataclass
class Knobs:
    pace_seconds: float = 0.0
    type_seconds: dict[str, float] = field(default_factory=dict)  # "AWS::IAM::Role" -> its own pace
    propagation_seconds: float = 0.0
    keys_cache_seconds: float = 30.0  # how long an issuer's discovery and keys are remembered
    tag_index_mark: str = ""  # a name: the index of tags answers as it did when it was first asked under this name
    failures: list[ResourceFailure] = field(default_factory=list)
    scps: dict[str, dict[str, Any]] = field(default_factory=dict)  # account -> policy document
    quotas: dict[str, dict[str, float]] = field(default_factory=dict)  # account -> "vpc/L-F678F1CE" -> value
    # account -> closed_regions, zones, transit_gateway_vpcs, disk_key: see portal/sandbox/aws/surroundings.py
    places: dict[str, dict[str, Any]] = field(default_factory=dict)

    def seconds_for(self, resource_type: str) -> float:
        weight = WEIGHTS.get(resource_type, NETWORK_WEIGHT if resource_type.startswith(NETWORK) else 1.0)
        return self.type_seconds.get(resource_type, self.pace_seconds * weight)

    def take_failure(self, resource_type: str, logical_id: str, action: str) -> str | None:
        """The reason this resource must fail now, used up by one; None when it may succeed."""
        for failure in self.failures:
            if failure.type != resource_type or failure.action != action or failure.logical_id not in {"", logical_id}:
                continue
            if failure.count is not None:
                failure.count -= 1
                if failure.count <= 0:
                    self.failures.remove(failure)
            return failure.reason
        return None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def change(self, values: dict[str, Any]) -> None:
        """Sets the named knobs. Raises ValueError on an unknown name, so that a typo in a test is not a silent pass."""
        known = {entry.name for entry in fields(self)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"no knob named {', '.join(unknown)}")
        for name, value in values.items():
            setattr(self, name, [ResourceFailure(**entry) for entry in value] if name == "failures" else value)
