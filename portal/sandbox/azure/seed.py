"""The tenants and subscriptions of the demo, and how any is made: with an owner who has the role of that name."""

from uuid import uuid4

from portal.sandbox.azure import rbac
from portal.sandbox.azure.arm.kinds import POLICY, POLICY_ASSIGNMENT
from portal.sandbox.azure.world import Body, Resource, Subscription, Tenant, World

ACME, GLOBEX = "11111111-aaaa-4aaa-8aaa-111111111111", "11111111-bbbb-4bbb-8bbb-111111111111"
PRODUCTION, SANDBOX = "22222222-aaaa-4aaa-8aaa-222222222222", "33333333-aaaa-4aaa-8aaa-333333333333"
GUARDED, CLOSED = "44444444-aaaa-4aaa-8aaa-444444444444", "55555555-aaaa-4aaa-8aaa-555555555555"
GLOBEX_MAIN = "22222222-bbbb-4bbb-8bbb-222222222222"
# Providers that most subscriptions in use have; Microsoft.ManagedIdentity is left to whoever needs it first.
USUAL = ("microsoft.compute", "microsoft.network", "microsoft.storage", "microsoft.insights", "microsoft.policyinsights")
ISSUER_FIELD = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/issuer"


def fill(world: World) -> None:
    """What a demo starts with, and a reset returns to."""
    add_tenant(world, ACME, "Acme", "acme.onmicrosoft.example")
    add_tenant(world, GLOBEX, "Globex", "globex.onmicrosoft.example")
    add_subscription(world, PRODUCTION, ACME, "Acme Production")
    add_subscription(world, SANDBOX, ACME, "Acme Sandbox")
    add_subscription(world, GUARDED, ACME, "Acme Guarded")
    add_subscription(world, CLOSED, ACME, "Acme Closed", state="Disabled")
    add_subscription(world, GLOBEX_MAIN, GLOBEX, "Globex Main")
    forbid_issuers(world, GUARDED, ["https://token.actions.githubusercontent.com"])


def add_tenant(world: World, number: str, name: str, domain: str = "") -> Tenant:
    made = Tenant(number.lower(), name, domain or f"{name.lower().replace(' ', '')}.onmicrosoft.example")
    world.tenants[made.id] = made
    return made


def add_subscription(world: World, number: str, tenant: str, name: str, state: str = "Enabled") -> Subscription:
    made = Subscription(number.lower(), tenant, name, state, dict.fromkeys(USUAL, 0.0))
    world.subscriptions[made.id] = made
    assign(world, made.scope, world.tenants[tenant].owner_id, rbac.OWNER, "User")
    return made


def assign(world: World, scope: str, principal: str, role: str, kind: str) -> Resource:
    """An assignment from before: it has spread."""
    subscription = "/".join(scope.split("/")[:3])
    number = f"{scope}/providers/{rbac.ASSIGNMENT}/{uuid4()}"
    props = {
        "roleDefinitionId": f"{subscription}/providers/{rbac.DEFINITION}/{role}", "principalId": principal, "principalType": kind,
        "scope": scope, "condition": None, "conditionVersion": None, "createdOn": "2026-01-05T09:00:00.0000000Z",
        "updatedOn": "2026-01-05T09:00:00.0000000Z", "createdBy": None, "updatedBy": None, "delegatedManagedIdentityResourceId": None,
        "description": None,
    }  # fmt: skip
    tenant = world.subscriptions[scope.split("/")[2]].tenant
    return world.put(Resource(number, rbac.ASSIGNMENT, {"properties": props}, tenant, world.now(), under={"is_seed": True}))


def forbid_issuers(world: World, subscription: str, allowed: list[str]) -> None:
    """A policy that lets a federated credential name none but these issuers."""
    rule = {"if": {"field": ISSUER_FIELD, "notIn": "[parameters('allowedIssuers')]"}, "then": {"effect": "deny"}}
    parameters = {"allowedIssuers": {"type": "Array", "metadata": {"displayName": "Allowed issuers"}}}
    properties = {
        "displayName": "Federated credentials only from allowed issuers",
        "policyType": "Custom",
        "mode": "All",
        "parameters": parameters,
        "policyRule": rule,
    }
    add_policy(world, subscription, "allowed-issuers", properties, {"allowedIssuers": {"value": allowed}})


def add_policy(world: World, subscription: str, name: str, properties: Body, parameters: Body) -> None:
    """A definition with an assignment of the same name, at a subscription."""
    scope = f"/subscriptions/{subscription}"
    tenant = world.subscriptions[subscription].tenant
    number = f"{scope}/providers/{POLICY}/{name}"
    world.put(Resource(number, POLICY, {"properties": properties}, tenant, world.now()))
    assign_policy(world, subscription, name, number, parameters=parameters, shown=properties.get("displayName", name))


def assign_policy(world: World, subscription: str, name: str, definition: str, *, parameters: Body, shown: str) -> None:
    scope = f"/subscriptions/{subscription}"
    props = {
        "displayName": shown,
        "policyDefinitionId": definition,
        "parameters": parameters,
        "scope": scope,
        "enforcementMode": "Default",
        "notScopes": [],
    }
    number = f"{scope}/providers/{POLICY_ASSIGNMENT}/{name}"
    world.put(Resource(number, POLICY_ASSIGNMENT, {"properties": props}, world.subscriptions[subscription].tenant, world.now()))
