"""From our rows to what a kit and an adapter speak of."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from accounts import kits
from accounts.clouds.base import PermissionProbe, Target
from accounts.issuer.addresses import issuer_url
from accounts.kits import history
from accounts.kits.base import asked_once, in_each_place
from accounts.models import CloudAccount, Kit


def target_of(account: CloudAccount, kit: Kit, *, was_trusted: bool = False) -> Target:
    """One account under one issued kit."""
    target = Target(
        account=str(account.pk),
        external_id=account.external_id,
        region=kit.region,
        suffix=kit.suffix,
        generation=kit.generation,
        kit_version=kit.version,
        kit_hash=kit.content_hash,
        issuer=issuer_url(kit),
        audience="",
        was_trusted=was_trusted,
        identity=account.identity,
        reported=kit.reported,
        places=tuple(kit.places),
    )
    return replace(target, audience=kits.load(account.cloud).audience(target))


def probes_of(account: CloudAccount, kit: Kit, switches: Mapping[str, str] | None) -> Sequence[PermissionProbe]:
    """Each permission that this kit was issued with, as a question: an older kit is not asked about what a newer one adds."""
    target, shipped = target_of(account, kit), kits.load(account.cloud)
    if kit.version != shipped.version and history.snapshot(account.cloud, kit.version):
        return asked_once(history.probes(account.cloud, one, switches) for one in in_each_place(target))
    return shipped.probes(target, switches)


def cloud_names(cloud: str) -> dict[str, object]:
    """What every sentence about an account may name: the cloud, what it calls an account, and whose own wording is taken."""
    words = kits.load(cloud).words
    return {"variant": cloud, "cloud": words.cloud, "kind": words.account}
