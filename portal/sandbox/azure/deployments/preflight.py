"""Before a deployment runs: rights, policies and registrations of all that can be known in advance."""

from typing import Any

from portal.sandbox.azure.arm import policy
from portal.sandbox.azure.arm.call import Act
from portal.sandbox.azure.arm.kinds import DEPLOYMENT, GROUP, kind_of
from portal.sandbox.azure.deployments.plan import NotPlannedError, Planned, nested_properties, nested_scope, plan
from portal.sandbox.azure.deployments.surroundings import invalid, prepare
from portal.sandbox.azure.errors import ArmError, no_group, not_registered
from portal.sandbox.azure.template.evaluate import Template
from portal.sandbox.azure.template.parser import NotYetError, TemplateError
from portal.sandbox.azure.world import ALWAYS_REGISTERED

Body = dict[str, Any]


def preflight(act: Act, template: Template) -> list[Planned]:
    """Rights, policies and registrations of everything that can be known in advance, nested deployments included. Raises ArmError."""
    try:
        planned = plan(act.world, template)
    except NotPlannedError as refused:
        act.violate("template", refused.message)
        raise
    coming: dict[str, Body] = {}  # groups that the template makes
    for entry in planned:
        if entry.type == DEPLOYMENT:
            _preflight_nested(act, template, entry, coming)
            continue
        if entry.type == GROUP:
            coming[entry.key] = {"id": entry.id, "name": entry.name, "type": GROUP, **_body(template, entry)}
        _demand_right(act, entry)
        _register(act, entry)
        _demand_policy(act, template, entry)
    return planned


def _body(template: Template, entry: Planned) -> Body:
    """What would be sent. Raises NotYetError for what only the deployment itself will know, ArmError for a mistake."""
    try:
        return entry.body(template)
    except NotYetError:
        raise
    except TemplateError as problem:
        raise invalid(str(problem)) from problem


def _demand_right(act: Act, entry: Planned) -> None:
    kind = "Microsoft.Resources/subscriptions/resourceGroups" if entry.type == GROUP else entry.type
    if not act.may(f"{kind}/write", entry.id):
        raise ArmError(
            403,
            "InvalidTemplateDeployment",
            f"The template deployment failed with error: 'Authorization failed for template resource '{entry.name}' of type "
            f"'{entry.type}'. The client '{act.token.client}' with object id '{act.token.object_id}' does not have permission to perform "
            f"action '{kind}/write' at scope '{entry.id}'.'.",
        )


def _register(act: Act, entry: Planned) -> None:
    """ARM registers the providers of a template for whoever may do so."""
    subscription = act.world.subscriptions[entry.id.split("/")[2].lower()]
    if entry.namespace in ALWAYS_REGISTERED or subscription.registered.get(entry.namespace.lower(), act.world.now() + 1) <= act.world.now():
        return
    if not act.may(f"{entry.namespace}/register/action", subscription.scope):
        raise not_registered(entry.namespace)
    subscription.registered[entry.namespace.lower()] = act.world.now()


def _demand_policy(act: Act, template: Template, entry: Planned) -> None:
    try:
        body = _body(template, entry)
    except NotYetError:
        return
    kind = kind_of(entry.type)
    try:
        policy.demand(act.world, entry.id, kind.name if kind else entry.type, body)
    except ArmError as refused:
        message = "The template deployment failed because of policy violation. Please see details for more information."
        raise ArmError(400, "InvalidTemplateDeployment", message, details=[refused.error()]) from refused


def _preflight_nested(act: Act, template: Template, entry: Planned, coming: dict[str, Body]) -> None:
    scope = nested_scope(template, entry.raw)
    if "/resourcegroups/" in scope.lower() and act.world.find(scope) is None and scope.lower() not in coming:
        raise no_group(scope.rpartition("/")[2])
    if not act.may("Microsoft.Resources/deployments/write", entry.id):
        _demand_right(act, entry)
    try:
        properties, given = nested_properties(template, entry)
        preflight(act, prepare(act.world, entry.id, properties["template"], given, coming=coming.get(scope.lower())))
    except NotYetError:
        return
