"""Subscriptions, tenants, locations, resource providers, usages, and what the caller may do."""

from portal.sandbox import wire
from portal.sandbox.azure import errors, rbac
from portal.sandbox.azure.arm.call import Body, Call, answer, listed
from portal.sandbox.azure.arm.kinds import KINDS
from portal.sandbox.azure.arm.resources import LOCATIONS
from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.world import ALWAYS_REGISTERED, Subscription, Tenant, World

VERSIONS = (
    "2016-06-01",
    "2018-06-01",
    "2019-06-01",
    "2019-11-01",
    "2020-01-01",
    "2021-01-01",
    "2021-10-01",
    "2022-09-01",
    "2022-12-01",
    "2024-11-01",
)
COMPUTE_VERSIONS = ("2023-07-01", "2024-03-01", "2024-07-01", "2024-11-01", "2025-04-01")
PERMISSION_VERSIONS = ("2015-07-01", "2018-01-01-preview", "2018-07-01", "2022-04-01", "2022-05-01-preview")
NAMESPACES = (
    "Microsoft.Authorization", "Microsoft.Compute", "Microsoft.ContainerService", "Microsoft.Insights", "Microsoft.KeyVault",
    "Microsoft.Logic",
    "Microsoft.ManagedIdentity", "Microsoft.Network", "Microsoft.OperationalInsights", "Microsoft.PolicyInsights", "Microsoft.Quota",
    "Microsoft.Resources", "Microsoft.Storage", "Microsoft.Subscription", "Microsoft.Features",
)  # fmt: skip
UNITS = "Count"
# What a fresh subscription has, as [used, limit]; control changes it.
USAGES: dict[str, dict[str, tuple[str, int, int]]] = {
    "compute": {
        "cores": ("Total Regional vCPUs", 0, 100),
        "virtualMachines": ("Virtual Machines", 0, 25000),
        "standardDSv5Family": ("Standard DSv5 Family vCPUs", 0, 100),
        "standardDDSv5Family": ("Standard DDSv5 Family vCPUs", 0, 100),
        "standardDASv5Family": ("Standard DASv5 Family vCPUs", 0, 100),
    },
    "network": {
        "VirtualNetworks": ("Virtual Networks", 0, 1000),
        "PublicIPAddresses": ("Public IP Addresses", 0, 1000),
        "StandardSkuPublicIpAddresses": ("Public IPv4 Addresses - Standard", 0, 20),
        "NatGateways": ("Nat Gateways", 0, 200),
        "LoadBalancers": ("Load Balancers", 0, 1000),
        "NetworkSecurityGroups": ("Network Security Groups", 0, 5000),
    },
}


def shown(subscription: Subscription, world: World) -> Body:
    return {
        "id": subscription.scope,
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": subscription.id,
        "tenantId": subscription.tenant,
        "displayName": subscription.name,
        "state": subscription.state,
        "subscriptionPolicies": {"locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"},
    }


def collection(call: Call) -> wire.Reply:
    """Those of the token's tenant in which the caller has any role at all."""
    rows = [shown(found, call.world) for found in call.world.subscriptions.values() if found.state != "Deleted" and _is_seen(call, found)]
    return listed(call, rows)


def _is_seen(call: Call, subscription: Subscription) -> bool:
    mine = (
        found
        for found in call.world.of_type(rbac.ASSIGNMENT, subscription.scope)
        if found.properties["principalId"] == call.token.object_id
    )
    spread = call.sandbox.knobs.propagation_seconds
    has_role = any(found.under.get("is_seed") or call.world.now() - found.created_at >= spread for found in mine)
    return subscription.tenant == call.token.tenant and has_role


def get(call: Call) -> wire.Reply:
    return answer(200, shown(call.subscription, call.world))


def tenants(call: Call) -> wire.Reply:
    found = [_tenant(call.world.tenants[call.token.tenant])]
    return listed(call, found)


def _tenant(tenant: Tenant) -> Body:
    return {
        "id": f"/tenants/{tenant.id}",
        "tenantId": tenant.id,
        "countryCode": "DE",
        "displayName": tenant.name,
        "domains": [tenant.domain],
        "tenantCategory": "Home",
        "defaultDomain": tenant.domain,
        "tenantType": "AAD",
    }


