"""`{% load operations %}{% operation_panel operation as panel %}`: so that any page can show an operation's progress by one include."""

from typing import Any

from django import template
from django.templatetags.static import static

from portal.operations.models import Operation
from portal.operations.panel import Panel, build_panel

register = template.Library()

MARKS = {
    "failed": "img/mark-failed.svg",
    "waiting": "img/mark-waiting.svg",
    "running": "img/mark-running.svg",
    "queued": "img/mark-running.svg",
}


@register.simple_tag(takes_context=True)
def operation_panel(context: dict[str, Any], operation: Operation) -> Panel:
    """The live part of an operation. Buttons show where the `membership` in the context may run operations."""
    membership = context.get("membership")
    return build_panel(operation, can_run=bool(membership and membership.can("run_operations")))


@register.simple_tag
def operation_favicon(operation: Operation) -> str:
    """The icon of the browser's tab says the state."""
    return static(MARKS.get(operation.state, "img/mark.svg"))
