"""Values of a template: parameters, variables, and everything that an expression may ask its surroundings for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from portal.sandbox.azure.template.functions import FUNCTIONS, resource_id, text
from portal.sandbox.azure.template.parser import CallOf, Member, NotYetError, Number, TemplateError, Text, is_expression, parse

Body = dict[str, Any]
KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "securestring": (str,),
    "int": (int,),
    "bool": (bool,),
    "object": (dict,),
    "secureobject": (dict,),
    "array": (list,),
}
TEMPLATE_KEYS = {
    "$schema", "contentVersion", "apiProfile", "metadata", "parameters", "variables", "functions", "resources", "outputs",
    "languageVersion",
}  # fmt: skip


@dataclass
class Surroundings:
    """Where a template is deployed, and who answers `reference()`."""

    scope: str  # subscription or group
    subscription: Body
    group: Body | None
    deployment: Body
    tenant: Body
    reference: Callable[[str, str, bool], Any] = lambda _name, _version, _full: {}
    environment: Body = field(default_factory=dict)


@dataclass
class Template:
    """A template with the values given to it. `outer` evaluates what a nested template with outer scope says."""

    body: Body
    given: Body  # parameter name -> value
    around: Surroundings
    copies: dict[str, int] = field(default_factory=dict)
    in_defaults: bool = False

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.body) - TEMPLATE_KEYS):
            raise TemplateError(f"The template has members that are not played here: {', '.join(unknown)}.")
        if self.body.get("functions"):
            raise TemplateError("User-defined functions are not played here.")
        self._read_parameters()

    # --- Parameters ---

    def _read_parameters(self) -> None:
        declared: Body = self.body.get("parameters") or {}
        known = {name.lower(): name for name in declared}
        strange = [name for name in self.given if name.lower() not in known]
        if strange:
            raise TemplateError(
                "The following parameters were supplied, but do not correspond to any parameters defined in the template: "
                f"'{', '.join(strange)}'. The parameters defined in the template are: '{', '.join(declared)}'."
            )
        given = {known[name.lower()]: value for name, value in self.given.items()}
        self.parameters: Body = {}
        for name, shape in declared.items():
            self.parameters[name] = self._parameter(name, shape, given)

    def _parameter(self, name: str, shape: Body, given: Body) -> Any:
        if name in given:
            value = given[name]
        elif "defaultValue" in shape:
            self.in_defaults = True
            value = self.value(shape["defaultValue"])
            self.in_defaults = False
        else:
            raise TemplateError(
                f"The value for the template parameter '{name}' at line '1' and column '1' is not provided. "
                "Please see https://aka.ms/arm-create-parameter-file for usage details."
            )
        kind = str(shape.get("type", "")).lower()
        if kind not in KINDS:
            raise TemplateError(f"The template parameter '{name}' has the invalid type '{shape.get('type')}'.")
        if not isinstance(value, KINDS[kind]) or (kind == "int" and isinstance(value, bool)):
            raise TemplateError(
                f"The provided value for the template parameter '{name}' is not valid. Expected a value of type '{kind.title()}', "
                f"but received a value of type '{type(value).__name__}'. "
                "Please see https://aka.ms/arm-create-parameter-file for usage details."
            )
        self._check(name, shape, value)
        return value

    def _check(self, name: str, shape: Body, value: Any) -> None:
        where = "Please see https://aka.ms/arm-create-parameter-file for usage details."
        allowed = shape.get("allowedValues")
        if allowed and value not in allowed:
            listed = ",".join(map(text, allowed))
            raise TemplateError(
                f"The provided value '{text(value)}' for the template parameter '{name}' is not valid. "
                f"The value '{text(value)}' is not part of the allowed value(s): '{listed}'. {where}"
            )
        size = value if isinstance(value, int) else len(value)
        for low, high in (("minLength", "maxLength"), ("minValue", "maxValue")):
            if size < shape.get(low, size) or size > shape.get(high, size):
                raise TemplateError(
                    f"The provided value for the template parameter '{name}' is not valid. Length or value out of range. {where}"
                )

    # --- Values ---

    def value(self, raw: Any) -> Any:
        """Everything in `raw` with its expressions evaluated. Raises TemplateError."""
        if isinstance(raw, dict):
            return {self.value(name): self.value(inner) for name, inner in raw.items()}
        if isinstance(raw, list):
            return [self.value(inner) for inner in raw]
        if not isinstance(raw, str):
            return raw
        if raw.startswith("[["):
            return raw[1:]
        return self._of(parse(raw)) if is_expression(raw) else raw

    def _of(self, node: Any) -> Any:
        if isinstance(node, Text | Number):
            return node.value
        if isinstance(node, Member):
            return self._member(self._of(node.of), self._of(node.index))
        assert isinstance(node, CallOf)
        if node.name == "if":
            condition, yes, no = node.arguments
            return self._of(yes if self._of(condition) else no)
        return self._call(node.name, tuple(self._of(argument) for argument in node.arguments))

    def _member(self, of: Any, index: Any) -> Any:
        try:
            if isinstance(of, dict):
                return next(value for name, value in of.items() if name.lower() == str(index).lower())
            return of[index]
        except (StopIteration, KeyError, IndexError, TypeError):
            known = ", ".join(of) if isinstance(of, dict) else ""
            raise TemplateError(f"The language expression property '{index}' doesn't exist, available properties are '{known}'.") from None

    def _call(self, name: str, arguments: tuple[Any, ...]) -> Any:
        asked = getattr(self, f"_do_{name}", None)
        try:
            if asked is not None:
                return asked(*arguments)
            if name in FUNCTIONS:
                return FUNCTIONS[name](*arguments)
        except (TypeError, ValueError, AttributeError, LookupError, ZeroDivisionError) as problem:
            raise TemplateError(f"Unable to evaluate template language function '{name}': {problem}.") from problem
        raise TemplateError(f"The template function '{name}' is not valid.")

    # --- Functions that ask ---

    def _do_parameters(self, name: str) -> Any:
        return self._named("parameters", self.parameters, name)

    def _do_variables(self, name: str) -> Any:
        return self.value(self._named("variables", self.body.get("variables") or {}, name))

    def _named(self, what: str, table: Body, name: str) -> Any:
        for known, value in table.items():
            if known.lower() == name.lower():
                return value
        raise TemplateError(
            f"The template {what.removesuffix('s')} '{name}' is not found. Please see https://aka.ms/arm-syntax-{what} for usage details."
        )

    def _do_subscription(self) -> Any:
        return self.around.subscription

    def _do_tenant(self) -> Any:
        return self.around.tenant

    def _do_resourcegroup(self) -> Any:
        if self.around.group is None and "/resourcegroups/" in self.around.scope.lower():
            raise NotYetError("The resource group is not there yet.")
        if self.around.group is None:
            raise TemplateError(
                "The template function 'RESOURCEGROUP' is not expected at this location: the deployment is at subscription scope."
            )
        return self.around.group

    def _do_deployment(self) -> Any:
        return self.around.deployment

    def _do_environment(self) -> Any:
        return self.around.environment

    def _do_resourceid(self, *arguments: Any) -> str:
        return resource_id(self.around.scope, self.around.scope, arguments)

    def _do_subscriptionresourceid(self, *arguments: Any) -> str:
        subscription = "/".join(self.around.scope.split("/")[:3])
        if "/" not in str(arguments[0]):
            subscription, arguments = f"/subscriptions/{arguments[0]}", arguments[1:]
        return resource_id(subscription, subscription, arguments)

    def _do_reference(self, name: str, version: str = "", full: str = "") -> Any:
        return self.around.reference(name, version, full.lower() == "full")

    def _do_copyindex(self, *arguments: Any) -> int:
        offset = next((argument for argument in arguments if isinstance(argument, int)), 0)
        name = next((argument for argument in arguments if isinstance(argument, str)), "")
        if not self.copies:
            raise TemplateError("The template function 'copyIndex' is not expected at this location.")
        return self.copies.get(name, next(reversed(self.copies.values()))) + offset

    def _do_utcnow(self, pattern: str = "") -> str:
        if not self.in_defaults:
            raise TemplateError(
                "The template function 'utcNow' is not expected at this location: only in the default value of a parameter."
            )
        return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ" if pattern in {"", "yyyyMMddTHHmmssZ"} else "%Y-%m-%d")

    def _do_newguid(self) -> str:
        if not self.in_defaults:
            raise TemplateError(
                "The template function 'newGuid' is not expected at this location: only in the default value of a parameter."
            )
        return str(uuid4())


def references(raw: Any) -> Iterator[tuple[CallOf, Any]]:
    """Every `reference(...)` with one argument in a value: it makes a dependency by itself."""
    if isinstance(raw, dict):
        for inner in raw.values():
            yield from references(inner)
    elif isinstance(raw, list):
        for inner in raw:
            yield from references(inner)
    elif isinstance(raw, str) and is_expression(raw):
        yield from _references(parse(raw))


def _references(node: Any) -> Iterator[tuple[CallOf, Any]]:
    if isinstance(node, Member):
        yield from _references(node.of)
        yield from _references(node.index)
    elif isinstance(node, CallOf):
        if node.name == "reference":
            yield node, node.arguments[0]
        for argument in node.arguments:
            yield from _references(argument)
