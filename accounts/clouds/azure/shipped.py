"""What the Azure kit says must stand in the customer's subscription: groups, identities, whom they trust, roles and who holds them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from accounts.clouds.base import mark_of_region


@dataclass(frozen=True)
class ShippedIdentity:
    """A user-assigned identity with its one federated credential. A cell's own identity trusts nobody: its `subject` is empty."""

    name: str
    group: str
    subject: str


@dataclass(frozen=True)
class ShippedRole:
    """A custom role. Each of `variants` is as shipped: they differ by a switch that is the customer's own."""

    name: str
    variants: Sequence[frozenset[str]]
    data_actions: frozenset[str]
    identity: str  # which of the identities holds it, by its key in ShippedKit; empty: a support identity, while access lasts
    scope: str  # where, and nowhere else
    condition: str = ""  # `only-support`: its assignment may give and take away support's roles and identities, and no other


@dataclass(frozen=True)
class ShippedKit:
    """Everything that `check_trust_unedited` compares with what stands in Azure."""

    deployment: str  # of the kit's group
    cell_deployment: str  # of the cell's group
    group: str
    cell_group: str
    issuer: str
    audience: str
    vault: str  # of the cell's group: keeps its key
    identities: Mapping[str, ShippedIdentity]  # operator, support, support-2 and on, janitor, cell-cluster, cell-agent
    roles: Mapping[str, ShippedRole]
    janitor: str = ""  # the workflow that ends support access in the customer's own subscription; empty: the kit has none
    janitor_definition: str = ""  # as JSON; `%roles%` stands for the ids of support's roles
    condition: str = ""  # of `only-support`; `%roles%` and `%principals%` stand for ids

    @property
    def operator(self) -> str:
        """As the cloud names it."""
        return self.identities["operator"].name

    def at(self, home: str, region: str) -> "ShippedKit":
        """The same kit in another region than its own: a cell's group, its identities, its vault and its janitor are each region's own."""
        if region == home:
            return self
        group = self.cell_group.removesuffix(home) + region
        roles = {key: replace(role, scope=self._moved(role.scope, group)) for key, role in self.roles.items()}
        moved = {key: replace(one, group=group) for key, one in self.identities.items() if one.group == self.cell_group}
        return replace(
            self,
            cell_group=group,
            vault=self.vault and self.vault.removesuffix(mark_of_region(home)) + mark_of_region(region),
            identities={**self.identities, **moved},
            roles=roles,
            janitor=f"{self.janitor}-{region}" if self.janitor else "",
            janitor_definition=self.janitor_definition.replace(f"/{self.cell_group}/", f"/{group}/"),
        )

    def _moved(self, scope: str, group: str) -> str:
        above, _slash, name = scope.rpartition("/")
        return f"{above}/{group}" if name == self.cell_group else scope

    @property
    def pool(self) -> Sequence[str]:
        """Keys of the identities that support access takes turns with; empty in a kit where support's role stood for ever."""
        return [key for key in self.identities if key.partition("-")[0] == "support"] if self.janitor else []
