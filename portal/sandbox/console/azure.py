"""The played Azure portal: a template's Custom deployment, deployments with their outputs, and what can be taken away again.

Everything goes through the same front as the SDK's requests, by a token of whoever is signed in.
"""

import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from portal.sandbox import wire
from portal.sandbox.azure.arm.resources import LOCATIONS
from portal.sandbox.azure.control import owner_token
from portal.sandbox.azure.deployments import requests as templates
from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.front import AzureFront, ask
from portal.sandbox.console import machines
from portal.sandbox.console.html import NOTHING, Markup, fill, form_field, hidden, join, page, redirect, table
from portal.sandbox.request import Request

Body = dict[str, Any]
BANNER = "Played Azure portal \u2013 part of the demo, not Azure"
ROOT = "/console/azure"
PEOPLE = ("Owner", "Contributor", "Reader")
BUSY = {"Accepted", "Running", "Deleting"}
DEPLOYMENTS, GROUPS, SUBSCRIPTIONS = "2024-11-01", "2022-09-01", "2022-12-01"
View = Callable[["Visit"], Awaitable[wire.Reply]]


class PortalRefusedError(Exception):
    """Azure said no."""

    def __init__(self, status: int, error: Body) -> None:
        super().__init__(status, error)
        self.status = status
        self.error = error


class Visit:
    """One request of somebody signed in at a tenant."""

    def __init__(self, request: Request, front: AzureFront, tenant: str, role: str) -> None:
        self.request = request
        self.front = front
        self.tenant = front.world.tenants[tenant]
        self.role = role

    def field(self, name: str) -> str:
        return form_field(self.request.form, name)

    @property
    def is_post(self) -> bool:
        return self.request.method == "POST"

    @property
    def subscriptions(self) -> list[tuple[str, str]]:
        rows = self.front.world.subscriptions.values()
        return [(found.id, found.name) for found in rows if found.tenant == self.tenant.id and found.state != "Deleted"]

    @property
    def subscription(self) -> str:
        """The one that was chosen, else the tenant's first."""
        known = [number for number, _name in self.subscriptions]
        chosen = self.field("subscription") or (self.field("id").split("/")[2:3] or [""])[0]
        return chosen if chosen in known else known[0]

    async def call(self, method: str, path: str, version: str, body: object = None) -> Any:
        """Raises PortalRefusedError."""
        token = owner_token(self.front.world, self.subscription, self.role)["token"]
        status, answer = await ask(self.front, token, method, path, body, api_version=version)
        if status >= 400:  # noqa: PLR2004
            raise PortalRefusedError(status, (answer or {}).get("error") or {"code": str(status), "message": "No answer."})
        return answer

    def page(self, title: str, *body: object, refresh: bool = False, status: int = 200) -> wire.Reply:
        return page(title, join(body), banner=BANNER, navigation=self._navigation(), refresh=refresh, status=status)

    def _navigation(self) -> Markup:
        entries = (("Deployments", "deployments"), ("Resource groups", "groups"), ("Access control (IAM)", "access"))
        links = join(
            fill('<li><a href="{href}">{name}</a></li>', href=link(path, subscription=self.subscription), name=name)
            for name, path in entries
        )
        return fill(
            '<header><nav aria-label="Services"><ul>{links}{machines}</ul></nav>'
            "<p>Signed in as <strong>{role}</strong> of <strong>{tenant}</strong>. "
            '<a href="{switch}">Switch</a></p></header>',
            links=links, machines=machines.entry(self.front.sandbox.agents), role=self.role, tenant=self.tenant.name, switch=link("signin"),
        )  # fmt: skip


def link(path: str, **query: str) -> str:
    return f"{ROOT}/{path}" + (f"?{urlencode(query)}" if query else "")


