"""Recovery kits: what of each cloud's kit only looks and deletes, for an account whose kit was removed before its cleanup had finished.

None is written by hand. Each is cut out of the kit's own documents by the marks of its manifest (`Grant.recovers`), under the same names
and with the same trust, so that the removal goes on by itself and the kit's own removal command takes it away again.
"""

from functools import cache
from importlib import import_module

from accounts.clouds.base import ALLOW_CREATION, KitReport, is_off
from accounts.kits.recovery.base import RecoveryKit

RECOVERY_KITS = {
    "aws": "accounts.kits.recovery.aws:AwsRecovery",
    "gcp": "accounts.kits.recovery.gcp:GcpRecovery",
    "azure": "accounts.kits.recovery.azure:AzureRecovery",
}


@cache
def recovery_of(cloud: str) -> RecoveryKit | None:
    """None for a cloud that a removed kit cannot be brought back in."""
    if cloud not in RECOVERY_KITS:
        return None
    module, name = RECOVERY_KITS[cloud].split(":")
    kit: RecoveryKit = getattr(import_module(module), name)()
    return kit


def is_recovery(report: KitReport) -> bool:
    """Whether what stands says of itself that it is no whole kit."""
    return is_off(report.switches, ALLOW_CREATION)


__all__ = ["RecoveryKit", "is_recovery", "recovery_of"]
