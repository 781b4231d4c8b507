"""The commands, each as the requests that the real one makes."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from portal.sandbox.azure.az.arguments import Given
from portal.sandbox.azure.az.client import Client, RefusedError

Body = dict[str, Any]
SUBSCRIPTIONS, GROUPS, DEPLOYMENTS = "2022-12-01", "2022-09-01", "2024-11-01"
IDENTITIES, ROLES, ASSIGNMENTS = "2023-01-31", "2022-05-01-preview", "2022-04-01"
VAULTS = "2023-07-01"
NOT_FOUND = 3
LOOK_SECONDS = 0.5


class CliError(Exception):
    """The CLI itself says no."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class Az:
    def __init__(self, client: Client, person: str, chosen: str, memory: Path) -> None:
        self.client = client
        self.person = person
        self.chosen = chosen
        self.memory = memory  # which subscription `account set` chose

    def scope(self, given: Given) -> str:
        return f"/subscriptions/{self._subscription(given)['subscriptionId']}"

    def _subscription(self, given: Given) -> Body:
        wanted = given["subscription"] or (self.memory.read_text() if self.memory.exists() else self.chosen)
        for found in self.client.every("/subscriptions", SUBSCRIPTIONS):
            if wanted.lower() in {found["subscriptionId"].lower(), found["displayName"].lower()}:
                return found
        raise CliError(f"Subscription '{wanted}' not found. Check the spelling and casing and try again.")

    def _shown(self, found: Body, *, is_default: bool) -> Body:
        return {
            "environmentName": "AzureCloud", "homeTenantId": found["tenantId"], "id": found["subscriptionId"], "isDefault": is_default,
            "managedByTenants": [], "name": found["displayName"], "state": found["state"], "tenantId": found["tenantId"],
            "user": {"cloudShellID": True, "name": self.person, "type": "user"},
        }  # fmt: skip

    # --- account, group, provider ---

    def account_show(self, given: Given) -> Any:
        return self._shown(self._subscription(given), is_default=True)

    def account_list(self, given: Given) -> Any:
        here = self._subscription(given)["subscriptionId"]
        found = self.client.every("/subscriptions", SUBSCRIPTIONS)
        return [self._shown(entry, is_default=entry["subscriptionId"] == here) for entry in found]

    def account_set(self, given: Given) -> Any:
        self.memory.write_text(self._subscription(given)["subscriptionId"])

    def group_create(self, given: Given) -> Any:
        tags = dict(entry.partition("=")[::2] for entry in given.lists.get("tags", []))
        return self.client.ask("PUT", self._group(given), GROUPS, {"location": given["location"], **({"tags": tags} if tags else {})})

    def group_list(self, given: Given) -> Any:
        """`--tag` is a name, or a name and a value."""
        name, _, value = given["tag"].partition("=")
        wanted = f"tagName eq '{name}'" + (f" and tagValue eq '{value}'" if value else "")
        return self.client.every(f"{self.scope(given)}/resourcegroups", GROUPS, **({"$filter": wanted} if name else {}))

    def group_show(self, given: Given) -> Any:
        return self.client.ask("GET", self._group(given), GROUPS)

    def group_exists(self, given: Given) -> Any:
        try:
            self.group_show(given)
        except RefusedError as refused:
            if refused.error.get("code") == "ResourceGroupNotFound":
                return False
            raise
        return True

    def group_delete(self, given: Given) -> Any:
        if "yes" not in given.switches:
            raise CliError("Unable to prompt for confirmation as no tty available. Use --yes.")
        answer, _body = self.client.send("DELETE", f"{self._group(given)}?api-version={GROUPS}")
        if "no_wait" not in given.switches:
            self.client.wait(answer)

    def _group(self, given: Given) -> str:
        return f"{self.scope(given)}/resourcegroups/{given['name']}"

    def provider_show(self, given: Given) -> Any:
        return self.client.ask("GET", f"{self.scope(given)}/providers/{given['namespace']}", GROUPS)

    def provider_register(self, given: Given) -> Any:
        self.client.ask("POST", f"{self.scope(given)}/providers/{given['namespace']}/register", GROUPS)
        while "wait" in given.switches and self.provider_show(given)["registrationState"] != "Registered":
            time.sleep(LOOK_SECONDS)

    # --- deployment ---

    def _deployment(self, given: Given) -> str:
        name = given["name"] or Path(given["template_file"] or given["template_uri"]).stem
        where = f"/resourcegroups/{given['group']}" if given["group"] else ""
        return f"{self.scope(given)}{where}/providers/Microsoft.Resources/deployments/{name}"

    def deployment_create(self, given: Given) -> Any:
        """Validates first, as the real one does, then starts and follows. A template goes over as it stands in its file, unquoted."""
        path, content = self._deployment(given), self._content(given)
        self.client.send("POST", f"{path}/validate?api-version={DEPLOYMENTS}", content)
        answer, started = self.client.send("PUT", f"{path}?api-version={DEPLOYMENTS}", content)
        if "no_wait" in given.switches:
            return started
        ended = self.client.wait(answer)
        if ended["status"] != "Succeeded":
            raise CliError(json.dumps(ended))
        return self.deployment_show(given)

    def _content(self, given: Given) -> bytes:
        values = json.dumps({name: {"value": value} for name, value in self._parameters(given).items()})
        location = f'"location": {json.dumps(given["location"])}, ' if given["location"] else ""
        if given["template_uri"]:
            template = f'"templateLink": {{"uri": {json.dumps(given["template_uri"])}}}'
        elif given["template_file"]:
            template = f"template:{Path(given['template_file']).read_text()}"
        else:
            raise CliError("incorrect usage: --template-file FILE | --template-uri URI")
        mode = given["mode"] or "Incremental"
        return f'{{{location}"properties": {{"parameters": {values}, "mode": "{mode}", {template}}}}}'.encode()

    def _parameters(self, given: Given) -> Body:
        """`name=value`, where a value that is JSON is taken as such unless the template wants text; or a file of parameters."""
        kinds = {name.lower(): shape.get("type", "").lower() for name, shape in self._declared(given).items()}
        found: Body = {}
        for entry in given.lists.get("parameters", []):
            if entry.startswith("@") or "=" not in entry:
                told = json.loads(Path(entry.removeprefix("@")).read_text())
                found |= {name: value["value"] for name, value in told.get("parameters", told).items()}
                continue
            name, _, value = entry.partition("=")
            found[name] = value if "string" in kinds.get(name.lower(), "string") else json.loads(value)
        return found

    def _declared(self, given: Given) -> Body:
        if not given["template_file"]:
            return {}
        try:
            declared: Body = json.loads(Path(given["template_file"]).read_text()).get("parameters") or {}
        except (OSError, ValueError) as problem:
            raise CliError(f"Failed to parse '{given['template_file']}': {problem}") from problem
        return declared

    def deployment_show(self, given: Given) -> Any:
        return self.client.ask("GET", self._deployment(given), DEPLOYMENTS)

    def deployment_delete(self, given: Given) -> Any:
        self.client.ask("DELETE", self._deployment(given), DEPLOYMENTS)

    def deployment_operations(self, given: Given) -> Any:
        return self.client.every(f"{self._deployment(given)}/operations", DEPLOYMENTS)

    # --- identity, role, resource ---

    def _identities(self, given: Given) -> str:
        where = f"/resourceGroups/{given['group']}" if given["group"] else ""
        return f"{self.scope(given)}{where}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"

    def identity_show(self, given: Given) -> Any:
        return _flat(self.client.ask("GET", f"{self._identities(given)}/{given['name']}", IDENTITIES))

    def identity_list(self, given: Given) -> Any:
        return [_flat(found) for found in self.client.every(self._identities(given), IDENTITIES)]

    def identity_delete(self, given: Given) -> Any:
        self.client.ask("DELETE", f"{self._identities(given)}/{given['name']}", IDENTITIES)

    def role_definition_list(self, given: Given) -> Any:
        scope = given["scope"] or self.scope(given)
        query = {"$filter": f"roleName eq '{given['name']}'"} if given["name"] else {}
        found = self.client.every(f"{scope}/providers/Microsoft.Authorization/roleDefinitions", ROLES, **query)
        rows = [{**_flat(entry), "roleType": entry["properties"]["type"], "type": entry["type"]} for entry in found]
        return [row for row in rows if row["roleType"] == "CustomRole"] if "custom" in given.switches else rows

    def role_definition_delete(self, given: Given) -> Any:
        for found in self.role_definition_list(given):
            self.client.ask("DELETE", found["id"], ROLES)

    def role_assignment_list(self, given: Given) -> Any:
        scope = given["scope"] or self.scope(given)
        query = {} if "all" in given.switches else {"$filter": "atScope()"}
        found = self.client.every(f"{scope}/providers/Microsoft.Authorization/roleAssignments", ASSIGNMENTS, **query)
        rows = [_flat(entry) for entry in found]
        if "all" not in given.switches:
            rows = [row for row in rows if row["scope"].lower() == scope.lower()]
        if given["role"]:
            wanted = self._role(given, scope)
            rows = [row for row in rows if row["roleDefinitionId"].rpartition("/")[2].lower() in wanted]
        return rows

    def _role(self, given: Given, scope: str) -> set[str]:
        asked = Given({"name": given["role"], "scope": scope, "subscription": given["subscription"]})
        found = {row["name"].lower() for row in self.role_definition_list(asked)}
        if not found and given["role"].count("-") != 4:  # noqa: PLR2004 - a guid stands for itself
            raise CliError(f"Role '{given['role']}' doesn't exist.")
        return found or {given["role"].lower()}

    def role_assignment_delete(self, given: Given) -> Any:
        for found in self.role_assignment_list(given):
            self.client.ask("DELETE", found["id"], ASSIGNMENTS)

    def resource_list(self, given: Given) -> Any:
        where = f"/resourceGroups/{given['group']}" if given["group"] else ""
        return self.client.every(f"{self.scope(given)}{where}/resources", GROUPS)

    def resource_delete(self, given: Given) -> Any:
        """The newest api-version that the type knows is the CLI's own to find."""
        namespace, _, rest = given["type"].partition("/")
        path = f"{self.scope(given)}/resourceGroups/{given['group']}/providers/{namespace}/{rest}/{given['name']}"
        told = self.client.ask("GET", f"{self.scope(given)}/providers/{namespace}", GROUPS)
        versions = next(kind["apiVersions"] for kind in told["resourceTypes"] if kind["resourceType"].lower() == rest.lower())
        self.client.ask("DELETE", path, versions[0])

    def keyvault_purge(self, given: Given) -> Any:
        path = f"{self.scope(given)}/providers/Microsoft.KeyVault"
        kept = self.client.every(f"{path}/deletedVaults", VAULTS)
        found = next((vault for vault in kept if vault["name"].lower() == given["name"].lower()), None)
        if found is None:
            raise CliError(f"No deleted Vault or HSM was found with name {given['name']}")
        self.client.ask("POST", f"{path}/locations/{found['properties']['location']}/deletedVaults/{found['name']}/purge", VAULTS)

    def version(self, _given: Given) -> Any:
        return {"azure-cli": "2.91.0", "azure-cli-core": "2.91.0", "azure-cli-telemetry": "1.1.0", "extensions": {}}