class AzurePages:
    """Everything under /console/azure."""

    def __init__(self, front: AzureFront) -> None:
        from portal.sandbox.console import azure_resources  # noqa: PLC0415 - needs Visit from here

        self.front = front
        self.views: dict[str, View] = {
            "custom": custom_deployment, "deployment": deployment_detail, "deployments": deployment_list, **azure_resources.VIEWS,
        }  # fmt: skip

    async def __call__(self, request: Request) -> wire.Reply:
        path = request.path.removeprefix(ROOT).strip("/")
        if path in {"", "deploy"}:
            return _home()
        if path == "signin":
            return self._sign_in(request)
        visit = self._visit(request)
        if visit is None:
            return redirect(link("signin", next=f"{ROOT}/{path}?{urlencode(request.query, doseq=True)}"))
        return await self._show(path, visit)

    def _visit(self, request: Request) -> Visit | None:
        """Who is signed in, by the cookie."""
        found = re.search(r"(?:^|;\s*)played_azure=([0-9a-f-]{36})\.(\w+)", request.headers.get("cookie", ""))
        if found is None or found[1] not in self.front.world.tenants or found[2] not in PEOPLE:
            return None
        return Visit(request, self.front, found[1], found[2])

    async def _show(self, path: str, visit: Visit) -> wire.Reply:
        view = self.views.get(path)
        if view is None:
            return visit.page("Not played", fill("<p>The demo does not play this page.</p>"), status=404)
        if not visit.subscriptions:
            return visit.page("No subscription", fill("<p>This tenant has no subscription.</p>"))
        try:
            return await view(visit)
        except PortalRefusedError as refused:
            return visit.page("Azure refused", refusal(refused), status=400)

    def _sign_in(self, request: Request) -> wire.Reply:
        onward = form_field(request.form, "next")
        onward = onward if onward.startswith(f"{ROOT}/") else link("deployments")
        tenant, role = form_field(request.form, "tenant"), form_field(request.form, "role")
        if request.method == "POST" and tenant in self.front.world.tenants and role in PEOPLE:
            return redirect(onward, f"played_azure={tenant}.{role}; Path={ROOT}; HttpOnly; SameSite=Lax")
        tenants = [(found.id, found.name) for found in self.front.world.tenants.values()]
        body = fill(
            '<form method="post" action="{action}" class="narrow">'
            "<p>Real Azure would ask for your user and password here. This one takes anybody, so that you can also play somebody "
            "with too few "
            "rights.</p>{tenants}{roles}{onward}<p><button>Sign in</button></p></form>",
            action=link("signin"), onward=hidden(next=onward),
            tenants=choice("tenant", "Which directory are you in?", tenants, ""),
            roles=choice("role", "Which role do you have in its subscriptions?", [(name, name) for name in PEOPLE], "Owner"),
        )  # fmt: skip
        return page("Sign in", body, banner=BANNER)


def _home() -> wire.Reply:
    """Where Deploy-to-Azure links point. The template's address stands in the fragment, which only the script can read."""
    body = fill(
        "<p>Opening\u2026</p><noscript><p>Deploy-to-Azure links need JavaScript: the template's address stands behind the # of the link. "
        'Paste it here instead.</p><form method="get" action="{action}"><p><label for="template">Address of the template</label>'
        '<input id="template" name="template" required></p><p><button>Open</button></p></form></noscript>'
        '<p><a href="{all}">All deployments</a></p>',
        action=link("custom"), all=link("deployments"),
    )  # fmt: skip
    return page("Azure", body, banner=BANNER)


def refusal(refused: PortalRefusedError) -> Markup:
    details = [f"{entry.get('code')}: {entry.get('message')}" for entry in refused.error.get("details") or []]
    return fill(
        '<div class="error" role="alert"><strong>{code}</strong><p>{message}</p></div>',
        code=refused.error.get("code"), message="\n".join([str(refused.error.get("message")), *details]),
    )  # fmt: skip


def choice(name: str, label: str, options: list[tuple[str, str]], chosen: str, hint: str = "") -> Markup:
    rows = join(
        fill(
            '<option value="{value}"{on}>{shown}</option>', value=value, shown=shown, on=Markup(" selected") if value == chosen else NOTHING
        )
        for value, shown in options
    )
    return fill(
        '<p><label for="{name}">{label}</label><span class="hint" id="h-{name}">{hint}</span>'
        '<select id="{name}" name="{name}" aria-describedby="h-{name}">{rows}</select></p>',
        name=name, label=label, hint=hint, rows=rows,
    )  # fmt: skip


# --- Custom deployment ---


async def custom_deployment(visit: Visit) -> wire.Reply:
    """Form, then Review + create, then the deployment itself. Only what stands in the template is filled in: a link carries no values."""
    address = visit.field("template")
    try:
        template = templates.read_template(visit.front.sandbox, address)
    except ArmError as problem:
        return visit.page("Custom deployment", refusal(PortalRefusedError(problem.status, problem.error())), status=400)
    act, problem_shown = visit.field("act"), NOTHING
    if visit.is_post and act in {"review", "create"}:
        try:
            return await _review(visit, template) if act == "review" else await _create(visit, template)
        except PortalRefusedError as refused:
            problem_shown = refusal(refused)
    values = _loaded(visit.field("file")) if act == "load" else {}
    if act == "load" and not values:
        problem_shown = fill('<div class="error" role="alert"><p>This is no parameters file.</p></div>')
    return visit.page("Custom deployment", _form(visit, template, values, problem_shown), status=400 if problem_shown else 200)


