"""What the first deployment cell takes up in a customer's cloud: the figures that limits and free addresses are held against.

One place for all clouds, until a plan brings figures of its own. A cell starts with two machines and that of its agent in one network
with one NAT gateway, which has one fixed public address. The range is cut into a subnet for each zone; it lies in 10.64/10, the
part of 10/8 that default networks of the three clouds leave alone (AWS 172.31/16, Google Cloud 10.128/9, Azure none).
"""

from accounts import kits
from accounts.clouds.base import Needs
from accounts.models import CloudAccount

CIDR = "10.64.0.0/16"


def needs_of(account: CloudAccount) -> Needs:
    """The same in every region. The prefix is what each kit's own limits let a cell be called."""
    return Needs(
        vcpus=kits.load(account.cloud).cell_vcpus,
        networks=1,
        addresses=1,
        cidr=CIDR,
        name_prefix=f"byoc-{account.pk.hex[:8]}-cell-",
    )
