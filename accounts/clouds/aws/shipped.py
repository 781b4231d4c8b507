"""What the AWS kit says must stand in the customer's account, document by document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accounts.clouds.base import PermissionProbe


@dataclass(frozen=True)
class ShippedRole:
    """One role as the kit ships it, documents as data."""

    name: str
    trust: Mapping[str, Any]
    boundary: str  # ARN
    attached: Sequence[str]  # ARNs of the cloud's own policies; any other is an edit, and so is a missing one
    policies: Mapping[str, Mapping[str, Any]]  # inline policies by name
    # Policies whose content is the customer's own switch: any of these documents is as shipped.
    switches: Mapping[str, Sequence[Mapping[str, Any]]]
    max_session_seconds: int


@dataclass(frozen=True)
class ShippedKit:
    """Everything that `check_trust_unedited` compares with what stands in the cloud."""

    stack: str
    provider: str  # ARN
    provider_url: str
    audiences: Sequence[str]
    roles: Mapping[str, ShippedRole]  # operator, support, and those that the cloud's own services take
    limits: Mapping[str, Mapping[str, Any]]  # boundary ARN -> document
    probes: Sequence[PermissionProbe] = ()  # what the operator role must be able to do

    @property
    def operator(self) -> str:
        """As the cloud names it."""
        return f"{self.provider.partition(':oidc-provider/')[0]}:role/{self.roles['operator'].name}"
