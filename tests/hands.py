"""The customer's hands in each cloud: run the issued kit, break what it made, put it back. The same names for three clouds.

What the clouds' own suite knows how to do (`tests/clouds/stands.py`) is done by it; here it is done to the kit that the portal has issued.
"""

import json
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from accounts.kit_links import report_url
from accounts.kits import history
from accounts.models import CloudAccount, Kit
from accounts.targets import target_of
from portal.embedded.process import wait_until
from tests.clouds.azure.account import SECOND as SECOND_SUBSCRIPTION
from tests.clouds.azure.account import SUBSCRIPTION, TENANT
from tests.clouds.azure.played import AzureStand
from tests.clouds.conftest import SandboxProcess
from tests.clouds.gcp.google import NUMBER as PROJECT_NUMBER
from tests.clouds.gcp.google import PROJECT
from tests.clouds.stands import GcpStand
from tests.hand_aws import FOR_EVER, AwsHand
from tests.local_cloud import LocalCloud


def process(sandbox: LocalCloud) -> SandboxProcess:
    """The addresses under the names that the clouds' own suite uses."""
    ports = sandbox.aws_port, sandbox.console_port, sandbox.smtp_port, sandbox.gcp_port, sandbox.azure_port
    return SandboxProcess(None, *ports, sandbox.azure_ca)


class GcpHand(GcpStand):
    cloud = "gcp"
    external_id, region, belongs = PROJECT, "europe-west3", {"project_number": PROJECT_NUMBER}
    another_id, another_region = "acme-sandbox", "europe-west4"
    kit_read = {"service": "iam", "action": "iam.projects.serviceAccounts.get"}
    sign_in = {"service": "sts", "action": "sts.token"}

    def __init__(self, sandbox: LocalCloud, tell: Callable[[str], object]) -> None:
        super().__init__(process(sandbox), None)
        self.tell = tell

    @staticmethod
    def environment(sandbox: LocalCloud) -> dict[str, str]:
        return {"PORTAL_GCP_URL": sandbox.gcp_url}

    def take(self, kit: Kit) -> None:
        self.target = target_of(kit.account, kit)

    # --- the kit ---

    @contextmanager
    def told(self, **changes: Any) -> Any:
        """The command with another word in it than the page's."""
        was = self.target
        self.target = replace(was, **changes)
        yield
        self.target = was

    def run_elsewhere(self) -> None:
        self.run_kit(self.place)
        self.tell(json.dumps({"kit": "gcp", "project_id": self.another_id, "region": self.region}))

    def run_in_another_region(self) -> None:
        with self.told(region=self.another_region):
            self.run_kit()

    def run_of_earlier_generation(self) -> None:
        with self.told(generation=1):
            self.run_kit()

    def run_of_another_version(self) -> None:
        self.run_kit()
        self.say(f"kit={self.kit.version}", "kit=0.0.9")

    def run_with_changes_off(self) -> None:
        self.run_kit(allow_changes="no")

    def allow_changes(self) -> None:
        self.run_kit()
        self.say("allow-changes=no", "allow-changes=yes")

    def run_earlier(self, version: str) -> None:
        """The kit of an earlier version, which the issued kit is of."""
        self.run_kit()
        self.say(f"kit={self.kit.version}", f"kit={version}")

    def say(self, word: str, instead: str) -> None:
        """What stands in the operator account's description, edited."""
        account = f"/iam/v1/projects/{PROJECT}/serviceAccounts/{self.email('operator')}"
        text = self.google.done("GET", account)["description"]
        assert word in text
        self.google.done("PATCH", account, {"serviceAccount": {"description": text.replace(word, instead)}, "updateMask": "description"})

    # --- what is done to it ---

    def disable_pool(self) -> None:
        self.google.done("PATCH", f"/iam/v1/{self.shipped.pool}?updateMask=disabled", {"disabled": True})

    def enable_pool(self) -> None:
        self.google.done("PATCH", f"/iam/v1/{self.shipped.pool}?updateMask=disabled", {"disabled": False})

    def widen_trust(self) -> None:
        self.let_any_subject_in()

    def restore_trust(self) -> None:
        self.patch_provider("attributeCondition", attributeCondition=self.shipped.condition)
        self.write_members(self.email("operator"), self.shipped.accounts["operator"].members)

    def take_audience_back(self) -> None:
        self.patch_provider("oidc.allowedAudiences", oidc={"allowedAudiences": []})

    def restore_permission(self) -> None:
        self.patch_role("cells", list(self.shipped.roles[self.role("cells")]))

    def add_permission(self) -> None:
        self.give_more()

    def take_permission_back(self) -> None:
        self.unbind("roles/viewer")

    def remove_limit(self) -> None:
        """The condition of a binding of the kit."""
        self._bind_clusters(is_limited=False)

    def restore_limit(self) -> None:
        self._bind_clusters(is_limited=True)

    def _bind_clusters(self, *, is_limited: bool) -> None:
        (bound,) = (bound for bound in self.shipped.bindings if bound.role == self.role("clusters"))
        assert bound.condition
        self.unbind(bound.role)
        self.bind(bound.role, f"serviceAccount:{self.email(bound.account)}", bound.condition if is_limited else "")

    def delete_support_identity(self) -> None:
        self.delete_identity("support")

    def delete_identity(self, name: str) -> None:
        self.google.done("DELETE", f"/iam/v1/projects/{PROJECT}/serviceAccounts/{self.email(name)}")

    # --- what is above it, and the cloud ---

    def disable_api(self) -> None:
        path = f"/serviceusage/v1/projects/{PROJECT}/services/cloudresourcemanager.googleapis.com:disable"
        self.google.done("POST", path, {"disableDependentServices": True})

    def enable_api(self) -> None:
        self.google.enable(*self.shipped.services)

    def fault(self, kind: str, count: int | None = FOR_EVER, **where: str) -> None:
        self.google.control("POST", "faults", {"kind": kind, "count": count, **(where or self.kit_read)})

    def drop_faults(self) -> None:
        self.google.control("DELETE", "faults")


