"""Which handler answers, under which action, at which scope; and the order in which ARM refuses."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from portal.sandbox import wire
from portal.sandbox.azure import activity, errors, rbac
from portal.sandbox.azure.arm import groups, jobs, resources, subscriptions
from portal.sandbox.azure.arm.call import Call
from portal.sandbox.azure.arm.kind import Kind
from portal.sandbox.azure.arm.kinds import KINDS, POLICY_VERSIONS
from portal.sandbox.azure.arm.links import SIGNED
from portal.sandbox.azure.arm.place import locate
from portal.sandbox.azure.cell import deleted, machines
from portal.sandbox.azure.cell.network import NETWORK_VERSIONS
from portal.sandbox.azure.conditions import Attributes, attributes_of
from portal.sandbox.azure.deployments import engine
from portal.sandbox.azure.deployments import requests as deployments
from portal.sandbox.azure.deployments.plan import DEPLOYMENT_VERSIONS
from portal.sandbox.azure.deployments.whatif import what_if
from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.logic import workflows
from portal.sandbox.azure.logic.kind import VERSIONS as WORKFLOW_VERSIONS
from portal.sandbox.azure.logic.kind import WORKFLOW
from portal.sandbox.azure.stacks import engine as stack_engine
from portal.sandbox.azure.stacks import requests as stacks
from portal.sandbox.azure.world import Token, World
from portal.sandbox.request import Request
from portal.sandbox.sandbox import Sandbox

Handler = Callable[[Call], wire.Reply]
SUB = r"/subscriptions/(?P<sub>[^/]+)"
GROUP = rf"{SUB}/resourcegroups/(?P<rg>[^/]+)"
PLAIN = "plain"  # an action that everybody who is signed in may take
READING = {"GET", "HEAD"}
RESULT_VERSIONS = tuple(dict.fromkeys((*groups.VERSIONS, *DEPLOYMENT_VERSIONS, *stacks.VERSIONS)))


@dataclass(frozen=True)
class Route:
    method: str
    pattern: "re.Pattern[str]"
    action: str
    handler: Handler
    versions: tuple[str, ...]
    kind: str
    queries: tuple[str, ...] = ()
    is_slow: bool = False  # fetches something: on a thread


def _route(  # noqa: PLR0917 - a table reads better without the names
    method: str, pattern: str, action: str, handler: Handler, versions: tuple[str, ...], kind: str, *queries: str, slow: bool = False
) -> Route:
    return Route(method, re.compile(pattern, re.IGNORECASE), action, handler, versions, kind, queries, slow)


def _deployment_routes(scope: str) -> list[Route]:
    base, kind = rf"{scope}/providers/microsoft\.resources/deployments", "Microsoft.Resources/deployments"
    one = rf"{base}/(?P<name>[^/]+)"
    table: tuple[tuple[str, str, str, Handler, tuple[str, ...]], ...] = (
        ("GET", base, "read", deployments.collection, ("$filter", "$top")),
        ("PUT", one, "write", deployments.put, ()),
        ("GET", one, "read", deployments.get, ()),
        ("HEAD", one, "read", deployments.head, ()),
        ("DELETE", one, "delete", deployments.delete, ()),
        ("POST", f"{one}/validate", "validate/action", deployments.validate, ()),
        ("POST", f"{one}/whatif", "whatIf/action", what_if, ()),
        ("POST", f"{one}/cancel", "cancel/action", deployments.cancel, ()),
        ("POST", f"{one}/exporttemplate", "exportTemplate/action", deployments.export, ()),
        ("GET", f"{one}/operations", "operations/read", deployments.operations, ("$top",)),
        ("GET", rf"{one}/operations/(?P<operation>[^/]+)", "operations/read", deployments.operation, ()),
        ("GET", rf"{one}/operationstatuses/(?P<operation>[^/]+)", "operationstatuses/read", deployments.status, SIGNED),
    )
    slow = {deployments.put, deployments.validate}
    if scope == GROUP:  # an older spelling that the SDK still uses
        table += (("GET", rf"{scope}/deployments/(?P<name>[^/]+)/operations", "operations/read", deployments.operations, ("$top",)),)
    return [
        _route(method, pattern, f"{kind}/{action}", handler, DEPLOYMENT_VERSIONS, kind, *queries, slow=handler in slow)
        for method, pattern, action, handler, queries in table
    ]


def _resource_routes(kind: Kind) -> list[Route]:
    """Item and collection of one type, at the scopes where it lives."""
    names = "".join(rf"/{re.escape(word)}/[^/]+" for word in kind.path[:-1])
    base = rf"(?P<scope>{SUB}(?:/resourcegroups/(?P<rg>[^/]+)(?P<resource>/providers/.+)?)?)" if kind.home == "any" else GROUP
    every = rf"{base}/providers/{re.escape(kind.namespace)}{names}/{re.escape(kind.path[-1])}"
    wide = rf"{SUB}/providers/{re.escape(kind.namespace)}/{re.escape(kind.path[-1])}"
    one = rf"{every}/[^/]+"
    routes = [
        _route("GET", one, f"{kind.name}/read", resources.get, kind.versions, kind.name),
        _route("PUT", one, f"{kind.name}/write", resources.put, kind.versions, kind.name),
        _route("GET", every, f"{kind.name}/read", resources.collection, kind.versions, kind.name, *kind.queries),
    ]
    if kind.is_deletable:
        routes.append(_route("DELETE", one, f"{kind.name}/delete", resources.delete, kind.versions, kind.name))
    if kind.home != "any" and len(kind.path) == 1:
        routes.append(_route("GET", wide, f"{kind.name}/read", resources.collection, kind.versions, kind.name, *kind.queries))
    return routes


def _stack_routes() -> list[Route]:
    """At a group alone: stacks of a subscription are not played."""
    base, kind = rf"{GROUP}/providers/microsoft\.resources/deploymentstacks", stack_engine.STACK
    one, versions = rf"{base}/(?P<name>[^/]+)", stacks.VERSIONS
    status = rf"{SUB}/providers/microsoft\.resources/locations/(?P<location>[^/]+)/deploymentstackoperationstatus/(?P<job>[^/]+)"
    return [
        _route("GET", base, f"{kind}/read", stacks.collection, versions, kind),
        _route("PUT", one, f"{kind}/write", stacks.put, versions, kind),
        _route("GET", one, f"{kind}/read", stacks.get, versions, kind),
        _route("DELETE", one, f"{kind}/delete", stacks.delete, versions, kind, *stacks.QUERIES),
        _route("GET", status, PLAIN, jobs.status, versions, kind, *SIGNED),
    ]


def _workflow_routes() -> list[Route]:
    one = rf"{GROUP}/providers/microsoft\.logic/workflows/(?P<name>[^/]+)"
    return [
        _route("GET", f"{one}/runs", f"{WORKFLOW}/runs/read", workflows.runs, WORKFLOW_VERSIONS, WORKFLOW, "$top", "$filter"),
        _route("POST", f"{one}/disable", f"{WORKFLOW}/disable/action", workflows.disable, WORKFLOW_VERSIONS, WORKFLOW),
        _route("POST", f"{one}/enable", f"{WORKFLOW}/enable/action", workflows.enable, WORKFLOW_VERSIONS, WORKFLOW),
        _route("GET", SUB + activity.PATH, activity.READ, activity.values, activity.VERSIONS, activity.KIND, "$filter", "$select"),
    ]


def _vault_routes() -> list[Route]:
    one = rf"{SUB}/providers/microsoft\.keyvault/locations/(?P<location>[^/]+)/deletedvaults/(?P<name>[^/]+)/purge"
    purging, reading = "Microsoft.KeyVault/locations/deletedVaults/purge/action", f"{deleted.DELETED}/read"
    listed = rf"{SUB}/providers/microsoft\.keyvault/deletedvaults"
    return [
        _route("GET", listed, reading, deleted.collection, deleted.VERSIONS, deleted.DELETED),
        _route("POST", one, purging, deleted.purge, deleted.VERSIONS, deleted.DELETED),
    ]


def _permission_routes() -> list[Route]:
    action, kind = "Microsoft.Authorization/permissions/read", "Microsoft.Authorization/permissions"
    tail = r"/providers/microsoft\.authorization/permissions"
    versions = subscriptions.PERMISSION_VERSIONS
    return [_route("GET", scope + tail, action, subscriptions.permissions, versions, kind) for scope in (SUB, GROUP)]


def _usage_route(namespace: str, versions: tuple[str, ...]) -> Route:
    pattern = rf"{SUB}/providers/(?P<ns>{re.escape(namespace)})/locations/(?P<location>[^/]+)/usages"
    return _route("GET", pattern, f"{namespace}/locations/usages/read", subscriptions.usages, versions, f"{namespace}/locations/usages")


def _routes() -> list[Route]:
    subs, kind = subscriptions.VERSIONS, "Microsoft.Resources/subscriptions"
    group = f"{kind}/resourceGroups"
    table = [
        _route("GET", r"/subscriptions", PLAIN, subscriptions.collection, subs, kind),
        _route("GET", r"/tenants", PLAIN, subscriptions.tenants, subs, kind),
        _route("GET", SUB, f"{kind}/read", subscriptions.get, subs, kind),
        _route("GET", rf"{SUB}/locations", f"{kind}/locations/read", subscriptions.locations, subs, kind, "includeExtendedLocations"),
        _route("GET", rf"{SUB}/providers", f"{kind}/providers/read", subscriptions.providers, groups.VERSIONS, kind, "$expand", "$top"),
        _route(
            "GET", rf"{SUB}/providers/(?P<ns>[^/]+)", f"{kind}/providers/read", subscriptions.provider, groups.VERSIONS, kind, "$expand"
        ),
        _route("POST", rf"{SUB}/providers/(?P<ns>[^/]+)/register", PLAIN, subscriptions.register, groups.VERSIONS, kind),
        _route("POST", rf"{SUB}/providers/(?P<ns>[^/]+)/unregister", PLAIN, subscriptions.unregister, groups.VERSIONS, kind),
        _route(
            "GET",
            rf"{SUB}/resources",
            f"{kind}/resources/read",
            resources.listed_resources,
            groups.VERSIONS,
            kind,
            "$filter",
            "$expand",
            "$top",
        ),
        _route(
            "GET",
            rf"{GROUP}/resources",
            f"{group}/resources/read",
            resources.listed_resources,
            groups.VERSIONS,
            kind,
            "$filter",
            "$expand",
            "$top",
        ),
        _route("GET", rf"{SUB}/resourcegroups", f"{group}/read", groups.collection, groups.VERSIONS, group, "$filter", "$top"),
        _route("GET", GROUP, f"{group}/read", groups.get, groups.VERSIONS, group),
        _route("HEAD", GROUP, f"{group}/read", groups.head, groups.VERSIONS, group),
        _route("PUT", GROUP, f"{group}/write", groups.put, groups.VERSIONS, group),
        _route("PATCH", GROUP, f"{group}/write", groups.patch, groups.VERSIONS, group),
        _route("DELETE", GROUP, f"{group}/delete", groups.delete, groups.VERSIONS, group, "forceDeletionTypes"),
        _route("GET", rf"{SUB}/operationresults/(?P<job>[^/]+)", PLAIN, jobs.result, RESULT_VERSIONS, group, *SIGNED),
        _route(
            "GET",
            r"/providers/microsoft\.authorization/policydefinitions/(?P<name>[^/]+)",
            PLAIN,
            resources.built_in_policy,
            POLICY_VERSIONS,
            "Microsoft.Authorization/policyDefinitions",
        ),
        _usage_route("Microsoft.Compute", subscriptions.COMPUTE_VERSIONS),
        _usage_route("Microsoft.Network", NETWORK_VERSIONS),
    ]
    table += _permission_routes() + _stack_routes() + _workflow_routes() + _vault_routes()
    for scope in (SUB, GROUP):
        table += _deployment_routes(scope)
    for known in KINDS.values():
        table += _resource_routes(known)
    return table


ROUTES = _routes()


def find(request: Request) -> tuple[Route, dict[str, str]] | None:
    path = request.path.rstrip("/") or "/"
    for route in ROUTES:
        found = route.pattern.fullmatch(path)
        if found and route.method == request.method:
            return route, {name: value for name, value in found.groupdict().items() if value is not None}
    return None


def authenticate(world: World, request: Request) -> Token:
    """The token's bearer. Raises ArmError 401, which names the tenant of the subscription asked for, also to strangers."""
    tenant = _tenant_of(world, request.path)
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    if not text:
        message = "Authentication failed. The 'Authorization' header is missing."
        raise errors.unauthorized(
            "AuthenticationFailed", message, tenant, "The authentication failed because of missing 'Authorization' header."
        )
    token = world.tokens.get(text)
    if token is None or kind.lower() != "bearer":
        raise errors.unauthorized("InvalidAuthenticationToken", "The access token is invalid.", tenant)
    if token.expires_at <= world.now():
        raise errors.unauthorized(
            "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time.", tenant
        )
    return token


