"""From our rows to the adapter of a cloud."""

from accounts import kits
from accounts.clouds import open_account
from accounts.clouds.base import CloudAdapter
from accounts.issuer.tokens import token_source, verifying
from accounts.models import CloudAccount, Kit
from accounts.targets import target_of


def adapter_for(account: CloudAccount, kit: Kit, *, was_trusted: bool) -> CloudAdapter:
    """`was_trusted`: a sign-in with this kit has worked before, so a refusal now means something else."""
    target = target_of(account, kit, was_trusted=was_trusted)
    return open_account(account.cloud, target, token_source(kit, before_support=verifying), kits.load(account.cloud).shipped(target))
