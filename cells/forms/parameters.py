"""A plan's parameters as a form: fields drawn from its JSON Schema, answers checked against the whole of it on the server."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError

PREFIX = "p_"
# What a field can be drawn for; a schema with anything else is refused when staff save the plan.
DRAWN = {"string", "integer", "number", "boolean", "array"}


def schema_problem(schema: Mapping[str, Any]) -> str:
    """Why this schema cannot be a form; empty when it can. Secrets have no place in parameters: they would be stored and sent in clear."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return str(_("This is no JSON Schema: %(why)s") % {"why": error.message})
    if schema and schema.get("type") != "object":
        return str(_("The schema describes an object with properties."))
    for name, part in schema.get("properties", {}).items():
        if part.get("writeOnly") or part.get("format") == "password":
            return str(_("“%(name)s” is a secret. Secrets stay in the customer's own store; take its name instead.") % {"name": name})
        if part.get("type") not in DRAWN:
            return str(_("“%(name)s” is of a type that no field exists for.") % {"name": name})
    return ""


class ParametersForm(forms.Form):
    """One field a property, in the schema's order. `parameters` is what was answered, as the schema types it."""

    def __init__(self, *args: Any, schema: Mapping[str, Any], parameters: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {**self.initial} | {PREFIX + name: _shown(value) for name, value in (parameters or {}).items()}
        self.schema = schema
        required = set(schema.get("required", ()))
        for name, part in schema.get("properties", {}).items():
            self.fields[PREFIX + name] = _field(name, part, is_required=name in required)

    def clean(self) -> None:
        if self.errors:
            return
        self.parameters = self._answers()
        for error in Draft202012Validator(self.schema, format_checker=Draft202012Validator.FORMAT_CHECKER).iter_errors(self.parameters):
            self._say(error)

    def _answers(self) -> dict[str, Any]:
        """What was answered; a question without an answer is no parameter."""
        found: dict[str, Any] = {}
        for name, part in self.schema.get("properties", {}).items():
            value = self.cleaned_data.get(PREFIX + name)
            if part.get("type") == "array":
                value = [line.strip() for line in str(value or "").splitlines() if line.strip()]
            if value is not None and value != "":
                found[name] = value
        return found

    def _say(self, error: ValidationError) -> None:
        name = PREFIX + str(error.absolute_path[0]) if error.absolute_path else None
        where = name if name in self.fields else None
        part = self.schema.get("properties", {}).get(str(error.absolute_path[0]), {}) if error.absolute_path else {}
        self.add_error(where, forms.ValidationError(_words(error, part), code="schema"))


def _words(error: ValidationError, part: Mapping[str, Any]) -> str:
    """The schema's own words for its pattern where it has them; else what the rule asks, in a sentence."""
    wanted = {
        "minimum": _("Enter %(limit)s or more."),
        "maximum": _("Enter %(limit)s or less."),
        "minLength": _("Enter at least %(limit)s characters."),
        "maxLength": _("Enter at most %(limit)s characters."),
        "minItems": _("Enter at least %(limit)s lines."),
        "maxItems": _("Enter at most %(limit)s lines."),
        "multipleOf": _("Enter a multiple of %(limit)s."),
    }
    if error.validator in wanted:
        return str(wanted[str(error.validator)] % {"limit": error.validator_value})
    if error.validator in {"pattern", "format"}:
        return str(_("This does not have the form that is asked for. %(help)s") % {"help": part.get("description", "")}).strip()
    if error.validator == "uniqueItems":
        return str(_("Enter each line once."))
    return str(_("This value is not allowed here."))


def _shown(value: Any) -> Any:
    return "\n".join(map(str, value)) if isinstance(value, list) else value


def _field(name: str, part: Mapping[str, Any], *, is_required: bool) -> forms.Field:
    label = part.get("title") or name.replace("_", " ").capitalize()
    about: dict[str, Any] = {"label": label, "help_text": part.get("description", ""), "initial": _shown(part.get("default"))}
    about["error_messages"] = {"required": _("Enter a value for “%(label)s”.") % {"label": label}}
    if "enum" in part:
        choices = [(value, value) for value in part["enum"]]
        offered = choices if is_required else [("", _("None")), *choices]
        return forms.TypedChoiceField(**about, required=is_required, choices=offered, coerce=_typed(part), empty_value=None)
    match part.get("type"):
        case "boolean":
            return forms.BooleanField(**about, required=False)
        case "integer":
            return forms.IntegerField(**about, required=is_required, min_value=part.get("minimum"), max_value=part.get("maximum"))
        case "number":
            return forms.FloatField(**about, required=is_required, min_value=part.get("minimum"), max_value=part.get("maximum"))
        case "array":
            return forms.CharField(**about, required=is_required, widget=forms.Textarea(attrs={"rows": 3}), max_length=4000)
    return forms.CharField(**about, required=is_required, max_length=min(int(part.get("maxLength", 500)), 4000))


def _typed(part: Mapping[str, Any]) -> Any:
    return {"integer": int, "number": float}.get(str(part.get("type")), str)
