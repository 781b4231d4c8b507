"""What the Google Cloud kit says must stand in the customer's project, identity by identity, role by role."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ShippedAccount:
    """One service account of the kit, and who may use it: member -> roles on the account."""

    email: str
    members: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class ShippedBinding:
    """One role of the project for one of the kit's service accounts. `switch` names the customer's switch that takes it away."""

    account: str  # operator | builder | support | node
    role: str  # projects/<id>/roles/<id>, or one of Google's own
    condition: str = ""
    switch: str = ""


@dataclass(frozen=True)
class ShippedKit:
    """Everything that `check_trust_unedited` compares with what stands in the cloud."""

    project: str
    number: str
    pool: str  # projects/<number>/locations/global/workloadIdentityPools/<id>
    provider: str
    issuer: str
    mapping: Mapping[str, str]
    condition: str
    accounts: Mapping[str, ShippedAccount]  # operator, builder, those of support, and the one that machines run as
    roles: Mapping[str, Sequence[str]]  # custom role by its full name -> its permissions
    bindings: Sequence[ShippedBinding]
    services: Sequence[str]  # APIs that must be on
    prefix: str  # of the names of everything a cell is made of
    # Since 1.3.0. Custom roles of support, which stand with nobody but for the time of a grant: full name -> what Google can hold it to.
    lent: Mapping[str, str] = field(default_factory=dict)  # "" | "cluster" | "view"
    supporters: Sequence[str] = ()  # names in `accounts`, each for one grant at a time
    views: Mapping[str, str] = field(default_factory=dict)  # of the project's log: full name -> filter

    @property
    def operator(self) -> str:
        """As the cloud names it."""
        return self.accounts["operator"].email

    @property
    def cluster_views(self) -> list[str]:
        """Those that support may read: three since 1.4.0, as Google takes no OR in a view."""
        return [name for name in self.views if "-clusters" in name.rpartition("/")[2]]