def _tenant_of(world: World, path: str) -> str:
    match path.strip("/").split("/"):
        case [root, number, *_rest] if root.lower() == "subscriptions":
            subscription = world.subscription(number)
            if subscription is None:
                raise errors.no_subscription(number)
            return subscription.tenant
    return "common"


def prepare(world: World, sandbox: Sandbox, request: Request, origin: str) -> tuple[Route, Call]:
    """Everything ARM looks at before a provider hears of a request, in ARM's order. Raises ArmError."""
    token = authenticate(world, request)
    found = find(request)
    call = Call(world, sandbox, token, f"{request.method} {request.path}", request=request, origin=origin)
    if found is None:
        call.violate("route", f"{request.method} {request.path}")
        raise ArmError(
            404,
            "InvalidResourceType",
            f"The resource type could not be found for '{request.method} {request.path}': it is not played here.",
        )
    route, call.params = found
    _check_query(call, route)
    if "sub" in call.params:
        _check_subscription(call, route)
    if route.action != PLAIN:
        _demand_right(call, route)
    if "sub" in call.params and request.method not in READING and call.subscription.state == "Disabled":
        raise errors.read_only(call.subscription.id)
    place = locate(request.path)
    if place is not None and place.kind is not None and request.method not in READING:
        resources.demand_registration(world, call.subscription, place.kind.namespace)
    return route, call