def locations(call: Call) -> wire.Reply:
    offered = {name: words for name, words in LOCATIONS.items() if name not in call.subscription.location_denials}
    return listed(call, [_location(call.subscription, name, *words) for name, words in offered.items()])


def _location(subscription: Subscription, name: str, display: str, geography: str) -> Body:
    return {
        "id": f"{subscription.scope}/locations/{name}",
        "name": name,
        "type": "Region",
        "displayName": display,
        "regionalDisplayName": f"({geography}) {display}",
        "metadata": {
            "regionType": "Physical",
            "regionCategory": "Recommended",
            "geography": geography,
            "geographyGroup": geography,
            "longitude": "0.0",
            "latitude": "0.0",
            "physicalLocation": display,
            "pairedRegion": [],
        },
    }


# --- Resource providers ---


def _namespace(call: Call) -> str:
    for name in NAMESPACES:
        if name.lower() == call["ns"].lower():
            return name
    raise ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{call['ns']}' is invalid.")


def _provider(call: Call, name: str) -> Body:
    since = call.subscription.registered.get(name.lower())
    is_always = name in ALWAYS_REGISTERED
    state = (
        "Registered"
        if is_always or (since is not None and since <= call.world.now())
        else "NotRegistered"
        if since is None
        else "Registering"
    )
    types = [
        {
            "resourceType": kind.name.partition("/")[2],
            "locations": [words[0] for words in LOCATIONS.values()],
            "apiVersions": sorted(kind.versions, reverse=True),
            "defaultApiVersion": sorted(kind.versions)[-1],
            "capabilities": "SupportsTags, SupportsLocation" if kind.listed else "None",
        }
        for kind in KINDS.values()
        if kind.namespace == name
    ]
    policy = "RegistrationFree" if is_always else "RegistrationRequired"
    return {
        "id": f"{call.subscription.scope}/providers/{name}",
        "namespace": name,
        "resourceTypes": types,
        "registrationState": state,
        "registrationPolicy": policy,
    }


def provider(call: Call) -> wire.Reply:
    return answer(200, _provider(call, _namespace(call)))


def providers(call: Call) -> wire.Reply:
    return listed(call, [_provider(call, name) for name in NAMESPACES])


def register(call: Call) -> wire.Reply:
    name = _namespace(call)
    call.demand(f"{name}/register/action", call.subscription.scope)
    call.subscription.registered.setdefault(name.lower(), call.world.now() + call.sandbox.knobs.pace_seconds)
    return answer(200, _provider(call, name))


def unregister(call: Call) -> wire.Reply:
    name = _namespace(call)
    call.demand(f"{name}/unregister/action", call.subscription.scope)
    call.subscription.registered.pop(name.lower(), None)
    return answer(200, _provider(call, name))


# --- Rights and limits ---


def permissions(call: Call) -> wire.Reply:
    """What the caller holds here: each role's actions and notActions, not yet subtracted."""
    scope = f"/subscriptions/{call['sub']}"
    if "rg" in call.params:
        scope += f"/resourceGroups/{call['rg']}"
        if call.world.find(scope) is None:
            raise errors.no_group(call["rg"])
    held = call.holds(scope)
    rows = [{name: entry.get(name) or [] for name in ("actions", "notActions", "dataActions", "notDataActions")} for entry in held]
    return listed(call, rows)


def usages(call: Call) -> wire.Reply:
    kind, location = call["ns"].partition(".")[2].lower(), call["location"].lower()
    if location not in LOCATIONS or location in call.subscription.location_denials:
        raise ArmError(
            400,
            "NoRegisteredProviderFound",
            f"No registered resource provider found for location '{location}' and API version '{call.api_version}' "
            "for type 'locations/usages'.",
        )
    changed = call.subscription.usages.get(kind, {})
    rows = []
    for name, (words, *usual) in USAGES[kind].items():
        used, limit = changed.get(name, usual)
        row = {"unit": UNITS, "currentValue": used, "limit": limit, "name": {"value": name, "localizedValue": words}}
        if kind == "network":
            row["id"] = f"{call.subscription.scope}/providers/Microsoft.Network/locations/{location}/usages/{name}"
        rows.append(row)
    return listed(call, rows)
