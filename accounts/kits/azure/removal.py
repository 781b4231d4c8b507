"""The commands that take away what the Azure kit made: all of it, or what it made for one further location."""

from collections.abc import Sequence
from dataclasses import replace

from accounts.clouds.base import Target
from accounts.kits.azure import template
from accounts.kits.azure.manifest import CELL_GROUP, SUBSCRIPTION
from accounts.kits.azure.names import HOLDERS, group_name, names, vault_name
from accounts.kits.base import in_each_place


def of_kit(target: Target, group: str, *, is_last: bool) -> str:
    """Rights first, so that nothing is left that names an identity of before. The cells' groups go only with the last kit: until then a
    cell may run there, and a newer kit shares them."""
    here = f"--subscription {target.external_id}"
    roles = [f"byoc-{target.suffix}-{role}" for role in HOLDERS]
    lines = revival(target, tuple(HOLDERS)).splitlines()
    lines += [f"az role definition delete {here} --name {role} --scope {SUBSCRIPTION.format(**names(target))}" for role in roles]
    lines += [line for one in in_each_place(target) for line in _identities(one)]
    lines += [f"az group delete {here} --name {group} --yes", f"az deployment sub delete {here} --name {group}"]
    return "\n".join([*lines, *_shared(target, here, is_last=is_last)])


def of_place(target: Target, kit_group: str, region: str) -> str:
    """Rights first here too: an assignment names a holder only while its identity is there."""
    there, here = replace(target, region=region, places=()), f"--subscription {target.external_id}"
    held = [role for role, (_holder, scope) in HOLDERS.items() if scope == CELL_GROUP]
    lines = [
        *revival(there, held).splitlines(),
        f"az resource delete {here} --resource-group {kit_group} --resource-type {template.WORKFLOW} "
        f"--name byoc-{target.suffix}-janitor-{region}",
        f"az group delete {here} --name {group_name(CELL_GROUP, names(there))} --yes",
        "# Azure keeps the deleted vault for 90 days, and with it its name. To use this location again before that:",
        _purge(there),
    ]
    return "\n".join(lines)


def revival(target: Target, roles: Sequence[str]) -> str:
    """Takes away what was given of these roles, so that nothing is left that names an identity of before."""
    here = f"--subscription {target.external_id}"
    pairs = dict.fromkeys((role, HOLDERS[role][1].format(**names(one))) for one in in_each_place(target) for role in roles)
    return "\n".join(f"az role assignment delete {here} --role byoc-{target.suffix}-{role} --scope {scope}" for role, scope in pairs)


def _identities(target: Target) -> list[str]:
    group = group_name(CELL_GROUP, names(target))
    here = f"--subscription {target.external_id} --resource-group {group}"
    return [f"az identity delete {here} --name byoc-{target.suffix}-{name}" for name in ("cell-cluster", "cell-agent")]


def _shared(target: Target, here: str, *, is_last: bool) -> list[str]:
    """The cells' groups, with the vaults of their keys: to be run by who leaves, else only to be read."""
    groups = [group_name(CELL_GROUP, names(one)) for one in in_each_place(target)]
    purges = [_purge(one) for one in in_each_place(target)]
    if is_last:
        return [
            "# The cell's resource group goes too, with its vault. Nothing of ours runs there any more."
            if len(groups) == 1
            else "# The cells' resource groups go too, with their vaults. Nothing of ours runs there any more.",
            "# What you have put there yourself goes with it.",
            *(f"az group delete {here} --name {group} --yes" for group in groups),
            "# Azure keeps the deleted vault for 90 days. That costs nothing. To be rid of it sooner:",
            *purges,
        ]
    return [
        "# The cell's resource group is still there. If you need nothing in it, no cell, no newer kit and nothing of yours, delete it too:"
        if len(groups) == 1
        else "# The cells' resource groups are still there. Delete those where you need nothing: no cell, no newer kit, nothing of yours:",
        *(f"# az group delete {here} --name {group}" for group in groups),
        "# Azure keeps a deleted vault for 90 days, and with it its name. To connect this account here again before that:",
        *purges,
    ]


def _purge(target: Target) -> str:
    name = vault_name(target.account, target.external_id, target.region)
    return f"# az keyvault purge --subscription {target.external_id} --name {name}"
