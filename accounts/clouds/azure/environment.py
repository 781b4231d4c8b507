"""Whether a deployment cell could be built in a subscription: read-only questions, each with the figures it was answered from."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from ipaddress import ip_network
from typing import Any

from azure.mgmt.resource.resources import ResourceManagementClient

from accounts.clouds.azure.clients import Session, every, word
from accounts.clouds.azure.errors import translated
from accounts.clouds.azure.policies import PolicyReader, Wanted
from accounts.clouds.azure.rights import covers
from accounts.clouds.azure.shipped import ShippedKit
from accounts.clouds.base import CloudError, Finding, Needs, Target, Verdict

# What a cell is made of: these must be registered, and no policy may forbid them.
NAMESPACES = (
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.Compute",
    "Microsoft.ContainerService",
    "Microsoft.KeyVault",
)
TYPES = (
    "Microsoft.Resources/resourceGroups",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.Network/virtualNetworks",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/natGateways",
    "Microsoft.Network/publicIPAddresses",
    "Microsoft.Network/networkInterfaces",
    "Microsoft.Compute/virtualMachines",
    "Microsoft.Compute/disks",
    "Microsoft.ContainerService/managedClusters",
    "Microsoft.KeyVault/vaults",
)
GOOD_STATES = {"Enabled"}
BAD_STATES = {"Disabled", "Deleted"}
PORTAL = "https://portal.azure.com/#view"
QUOTAS = f"{PORTAL}/Microsoft_Azure_Capacity/QuotaMenuBlade/~/myQuotas"
READ_ONLY = "readonly"
MOST_NAMES = 5
# Which row of which list of usages a quota is.
USAGES = {"quota_vcpus": ("Microsoft.Compute", "compute", "cores"), "quota_networks": ("Microsoft.Network", "network", "VirtualNetworks")}
ADDRESSES = ("StandardSkuPublicIpAddresses", "PublicIPAddresses")

Answer = tuple[Verdict, str, Mapping[str, str]]


class Environment:
    """The checks of one region. Each answers on its own: what one may not read does not silence the others."""

    def __init__(self, target: Target, shipped: ShippedKit, session: Session, region: str, needs: Needs) -> None:
        self.target = target
        self.shipped = shipped.at(target.region, region)
        self.session = session
        self.region = region
        self.needs = needs
        self.scope = f"/subscriptions/{target.external_id}"
        self.checks: dict[str, tuple[Callable[[], Answer], str, str]] = {
            "identity": (self._identity, "", f"{PORTAL}/Microsoft_Azure_Billing/SubscriptionsBladeV2"),
            "permissions": (self._permissions, "", ""),
            "region_enabled": (self._location, f"az account list-locations {self._here} --query '[].name'", ""),
            "services_enabled": (self._providers, "", ""),
            "quota_vcpus": (lambda: self._quota("quota_vcpus", needs.vcpus), self._usage_command("vm"), QUOTAS),
            "quota_networks": (lambda: self._quota("quota_networks", needs.networks), self._usage_command("network"), QUOTAS),
            "quota_addresses": (self._addresses, self._usage_command("network"), QUOTAS),
            "organisation_policy": (
                self._policies,
                f"az policy assignment list {self._here}",
                f"{PORTAL}/Microsoft_Azure_Policy/PolicyMenuBlade",
            ),
            "address_range": (self._address_range, f"az network vnet list {self._here} --output table", ""),
            "names_free": (self._names, f"az resource list {self._here} --resource-group {self._cell_group}", ""),
            "locks": (self._locks, f"az lock list {self._here}", ""),
        }

    def findings(self, only: Sequence[str] = ()) -> Sequence[Finding]:
        return [self._finding(name) for name in self.checks if not only or name in only]

    def _finding(self, name: str) -> Finding:
        ask, command, link = self.checks[name]
        try:
            verdict, evidence, params = ask()
        except CloudError as error:
            if error.retryable:
                raise
            return Finding(name, Verdict.UNKNOWN, error.raw, {"code": error.code, **error.params})
        params = {"region": self.region, **params}
        if verdict is Verdict.PASS:
            return Finding(name, verdict, evidence, params)
        return Finding(name, verdict, evidence, params, params.get("command", command), link)

    @property
    def _here(self) -> str:
        return f"--subscription {self.target.external_id}"

    @property
    def _cell_group(self) -> str:
        """Each location has a group of its own, which is there once the kit was run for it."""
        return self.shipped.cell_group

    def _usage_command(self, what: str) -> str:
        return f"az {what} list-usage{'s' if what == 'network' else ''} {self._here} --location {self.region} --output table"

    @cached_property
    def _resources(self) -> ResourceManagementClient:
        return self.session.resources(self.target.external_id)

    def _list(self, path: str, kind: str, query: Mapping[str, str] | None = None) -> list[Mapping[str, Any]]:
        with translated("List"):
            return list(self.session.list(path, kind, query))

    # --- the subscription ---

    def _identity(self) -> Answer:
        with translated("GetSubscription"):
            told = self.session.tenant.subscriptions.get(self.target.external_id)
        state, tenant = word(told.state), word(told.tenant_id).lower()
        params = {"subscription": self.target.external_id, "tenant": tenant, "state": state}
        evidence = f"state {state}, tenant {tenant}"
        if state in BAD_STATES or tenant != self.target.identity["tenant_id"]:
            return Verdict.BLOCK, evidence, params
        return (Verdict.PASS if state in GOOD_STATES else Verdict.WARN), evidence, params

    def _permissions(self) -> Answer:
        """The operator's roles as shipped, asked of Azure once for each scope. In a location without a cell's group it holds nothing."""
        missing: list[str] = []
        for role in self.shipped.roles.values():
            if role.identity == "operator":
                held = self._held(role.scope)
                missing += [action for action in sorted(role.variants[0]) if not covers(held, action)]
        if missing:
            return Verdict.BLOCK, "\n".join(missing), {"count": str(len(missing)), "permissions": _named(missing)}
        return Verdict.PASS, "", {}

    def _held(self, scope: str) -> Sequence[Mapping[str, Any]]:
        try:
            with translated("ListPermissions"):
                return list(self.session.list(f"{scope}/providers/Microsoft.Authorization/permissions", "authorization"))
        except CloudError as error:
            if error.code != "role_deleted":
                raise
            return []

    def _location(self) -> Answer:
        with translated("ListLocations"):
            found = every(self.session.tenant.subscriptions.list_locations(self.target.external_id))
        offered = {word(entry.name).lower() for entry in found}
        return (Verdict.PASS if self.region in offered else Verdict.BLOCK), f"{len(offered)} locations are offered", {}

    def _providers(self) -> Answer:
        with translated("GetProvider"):
            found = [self._resources.providers.get(namespace) for namespace in NAMESPACES]
        states = {namespace: word(provider.registration_state) for namespace, provider in zip(NAMESPACES, found, strict=True)}
        absent = [namespace for namespace, state in states.items() if state not in {"Registered", "Registering"}]
        pending = [namespace for namespace, state in states.items() if state == "Registering"]
        evidence = ", ".join(f"{namespace} {state}" for namespace, state in states.items())
        if absent:
            commands = "\n".join(f"az provider register {self._here} --namespace {namespace} --wait" for namespace in absent)
            return Verdict.BLOCK, evidence, {"names": ", ".join(absent), "command": commands}
        if pending:
            return Verdict.WARN, evidence, {"names": ", ".join(pending)}
        return Verdict.PASS, evidence, {}

    # --- quotas ---

    def _quota(self, name: str, needed: int) -> Answer:
        namespace, kind, row = USAGES[name]
        return _room(self._usage(namespace, kind, (row,)), needed)

    def _addresses(self) -> Answer:
        """A NAT gateway takes a standard address, which has a limit of its own."""
        return _room(self._usage("Microsoft.Network", "network", ADDRESSES), self.needs.addresses)

    def _usage(self, namespace: str, kind: str, rows: Sequence[str]) -> Mapping[str, Any] | None:
        usages = self._usages[namespace, kind] if (namespace, kind) in self._usages else self._read_usages(namespace, kind)
        return next((usages[row.lower()] for row in rows if row.lower() in usages), None)

    @cached_property
    def _usages(self) -> dict[tuple[str, str], dict[str, Mapping[str, Any]]]:
        return {}

    def _read_usages(self, namespace: str, kind: str) -> dict[str, Mapping[str, Any]]:
        entries = self._list(f"{self.scope}/providers/{namespace}/locations/{self.region}/usages", kind)
        found = {str((entry.get("name") or {}).get("value", "")).lower(): entry for entry in entries}
        self._usages[namespace, kind] = found
        return found

    # --- what may be in the way ---

    def _policies(self) -> Answer:
        wanted = Wanted(self.region, TYPES, f"{self.scope}/resourceGroups/{self._cell_group}")
        read = PolicyReader(self.session, self.scope).read(wanted)
        if read.blocking:
            return Verdict.BLOCK, "\n".join(read.blocking), {"names": _named(read.blocking)}
        if read.unclear:
            return Verdict.WARN, "\n".join(read.unclear), {"names": _named(read.unclear)}
        return Verdict.PASS, f"{read.count} assignments", {}

    def _address_range(self) -> Answer:
        wanted = ip_network(self.needs.cidr)
        networks = self._list(f"{self.scope}/providers/Microsoft.Network/virtualNetworks", "network")
        overlapping = [
            f"{network.get('name')} ({prefix})"
            for network in networks
            if not self._is_of_standing_cell(str(network.get("id", "")), network.get("tags") or {})
            for prefix in ((network.get("properties") or {}).get("addressSpace") or {}).get("addressPrefixes") or []
            if _overlaps(wanted, str(prefix))
        ]
        params = {"cidr": self.needs.cidr, "names": _named(overlapping)}
        return (Verdict.WARN if overlapping else Verdict.PASS), f"{len(networks)} virtual networks", params

    def _names(self) -> Answer:
        """Groups of the cells' names that no kit of this account made, and what neither a kit nor a cell put into the cell's group."""
        with translated("ListGroups"):
            groups = {word(group.name): group.tags or {} for group in every(self._resources.resource_groups.list())}
        alike = [name for name in groups if name.lower().startswith(self.needs.name_prefix.lower())]
        taken = [name for name in alike if groups[name].get("byoc-account") != self.target.account]
        left: list[str] = []
        if self._cell_group.lower() in {name.lower() for name in groups}:
            with translated("ListResources"):
                inside = every(self._resources.resources.list_by_resource_group(self._cell_group))
            others = [entry for entry in inside if not self._is_of_a_kit(word(entry.name).lower())]
            taken += [word(entry.name) for entry in others if not self._is_of_cell(entry.tags or {})]
            left = [word(entry.name) for entry in others if self._is_of_cell(entry.tags or {}) and not self._has_cell]
        verdict = Verdict.BLOCK if taken else Verdict.WARN if left else Verdict.PASS
        return verdict, f"{len(groups)} resource groups", {"prefix": self.needs.name_prefix, "names": _named(taken or left)}

    def _is_of_a_kit(self, name: str) -> bool:
        """Of earlier kits too: their identities stay until their own removal, and are in nobody's way."""
        own = [re.escape(identity.name.lower()) for identity in self.shipped.identities.values() if not identity.subject]
        patterns = [text.replace(re.escape(f"-g{self.target.generation}-"), "-g[0-9]+-") for text in own]
        return name == self.shipped.vault.lower() or re.fullmatch("|".join(patterns), name) is not None

    def _is_of_cell(self, tags: Mapping[str, str]) -> bool:
        """Of a cell of this account, be it one that the portal has or one that is left over."""
        return tags.get("byoc-account") == self.target.account and "byoc-cell" in tags

    @property
    def _has_cell(self) -> bool:
        return self.needs.is_of_a_cell(self._cell_group)

    def _is_of_standing_cell(self, resource: str, tags: Mapping[str, str]) -> bool:
        """By the group that it is in, which is called like the cell."""
        group = re.search(r"/resourcegroups/([^/]+)/", resource.lower())
        return self._is_of_cell(tags) and group is not None and self.needs.is_of_a_cell(group[1])

    def _locks(self) -> Answer:
        group = f"{self.scope}/resourceGroups/{self._cell_group}".lower()
        levels: dict[str, str] = {}
        for lock in self._list(f"{self.scope}/providers/Microsoft.Authorization/locks", "locks"):
            at = str(lock.get("id", "")).lower().rpartition("/providers/microsoft.authorization/locks/")[0]
            if at in {self.scope, group} or at.startswith(f"{group}/"):
                levels[str(lock.get("name", ""))] = str((lock.get("properties") or {}).get("level", "")).lower()
        blocking = [name for name, level in levels.items() if level == READ_ONLY]
        params = {"names": _named(blocking or list(levels))}
        evidence = ", ".join(f"{name} {level}" for name, level in levels.items())
        return (Verdict.BLOCK if blocking else Verdict.WARN if levels else Verdict.PASS), evidence, params


def _room(usage: Mapping[str, Any] | None, needed: int) -> Answer:
    if usage is None:
        return Verdict.UNKNOWN, "Azure told no such quota", {"needed": str(needed)}
    used, limit = int(usage.get("currentValue", 0)), int(usage.get("limit", 0))
    params = {"free": str(max(limit - used, 0)), "limit": str(limit), "needed": str(needed)}
    return (Verdict.PASS if limit - used >= needed else Verdict.BLOCK), f"{used} of {limit} are used", params


def _overlaps(wanted: Any, prefix: str) -> bool:
    try:
        found = ip_network(prefix, strict=False)
    except ValueError:
        return False
    return bool(found.version == wanted.version and found.overlaps(wanted))


def _named(names: Sequence[str]) -> str:
    """The first few, as a sentence takes them."""
    shown = ", ".join(names[:MOST_NAMES])
    return f"{shown} (+{len(names) - MOST_NAMES})" if len(names) > MOST_NAMES else shown