def _demand_right(call: Call, route: Route) -> None:
    scope = activity.scope_of(call) if route.kind == activity.KIND else scope_asked(call)
    try:
        call.demand(route.action, scope, _about(call, route))
    except ArmError as refused:
        if call.request.method not in READING:
            activity.note(call.world, activity.Done(call.token, route.action, scope, refused.code))
        raise


def _about(call: Call, route: Route) -> Attributes:
    """What conditions may ask of a role assignment: the one that is written, and the one that stands."""
    if route.kind != rbac.ASSIGNMENT or call.request.method in READING:
        return {}
    standing = call.world.find(call.request.path)
    asked = attributes_of("Request", call.body.get("properties")) if call.request.method == "PUT" else {}
    return {**asked, **attributes_of("Resource", standing.properties if standing is not None else call.body.get("properties"))}


def _check_query(call: Call, route: Route) -> None:
    given = {name.lower(): name for name in call.request.query}
    if "api-version" not in given:
        raise errors.no_api_version()
    call.api_version = call.query("api-version")
    if call.api_version not in route.versions:
        call.violate("api-version", call.api_version)
        raise errors.bad_api_version(route.kind, call.api_version, route.versions)
    known = {"api-version", *({"$skiptoken"} if call.world.page_size else ()), *(name.lower() for name in route.queries)}
    for name in set(given) - known:
        call.violate("query", given[name])
        raise ArmError(400, "InvalidQueryParameter", f"The query parameter '{given[name]}' is not supported for this request.")


