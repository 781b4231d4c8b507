"""Updating a stack, in the two steps of AWS's console: which template, then its parameters. A POST runs the real UpdateStack."""

from collections.abc import Mapping
from typing import Any

from ministack.services.cloudformation import engine

from portal.sandbox import wire
from portal.sandbox.aws.cloudformation import TemplateAddressError, read_public
from portal.sandbox.console import View, Visit, error
from portal.sandbox.console.aws import AwsRefusedError, members, text
from portal.sandbox.console.html import Markup, fill, hidden, join, redirect

ACKNOWLEDGE = "I acknowledge that AWS CloudFormation might create IAM resources with custom names."
UPDATABLE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
# How an update names its template, as the fields of UpdateStack are called.
SOURCES = {
    "UsePreviousTemplate": "Use existing template",
    "TemplateURL": "Replace it with a template at an Amazon S3 URL",
    "TemplateBody": "Replace it with a template file",
}
BODY_BYTES = 51_200  # what UpdateStack takes itself; AWS's console puts a larger file into a bucket of its own


def update_form(visit: Visit, number: str, status: str) -> Markup:
    """Offered where AWS takes an update."""
    if status not in UPDATABLE:
        return Markup("")
    return fill(
        '<form method="get" action="/console/cloudformation/update">{carried}<p><button class="quiet">Update stack</button></p></form>',
        carried=hidden(region=visit.region, id=number),
    )


async def stack_update(visit: Visit) -> wire.Reply:
    """The first step, the second one, and what was refused in either."""
    number = visit.field("id")
    described = await visit.aws.call("cloudformation", "DescribeStacks", {"StackName": number})
    standing = {text(pair, "ParameterKey"): text(pair, "ParameterValue") for pair in members(members(described, "Stacks")[0], "Parameters")}
    if not visit.is_post:
        return _page(visit, _choices(visit))
    try:
        if visit.field("act") == "update":
            await visit.aws.call("cloudformation", "UpdateStack", _order(visit, standing))
            return redirect(visit.link("cloudformation/stack", id=number))
        problem = Markup("")
    except AwsRefusedError as refused:
        problem = error(refused)
    try:
        declared = engine._parse_template(await _template(visit)).get("Parameters") or {}
    except (TemplateAddressError, ValueError) as unreadable:
        return _page(visit, error(AwsRefusedError("ValidationError", str(unreadable))), _choices(visit), status=400)
    return _page(visit, problem, _values(visit, declared, standing), status=400 if problem else 200)


def _page(visit: Visit, *body: object, status: int = 200) -> wire.Reply:
    return visit.page("Update stack", *body, status=status)


async def _template(visit: Visit) -> str:
    """Raises TemplateAddressError, ValueError."""
    source = visit.field("source")
    if source == "TemplateURL":
        return read_public(visit.field("TemplateURL"), visit.account, visit.sandbox)
    if source == "TemplateBody":
        body = visit.field("TemplateBody")
        if not body or len(body.encode()) > BODY_BYTES:
            raise ValueError("Choose a template file." if not body else f"Template may not exceed {BODY_BYTES} bytes in size.")
        return body
    told = await visit.aws.call("cloudformation", "GetTemplate", {"StackName": visit.field("id")})
    return text(told, "GetTemplateResult/TemplateBody")


def _choices(visit: Visit) -> Markup:
    chosen = visit.field("source") or "UsePreviousTemplate"
    options = join(
        fill(
            '<p class="check"><input type="radio" id="s-{code}" name="source" value="{code}"{checked}>'
            '<label for="s-{code}">{name}</label></p>',
            code=code, name=name, checked=Markup(" checked") if code == chosen else "",
        )
        for code, name in SOURCES.items()
    )  # fmt: skip
    return fill(
        '<form method="post" enctype="multipart/form-data" action="/console/cloudformation/update">'
        "<fieldset><legend>Prepare template</legend>{options}</fieldset>"
        '<p><label for="url">Amazon S3 URL</label><input id="url" name="TemplateURL" value="{url}"></p>'
        '<p><label for="file">Template file</label><input id="file" name="TemplateBody" type="file"></p>'
        '{carried}<p><button>Next</button> <a href="{cancel}">Cancel</a></p></form>',
        options=options, url=visit.field("TemplateURL"), carried=_carried(visit, act="choose"), cancel=_back(visit),
    )  # fmt: skip


def _values(visit: Visit, declared: Mapping[str, Mapping[str, Any]], standing: Mapping[str, str]) -> Markup:
    source = visit.field("source") or "UsePreviousTemplate"
    given = {source: visit.field(source)} if source != "UsePreviousTemplate" else {}
    return fill(
        '<form method="post" action="/console/cloudformation/update"><p>{source}.</p><h2>Parameters</h2>{parameters}<h2>Capabilities</h2>'
        '<p class="check"><input type="checkbox" id="acknowledge" name="acknowledge" value="yes">'
        '<label for="acknowledge">{acknowledge}</label></p>'
        '{carried}<p><button>Submit</button> <a href="{cancel}">Cancel</a></p></form>',
        source=SOURCES[source],
        parameters=join(_parameter(visit, name, shape, standing) for name, shape in declared.items()) or fill("<p>It has none.</p>"),
        acknowledge=ACKNOWLEDGE,
        carried=_carried(visit, act="update", source=source, **given),
        cancel=_back(visit),
    )


def _parameter(visit: Visit, name: str, shape: Mapping[str, Any], standing: Mapping[str, str]) -> Markup:
    """Filled in with what the stack has; what may be one of a few is chosen from them."""
    value = visit.field(f"param_{name}") or standing.get(name, str(shape.get("Default", "")))
    allowed = [str(one) for one in shape.get("AllowedValues", ())]
    options = join(fill("<option{chosen}>{one}</option>", one=one, chosen=Markup(" selected") if one == value else "") for one in allowed)
    field = '<select id="p-{name}" name="param_{name}" aria-describedby="h-{name}">{options}</select>'
    if not allowed:
        field = '<input id="p-{name}" name="param_{name}" value="{value}" aria-describedby="h-{name}">'
    pattern = '<p><label for="p-{name}">{name}</label><span class="hint" id="h-{name}">{hint}</span>' + field + "</p>"
    return fill(pattern, name=name, hint=shape.get("Description", ""), value=value, options=options)


def _order(visit: Visit, standing: Mapping[str, str]) -> dict[str, str]:
    """What is as it stands is sent as that: AWS shows of a secret only stars, and takes those for a value otherwise."""
    source = visit.field("source") or "UsePreviousTemplate"
    params = {"StackName": visit.field("id"), source: "true" if source == "UsePreviousTemplate" else visit.field(source)}
    given = [(name.removeprefix("param_"), values[0]) for name, values in visit.request.form.items() if name.startswith("param_")]
    for number, (name, value) in enumerate(given, 1):
        params[f"Parameters.member.{number}.ParameterKey"] = name
        if standing.get(name) == value:
            params[f"Parameters.member.{number}.UsePreviousValue"] = "true"
        else:
            params[f"Parameters.member.{number}.ParameterValue"] = value
    if visit.field("acknowledge"):
        params["Capabilities.member.1"] = "CAPABILITY_NAMED_IAM"
    return params


def _carried(visit: Visit, **values: str) -> Markup:
    return hidden(region=visit.region, id=visit.field("id"), **values)


def _back(visit: Visit) -> str:
    return visit.link("cloudformation/stack", id=visit.field("id"))


VIEWS: dict[str, View] = {"cloudformation/update": stack_update}
