"""What a kit promises never to allow, asked of the customer's own cloud: whatever else was granted there, it must answer no."""

from collections.abc import Sequence
from dataclasses import replace

from accounts import kits
from accounts.clouds.base import CloudAdapter, CloudError, PermissionProbe, Target
from accounts.kits import history
from accounts.models import CloudAccount, Kit
from accounts.targets import target_of


def require_promises(account: CloudAccount, kit: Kit, adapter: CloudAdapter) -> int:
    """What the issued kit promises; see `require_refused`."""
    return require_refused(adapter, questions(account.cloud, target_of(account, kit)))


def require_refused(adapter: CloudAdapter, asked: Sequence[PermissionProbe]) -> int:
    """How many questions were answered with no. Raises CloudError `too_much_granted` naming those that were answered with yes.

    A role given to our identity from outside the kit, by a folder or by hand, is seen here and nowhere else.
    """
    # A key of its own for each question: results of one key are put together, and here a single yes is too many.
    distinct = {(probe.role, probe.action, probe.resource, tuple(sorted(probe.context.items()))): probe for probe in asked}
    probes = [replace(probe, key=f"{number} {probe.role}/{probe.action}") for number, probe in enumerate(distinct.values())]
    granted = [result.permission.partition(" ")[2] for result in adapter.check_permissions(probes) if result.is_granted]
    if granted:
        names = list(dict.fromkeys(granted))
        params = {"count": str(len(names)), "permissions": ", ".join(names[:5])}
        raise CloudError("too_much_granted", raw="\n".join(names), params=params)
    return len(probes)


def questions(cloud: str, target: Target) -> Sequence[PermissionProbe]:
    """What must be answered with no under the kit that this target runs.

    An older kit is not asked about rights that it was itself issued with and that a newer one has given up.
    """
    kit = kits.load(cloud)
    asked = kit.forbidden_probes(target)
    if target.kit_version == kit.version or history.snapshot(cloud, target.kit_version) is None:
        return asked
    now = {_right(probe) for probe in kit.probes(target)}
    before = {_right(probe) for probe in history.probes(cloud, target)}
    given_up = {(role, action) for role, action, *_where in before - now}
    return [probe for probe in asked if (probe.role, probe.action) not in given_up]


def _right(probe: PermissionProbe) -> tuple[str, str, str, tuple[tuple[str, str], ...]]:
    return probe.role, probe.action, probe.resource, tuple(sorted(probe.context.items()))
