"""A customer's Azure subscription, the kit in it, and our adapter."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from accounts.clouds import open_account
from accounts.clouds.azure.adapter import NOBODY
from accounts.clouds.base import CloudAdapter, Place, Subject, Target
from accounts.kits.azure.kit import AUDIENCE, AzureKit
from tests.clouds.azure.account import GLOBEX, GLOBEX_TENANT, SECOND, SUBSCRIPTION, TENANT, AzureAccount
from tests.clouds.conftest import ISSUER_HOST, SandboxProcess, TestIssuer

ACCOUNT = "3f9a1c2e-0b5d-4c1e-9a57-6a1f0c2d3e4b"
SUFFIX = "3f9a1c2e-g1"
VAULT = "byoc3f9a1c2e2222wesope10"  # of the account in this subscription and place
SWITCHES_ON = {"allowChanges": "yes", "allowSupport": "yes"}  # the customer's own to say, at every run
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"


class PlayedAzure:
    template_text = ""  # of an earlier version; empty for the one that is shipped

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
        def mint(*, subject: str, audience: str, claims: Mapping[str, Any] | None = None) -> str:
            return self.account.issuer.token(issuer=target.issuer, subject=subject, audience=audience, **(claims or {}))

        return mint

    # --- the customer's ---

    def run_kit(self, *, subscription: str = "", **parameters: str) -> str:
        """Deploys the template as the owner would, and tells the portal the client ids. The state it ended in."""
        owner = AzureAccount(self.account.sandbox, self.account.issuer, subscription or SUBSCRIPTION)
        owner.control("PATCH", "subscriptions", {"id": owner.subscription, "registered": REGISTERED})
        template = json.loads(self.template_text or self.kit.documents[0].text)
        told = self.kit.parameters(replace(self.target, external_id=owner.subscription)) | SWITCHES_ON | parameters
        given = {name: value for name, value in told.items() if name in template["parameters"]}  # an earlier version knows fewer
        found = owner.deploy(template, self.kit.made_name(self.target.suffix), **given)
        if found.status >= 400:
            self.failure = found.body["error"]
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
        values = {name: {"value": value} for name, value in (self.kit.parameters(self.target) | SWITCHES_ON).items()}
        properties = {"mode": "Incremental", "template": json.loads(self.kit.documents[0].text), "parameters": values}
        self.put(f"/providers/Microsoft.Resources/deployments/{self.kit.made_name(self.target.suffix)}", properties, location="westeurope")

    @property
    def kit_group(self) -> str:
        return f"/resourceGroups/byoc-{self.target.suffix}-kit"

    @property
    def cell_group(self) -> str:
        return f"/resourceGroups/byoc-{self.target.suffix.partition('-')[0]}-cell-{self.target.region}"

    def identity(self, name: str, group: str = "") -> str:
        return f"{group or self.kit_group}/providers/{IDENTITY}/byoc-{self.target.suffix}-{name}"

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
        return next(entry for entry in entries if entry["properties"]["roleName"] == f"byoc-{self.target.suffix}-{name}")

    def assignments(self, name: str) -> list[dict[str, Any]]:
        role = self.role(name)["name"]
        entries = self.read("/providers/Microsoft.Authorization/roleAssignments")["value"]
        return [entry for entry in entries if entry["properties"]["roleDefinitionId"].endswith(role)]


class AzureStand(PlayedAzure):
    """As the contract suite drives it."""

    place = Place(SECOND, {"tenant_id": TENANT})
    nowhere = Place(GLOBEX, {"tenant_id": GLOBEX_TENANT})

    def run_kit(self, place: Place | None = None, **more: str) -> None:  # type: ignore[override]
        ended = super().run_kit(subscription=place.external_id if place else "", **more)
        assert ended == "Succeeded", getattr(self, "failure", ended)

    def switch_off(self, switch: str) -> None:
        self.run_kit(**{switch[0].lower() + switch[1:]: "no"})

    # The customer edits what stands.

    def trust(self, identity: str, subject: str, name: str = "portal", audience: str = AUDIENCE) -> None:
        path = f"{self.identity(identity)}/federatedIdentityCredentials/{name}"
        self.put(path, {"issuer": self.target.issuer, "subject": subject, "audiences": [audience]})

    def delete_provider(self) -> None:
        self.remove(f"{self.identity('operator')}/federatedIdentityCredentials/portal")

    def delete_support(self) -> None:
        self.remove(self.identity("support"))

    def refuse_operator(self) -> None:
        self.trust("operator", "somebody")

    def let_any_subject_in(self) -> None:
        """Azure knows no pattern for subjects: those that are tried, one by one."""
        self.trust("operator", f"account:{NOBODY}:ops", "stranger")
        self.trust("operator", self.target.subject(Subject.SUPPORT), "support")

    def let_ops_open_support(self) -> None:
        self.trust("support", self.target.subject(Subject.OPS), "ops")

    def add_audience(self) -> None:
        """Azure takes one audience for each credential, and one credential for each issuer and subject."""
        self.trust("support", self.target.subject(Subject.SUPPORT), audience="other.example")

    def write_role(self, name: str, edit: Callable[[list[str]], list[str]]) -> None:
        role = self.role(name)
        properties = {key: role["properties"][key] for key in ("roleName", "description", "type", "permissions", "assignableScopes")}
        properties["permissions"][0]["actions"] = edit(properties["permissions"][0]["actions"])
        self.put(f"/providers/Microsoft.Authorization/roleDefinitions/{role['name']}", properties)

    def add_permission(self) -> None:
        self.write_role("support", lambda actions: [*actions, "Microsoft.Compute/virtualMachines/write"])

    def give_more(self) -> None:
        reader = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
        given = {"roleDefinitionId": reader, "principalId": self.principal("support"), "principalType": "ServicePrincipal"}
        self.put("/providers/Microsoft.Authorization/roleAssignments/44444444-4444-4444-8444-444444444444", given)

    def take_permission(self) -> set[str]:
        taken = {"Microsoft.Network/virtualNetworks/write", "Microsoft.Network/virtualNetworks/delete"}
        self.write_role("operator-cells", lambda actions: [action for action in actions if action not in taken])
        return taken

    # The cloud.

    def spread(self, seconds: float) -> None:
        self.account.sandbox.control("POST", "knobs", {"propagation_seconds": seconds})

    def break_kit_read(self, kind: str) -> None:
        fault = {"kind": kind, "service": "arm", "action": "Microsoft.Resources/subscriptions/resourceGroups/read"}
        self.account.control("POST", "faults", fault)

    def break_sign_in(self, kind: str) -> None:
        self.account.control("POST", "faults", {"kind": kind, "service": "entra", "action": "token"})


def addresses(sandbox: SandboxProcess) -> dict[str, str]:
    """What leads the adapter to the local Azure."""
    return {
        "PORTAL_AZURE_AUTHORITY_URL": sandbox.azure,
        "PORTAL_AZURE_ARM_URL": sandbox.azure,
        "PORTAL_AZURE_CA_FILE": sandbox.azure_ca,
    }


REGISTERED = [
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.Compute",
    "Microsoft.ContainerService",
    "Microsoft.KeyVault",
]
