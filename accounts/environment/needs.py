"""What the first deployment cell takes up in a customer's cloud: the figures that limits and free addresses are held against.

One place for all clouds, until a plan brings figures of its own. A cell starts with two machines and that of its agent in one network
with one NAT gateway, which has one fixed public address. The range is cut into a subnet for each zone; it lies in 10.64/10, the
part of 10/8 that default networks of the three clouds leave alone (AWS 172.31/16, Google Cloud 10.128/9, Azure none).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from accounts import kits
from accounts.clouds.base import Needs
from accounts.models import CloudAccount

CIDR = "10.64.0.0/16"
# Each says what stands of an account's own cells, by name: the product, which this floor does not know, adds its own.
STANDING: list[Callable[[CloudAccount], Sequence[str]]] = []


def needs_of(account: CloudAccount) -> Needs:
    """The same in every region. The prefix is what each kit's own limits let a cell be called."""
    kit = kits.load(account.cloud)
    return Needs(
        vcpus=kit.cell_vcpus,
        networks=1,
        addresses=1,
        cidr=CIDR,
        name_prefix=kit.cell_prefix.format(short=account.pk.hex[:8]),
        standing=tuple(name for tell in STANDING for name in tell(account)),
    )


def needs_kept(row: Mapping[str, Any]) -> Needs:
    """Out of a row, whose JSON knows no tuples."""
    return Needs(**{**row, "standing": tuple(row.get("standing", ()))})
