"""The Azure kit in words: a reason for every action of every list in kit.json. A test keeps the two equal.

Azure has nothing like a permissions boundary or a deny in a role: `notActions` only take away from the same role, so the kit does not
use them. What holds the operator is where its roles are given: read-only over the subscription, and every right to change in the
resource group of a cell alone, one in each location. It may give three roles, those of support, to the identities of support, in such
a group: Azure holds it to these by a condition on its assignment. It may give no other role, and none to itself. What somebody else
gives to it on top, the portal finds and refuses.

Azure's roles know no end. So that access ends while the portal is down, the kit brings a janitor: a workflow in the customer's own
subscription that takes support's roles away at the end that is written on them. The operator can read it and not touch it.
"""

from accounts.kits.azure.manifest.denials import DENIALS
from accounts.kits.azure.manifest.operator import OPERATOR
from accounts.kits.azure.manifest.resources import POOL, RESOURCES, SWITCHES
from accounts.kits.azure.manifest.scopes import BOTH_GROUPS, CELL_GROUP, KIT_GROUP, SUBSCRIPTION
from accounts.kits.azure.manifest.support import SUPPORT
from accounts.kits.manifest import Grant

__all__ = [
    "BOTH_GROUPS", "CELL_GROUP", "DENIALS", "GRANTS", "KIT_GROUP", "OPERATOR", "POOL", "RESOURCES", "SUBSCRIPTION", "SUPPORT", "SWITCHES",
]  # fmt: skip

GRANTS: tuple[Grant, ...] = OPERATOR + SUPPORT
