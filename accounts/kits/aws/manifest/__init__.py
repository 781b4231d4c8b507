"""The AWS kit in words: a reason for every action of every Allow statement in template.yaml. A test keeps the two equal."""

from accounts.kits.aws.manifest.cells import CELLS
from accounts.kits.aws.manifest.denials import DENIALS
from accounts.kits.aws.manifest.network import NETWORK
from accounts.kits.aws.manifest.reading import READ
from accounts.kits.aws.manifest.resources import RESOURCES, SWITCHES
from accounts.kits.aws.manifest.support import SUPPORT
from accounts.kits.manifest import Grant

__all__ = ["DENIALS", "GRANTS", "RESOURCES", "SWITCHES"]

GRANTS: tuple[Grant, ...] = READ + NETWORK + CELLS + SUPPORT
