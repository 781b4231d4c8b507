"""From our rows to the adapter of a cloud."""

from accounts import kits
from accounts.clouds import open_account
from accounts.clouds.base import CloudAdapter, Target
from accounts.issuer.addresses import issuer_url
from accounts.issuer.tokens import token_source
from accounts.models import CloudAccount, Kit


def adapter_for(account: CloudAccount, kit: Kit, *, was_trusted: bool) -> CloudAdapter:
    """`was_trusted`: a sign-in with this kit has worked before, so a refusal now means something else."""
    target = target_of(account, kit, was_trusted=was_trusted)
    return open_account(account.cloud, target, token_source(kit), kits.load(account.cloud).shipped(target))


def target_of(account: CloudAccount, kit: Kit, *, was_trusted: bool = False) -> Target:
    return Target(
        account=str(account.pk),
        external_id=account.external_id,
        region=kit.region,
        suffix=kit.suffix,
        generation=kit.generation,
        kit_version=kit.version,
        kit_hash=kit.content_hash,
        issuer=issuer_url(kit),
        audience=kits.load(account.cloud).audience,
        was_trusted=was_trusted,
    )
