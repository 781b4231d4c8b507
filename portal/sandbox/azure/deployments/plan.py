"""From a template to what it would make: resources with ids, in the order their dependencies allow."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from portal.sandbox.azure import errors
from portal.sandbox.azure.arm.groups import VERSIONS as GROUP_VERSIONS
from portal.sandbox.azure.arm.kinds import DEPLOYMENT, GROUP, kind_of
from portal.sandbox.azure.arm.place import canonical, locate
from portal.sandbox.azure.deployments.surroundings import invalid
from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.template.evaluate import Template, references
from portal.sandbox.azure.template.parser import NotYetError, TemplateError
from portal.sandbox.azure.world import World

Body = dict[str, Any]
DEPLOYMENT_VERSIONS = (
    "2018-05-01", "2019-10-01", "2020-06-01", "2020-10-01", "2021-01-01", "2021-04-01", "2022-09-01", "2023-07-01", "2024-03-01",
    "2024-07-01", "2024-11-01", "2025-03-01", "2025-04-01", "2026-06-01",
)  # fmt: skip
KEYS = {
    "type", "apiVersion", "name", "location", "tags", "properties", "dependsOn", "condition", "scope", "comments", "copy", "resources",
    "sku", "kind", "identity", "resourceGroup", "subscriptionId", "metadata",
}  # fmt: skip
OURS = {"apiVersion", "dependsOn", "condition", "scope", "comments", "copy", "resources", "resourceGroup", "subscriptionId", "metadata"}


@dataclass
class Planned:
    id: str
    type: str
    name: str
    api_version: str
    raw: Body
    copies: dict[str, int] = field(default_factory=dict)
    depends: set[str] = field(default_factory=set)  # lower-case ids

    @property
    def key(self) -> str:
        return self.id.lower()

    @property
    def namespace(self) -> str:
        return self.type.partition("/")[0]

    def body(self, template: Template) -> Body:
        """What is sent to the provider: name, type and ARM's own members taken off, everything evaluated."""
        template.copies = self.copies
        return {name: template.value(raw) for name, raw in self.raw.items() if name not in OURS | {"type", "name"}}


class NotPlannedError(ArmError):
    """The template uses what is not played here: a violation, beside being refused."""


def plan(world: World, template: Template) -> list[Planned]:
    """Everything the template makes, conditions applied. Raises ArmError."""
    try:
        planned = [entry for raw in _flat(template.body.get("resources") or []) for entry in _entries(world, template, raw)]
        wanted = [entry for entry in planned if _is_wanted(template, entry)]
        for entry in wanted:
            entry.depends = _depends(template, entry, planned) & {other.key for other in wanted} - {entry.key}
    except NotYetError:
        raise
    except TemplateError as problem:
        raise invalid(str(problem)) from problem
    seen: set[str] = set()
    for entry in wanted:
        if entry.key in seen:
            raise invalid(f"The resource '{entry.id}' at line '1' and column '1' is defined multiple times in a template.")
        seen.add(entry.key)
    _demand_order(wanted)
    return wanted


def _flat(resources: Any, parent: Body | None = None) -> Iterator[Body]:
    """Children written inside their parent stand beside it; the dependency on it must be written all the same."""
    if not isinstance(resources, list):
        raise TemplateError("The template's resources must be an array: symbolic names are not played here.")
    for raw in resources:
        if strange := sorted(set(raw) - KEYS):
            raise NotPlannedError(400, "InvalidTemplate", f"Could not find member '{strange[0]}' on object of type 'TemplateResource'.")
        full = raw
        if parent is not None:
            name = f"[concat({_inner(parent['name'])}, '/', {_inner(raw['name'])})]"
            full = {**raw, "type": f"{parent['type']}/{raw['type']}", "name": name}
        yield full
        yield from _flat(full.get("resources") or [], full)


def _inner(text: str) -> str:
    return text[1:-1] if text.startswith("[") and not text.startswith("[[") else f"'{text}'"


def _entries(world: World, template: Template, raw: Body) -> Iterator[Planned]:
    loop = raw.get("copy")
    if not loop:
        yield _entry(world, template, raw, {})
        return
    for index in range(int(template.value(loop["count"]))):
        template.copies = {loop["name"]: index}
        yield _entry(world, template, raw, {loop["name"]: index})


def _entry(world: World, template: Template, raw: Body, copies: dict[str, int]) -> Planned:
    template.copies = copies
    kind, name, version = raw["type"], template.value(raw["name"]), template.value(raw.get("apiVersion", ""))
    if len(kind.split("/")) != len(name.split("/")) + 1:
        raise TemplateError(
            f"The template resource '{name}' for type '{kind}' at line '1' and column '1' has incorrect segment lengths. A nested resource "
            "type must have identical number of segments as its resource name. A root resource type must have segment length one greater "
            "than its resource name. Please see https://aka.ms/arm-syntax-resources for usage details."
        )
    return Planned(_id(world, template, raw, kind, name), _spelled(kind), name, _version(kind, version), raw, copies)


def _spelled(kind: str) -> str:
    known = kind_of(kind)
    return known.name if known is not None else {GROUP.lower(): GROUP, DEPLOYMENT.lower(): DEPLOYMENT}[kind.lower()]


def _version(kind: str, version: str) -> str:
    known = kind_of(kind)
    versions = known.versions if known is not None else GROUP_VERSIONS if kind.lower() == GROUP.lower() else DEPLOYMENT_VERSIONS
    if version not in versions:
        wrong = errors.bad_api_version(kind, version, versions)
        raise NotPlannedError(wrong.status, wrong.code, wrong.message)
    return version


