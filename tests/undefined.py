"""Undefined template variables fail, in our templates only: Django's and allauth's rely on their being empty."""

import sys
from pathlib import Path
from typing import Any

from django.template import Node
from django.template.base import FilterExpression

ROOT = Path(__file__).resolve().parent.parent
OUR_TEMPLATES = (f"{ROOT}/templates/", f"{ROOT}/portal/", f"{ROOT}/accounts/", f"{ROOT}/cells/")
# `{{ name|default:"…" }}` says in the template itself what holds when there is no name.
ANSWERS = {"default", "default_if_none"}


class UndefinedVariableError(AssertionError):
    """A template of ours prints a name that its context does not have."""


class UndefinedVariable(str):
    """For `string_if_invalid`: empty in other people's templates, an error in ours.

    FilterExpression.resolve asks in this order: is it true, does it contain "%s", what is it % name.
    """

    def __bool__(self) -> bool:
        expression = _local("resolve", FilterExpression)
        if expression and expression.filters and expression.filters[0][0].__name__ in ANSWERS:
            return False
        return _template_name().startswith(OUR_TEMPLATES)

    def __contains__(self, item: object) -> bool:
        return item == "%s"

    def __mod__(self, name: Any) -> str:
        message = f"{_template_name()}: {{{{ {name} }}}} is not defined."
        raise UndefinedVariableError(message)


def _template_name() -> str:
    node = _local("render_annotated", Node)
    return str(node.origin.name) if node and getattr(node, "origin", None) else ""


def _local(function: str, kind: type) -> Any:
    """`self` of the nearest caller with this name, or None."""
    frame = sys._getframe(1)
    while frame := frame.f_back:
        if frame.f_code.co_name == function and isinstance(owner := frame.f_locals.get("self"), kind):
            return owner
    return None
