"""Stacks: review and create from a link, watch, delete."""

from xml.etree import ElementTree

from ministack.services.cloudformation import engine

from portal.sandbox import wire
from portal.sandbox.aws.cloudformation import TemplateAddressError, read_public
from portal.sandbox.console import REGIONS, View, Visit, error
from portal.sandbox.console.aws import AwsRefusedError, members, text
from portal.sandbox.console.html import Markup, fill, hidden, join, redirect, table
from portal.sandbox.console.stack_update import ACKNOWLEDGE, update_form


async def stack_list(visit: Visit) -> wire.Reply:
    root = await visit.aws.call("cloudformation", "DescribeStacks", {})
    rows = [
        (_stack_link(visit, stack), _status(text(stack, "StackStatus")), _time(text(stack, "CreationTime")))
        for stack in members(root, "Stacks")
    ]
    regions = _region_form(visit, "cloudformation/stacks")
    return visit.page(
        "Stacks", regions, table(("Stack", "Status", "Created"), rows, caption="Your stacks", empty="There is no stack in this region.")
    )


async def stack_review(visit: Visit) -> wire.Reply:
    """The quick-create page. A POST runs the real CreateStack as the account's root."""
    problem = Markup("")
    if visit.is_post and visit.field("act") == "create":
        try:
            return await _create(visit)
        except AwsRefusedError as refused:
            problem = error(refused)
    try:
        template = read_public(visit.field("templateURL"), visit.account, visit.sandbox)
        declared = engine._parse_template(template).get("Parameters") or {}
    except (TemplateAddressError, ValueError) as unreadable:
        return visit.page("Quick create stack", error(AwsRefusedError("ValidationError", str(unreadable))), status=400)
    query = {
        name: values[0] for name, values in visit.request.form.items() if name.startswith("param_") or name in {"templateURL", "stackName"}
    }
    body = fill(
        '{problem}{regions}<form method="post" action="/console/cloudformation/review"><h2>Template</h2><p class="break">{url}</p>'
        '<details><summary>Show the template ({lines} lines)</summary><pre tabindex="0" aria-label="Template">{template}</pre></details>'
        '<h2>Stack name</h2><p><label for="stackName">Stack name</label><input id="stackName" name="stackName" value="{name}" required></p>'
        "<h2>Parameters</h2>{parameters}<h2>Capabilities</h2>"
        '<p class="check"><input type="checkbox" id="acknowledge" name="acknowledge" value="yes">'
        '<label for="acknowledge">{acknowledge}</label></p>'
        '{carried}<p><button>Create stack</button> <a href="{cancel}">Cancel</a></p></form>',
        problem=problem,
        regions=_region_form(visit, "cloudformation/review", query),
        url=visit.field("templateURL"),
        lines=len(template.splitlines()),
        template=template,
        name=visit.field("stackName"),
        parameters=join(_parameter(visit, name, shape) for name, shape in declared.items()) or fill("<p>This template has none.</p>"),
        acknowledge=ACKNOWLEDGE,
        carried=hidden(templateURL=visit.field("templateURL"), region=visit.region, act="create"),
        cancel=visit.link("cloudformation/stacks"),
    )
    return visit.page("Quick create stack", body, status=400 if problem else 200)


def _parameter(visit: Visit, name: str, shape: dict[str, object]) -> Markup:
    value = visit.field(f"param_{name}") or str(shape.get("Default", ""))
    return fill(
        '<p><label for="p-{name}">{name}</label><span class="hint" id="h-{name}">{hint}</span>'
        '<input id="p-{name}" name="param_{name}" value="{value}" aria-describedby="h-{name}"></p>',
        name=name, hint=shape.get("Description", ""), value=value,
    )  # fmt: skip


async def _create(visit: Visit) -> wire.Reply:
    params = {"StackName": visit.field("stackName"), "TemplateURL": visit.field("templateURL")}
    given = [(name.removeprefix("param_"), values[0]) for name, values in visit.request.form.items() if name.startswith("param_")]
    for number, (name, value) in enumerate(given, 1):
        params |= {f"Parameters.member.{number}.ParameterKey": name, f"Parameters.member.{number}.ParameterValue": value}
    if visit.field("acknowledge"):
        params["Capabilities.member.1"] = "CAPABILITY_NAMED_IAM"
    root = await visit.aws.call("cloudformation", "CreateStack", params)
    return redirect(visit.link("cloudformation/stack", id=text(root, "CreateStackResult/StackId")))


