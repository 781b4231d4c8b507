"""One Azure subscription in two hands: its owner's, over plain https, and the portal's, by Microsoft's own SDK."""

import json
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from azure.core.pipeline.policies import RetryPolicy
from azure.identity import ClientAssertionCredential
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resource.subscriptions import SubscriptionClient

from tests.clouds.conftest import ISSUER_HOST, SandboxProcess, TestIssuer

TENANT = "11111111-aaaa-4aaa-8aaa-111111111111"
SUBSCRIPTION = "22222222-aaaa-4aaa-8aaa-222222222222"
SECOND = "33333333-aaaa-4aaa-8aaa-333333333333"
GUARDED = "44444444-aaaa-4aaa-8aaa-444444444444"
CLOSED = "55555555-aaaa-4aaa-8aaa-555555555555"
GLOBEX_TENANT = "11111111-bbbb-4bbb-8bbb-111111111111"
GLOBEX = "22222222-bbbb-4bbb-8bbb-222222222222"
ISSUER = f"{ISSUER_HOST}/trust/a/g1"
SUBJECT = "account:a:ops"
AUDIENCE = "api://AzureADTokenExchange"
CREDENTIAL = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials"
ROLE_ACTIONS = [
    "Microsoft.Resources/subscriptions/read",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Authorization/*/read",
]
VERSIONS = {
    "Microsoft.Resources/deployments": "2025-04-01",
    "Microsoft.ManagedIdentity": "2024-11-30",
    "Microsoft.Authorization/roleDefinitions": "2022-04-01",
    "Microsoft.Authorization/roleAssignments": "2022-04-01",
    "Microsoft.Authorization/permissions": "2022-04-01",
    "Microsoft.Authorization/locks": "2020-05-01",
    "Microsoft.Authorization/policy": "2024-05-01",
    "Microsoft.Network": "2024-05-01",
    "Microsoft.Compute": "2024-07-01",
}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: Any

    @property
    def code(self) -> str:
        return self.body["error"]["code"]

    @property
    def message(self) -> str:
        return self.body["error"]["message"]


@dataclass
class AzureAccount:
    sandbox: SandboxProcess
    issuer: TestIssuer
    subscription: str = SUBSCRIPTION

    @property
    def scope(self) -> str:
        return f"/subscriptions/{self.subscription}"

    def control(self, method: str, path: str, values: object = None) -> Any:
        return self.sandbox.control(method, f"azure/{path}", values)

    def http(self, method: str, url: str, content: bytes | None = None, **headers: str) -> Answer:
        context = ssl.create_default_context(cafile=self.sandbox.azure_ca)
        url = url if url.startswith("https://") else self.sandbox.azure + url
        request = urllib.request.Request(url, content, {name.replace("_", "-"): value for name, value in headers.items()}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as answer:
                return _answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return _answer(refused.code, refused.headers, refused.read())

    # --- The owner ---

    def owner_token(self, role: str = "Owner", subscription: str = "") -> str:
        return self.control("POST", "owner-token", {"subscription": subscription or self.subscription, "role": role})["token"]

    def owner(self, method: str, path: str, body: object = None, *, version: str = "", token: str = "", **query: str) -> Answer:
        """A request of a person; `path` below the subscription unless it begins at the root."""
        full = path if path.startswith(("/subscriptions", "/tenants", "https://")) else self.scope + path
        if not full.startswith("https://"):
            full = f"{quote(full)}?{urlencode({'api-version': version or version_for(path), **query})}"
        content = json.dumps(body).encode() if body is not None else None
        return self.http(method, full, content, Authorization=f"Bearer {token or self.owner_token()}", Content_Type="application/json")

    def deploy(self, template: dict[str, Any], name: str = "kit", *, group: str = "", token: str = "", **parameters: Any) -> Answer:
        """Starts a deployment and waits for its end; the deployment as it then stands, or the refusal."""
        where = f"/resourceGroups/{group}" if group else ""
        given = {key: {"value": value} for key, value in parameters.items()}
        body: dict[str, Any] = {"properties": {"mode": "Incremental", "template": template, "parameters": given}}
        if not group:
            body["location"] = "westeurope"
        path = f"{where}/providers/Microsoft.Resources/deployments/{name}"
        started = self.owner("PUT", path, body, token=token)
        if started.status >= 400:
            return started
        for _ in range(200):
            found = self.owner("GET", path, token=token)
            if found.body["properties"]["provisioningState"] not in {"Accepted", "Running"}:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{name} does not finish")

    # --- The portal ---

    def assertion(self, **claims: Any) -> str:
        return self.issuer.token(**{"issuer": ISSUER, "subject": SUBJECT, "audience": AUDIENCE, **claims})

    def deploy_identity(self) -> str:
        """The client id of an identity that may do everything in the subscription, for programs that sign in with it."""
        made = self.deploy(kit(actions=["*"])).body
        return made["properties"]["outputs"]["clientId"]["value"]

    def exchange(self, client: str, *, tenant: str = TENANT, scope: str = "https://management.azure.com/.default", **claims: Any) -> Answer:
        """A token request as it stands on the wire."""
        assertion = claims.pop("token", "") or self.assertion(**claims)
        form = {
            "client_id": client,
            "client_assertion": assertion,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "grant_type": "client_credentials",
            "scope": scope,
        }
        return self.http("POST", f"/{tenant}/oauth2/v2.0/token", urlencode(form).encode(), Content_Type="application/x-www-form-urlencoded")

    def portal(self, client: str, method: str, path: str, body: object = None, *, version: str = "") -> Answer:
        """A request with a token got by federation."""
        return self.owner(method, path, body, version=version, token=self.exchange(client).body["access_token"])

    def credential(self, client: str, tenant: str = TENANT, **claims: Any) -> ClientAssertionCredential:
        return ClientAssertionCredential(
            tenant, client, lambda: self.assertion(**claims),
            authority=self.sandbox.azure, disable_instance_discovery=True, connection_verify=self.sandbox.azure_ca,
        )  # fmt: skip

    def options(self) -> dict[str, Any]:
        return {
            "base_url": self.sandbox.azure, "credential_scopes": ["https://management.azure.com/.default"],
            "connection_verify": self.sandbox.azure_ca, "connection_timeout": 5, "read_timeout": 20, "polling_interval": 0.05,
            "retry_policy": RetryPolicy.no_retries(),
        }  # fmt: skip

    def resources(self, client: str) -> ResourceManagementClient:
        return ResourceManagementClient(self.credential(client), self.subscription, **self.options())

    def deployments(self, client: str) -> DeploymentsMgmtClient:
        return DeploymentsMgmtClient(self.credential(client), self.subscription, **self.options())

    def subscriptions(self, client: str) -> SubscriptionClient:
        return SubscriptionClient(self.credential(client), **self.options())


def _answer(status: int, headers: Any, content: bytes) -> Answer:
    try:
        body = json.loads(content) if content else None
    except ValueError:
        body = content.decode()
    return Answer(status, {name.lower(): value for name, value in headers.items()}, body)


def version_for(path: str) -> str:
    found = [version for name, version in VERSIONS.items() if name.lower() in path.lower()]
    return found[-1] if found else "2022-12-01" if path.rstrip("/").count("/") <= 2 and "resource" not in path.lower() else "2022-09-01"


def kit(*, actions: list[str] | None = None, second_credential: bool = False, chained: bool = True) -> dict[str, Any]:
    """A kit as small as a kit can be: a group, an identity that trusts our issuer, a role, an assignment. Subscription scope."""
    inner_resources: list[dict[str, Any]] = [
        {
            "type": "Microsoft.ManagedIdentity/userAssignedIdentities", "apiVersion": "2024-11-30", "name": "portal-ops",
            "location": "[parameters('location')]",
        },
        {
            "type": "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials", "apiVersion": "2024-11-30",
            "name": "portal-ops/ops",
            "dependsOn": ["[resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', 'portal-ops')]"],
            "properties": {"issuer": "[parameters('issuer')]", "subject": "[parameters('subject')]", "audiences": [AUDIENCE]},
        },
    ]  # fmt: skip
    if second_credential:
        depends = ["[resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', 'portal-ops')]"]
        if chained:
            depends.append(f"[resourceId('{CREDENTIAL}', 'portal-ops', 'ops')]")
        inner_resources.append(
            {
                "type": "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials", "apiVersion": "2024-11-30",
                "name": "portal-ops/support", "dependsOn": depends,
                "properties": {"issuer": "[parameters('issuer')]", "subject": "account:a:support", "audiences": [AUDIENCE]},
            }
        )  # fmt: skip
    identity = "resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', 'portal-ops')"
    inner = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {"location": {"type": "string"}, "issuer": {"type": "string"}, "subject": {"type": "string"}},
        "resources": inner_resources,
        "outputs": {
            "clientId": {"type": "string", "value": f"[reference({identity}, '2024-11-30').clientId]"},
            "principalId": {"type": "string", "value": f"[reference({identity}, '2024-11-30').principalId]"},
        },
    }
    role = "subscriptionResourceId('Microsoft.Authorization/roleDefinitions', variables('role'))"
    return {
        "$schema": "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {
            "location": {"type": "string", "defaultValue": "[deployment().location]"},
            "group": {"type": "string", "defaultValue": "byoc"},
            "issuer": {"type": "string", "defaultValue": ISSUER},
            "subject": {"type": "string", "defaultValue": SUBJECT},
        },
        "variables": {"role": "[guid(subscription().id, 'portal-ops')]"},
        "resources": [
            {
                "type": "Microsoft.Resources/resourceGroups", "apiVersion": "2024-03-01", "name": "[parameters('group')]",
                "location": "[parameters('location')]", "tags": {"made-by": "portal"},
            },
            {
                "type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "identity",
                "resourceGroup": "[parameters('group')]",
                "dependsOn": ["[resourceId('Microsoft.Resources/resourceGroups', parameters('group'))]"],
                "properties": {
                    "mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"}, "template": inner,
                    "parameters": {name: {"value": f"[parameters('{name}')]"} for name in ("location", "issuer", "subject")},
                },
            },
            {
                "type": "Microsoft.Authorization/roleDefinitions", "apiVersion": "2022-04-01", "name": "[variables('role')]",
                "properties": {
                    "roleName": "[concat('Portal operator ', uniqueString(subscription().id))]", "description": "For the portal.",
                    "type": "CustomRole", "permissions": [{"actions": actions or ROLE_ACTIONS, "notActions": []}],
                    "assignableScopes": ["[subscription().id]"],
                },
            },
            {
                "type": "Microsoft.Authorization/roleAssignments", "apiVersion": "2022-04-01",
                "name": "[guid(subscription().id, 'portal-ops', 'assignment')]",
                "dependsOn": ["identity", f"[{role}]"],
                "properties": {
                    "roleDefinitionId": f"[{role}]", "principalType": "ServicePrincipal",
                    "principalId": "[reference('identity').outputs.principalId.value]",
                },
            },
        ],
        "outputs": {
            "tenantId": {"type": "string", "value": "[subscription().tenantId]"},
            "subscriptionId": {"type": "string", "value": "[subscription().subscriptionId]"},
            "clientId": {"type": "string", "value": "[reference('identity').outputs.clientId.value]"},
        },
    }  # fmt: skip