def _is_wide(template: Body) -> bool:
    return "subscriptionDeploymentTemplate" in template.get("$schema", "")


def _form(visit: Visit, template: Body, values: Body, problem: Markup) -> Markup:
    declared = template.get("parameters") or {}
    group = "" if _is_wide(template) else visit.field("group")
    where = NOTHING if _is_wide(template) else fill(
        '<p><label for="group">Resource group</label><input id="group" name="group" value="{group}" required></p>', group=group
    )  # fmt: skip
    places = [(name, words[0]) for name, words in LOCATIONS.items()]
    return fill(
        '{problem}<h2>Template</h2><p class="break">{address}</p><details><summary>Show the template</summary>'
        '<pre tabindex="0" aria-label="Template">{text}</pre></details>'
        "<details><summary>Edit parameters: paste a parameters file</summary>"
        '<form method="post" action="{action}"><p><label for="file">Parameters file (JSON)</label>'
        '<textarea id="file" name="file" rows="8" spellcheck="false"></textarea></p>{carried}{load}'
        '<p><button class="quiet">Save</button></p></form></details>'
        '<form method="post" action="{action}"><h2>Project details</h2>{subscriptions}{where}{region}'
        "<h2>Instance details</h2>{parameters}"
        "{carried}{review}<p><button>Review + create</button></p></form>",
        problem=problem, address=visit.field("template"), text=json.dumps(template, indent=2), action=link("custom"),
        subscriptions=choice("subscription", "Subscription", visit.subscriptions, visit.subscription),
        where=where, region=choice("region", "Region", places, visit.field("region") or "westeurope"),
        parameters=join(_parameter(visit, name, shape, values) for name, shape in declared.items()) or fill("<p>None.</p>"),
        carried=hidden(template=visit.field("template")), load=hidden(act="load"), review=hidden(act="review"),
    )  # fmt: skip


def _parameter(visit: Visit, name: str, shape: Body, values: Body) -> Markup:
    default = shape.get("defaultValue", "")
    value = str(values.get(name, visit.field(f"param_{name}") or default))
    hint = (shape.get("metadata") or {}).get("description", "")
    if shape.get("allowedValues"):
        open_one = [] if "defaultValue" in shape else [("", "")]  # nothing is chosen for somebody who has not chosen
        return choice(f"param_{name}", name, [*open_one, *((str(entry), str(entry)) for entry in shape["allowedValues"])], value, hint)
    return fill(
        '<p><label for="p-{name}">{name}</label><span class="hint" id="h-{name}">{hint}</span>'
        '<input id="p-{name}" name="param_{name}" value="{value}" aria-describedby="h-{name}"></p>',
        name=name, hint=hint, value=value,
    )  # fmt: skip


