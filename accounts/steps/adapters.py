"""From our rows to a cloud adapter. An adapter loads by name when first used: start-up stays fast, no SDK is imported before."""

from functools import cache
from importlib import import_module

from accounts import kits
from accounts.clouds.base import CloudAdapter, Target
from accounts.issuer.addresses import issuer_url
from accounts.issuer.tokens import token_source
from accounts.models import CloudAccount, Kit

ADAPTERS = {"aws": "accounts.clouds.aws:AwsAdapter"}


def adapter_for(account: CloudAccount, kit: Kit, *, was_trusted: bool) -> CloudAdapter:
    """`was_trusted`: a sign-in with this kit has worked before, so a refusal now means something else."""
    target = target_of(account, kit, was_trusted=was_trusted)
    adapter: CloudAdapter = _adapter_class(account.cloud)(target, token_source(kit), kits.load(account.cloud).shipped(target))
    return adapter


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


@cache
def _adapter_class(cloud: str) -> "type":
    module, _, name = ADAPTERS[cloud].partition(":")
    found: type = getattr(import_module(module), name)
    return found
