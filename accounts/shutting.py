"""The customer's own way to shut support access, with this portal up or down: commands with every name filled in."""

from collections.abc import Sequence
from typing import Any

from accounts import kits
from accounts.kit_links import publication
from accounts.kits.base import Act
from accounts.models import CloudAccount, Kit, Organisation
from accounts.states import KitState
from accounts.targets import target_of


def ways_to_shut(account: CloudAccount) -> Sequence[Act]:
    """None where no kit is in use: then there is nothing that lets support in."""
    kit = account.kits.filter(state=KitState.CURRENT).first()
    return _ways(account, kit) if kit else ()


def _ways(account: CloudAccount, kit: Kit) -> Sequence[Act]:
    return kits.load(account.cloud).shut_support(target_of(account, kit), publication(account.cloud))


def shut_of(organisation: Organisation, cloud: str) -> list[dict[str, Any]]:
    """Of every account that stands in this cloud, for the security package."""
    accounts = CloudAccount.objects.proven().filter(organisation=organisation, cloud=cloud)
    current = Kit.objects.filter(state=KitState.CURRENT, account__in=accounts).select_related("account").order_by("account__name")
    return [
        {
            "account": str(kit.account),
            "id": kit.account.external_id,
            "ways": [{"what": way.text, "command": way.command} for way in _ways(kit.account, kit)],
        }
        for kit in current
    ]
