"""From our rows to the adapter of a cloud."""

from dataclasses import replace

from accounts import kits
from accounts.clouds import open_account
from accounts.clouds.base import CloudAdapter, Target
from accounts.issuer.tokens import token_source, verifying
from accounts.kits.recovery import RecoveryKit
from accounts.models import CloudAccount, Kit
from accounts.targets import target_of


def adapter_for(account: CloudAccount, kit: Kit, *, was_trusted: bool) -> CloudAdapter:
    """`was_trusted`: a sign-in with this kit has worked before, so a refusal now means something else."""
    target = target_of(account, kit, was_trusted=was_trusted)
    return open_account(account.cloud, target, token_source(kit, before_support=verifying), kits.load(account.cloud).shipped(target))


def recovering_adapter(account: CloudAccount, kit: Kit, small: RecoveryKit) -> tuple[Target, CloudAdapter]:
    """The same where the recovery kit stands in the place of the issued one: it is compared with what that one says must stand."""
    target = replace(target_of(account, kit, was_trusted=True), kit_version=small.version)
    return target, open_account(account.cloud, target, token_source(kit, before_support=verifying), small.shipped(target))
