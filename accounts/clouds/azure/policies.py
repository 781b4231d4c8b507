"""Azure Policy, read rather than played: which assignments would deny a cell, and which deny something that we cannot judge.

Four of Microsoft's own definitions are understood, wherever they are assigned, alone or in an initiative. Of any other the effect alone
is read: a definition that denies is named, so that somebody who knows it can look.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from accounts.clouds.azure.clients import Session
from accounts.clouds.azure.errors import translated
from accounts.clouds.base import CloudError

# Microsoft's own: guid -> (parameter, whether it lists what is allowed, what it is about).
KNOWN = {
    "e56962a6-4747-49cd-b67b-bf8b01975c4c": ("listOfAllowedLocations", True, "location"),
    "e765b5de-1225-4ba3-bd56-1ac6695af988": ("listOfAllowedLocations", True, "location"),  # of resource groups
    "a08ec900-254a-4555-9bf5-e42af04b5c5c": ("listOfResourceTypesAllowed", True, "type"),
    "6c112d4e-5bc7-47ae-a041-ea2d9dccd749": ("listOfResourceTypesNotAllowed", False, "type"),
}
MOST_LOOKUPS = 30
DENY = "deny"
GROUPS = "microsoft.resources/resourcegroups"  # never asked about by a policy on types

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Wanted:
    region: str
    types: Sequence[str]
    group: str  # the cell's group, as a scope


@dataclass
class PoliciesRead:
    """Assignments by display name. `unclear` deny something, but whether a cell is meant only a person can tell."""

    count: int = 0
    blocking: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Rule:
    definition: str
    values: Values


class PolicyReader:
    """Looks each definition up once."""

    def __init__(self, session: Session, scope: str) -> None:
        self.session = session
        self.scope = scope
        self._known: dict[str, Mapping[str, Any]] = {}

    def read(self, wanted: Wanted) -> PoliciesRead:
        found = PoliciesRead()
        path = f"{self.scope}/providers/Microsoft.Authorization/policyAssignments"
        with translated("ListPolicyAssignments"):
            assignments = list(self.session.list(path, "policies", {"$filter": "atScope()"}))
        for assignment in assignments:
            properties = assignment.get("properties") or {}
            if properties.get("enforcementMode") == "DoNotEnforce" or _is_left_out(properties, wanted.group):
                continue
            found.count += 1
            name = str(properties.get("displayName") or assignment.get("name"))
            self._judge(name, properties, wanted, found)
        return found

    def _judge(self, name: str, properties: Mapping[str, Any], wanted: Wanted, found: PoliciesRead) -> None:
        try:
            verdicts = {self._denies(rule, wanted) for rule in self._rules(properties)}
        except CloudError as error:
            if error.retryable:
                raise
            verdicts = {None}  # a definition of a management group that we may not read
        if True in verdicts:
            found.blocking.append(name)
        elif None in verdicts:
            found.unclear.append(name)

    def _rules(self, properties: Mapping[str, Any]) -> Iterator[_Rule]:
        """The definitions of an assignment, each with the values it gets there."""
        number = str(properties.get("policyDefinitionId", ""))
        given = {name: (value or {}).get("value") for name, value in (properties.get("parameters") or {}).items()}
        if "/policysetdefinitions/" not in number.lower():
            yield _Rule(number, given)
            return
        initiative = self._definition(number)
        values = _defaults(initiative) | given
        for entry in initiative.get("policyDefinitions") or []:
            inner = {name: _value((value or {}).get("value"), values) for name, value in (entry.get("parameters") or {}).items()}
            yield _Rule(str(entry.get("policyDefinitionId", "")), inner)

    def _denies(self, rule: _Rule, wanted: Wanted) -> bool | None:
        """True: a cell would be refused. None: something is denied, and it may be a cell."""
        guid = rule.definition.rpartition("/")[2].lower()
        if guid in KNOWN:
            parameter, is_allowing, about = KNOWN[guid]
            if str(rule.values.get("effect") or DENY).lower() != DENY:
                return False
            listed = {str(entry).replace(" ", "").lower() for entry in rule.values.get(parameter) or []}
            asked = {wanted.region} if about == "location" else {kind.lower() for kind in wanted.types} - {GROUPS}
            return not asked <= listed if is_allowing else bool(asked & listed)
        definition = self._definition(rule.definition)
        effect = ((definition.get("policyRule") or {}).get("then") or {}).get("effect")
        is_denying = str(_value(effect, _defaults(definition) | dict(rule.values))).lower() == DENY
        return None if is_denying else False

    def _definition(self, number: str) -> Mapping[str, Any]:
        key = number.lower()
        if key not in self._known:
            if len(self._known) >= MOST_LOOKUPS:
                raise CloudError("unknown_cloud_error", raw=f"more than {MOST_LOOKUPS} policy definitions")
            with translated("GetPolicyDefinition"):
                self._known[key] = self.session.get(number, "policies").get("properties") or {}
        return self._known[key]


def _defaults(definition: Mapping[str, Any]) -> dict[str, Any]:
    return {name: (shape or {}).get("defaultValue") for name, shape in (definition.get("parameters") or {}).items()}


def _value(raw: Any, values: Values) -> Any:
    """`[parameters('x')]` as it stands in initiatives and rules; any other expression stays text, which matches nothing."""
    if isinstance(raw, str) and raw.startswith("[parameters('") and raw.endswith("')]"):
        return values.get(raw.removeprefix("[parameters('").removesuffix("')]"))
    return raw


def _is_left_out(properties: Mapping[str, Any], group: str) -> bool:
    lower = group.lower()
    return any(lower == str(scope).lower() or lower.startswith(f"{str(scope).lower()}/") for scope in properties.get("notScopes") or [])
