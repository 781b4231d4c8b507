"""What one resource names of others: it must be there, its author may use it, and it stays for as long as it is named."""

from collections.abc import Iterator
from typing import Any

from portal.sandbox.azure.arm.call import Act
from portal.sandbox.azure.cell.compute import DISK
from portal.sandbox.azure.cell.network import ADDRESS, CARD, EGRESS, NETWORK, RULES, SUBNET
from portal.sandbox.azure.entra import IDENTITY
from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.world import Body, Resource, World

# What the author of a link must hold at its target.
RIGHTS = {
    kind.lower(): f"{kind}/{verb}/action"
    for kind, verb in (
        (RULES, "join"), (EGRESS, "join"), (ADDRESS, "join"), (SUBNET, "join"), (CARD, "join"), (IDENTITY, "assign"),
    )
}  # fmt: skip
# How the network provider refuses to delete what is in use, by type.
IN_USE = {
    NETWORK: "InUseSubnetCannotBeDeleted", RULES: "InUseNetworkSecurityGroupCannotBeDeleted", EGRESS: "InUseNatGatewayCannotBeDeleted",
    ADDRESS: "PublicIPAddressCannotBeDeleted", CARD: "NicInUse",
}  # fmt: skip

NAMING = {"Microsoft.Network", "Microsoft.Compute", "Microsoft.ContainerService"}


def links(value: Any) -> Iterator[str]:
    """Ids of other resources, wherever they stand in a body."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name.lower().startswith("/subscriptions/"):
                yield name
            yield from links(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from links(inner)
    elif isinstance(value, str) and value.lower().startswith("/subscriptions/") and "/providers/" in value.lower():
        yield value


def _outside(number: str, body: Body) -> Iterator[str]:
    inside = f"{number}/".lower()
    return (link for link in links(body) if not f"{link}/".lower().startswith(inside))


def demand_links(act: Act, number: str, body: Body) -> None:
    """Raises ArmError for a link that leads nowhere, or that its author may not make."""
    for link in _outside(number, body):
        kind = _type_of(link)
        action = RIGHTS.get(kind.lower())
        if action is None:
            continue
        if not _stands(act.world, link, kind):
            message = f"Resource {link} referenced by resource {number} was not found. Please make sure that it exists."
            raise ArmError(400, "InvalidResourceReference", message)
        if not act.may(action, link):
            raise ArmError(
                403,
                "LinkedAuthorizationFailed",
                f"The client '{act.token.client}' with object id '{act.token.object_id}' has permission to perform action 'write' on scope "
                f"'{number}'; however, it does not have permission to perform action(s) '{action}' on the linked scope(s) '{link}' "
                "(respectively) or the linked scope(s) are invalid.",
            )


def _type_of(number: str) -> str:
    after = number.rpartition("/providers/")[2].split("/")
    return "/".join([after[0], *after[1::2]])


def _stands(world: World, number: str, kind: str) -> bool:
    if kind.lower() != SUBNET.lower():
        return world.find(number) is not None
    network, _, name = number.rpartition("/subnets/")
    found = world.find(network)
    return found is not None and any(subnet["name"].lower() == name.lower() for subnet in found.properties["subnets"])


def demand_unused(world: World, found: Resource) -> None:
    """Raises ArmError while another resource names this one, or a part of it."""
    code = IN_USE.get(found.type)
    if code is None:
        return
    inside = f"{found.id}/".lower()
    for other in world.under("/subscriptions"):
        if other.type.partition("/")[0] not in NAMING or other.type == DISK or f"{other.id}/".lower().startswith(inside):
            continue
        if any(f"{link}/".lower().startswith(inside) for link in _outside(other.id, other.body)):
            message = f"{found.type.rpartition('/')[2]} {found.name} is in use by {other.id} and cannot be deleted."
            raise ArmError(400, code, message)
