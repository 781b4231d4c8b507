"""What a template knows of the place where it is deployed."""

from typing import Any

from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.template.evaluate import Surroundings, Template
from portal.sandbox.azure.template.parser import NotYetError, TemplateError
from portal.sandbox.azure.world import Resource, World

Body = dict[str, Any]


def invalid(message: str) -> ArmError:
    """Before anything runs, a template's mistakes are the request's."""
    return ArmError(400, "InvalidTemplate", f"Deployment template validation failed: '{message}'.")


def template_of(world: World, deployment: Resource) -> Template:
    return prepare(
        world, deployment.id, deployment.under["template"], deployment.under["given"], location=deployment.body.get("location", "")
    )


def prepare(world: World, number: str, template: Body, given: Body, *, location: str = "", coming: Body | None = None) -> Template:
    """A template in its surroundings; `coming` is the group that will be there. Raises ArmError for what is wrong with it already."""
    scope = number[: number.lower().rindex("/providers/microsoft.resources/deployments/")]
    subscription = world.subscriptions[scope.split("/")[2].lower()]
    group = world.find(scope) if "/resourcegroups/" in scope.lower() else None
    about = {
        "name": number.rpartition("/")[2],
        **({"location": location} if location else {}),
        "properties": {"template": template, "mode": "Incremental", "provisioningState": "Accepted"},
    }
    around = Surroundings(
        scope=group.id if group is not None else scope,
        subscription={
            "id": subscription.scope, "subscriptionId": subscription.id, "tenantId": subscription.tenant, "displayName": subscription.name,
        },
        group=group.answer() if group is not None else coming,
        deployment=about,
        tenant={"tenantId": subscription.tenant, "countryCode": "DE", "displayName": world.tenants[subscription.tenant].name},
        reference=_not_yet,
        environment={
            "name": "AzureCloud", "portal": "https://portal.azure.com", "resourceManager": "https://management.azure.com/",
            "authentication": {"loginEndpoint": "https://login.microsoftonline.com/", "tenant": "common", "identityProvider": "AAD"},
        },
    )  # fmt: skip
    try:
        return Template(template, given, around)
    except TemplateError as problem:
        raise invalid(str(problem)) from problem


def _not_yet(_name: str, _version: str, _full: bool) -> Any:
    raise NotYetError("The template function 'reference' is not expected at this location.")
