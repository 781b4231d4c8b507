"""A plan's parameters as a form: fields drawn from its JSON Schema, answers checked against the whole of it on the server."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.html import escape
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError

PREFIX = "p_"
# What a field can be drawn for; a schema with anything else is refused when staff save the plan.
DRAWN = {"string", "integer", "number", "boolean", "array"}
DRAWN_ENUMS: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (int, float)}
MOST_TEXT = 4000


def schema_problem(schema: Mapping[str, Any]) -> str:
    """Why this schema cannot be a form; empty when it can. Secrets have no place in parameters: they would be stored and sent in clear."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return str(_("This is no JSON Schema: %(why)s") % {"why": error.message})
    if schema and (not isinstance(schema, Mapping) or schema.get("type") != "object"):
        return str(_("The schema describes an object with properties."))
    if _refers(schema):
        return str(_("The schema stands by itself: it refers to nothing with $ref."))
    properties = schema.get("properties", {})
    if missing := [name for name in schema.get("required", ()) if name not in properties]:
        return str(_("“%(name)s” is required but has no field.") % {"name": missing[0]})
    problems = (_part_problem(part) % {"name": name} for name, part in properties.items())
    return next(filter(None, problems), "")


def _refers(part: Any) -> bool:
    """Somewhere else may change, or be asked for over the network."""
    if isinstance(part, Mapping):
        return "$ref" in part or "$dynamicRef" in part or any(map(_refers, part.values()))
    return isinstance(part, list) and any(map(_refers, part))


def _part_problem(part: Any) -> str:
    if not isinstance(part, Mapping) or part.get("type") not in DRAWN:
        return str(_("“%(name)s” is of a type that no field exists for."))
    items = part.get("items", {"type": "string"}) if part["type"] == "array" else {}
    if any(isinstance(each, Mapping) and (each.get("writeOnly") or each.get("format") == "password") for each in (part, items)):
        return str(_("“%(name)s” is a secret. Secrets stay in the customer's own store; take its name instead."))
    if items and (not isinstance(items, Mapping) or items.get("type") != "string"):
        return str(_("“%(name)s”: lists are of text, one a line."))
    if "enum" in part and not all(isinstance(value, DRAWN_ENUMS.get(part["type"], ())) and value != "" for value in part["enum"]):
        return str(_("“%(name)s” offers values that are not of its type."))
    return ""


def label_of(schema: Mapping[str, Any], name: str) -> str:
    return str(schema.get("properties", {}).get(name, {}).get("title") or name.replace("_", " ").capitalize())


def said(value: Any) -> str:
    """An answer as a page reads it back."""
    if isinstance(value, bool):
        return str(_("Yes") if value else _("No"))
    if isinstance(value, list):
        return ", ".join(map(str, value)) or str(_("none"))
    return str(_("none")) if value is None else str(value)


class ParametersForm(forms.Form):
    """One field a property, in the schema's order. `parameters` is what was answered, as the schema types it."""

    def __init__(self, *args: Any, schema: Mapping[str, Any], parameters: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {**self.initial} | {PREFIX + name: _shown(value) for name, value in (parameters or {}).items()}
        self.schema = schema
        required = set(schema.get("required", ()))
        for name, part in schema.get("properties", {}).items():
            self.fields[PREFIX + name] = _field(label_of(schema, name), part, is_required=name in required)

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
        label = label_of(self.schema, str(error.absolute_path[0])) if where else ""
        self.add_error(where, forms.ValidationError(_words(error, part, label), code="schema"))


def _words(error: ValidationError, part: Mapping[str, Any], label: str) -> str:
    """What the rule asks, in a sentence that also stands alone, above the form; for a form of text, in the words of the schema."""
    limit: Any = error.validator_value
    if error.validator in {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}:
        wanted = {
            "minimum": _("%(label)s: enter %(limit)s or more."),
            "maximum": _("%(label)s: enter %(limit)s or less."),
            "exclusiveMinimum": _("%(label)s: enter more than %(limit)s."),
            "exclusiveMaximum": _("%(label)s: enter less than %(limit)s."),
            "multipleOf": _("%(label)s: enter a multiple of %(limit)s."),
        }
        return str(wanted[str(error.validator)] % {"limit": limit, "label": label})
    if error.validator in {"minLength", "maxLength", "minItems", "maxItems"}:
        return _length_words(str(error.validator), int(limit), label)
    if error.validator in {"pattern", "format"}:
        if len(error.absolute_path) > 1:
            words = {"label": label, "value": error.instance}
            return str(_("%(label)s: “%(value)s” does not have the form that is asked for.") % words)
        words = {"label": label, "help": part.get("description", "")}
        return str(_("%(label)s: this does not have the form that is asked for. %(help)s") % words).strip()
    if error.validator == "uniqueItems":
        return str(_("%(label)s: enter each line once.") % {"label": label})
    return str(_("%(label)s: this value is not allowed here.") % {"label": label}) if label else str(_("These answers do not go together."))


def _length_words(rule: str, limit: int, label: str) -> str:
    words = {
        "minLength": ngettext("%(label)s: enter at least %(limit)s character.", "%(label)s: enter at least %(limit)s characters.", limit),
        "maxLength": ngettext("%(label)s: enter at most %(limit)s character.", "%(label)s: enter at most %(limit)s characters.", limit),
        "minItems": ngettext("%(label)s: enter at least %(limit)s line.", "%(label)s: enter at least %(limit)s lines.", limit),
        "maxItems": ngettext("%(label)s: enter at most %(limit)s line.", "%(label)s: enter at most %(limit)s lines.", limit),
    }
    return words[rule] % {"limit": limit, "label": label}


def _shown(value: Any) -> Any:
    return "\n".join(map(str, value)) if isinstance(value, list) else value


def _field(label: str, part: Mapping[str, Any], *, is_required: bool) -> forms.Field:
    about: dict[str, Any] = {"label": label, "help_text": escape(part.get("description", "")), "initial": _shown(part.get("default"))}
    about["error_messages"] = {"required": _("Enter a value for “%(label)s”.") % {"label": label}}
    if "enum" in part:
        choices = [(value, value) for value in part["enum"]]
        offered = choices if is_required else [("", _("None")), *choices]
        return forms.TypedChoiceField(**about, required=is_required, choices=offered, coerce=_typed(part), empty_value=None)
    match part.get("type"):
        case "boolean":
            return forms.BooleanField(**about, required=False)
        case "integer":
            return forms.IntegerField(**about, required=is_required)
        case "number":
            return forms.FloatField(**about, required=is_required)
        case "array":
            return forms.CharField(**about, required=is_required, widget=forms.Textarea(attrs={"rows": 3}), max_length=MOST_TEXT)
    return forms.CharField(**about, required=is_required, max_length=MOST_TEXT)


def _typed(part: Mapping[str, Any]) -> Any:
    return {"integer": int, "number": float}.get(str(part.get("type")), str)
