"""How the customer shuts support access in Azure without the portal."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from accounts.clouds.azure.shipped import ShippedKit
from accounts.clouds.base import Target
from accounts.kits.base import Act, shut_by_switch

# Which of the kit's roles let support read, and which lets the operator give these. A kit before 1.3.0 had one that stood for ever.
READING, GIVING = ("support", "support-logs"), ("operator-support",)
TAG = "byoc-allow-support"


def shut_support(target: Target, shipped: ShippedKit, switch_command: str) -> list[Act]:
    """First nobody can give anything any more, then what was given is taken: the other way round, it could be given again."""
    mark = (
        f"az tag update --subscription {target.external_id} --operation Merge --tags {TAG}=no \\\n"
        f"  --resource-id /subscriptions/{target.external_id}/resourceGroups/{shipped.group}"
    )
    return [
        Act(
            _("Take from the portal the right to open support access, and write down that it is off. No access can begin after this."),
            command="\n".join(filter(None, [_take(target, shipped, GIVING), mark])),
        ),
        Act(
            _("Take support's roles away. Azure refuses open sessions, usually within seconds, at the latest after some minutes."),
            command=taking(target, shipped),
        ),
        *shut_by_switch(switch_command),
    ]


def taking(target: Target, shipped: ShippedKit) -> str:
    """What takes every access away that stands now, without a template."""
    return _take(target, shipped, READING)


def _take(target: Target, shipped: ShippedKit, roles: Sequence[str]) -> str:
    return "\n".join(
        f"az role assignment delete --subscription {target.external_id} --role {role.name} --scope {role.scope}"
        for kit in (shipped.at(target.region, place) for place in (target.region, *target.places))
        for role in (kit.roles[name] for name in roles if name in kit.roles)
    )
