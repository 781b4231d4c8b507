"""One account in each cloud with the kit in it, as the contract suite drives it: what the customer does, what breaks, and our adapter.

A new cloud writes one class with these names (`Stand`) and one line in STANDS. Every method brings about the same thing in its cloud; what
only one cloud knows belongs into tests of its own.
"""

from collections.abc import Callable
from typing import Any, Protocol

from accounts.clouds.base import CloudAdapter, Place, Subject, Target, TokenSource
from accounts.kits.base import CloudKit
from tests.clouds.aws.played import PlayedAws
from tests.clouds.azure.played import AzureStand
from tests.clouds.azure.played import addresses as azure_addresses
from tests.clouds.conftest import Cloud, SandboxProcess, TestIssuer
from tests.clouds.gcp.google import PROJECT
from tests.clouds.gcp.played import STRANGER, SUFFIX, PlayedGcp


class Stand(Protocol):
    kit: CloudKit
    target: Target
    place: Place  # another account of the same customer
    nowhere: Place  # one in which nothing of ours stands

    def adapter(self, **changes: Any) -> CloudAdapter:
        """A new one, with `changes` to the target."""
        ...

    def tokens(self, target: Target) -> TokenSource:
        """What an adapter asks for its tokens; a test that watches them puts its own in the place of this."""
        ...

    # The customer runs the kit, and has switches.
    def run_kit(self, place: Place | None = None) -> None: ...
    def switch_off(self, switch: str) -> None: ...

    # The customer edits what stands.
    def delete_provider(self) -> None: ...
    def delete_support(self) -> None: ...
    def refuse_operator(self) -> None:
        """The provider knows our token, the operator identity does not."""
        ...

    def let_any_subject_in(self) -> None: ...
    def let_ops_open_support(self) -> None: ...
    def add_audience(self) -> None: ...
    def add_permission(self) -> None:
        """To what the kit gives the support identity."""
        ...

    def give_more(self) -> None:
        """Something that is not the kit's, to the support identity."""
        ...

    def take_permission(self) -> set[str]:
        """From the operator; the keys of what is missing then."""
        ...

    # The cloud.
    def spread(self, seconds: float) -> None:
        """How long what is made stays unknown."""
        ...

    def break_kit_read(self, kind: str) -> None:
        """The next call that reads the kit's own statement fails, as often as the SDK tries."""
        ...

    def break_sign_in(self, kind: str) -> None: ...


class AwsStand(PlayedAws):
    place = Place("999900001111")
    nowhere = Place("123456789012")

    def run_kit(self, place: Place | None = None, **more: Any) -> None:  # type: ignore[override]
        assert super().run_kit(account=place.external_id if place else "", **more) == "CREATE_COMPLETE"

    def switch_off(self, switch: str) -> None:
        self.turn(switch, "no")

    def delete_support(self) -> None:
        self.delete_support_role()

    def refuse_operator(self) -> None:
        self.write_trust("operator", lambda statement: statement["Condition"]["StringEquals"].update({"sts:RoleSessionName": "somebody"}))

    def add_permission(self) -> None:
        self.change_inline_policy()

    def give_more(self) -> None:
        self.attach_policy()

    def take_permission(self) -> set[str]:
        self.iam.delete_role_policy(RoleName="byoc-3f9a1c2e-g1-operator", PolicyName="network")
        return {"ec2:CreateVpc", "ec2:DeleteVpc"}

    def spread(self, seconds: float) -> None:
        self.control("POST", "knobs", {"propagation_seconds": seconds})

    def break_kit_read(self, kind: str) -> None:
        self.control("POST", "faults", {"kind": kind, "action": "DescribeStacks", "count": 2})

    def break_sign_in(self, kind: str) -> None:
        self.control("POST", "faults", {"kind": kind, "action": "AssumeRoleWithWebIdentity", "count": 2})

    def control(self, *request: Any) -> Any:
        assert self.cloud.sandbox is not None
        return self.cloud.sandbox.control(*request)