async def stack_detail(visit: Visit) -> wire.Reply:
    number = visit.field("id")
    if visit.is_post and visit.field("act") == "delete":
        await visit.aws.call("cloudformation", "DeleteStack", {"StackName": number})
        return redirect(visit.link("cloudformation/stack", id=number))
    described = await visit.aws.call("cloudformation", "DescribeStacks", {"StackName": number})
    stack = members(described, "Stacks")[0]
    events = members(await visit.aws.call("cloudformation", "DescribeStackEvents", {"StackName": number}), "StackEvents")
    resources = members(await visit.aws.call("cloudformation", "DescribeStackResources", {"StackName": number}), "StackResources")
    status = text(stack, "StackStatus")
    return visit.page(
        text(stack, "StackName"),
        _facts(stack),
        update_form(visit, number, status),
        _delete_form(visit, number, status),
        _events(events),
        _resources(resources),
        _pairs(stack, "Output", "No outputs yet."),
        _pairs(stack, "Parameter", "This stack has none."),
        refresh=status.endswith("IN_PROGRESS"),
    )


def _resources(resources: list[ElementTree.Element]) -> Markup:
    rows = [
        (*(text(made, name) for name in ("LogicalResourceId", "ResourceType", "PhysicalResourceId")), _status(text(made, "ResourceStatus")))
        for made in resources
    ]
    return table(("Name", "Type", "Id", "Status"), rows, caption="Resources", empty="Nothing is made yet.")


def _pairs(stack: ElementTree.Element, kind: str, empty: str) -> Markup:
    """Outputs or parameters: both are keys with values."""
    rows = [(text(pair, f"{kind}Key"), text(pair, f"{kind}Value")) for pair in members(stack, f"{kind}s")]
    return table(("Key", "Value"), rows, caption=f"{kind}s", empty=empty)


def _facts(stack: ElementTree.Element) -> Markup:
    reason = text(stack, "StackStatusReason")
    return fill(
        '<dl><dt>Status</dt><dd><span role="status">{status}</span></dd><dt>Created</dt><dd>{created}</dd>'
        '<dt>Stack ID</dt><dd class="break">{number}</dd>{reason}</dl>',
        status=_status(text(stack, "StackStatus")), created=_time(text(stack, "CreationTime")), number=text(stack, "StackId"),
        reason=fill("<dt>Reason</dt><dd>{reason}</dd>", reason=reason) if reason else "",
    )  # fmt: skip


def _events(events: list[ElementTree.Element]) -> Markup:
    rows = [
        (_time(text(e, "Timestamp")), text(e, "LogicalResourceId"), _status(text(e, "ResourceStatus")), text(e, "ResourceStatusReason"))
        for e in events
    ]
    return table(("Time", "Resource", "Status", "Reason"), rows, caption="Events", empty="No events yet.")


def _delete_form(visit: Visit, number: str, status: str) -> Markup:
    if status in {"DELETE_IN_PROGRESS", "DELETE_COMPLETE"}:
        return Markup("")
    return fill(
        '<form method="post" action="/console/cloudformation/stack">{carried}<p><button class="danger">Delete stack</button></p></form>',
        carried=hidden(region=visit.region, id=number, act="delete"),
    )


def _region_form(visit: Visit, path: str, keep: dict[str, str] | None = None) -> Markup:
    names = REGIONS if visit.region in REGIONS else {visit.region: visit.region, **REGIONS}
    options = join(
        fill(
            '<option value="{code}"{chosen}>{name} {code}</option>',
            code=code,
            name=name,
            chosen=Markup(" selected") if code == visit.region else "",
        )
        for code, name in names.items()
    )
    return fill(
        '<form method="get" action="/console/{path}" class="inline">{kept}<label for="region">Region</label> '
        '<select id="region" name="region">{options}</select> <button class="quiet">Change region</button></form>',
        path=path,
        kept=hidden(**(keep or {})),
        options=options,
    )


def _stack_link(visit: Visit, stack: ElementTree.Element) -> Markup:
    return fill(
        '<a href="{href}">{name}</a>', href=visit.link("cloudformation/stack", id=text(stack, "StackId")), name=text(stack, "StackName")
    )


def _status(status: str) -> Markup:
    kind = "bad" if "FAILED" in status or "ROLLBACK" in status else "busy" if status.endswith("IN_PROGRESS") else "good"
    return fill('<span class="status {kind}">{status}</span>', kind=kind, status=status)


def _time(value: str) -> Markup:
    return fill('<time datetime="{value}">{shown}</time>', value=value, shown=f"{value[:10]} {value[11:19]} UTC")


VIEWS: dict[str, View] = {"cloudformation/stacks": stack_list, "cloudformation/review": stack_review, "cloudformation/stack": stack_detail}
