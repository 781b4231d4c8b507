"""A plan as Infrastructure Manager finds it in a bucket: an archive of Terraform files, its variables, its resources in their order."""

import io
import zipfile
from dataclasses import dataclass
from typing import Any

import hcl2

from portal.sandbox.gcp.manager.hcl import PlanError, evaluated, references, unquoted

# What stands beside the attributes of any resource.
META = {"depends_on", "lifecycle"}
NUMBERS = {"number": int}


@dataclass(frozen=True)
class Declared:
    """One resource of the plan, not evaluated yet."""

    type: str
    name: str
    body: dict[str, Any]

    @property
    def address(self) -> str:
        return f"{self.type}.{self.name}"

    @property
    def ignored(self) -> set[str]:
        blocks = self.body.get("lifecycle", [])
        return {str(name).removeprefix("${").removesuffix("}") for block in blocks for name in block.get("ignore_changes", [])}

    @property
    def needs(self) -> set[str]:
        return references(self.body) - {self.address}


class Plan:
    """Raises PlanError for what Terraform would refuse, or what is not played."""

    def __init__(self, archive: bytes, inputs: dict[str, Any]) -> None:
        read = [hcl2.loads(text + "\n") for text in _texts(archive)]
        self.variables = self._variables(read, inputs)
        self.outputs = {unquoted(name): body["value"] for name, body in _named(read, "output")}
        self.sensitive_outputs = {unquoted(name) for name, body in _named(read, "output") if body.get("sensitive")}
        self._locals = {name: value for file in read for block in file.get("locals", []) for name, value in block.items()}
        self.resources = _ordered(
            [
                Declared(unquoted(type_), unquoted(name), body)
                for file in read
                for block in file.get("resource", [])
                for type_, inner in block.items()
                for name, body in inner.items()
            ]
        )

    def _variables(self, read: list[dict[str, Any]], inputs: dict[str, Any]) -> dict[str, Any]:
        declared = dict(_named(read, "variable"))
        names = {unquoted(name): body for name, body in declared.items()}
        if unknown := sorted(set(inputs) - set(names)):
            raise PlanError(f"Value for undeclared variable: {', '.join(unknown)}")
        found: dict[str, Any] = {}
        for name, body in names.items():
            if name not in inputs and "default" not in body:
                raise PlanError(f'No value for required variable: "{name}"')
            value = inputs[name] if name in inputs else evaluated(body["default"], {})
            found[name] = NUMBERS.get(str(body.get("type")), lambda same: same)(value)
        return found

    def attributes(self, declared: Declared, state: dict[str, Any]) -> dict[str, Any]:
        """Of one resource, once those that it names stand in the state."""
        body = {name: value for name, value in declared.body.items() if name not in META}
        found: dict[str, Any] = evaluated(body, self.scope(state))
        return found

    def results(self, state: dict[str, Any]) -> dict[str, Any]:
        return {
            name: {"sensitive": name in self.sensitive_outputs, "value": evaluated(value, self.scope(state))}
            for name, value in self.outputs.items()
        }

    def scope(self, state: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for address, found in state.items():
            type_, _, name = address.partition(".")
            made.setdefault(type_, {})[name] = found["attributes"]
        scope: dict[str, Any] = {"var": self.variables, **made}
        local: dict[str, Any] = {}
        for name, value in self._locals.items():
            if not name.startswith("__"):  # the reader's own notes
                local[name] = evaluated(value, {**scope, "local": local})
        return {**scope, "local": local}


def _texts(archive: bytes) -> list[str]:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as found:
            return [found.read(name).decode() for name in sorted(found.namelist()) if name.endswith(".tf") and "/" not in name]
    except zipfile.BadZipFile as problem:
        raise PlanError(f"The blueprint is no archive: {problem}") from problem


def _named(read: list[dict[str, Any]], kind: str) -> list[tuple[str, dict[str, Any]]]:
    return [(name, body) for file in read for block in file.get(kind, []) for name, body in block.items() if not name.startswith("__")]


def _ordered(resources: list[Declared]) -> list[Declared]:
    """What is needed comes first; else as it stands in the files."""
    known = {found.address for found in resources}
    waiting, done = list(resources), list[Declared]()
    while waiting:
        have = {found.address for found in done}
        ready = [found for found in waiting if (found.needs & known) <= have]
        if not ready:
            raise PlanError(f"Cycle: {', '.join(found.address for found in waiting)}")
        done.append(ready[0])
        waiting.remove(ready[0])
    return done
