"""What a deployment would change: the template's resources beside those that stand, member by member."""

from collections.abc import Iterator
from typing import Any

from portal.sandbox import wire
from portal.sandbox.azure.arm import jobs
from portal.sandbox.azure.arm.call import Body, Call, nothing
from portal.sandbox.azure.arm.kinds import DEPLOYMENT, kind_of
from portal.sandbox.azure.deployments.plan import Planned
from portal.sandbox.azure.deployments.preflight import preflight
from portal.sandbox.azure.deployments.requests import number_of, read_properties
from portal.sandbox.azure.deployments.surroundings import prepare
from portal.sandbox.azure.template.evaluate import Template
from portal.sandbox.azure.template.parser import NotYetError, TemplateError
from portal.sandbox.azure.world import World


def what_if(call: Call) -> wire.Reply:
    """202 and a Location, whose answer is there after one pace. Changes nothing."""
    number = number_of(call)
    settings = (call.body.get("properties") or {}).pop("whatIfSettings", {})
    call.check_fields(settings, {"resultFormat": str})
    properties, given = read_properties(call)
    template = prepare(call.world, number, properties["template"], given)
    planned = preflight(call, template)
    template.around.reference = _standing(call.world, planned)
    changes = [_change(call.world, template, entry) for entry in planned if entry.type != DEPLOYMENT]
    body = {"status": "Succeeded", "properties": {"changes": changes}}
    job = jobs.begin(call.world, done_at=call.world.now() + call.sandbox.knobs.pace_seconds, body=body)
    return nothing(202, ("location", jobs.result_address(call, job)), ("retry-after", "0"))


def _standing(world: World, planned: list[Planned]) -> Any:
    by_name = {entry.name.lower(): entry.id for entry in planned}

    def reference(name: str, version: str, full: bool) -> Any:
        found = world.find(by_name.get(name.lower(), name))
        if found is None:
            raise NotYetError(f"'{name}' does not stand yet.")
        return {"apiVersion": version, **found.answer()} if full else found.properties

    return reference


def _change(world: World, template: Template, entry: Planned) -> Body:
    found = world.find(entry.id)
    shown: Body = {"resourceId": entry.id}
    if found is None:
        return {**shown, "changeType": "Create", "after": {"id": entry.id, "name": entry.name, "type": entry.type}}
    try:
        wanted = entry.body(template)
    except (NotYetError, TemplateError):
        return {**shown, "changeType": "Deploy"}
    kind = kind_of(entry.type)
    delta = list(differences(found.body, wanted, "", kind.secret if kind is not None else frozenset()))
    if kind is not None and not kind.is_deletable:
        delta = []  # what cannot be changed is not compared
    before = {"id": found.id, "name": found.name, "type": found.type, **found.body}
    return {**shown, "changeType": "Modify" if delta else "NoChange", "before": before, "delta": delta}


def differences(before: Any, after: Body, path: str, secret: frozenset[str]) -> Iterator[Body]:
    """What the template says and does not stand so. What stands beside it is the provider's own, but for tags."""
    known = {name.lower(): value for name, value in (before or {}).items()} if isinstance(before, dict) else {}
    for name, wanted in after.items():
        here = f"{path}.{name}".lstrip(".")
        if name.lower() in secret:
            continue
        if name.lower() not in known:
            if wanted not in ({}, [], None):
                yield {"path": here, "propertyChangeType": "Create", "after": wanted}
        else:
            yield from _compared(known[name.lower()], wanted, here, secret)
    if path == "tags" and isinstance(before, dict):
        for name in before.keys() - after.keys():
            yield {"path": f"tags.{name}", "propertyChangeType": "Delete", "before": before[name]}


def _compared(before: Any, after: Any, path: str, secret: frozenset[str]) -> Iterator[Body]:
    if isinstance(after, dict):
        yield from differences(before, after, path, secret)
    elif isinstance(after, list) and all(isinstance(entry, dict) and "name" in entry for entry in after):
        children = list(_entries(before or [], after, secret))
        if children:
            yield {"path": path, "propertyChangeType": "Array", "children": children}
    elif isinstance(after, list) and after and isinstance(after[0], dict):
        for index, entry in enumerate(after):
            yield from differences(before[index] if index < len(before or []) else {}, entry, f"{path}.{index}", secret)
    elif before != after and str(before).lower() != str(after).lower():
        yield {"path": path, "propertyChangeType": "Modify", "before": before, "after": after}


def _entries(before: list[Body], after: list[Body], secret: frozenset[str]) -> Iterator[Body]:
    standing = {entry["name"]: entry for entry in before}
    for index, entry in enumerate(after):
        found = standing.pop(entry["name"], None)
        if found is None:
            yield {"path": str(index), "propertyChangeType": "Create", "after": entry}
            continue
        inner = list(differences(found, entry, "", secret))
        if inner:
            yield {"path": str(index), "propertyChangeType": "Modify", "before": found, "after": entry, "children": inner}
    for entry in standing.values():
        yield {"path": str(before.index(entry)), "propertyChangeType": "Delete", "before": entry}