def _loaded(text: str) -> Body:
    try:
        told = json.loads(text)
        return {name: entry["value"] for name, entry in told["parameters"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _request(visit: Visit, template: Body) -> tuple[str, Body]:
    """Path without the name, and body, as the portal sends them: an empty field is no value where the template has one."""
    declared = template.get("parameters") or {}
    given = {name: visit.field(f"param_{name}") for name in declared}
    values = {
        name: {"value": _typed(value, declared[name])} for name, value in given.items() if value or "defaultValue" not in declared[name]
    }
    link_to = {"uri": visit.field("template"), "contentVersion": template["contentVersion"]}
    body: Body = {"properties": {"mode": "Incremental", "templateLink": link_to, "parameters": values}}
    scope = f"/subscriptions/{visit.subscription}"
    if _is_wide(template):
        body["location"] = visit.field("region")
    else:
        scope += f"/resourceGroups/{visit.field('group')}"
    return f"{scope}/providers/Microsoft.Resources/deployments", body


def _typed(value: str, shape: Body) -> Any:
    if "string" in str(shape.get("type", "")).lower():
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


async def _review(visit: Visit, template: Body) -> wire.Reply:
    path, body = _request(visit, template)
    if not _is_wide(template):
        group = path.rpartition("/providers/")[0]
        await visit.call("PUT", group, GROUPS, {"location": visit.field("region")})
    checked = await visit.call("POST", f"{path}/Microsoft.Template/validate", DEPLOYMENTS, body)
    rows = [(entry["id"].rpartition("/providers/")[2] or entry["id"],) for entry in checked["properties"]["validatedResources"]]
    given = {name: values[0] for name, values in visit.request.form.items() if name != "act"}
    shown = [(name.removeprefix("param_"), value) for name, value in given.items() if name.startswith("param_")]
    return visit.page(
        "Review + create",
        fill('<p class="done" role="status">Validation passed.</p>'),
        table(("Parameter", "Value"), shown, caption="Parameters", empty="None."),
        table(("Resource",), rows, caption="Will be created or changed", empty="Nothing."),
        fill(
            '<form method="post" action="{action}">{carried}<p><button>Create</button></p></form>',
            action=link("custom"), carried=hidden(**given, act="create"),
        ),
    )  # fmt: skip


async def _create(visit: Visit, template: Body) -> wire.Reply:
    """The portal chooses the deployment's name; nobody is asked for it."""
    path, body = _request(visit, template)
    name = f"Microsoft.Template-{datetime.now(UTC):%Y%m%d%H%M%S}"
    made = await visit.call("PUT", f"{path}/{name}", DEPLOYMENTS, body)
    return redirect(link("deployment", id=made["id"]))


# --- Deployments ---


async def deployment_list(visit: Visit) -> wire.Reply:
    found = await visit.call("GET", f"/subscriptions/{visit.subscription}/providers/Microsoft.Resources/deployments", DEPLOYMENTS)
    rows = [
        (
            fill('<a href="{href}">{name}</a>', href=link("deployment", id=made["id"]), name=made["name"]),
            state(made["properties"]["provisioningState"]), made["properties"]["timestamp"][:19].replace("T", " "),
        )
        for made in found["value"]
    ]  # fmt: skip
    return visit.page(
        "Deployments",
        switcher(visit, "deployments"),
        table(("Name", "State", "Time"), rows, caption="Of the whole subscription", empty="None yet."),
    )


async def deployment_detail(visit: Visit) -> wire.Reply:
    number = visit.field("id")
    made = await visit.call("GET", number, DEPLOYMENTS)
    properties = made["properties"]
    operations = (await visit.call("GET", f"{number}/operations", DEPLOYMENTS))["value"]
    steps = [
        (
            entry["properties"]["targetResource"]["resourceType"], entry["properties"]["targetResource"]["resourceName"],
            state(entry["properties"]["provisioningState"]), _said(entry["properties"]),
        )
        for entry in operations
    ]  # fmt: skip
    heading = {"Succeeded": "Your deployment is complete", "Failed": "Your deployment failed"}.get(
        properties["provisioningState"], "Deployment is in progress"
    )
    return visit.page(
        made["name"],
        fill('<p role="status">{heading}: {state}</p>', heading=heading, state=state(properties["provisioningState"])),
        refusal(PortalRefusedError(200, properties["error"])) if "error" in properties else NOTHING,
        _outputs(properties.get("outputs") or {}),
        table(("Type", "Resource", "State", "Says"), steps, caption="Operations", empty="None yet."),
        refresh=properties["provisioningState"] in BUSY,
    )


def _said(properties: Body) -> str:
    error = (properties.get("statusMessage") or {}).get("error") or {}
    return f"{error['code']}: {error.get('message', '')}" if error else ""


def _outputs(found: Body) -> Markup:
    """The Outputs page: each value in a field of its own, to be copied."""
    rows = join(
        fill(
            '<p><label for="o-{name}">{name}</label><input id="o-{name}" value="{value}" readonly></p>',
            name=name,
            value=entry.get("value", ""),
        )
        for name, entry in found.items()
    )
    return fill("<h2>Outputs</h2>{rows}", rows=rows) if found else NOTHING


def switcher(visit: Visit, path: str) -> Markup:
    return fill(
        '<form method="get" action="{action}" class="inline">{chosen}<button class="quiet">Show</button></form>',
        action=link(path), chosen=choice("subscription", "Subscription", visit.subscriptions, visit.subscription),
    )  # fmt: skip


def state(name: str) -> Markup:
    kind = "bad" if name in {"Failed", "Canceled"} else "busy" if name in BUSY else "good"
    return fill('<span class="status {kind}">{name}</span>', kind=kind, name=name)
