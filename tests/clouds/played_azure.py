"""A customer's Azure subscription, the kit in it, and our adapter."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from accounts.clouds import open_account
from accounts.clouds.base import CloudAdapter, Target
from accounts.kits.azure.kit import AUDIENCE, AzureKit
from tests.clouds.azure_account import SECOND, SUBSCRIPTION, TENANT, AzureAccount
from tests.clouds.conftest import ISSUER_HOST, SandboxProcess, TestIssuer

ACCOUNT = "3f9a1c2e-0b5d-4c1e-9a57-6a1f0c2d3e4b"
SUFFIX = "3f9a1c2e-g1"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"


class PlayedAzure:
    name = "azure"
    elsewhere = SECOND

    def __init__(self, sandbox: SandboxProcess, issuer: TestIssuer) -> None:
        self.account = AzureAccount(sandbox, issuer)
        self.kit = AzureKit()
        self.target = Target(
            account=ACCOUNT,
            external_id=SUBSCRIPTION,
            region="westeurope",
            suffix=SUFFIX,
            generation=1,
            kit_version=self.kit.version,
            kit_hash=self.kit.content_hash,
            issuer=f"{ISSUER_HOST}/trust/{ACCOUNT}/g1",
            audience=AUDIENCE,
            identity={"tenant_id": TENANT},
        )

    # --- ours ---

    def adapter(self, **changes: Any) -> CloudAdapter:
        target = replace(self.target, **changes)
        return open_account("azure", target, self.tokens(target), self.kit.shipped(target))

    def tokens(self, target: Target) -> Callable[..., str]:
        def mint(*, subject: str, audience: str) -> str:
            return self.account.issuer.token(issuer=target.issuer, subject=subject, audience=audience)

        return mint

    # --- the customer's ---

    def run_kit(self, *, subscription: str = "", **parameters: str) -> str:
        """Deploys the template as the owner would, and tells the portal the client ids. The state it ended in."""
        owner = AzureAccount(self.account.sandbox, self.account.issuer, subscription or SUBSCRIPTION)
        owner.control("PATCH", "subscriptions", {"id": owner.subscription, "registered": REGISTERED})
        given = self.kit.parameters(replace(self.target, external_id=owner.subscription)) | parameters
        found = owner.deploy(json.loads(self.kit.documents[0].text), self.kit.made_name(SUFFIX), **given)
        if found.status >= 400:
            return str(found.code)
        properties = found.body["properties"]
        if properties["provisioningState"] == "Succeeded":
            outputs = {name: output["value"] for name, output in properties["outputs"].items()}
            told = {"client_id": outputs["clientId"], "support_client_id": outputs["supportClientId"]}
            self.target = replace(self.target, reported=told)
        else:
            self.failure = properties["error"]
        return str(properties["provisioningState"])

    def start_kit(self) -> None:
        """Starts the deployment and does not wait for it."""
        values = {name: {"value": value} for name, value in self.kit.parameters(self.target).items()}
        properties = {"mode": "Incremental", "template": json.loads(self.kit.documents[0].text), "parameters": values}
        self.put(f"/providers/Microsoft.Resources/deployments/{self.kit.made_name(SUFFIX)}", properties, location="westeurope")

    @property
    def kit_group(self) -> str:
        return f"/resourceGroups/byoc-{SUFFIX}-kit"

    @property
    def cell_group(self) -> str:
        return "/resourceGroups/byoc-3f9a1c2e-cell-westeurope"

    def identity(self, name: str, group: str = "") -> str:
        return f"{group or self.kit_group}/providers/{IDENTITY}/byoc-{SUFFIX}-{name}"

    def put(self, path: str, properties: dict[str, Any], **more: Any) -> None:
        answer = self.account.owner("PUT", path, {"properties": properties, **more})
        assert answer.status < 300, answer

    def read(self, path: str) -> dict[str, Any]:
        answer = self.account.owner("GET", path)
        assert answer.status == 200, answer
        return answer.body

    def remove(self, path: str) -> None:
        answer = self.account.owner("DELETE", path)
        assert answer.status < 300, answer

    def principal(self, name: str, group: str = "") -> str:
        return self.read(self.identity(name, group))["properties"]["principalId"]

    def role(self, name: str) -> dict[str, Any]:
        entries = self.read("/providers/Microsoft.Authorization/roleDefinitions")["value"]
        return next(entry for entry in entries if entry["properties"]["roleName"] == f"byoc-{SUFFIX}-{name}")

    def assignments(self, name: str) -> list[dict[str, Any]]:
        role = self.role(name)["name"]
        entries = self.read("/providers/Microsoft.Authorization/roleAssignments")["value"]
        return [entry for entry in entries if entry["properties"]["roleDefinitionId"].endswith(role)]


REGISTERED = [
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.Compute",
    "Microsoft.ContainerService",
    "Microsoft.KeyVault",
]