def _flat(found: Body) -> Body:
    """The CLI shows what stands under properties beside id and name."""
    return {name: value for name, value in found.items() if name != "properties"} | (found.get("properties") or {})


COMMANDS: dict[str, Callable[[Az, Given], Any]] = {
    "account show": Az.account_show,
    "account list": Az.account_list,
    "account set": Az.account_set,
    "group create": Az.group_create,
    "group list": Az.group_list,
    "group show": Az.group_show,
    "group exists": Az.group_exists,
    "group delete": Az.group_delete,
    "provider show": Az.provider_show,
    "provider register": Az.provider_register,
    "deployment group create": Az.deployment_create,
    "deployment sub create": Az.deployment_create,
    "deployment group show": Az.deployment_show,
    "deployment sub show": Az.deployment_show,
    "deployment group delete": Az.deployment_delete,
    "deployment sub delete": Az.deployment_delete,
    "deployment operation group list": Az.deployment_operations,
    "deployment operation sub list": Az.deployment_operations,
    "identity show": Az.identity_show,
    "identity list": Az.identity_list,
    "identity delete": Az.identity_delete,
    "role definition list": Az.role_definition_list,
    "role definition delete": Az.role_definition_delete,
    "role assignment list": Az.role_assignment_list,
    "role assignment delete": Az.role_assignment_delete,
    "resource list": Az.resource_list,
    "resource delete": Az.resource_delete,
    "keyvault purge": Az.keyvault_purge,
    "version": Az.version,
}