def _check_subscription(call: Call, route: Route) -> None:
    subscription = call.world.subscription(call["sub"])
    if subscription is None:
        raise errors.no_subscription(call["sub"])
    if subscription.tenant != call.token.tenant:
        ours, theirs = subscription.tenant, call.token.tenant
        raise errors.unauthorized(
            "InvalidAuthenticationTokenTenant",
            f"The access token is from the wrong issuer 'https://sts.windows.net/{theirs}/'. It must match the tenant "
            f"'https://sts.windows.net/{ours}/' associated with this subscription. Please use the authority (URL) "
            f"'https://login.windows.net/{ours}' to get the token. Note, if the subscription is transferred to another tenant there is no "
            "impact to the services, but information about new tenant could take time to propagate (up to an hour). If you just "
            "transferred your subscription and see this error message, please try back later.",
            ours, "invalid_token",
        )  # fmt: skip


def scope_asked(call: Call) -> str:
    """The scope as the request wrote it: of an item the item, of a collection or an action what it hangs on."""
    path = call.request.path.rstrip("/")
    place = locate(path)
    if place is None:
        scope = f"/subscriptions/{call['sub']}"
        return scope + (f"/resourcegroups/{call['rg']}" if "rg" in call.params else "")
    if place.type.lower().startswith("microsoft.resources/deployments/"):
        return "/".join(path.split("/")[: path.lower().split("/").index("deployments") + 2])
    if place.is_collection and not place.names:
        return place.scope
    return path if not place.is_collection else path.rpartition("/")[0]


def run(route: Route, call: Call) -> wire.Reply:
    """The handler's answer, or its refusal; afterwards whatever time it was for happens."""
    if call.request.method not in READING:
        call.world.is_dirty = True
    standing = call.world.find(call.request.path)
    reply = route.handler(call)
    if call.request.method not in READING and route.action != PLAIN:
        body = call.body if call.request.method == "PUT" else standing.body if standing is not None else {}
        activity.note(call.world, activity.Done(call.token, route.action, scope_asked(call)), body)
    tick(call.world, call.sandbox)
    return reply


def send(world: World, sandbox: Sandbox, request: Request) -> wire.Reply:
    """A request that Azure makes itself: a workflow's."""
    try:
        route, call = prepare(world, sandbox, request, "https://localhost")
        return run(route, call)
    except ArmError as refused:
        return refused.reply()


def live(world: World, sandbox: Sandbox) -> None:
    """Time has passed: what Azure does by itself is done, workflows included."""
    tick(world, sandbox)
    workflows.tick(world, partial(send, world, sandbox))


def tick(world: World, sandbox: Sandbox) -> None:
    """Whatever it is time for happens: stacks begin deployments and wait for them, machines follow from both."""
    stack_engine.tick(world, sandbox)
    engine.tick(world, sandbox)
    stack_engine.tick(world, sandbox)
    machines.settle(world, sandbox)