def _id(world: World, template: Template, raw: Body, kind: str, name: str) -> str:
    scope = template.around.scope
    subscription = "/".join(scope.split("/")[:3])
    if kind.lower() == GROUP.lower():
        if scope != subscription:
            raise TemplateError(f"The resource type '{kind}' is not permitted at resource group scope.")
        return f"{subscription}/resourceGroups/{name}"
    if kind.lower() == DEPLOYMENT.lower():
        return f"{nested_scope(template, raw)}/providers/{DEPLOYMENT}/{name}"
    known = kind_of(kind)
    if known is None:
        raise NotPlannedError(400, "InvalidTemplate", f"The resource type '{kind}' is not played here.")
    if raw.get("scope"):
        at = template.value(raw["scope"])
        scope = at if at.startswith("/subscriptions/") else f"{scope}/providers/{_nested_name(at)}"
    elif known.home == "group" and scope == subscription:
        raise TemplateError(
            f"The template resource '{name}' of type '{kind}' cannot be deployed at subscription scope: it belongs to a resource group."
        )
    namespace, *types = kind.split("/")
    number = f"{scope}/providers/{namespace}/" + "/".join(f"{word}/{part}" for word, part in zip(types, name.split("/"), strict=True))
    place = locate(number)
    assert place is not None
    return canonical(world, place, known)


def _nested_name(text: str) -> str:
    """`scope` written as type/name of a resource of the same group: Microsoft.X/ys/name."""
    namespace, *rest = text.split("/")
    half = len(rest) // 2
    return f"{namespace}/" + "/".join(f"{word}/{name}" for word, name in zip(rest[:half], rest[half:], strict=True))


def nested_scope(template: Template, raw: Body) -> str:
    subscription = "/".join(template.around.scope.split("/")[:3])
    if raw.get("subscriptionId"):
        subscription = f"/subscriptions/{template.value(raw['subscriptionId'])}"
    if raw.get("resourceGroup"):
        return f"{subscription}/resourceGroups/{template.value(raw['resourceGroup'])}"
    return subscription if raw.get("subscriptionId") else template.around.scope


def _is_wanted(template: Template, entry: Planned) -> bool:
    template.copies = entry.copies
    return bool(template.value(entry.raw.get("condition", True)))


def _depends(template: Template, entry: Planned, planned: list[Planned]) -> set[str]:
    """What is written under dependsOn, and what reference() without a version names."""
    template.copies = entry.copies
    found: set[str] = set()
    for text in template.value(entry.raw.get("dependsOn") or []):
        matching = {other.key for other in planned if _is_named(other, text)}
        if not matching:
            raise TemplateError(
                f"The resource '{text}' is not defined in the template. Please see https://aka.ms/arm-syntax for usage details."
            )
        found |= matching
    properties = {name: raw for name, raw in entry.raw.items() if name not in {"resources", "dependsOn"}}
    if entry.type == DEPLOYMENT and _is_inner(properties):
        properties = {"parameters": (properties.get("properties") or {}).get("parameters")}
    for call, argument in references(properties):
        if len(call.arguments) == 1:
            named = template._of(argument)
            found |= {other.key for other in planned if _is_named(other, named)}
    return found


def _is_inner(raw: Body) -> bool:
    return bool(((raw.get("properties") or {}).get("expressionEvaluationOptions") or {}).get("scope", "").lower() == "inner")


def _is_named(entry: Planned, text: str) -> bool:
    loop = entry.raw.get("copy")
    return text.lower() in {
        entry.key,
        entry.name.lower(),
        f"{entry.type}/{entry.name}".lower(),
        (loop or {}).get("name", "").lower() or entry.key,
    }


def _demand_order(planned: list[Planned]) -> None:
    done: set[str] = set()
    left = list(planned)
    while left:
        ready = [entry for entry in left if entry.depends <= done]
        if not ready:
            raise invalid(
                f"Circular dependency detected on resource: '{left[0].id}'. "
                "Please see https://aka.ms/arm-syntax-resources for usage details."
            )
        done |= {entry.key for entry in ready}
        left = [entry for entry in left if entry.key not in done]


def ancestors(planned: list[Planned], key: str) -> set[str]:
    """Everything that is certainly done before."""
    table = {entry.key: entry.depends for entry in planned}
    found: set[str] = set()
    open_keys = set(table.get(key, set()))
    while open_keys:
        one = open_keys.pop()
        if one not in found:
            found.add(one)
            open_keys |= table.get(one, set())
    return found


def nested_properties(template: Template, entry: Planned) -> tuple[Body, Body]:
    """A nested deployment's properties and the values given to it; with outer scope its expressions are the parent's."""
    template.copies = entry.copies
    raw = entry.raw.get("properties") or {}
    if "template" not in raw:
        raise ArmError(400, "InvalidTemplate", "A nested deployment's template must stand in it: linked templates are not played here.")
    is_inner = (raw.get("expressionEvaluationOptions") or {}).get("scope", "outer").lower() == "inner"
    body = raw["template"] if is_inner else _outer(template, raw["template"])
    given = {name: value["value"] for name, value in template.value(raw.get("parameters") or {}).items()}
    return {"mode": raw.get("mode", "Incremental"), "template": body}, given


def _outer(template: Template, body: Body) -> Body:
    """Evaluated now, and made safe from being evaluated again."""

    def safe(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: safe(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [safe(inner) for inner in value]
        return f"[{value}" if isinstance(value, str) and value.startswith("[") else value

    found: Body = safe(template.value(body))
    return found