class AzureHand(AzureStand):
    cloud = "azure"
    external_id, region, belongs = SUBSCRIPTION, "westeurope", {"tenant_id": TENANT}
    another_id, another_region = SECOND_SUBSCRIPTION, "northeurope"
    kit_read = {"service": "arm", "action": "Microsoft.Resources/subscriptions/resourceGroups/read"}
    sign_in = {"service": "entra", "action": "token"}

    def __init__(self, sandbox: LocalCloud, tell: Callable[[str], object]) -> None:
        super().__init__(process(sandbox), None)
        self.tell = tell

    @staticmethod
    def environment(sandbox: LocalCloud) -> dict[str, str]:
        names = ("AUTHORITY_URL", "ARM_URL", "CA_FILE")
        values = (sandbox.azure_url, sandbox.azure_url, sandbox.azure_ca)
        return {f"PORTAL_AZURE_{name}": value for name, value in zip(names, values, strict=True)}

    def take(self, kit: Kit) -> None:
        self.target = target_of(kit.account, kit)

    # --- the kit ---

    def run_kit(self, place: Any = None, **more: str) -> None:
        """And the ids that it prints are pasted, which tell nothing of the place."""
        super().run_kit(place, **more)
        told = self.target.reported
        self.tell(f"{told['client_id']}\n{told['support_client_id']}")

    def run_elsewhere(self) -> None:
        self.run_kit(self.place)

    def run_in_another_region(self) -> None:
        self.run_kit(location=self.another_region)

    def run_of_earlier_generation(self) -> None:
        self.run_kit(generation="1")

    def run_of_another_version(self) -> None:
        self.run_kit()
        self.tag("byoc-kit-version", "0.0.9")

    def run_with_changes_off(self) -> None:
        self.run_kit(allowChanges="no")

    def allow_changes(self) -> None:
        self.run_kit()

    def run_earlier(self, version: str) -> None:
        """The kit of an earlier version, which the issued kit is of."""
        self.template_text = (history.folder("azure") / f"{version}.kit.json").read_text(encoding="utf-8")
        self.run_kit()
        self.template_text = ""

    def tag(self, name: str, value: str) -> None:
        """What stands on the kit's group, edited."""
        group = self.read(self.kit_group)
        answer = self.account.owner("PUT", self.kit_group, {"location": group["location"], "tags": group["tags"] | {name: value}})
        assert answer.status == 200, answer

    # --- what is done to it ---

    def widen_trust(self) -> None:
        self.let_any_subject_in()

    def restore_trust(self) -> None:
        for name in ("stranger", "support"):
            self.remove(f"{self.identity('operator')}/federatedIdentityCredentials/{name}")

    def take_audience_back(self) -> None:
        self.run_kit()

    def restore_permission(self) -> None:
        self.run_kit()

    def add_permission(self) -> None:
        self.give_more()

    def take_permission_back(self) -> None:
        self.remove("/providers/Microsoft.Authorization/roleAssignments/44444444-4444-4444-8444-444444444444")

    def remove_limit(self) -> None:
        """The role for the cell's group alone, given in the whole subscription."""
        given = {
            "roleDefinitionId": self.role("operator-cells")["id"],
            "principalId": self.principal("operator"),
            "principalType": "ServicePrincipal",
        }
        self.put("/providers/Microsoft.Authorization/roleAssignments/44444444-4444-4444-8444-444444444444", given)

    def restore_limit(self) -> None:
        self.take_permission_back()

    def delete_support_identity(self) -> None:
        self.delete_identity("support")

    def delete_identity(self, name: str) -> None:
        self.remove(self.identity(name))

    # --- what is above it, and the cloud ---

    def start_deleting_kit(self) -> None:
        """Slowly enough to be seen at it: the role is the last to go, as Azure leaves it to the customer."""
        self.account.sandbox.control("POST", "knobs", {"pace_seconds": 3})
        self.remove(self.kit_group)

    def wait_until_kit_is_gone(self) -> None:
        self.account.sandbox.control("POST", "knobs", {"pace_seconds": 0})
        assert wait_until(lambda: self.account.owner("GET", self.kit_group).status == HTTPStatus.NOT_FOUND, 30)

    def subscription(self, **changes: Any) -> None:
        self.account.control("PATCH", "subscriptions", {"id": SUBSCRIPTION, **changes})

    def fault(self, kind: str, count: int | None = FOR_EVER, **where: str) -> None:
        self.account.control("POST", "faults", {"kind": kind, "count": count, **(where or self.kit_read)})

    def drop_faults(self) -> None:
        self.account.control("DELETE", "faults")


HANDS = {hand.cloud: hand for hand in (AwsHand, AzureHand, GcpHand)}


def make_account(cloud: str, **fields: Any) -> CloudAccount:
    """A draft of the account in which the hand of this cloud works."""
    from tests.factories import make_cloud_account

    hand = HANDS[cloud]
    return make_cloud_account(
        **{"cloud": cloud, "external_id": hand.external_id, "home_region": hand.region, "identity": dict(hand.belongs)} | fields
    )


def tell_itself(client: Any, kit: Kit, text: str) -> None:
    """As the kit's last line does: to the address in its command, signed in as nobody."""
    path = "/" + report_url(kit).split("/", 3)[3]
    assert client.post(path, text, content_type="application/json").status_code == 200
