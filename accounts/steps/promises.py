"""What a kit promises never to allow, asked of the customer's own cloud: whatever else was granted there, it must answer no."""

from dataclasses import replace

from accounts import kits
from accounts.clouds.base import CloudAdapter, CloudError
from accounts.models import CloudAccount, Kit
from accounts.targets import target_of


def require_promises(account: CloudAccount, kit: Kit, adapter: CloudAdapter) -> int:
    """How many questions were answered with no. Raises CloudError `too_much_granted` naming those that were answered with yes.

    A role given to our identity from outside the kit, by a folder or by hand, is seen here and nowhere else.
    """
    asked = kits.load(account.cloud).forbidden_probes(target_of(account, kit))
    # A key of its own for each question: results of one key are put together, and here a single yes is too many.
    distinct = {(probe.role, probe.action, probe.resource, tuple(sorted(probe.context.items()))): probe for probe in asked}
    probes = [replace(probe, key=f"{number} {probe.role}/{probe.action}") for number, probe in enumerate(distinct.values())]
    granted = [result.permission.partition(" ")[2] for result in adapter.check_permissions(probes) if result.is_granted]
    if granted:
        names = list(dict.fromkeys(granted))
        params = {"count": str(len(names)), "permissions": ", ".join(names[:5])}
        raise CloudError("too_much_granted", raw="\n".join(names), params=params)
    return len(probes)