class GcpStand(PlayedGcp):
    place = Place("acme-sandbox", {"project_number": "345678901234"})
    nowhere = Place("acme-locked", {"project_number": "456789012345"})

    def run_kit(self, place: Place | None = None, **more: Any) -> None:  # type: ignore[override]
        super().run_kit(place=place, **more)

    def switch_off(self, switch: str) -> None:
        for bound in self.shipped.bindings:
            if bound.switch == switch:
                self.unbind(bound.role)
        account = f"/iam/v1/projects/{PROJECT}/serviceAccounts/{self.email('operator')}"
        word = {"AllowChanges": "allow-changes", "AllowSupport": "allow-support"}[switch]
        text = self.google.done("GET", account)["description"].replace(f"{word}=yes", f"{word}=no")
        self.google.done("PATCH", account, {"serviceAccount": {"description": text}, "updateMask": "description"})

    def delete_provider(self) -> None:
        self.google.done("DELETE", f"/iam/v1/{self.shipped.provider}")

    def delete_support(self) -> None:
        self.google.done("DELETE", f"/iam/v1/projects/{PROJECT}/serviceAccounts/{self.email('support')}")

    def refuse_operator(self) -> None:
        self.write_members(self.email("operator"), {STRANGER: ["roles/iam.workloadIdentityUser"]})

    def let_any_subject_in(self) -> None:
        self.patch_provider("attributeCondition", attributeCondition="")
        everybody = f"principalSet://iam.googleapis.com/{self.shipped.pool}/*"
        self.write_members(self.email("operator"), {everybody: ["roles/iam.workloadIdentityUser"]})

    def let_ops_open_support(self) -> None:
        subjects = (self.member(Subject.OPS), self.member(Subject.SUPPORT))
        self.write_members(self.email("support"), {member: ["roles/iam.workloadIdentityUser"] for member in subjects})

    def add_audience(self) -> None:
        self.patch_provider("oidc.allowedAudiences", oidc={"allowedAudiences": [self.target.audience, "other.example"]})

    def add_permission(self) -> None:
        self.patch_role("support", [*self.shipped.roles[self.role("support")], "logging.logEntries.list"])

    def give_more(self) -> None:
        self.bind("roles/viewer", f"serviceAccount:{self.email('support')}")

    def take_permission(self) -> set[str]:
        kept = [permission for permission in self.shipped.roles[self.role("cells")] if not permission.startswith("config.deployments.")]
        self.patch_role("cells", kept)
        return {"config.deployments.create", "config.deployments.delete"}

    def spread(self, seconds: float) -> None:
        self.google.control("POST", "knobs", {"propagation_seconds": seconds})

    def break_kit_read(self, kind: str) -> None:
        self.google.control("POST", "faults", {"kind": kind, "service": "iam", "action": "iam.projects.serviceAccounts.get"})

    def break_sign_in(self, kind: str) -> None:
        self.google.control("POST", "faults", {"kind": kind, "service": "sts", "action": "sts.token"})


assert SUFFIX == "3f9a1c2e-g1"
Make = Callable[[Cloud, SandboxProcess, TestIssuer], Stand]
# Name of the cloud -> how it is made, and the address of its local server by the variable that the adapter reads.
STANDS: dict[str, tuple[Make, Callable[[SandboxProcess], dict[str, str]]]] = {
    "aws": (lambda cloud, sandbox, issuer: AwsStand(cloud), lambda sandbox: {"AWS_ENDPOINT_URL": sandbox.portal}),
    "azure": (lambda cloud, sandbox, issuer: AzureStand(sandbox, issuer), azure_addresses),
    "gcp": (lambda cloud, sandbox, issuer: GcpStand(sandbox, issuer), lambda sandbox: {"PORTAL_GCP_URL": sandbox.google}),
}
