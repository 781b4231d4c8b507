"""A customer's Google Cloud project, the kit in it, and our adapter."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from accounts.clouds import open_account
from accounts.clouds.base import CloudAdapter, Place, Subject, Target
from accounts.clouds.gcp.shipped import ShippedKit
from accounts.kits.gcp import script
from accounts.kits.gcp.kit import GcpKit
from portal.sandbox.shell.runs import prepare
from portal.sandbox.shell.session import Session
from tests.clouds.conftest import ISSUER_HOST, SandboxProcess, TestIssuer
from tests.clouds.gcp.google import NUMBER, PROJECT, Google

ACCOUNT = "3f9a1c2e-0b5d-4c1e-9a57-6a1f0c2d3e4b"
SUFFIX = "3f9a1c2e-g1"
SECOND, SECOND_NUMBER = "acme-sandbox", "345678901234"
REGION = "europe-west3"
STRANGER = "user:mallory@evil.example"
GCLOUD = shutil.which("gcloud")


class PlayedGcp:
    name = "gcp"

    def __init__(self, sandbox: SandboxProcess, issuer: TestIssuer) -> None:
        self.sandbox = sandbox
        self.issuer = issuer
        self.google = Google(sandbox, issuer)
        self.kit = GcpKit()
        target = Target(
            account=ACCOUNT,
            external_id=PROJECT,
            region=REGION,
            suffix=SUFFIX,
            generation=1,
            kit_version=self.kit.version,
            kit_hash=self.kit.content_hash,
            issuer=f"{ISSUER_HOST}/trust/{ACCOUNT}/g1",
            audience="",
            identity={"project_number": NUMBER},
        )
        self.target = replace(target, audience=self.kit.audience(target))

    @property
    def elsewhere(self) -> Place:
        return Place(SECOND, {"project_number": SECOND_NUMBER})

    @property
    def suffix(self) -> str:
        return self.target.suffix

    # --- ours ---

    def adapter(self, **changes: Any) -> CloudAdapter:
        target = replace(self.target, **changes)
        return open_account("gcp", target, self.tokens(target), self.kit.shipped(target))

    def tokens(self, target: Target) -> Callable[..., str]:
        def mint(*, subject: str, audience: str, claims: Mapping[str, Any] | None = None) -> str:
            return self.issuer.token(issuer=target.issuer, subject=subject, audience=audience, **(claims or {}))

        return mint

    @property
    def shipped(self) -> ShippedKit:
        return self.kit.shipped(self.target)

    # --- the kit, as the script makes it: test_gcp_kit.py holds the two against each other ---

    def run_kit(self, *, place: Place | None = None, allow_changes: str = "yes", allow_support: str = "yes") -> None:
        """The script's effect by plain calls of the owner; the script itself takes seconds, with the real gcloud a minute."""
        target = self._in(place)
        kit = self.kit.shipped(target)
        iam = f"/iam/v1/projects/{kit.project}"
        self.google.enable(*kit.services, project=kit.project)
        for name, permissions in kit.roles.items():
            title = script.titles()[name.partition(f"byoc_{self.suffix.replace('-', '_')}_")[2]].format(suffix=self.suffix)
            role = {"title": title, "includedPermissions": list(permissions), "stage": "GA"}
            self._put(f"{iam}/roles", {"roleId": name.rpartition("/")[2], "role": role})
        said = {
            "kit": self.kit.version, "account": target.account, "generation": str(target.generation), "allow-changes": allow_changes,
            "allow-support": allow_support, "region": target.region,
        }  # fmt: skip
        for name, account in kit.accounts.items():
            body = {"displayName": f"BYOC {self.suffix} {'machines of cells' if name == 'node' else name}"}
            if name == "operator":
                body["description"] = "byoc " + " ".join(f"{word}={value}" for word, value in said.items())
            self._put(f"{iam}/serviceAccounts", {"accountId": account.email.partition("@")[0], "serviceAccount": body})
        for name, text in kit.views.items():
            folder, _, view = name.rpartition("/")
            title = "who read what" if view.endswith("-trail") else "what clusters write about themselves"
            self._put(f"/logging/v2/{folder}?viewId={view}", {"filter": text, "description": f"BYOC {self.suffix}: {title}"})
        if kit.views:
            audited = [json.loads(entry) for entry in script.audited()]
            self.google.done(
                "POST", f"/crm/v3/projects/{kit.project}:setIamPolicy",
                {"policy": {"auditConfigs": audited}, "updateMask": "auditConfigs"},
            )  # fmt: skip
        off = {"AllowChanges": allow_changes == "no", "AllowSupport": allow_support == "no"}
        for bound in kit.bindings:
            if not off.get(bound.switch):
                self.bind(bound.role, f"serviceAccount:{kit.accounts[bound.account].email}", bound.condition, project=kit.project)
        about = {
            "displayName": f"BYOC portal {self.suffix}",
            "description": "Lets the portal sign in without a key. Made by its onboarding kit.",
        }
        self._put(f"{iam}/locations/global/workloadIdentityPools?workloadIdentityPoolId=byoc-{self.suffix}", about)
        self.add_provider("portal", kit)
        for account in kit.accounts.values():
            self.write_members(account.email, account.members)

    def turn(self, switch: str, to: str) -> None:
        """As the script does it when it is run again with the switch named."""
        kit, policy = self.shipped, self.policy("")
        gone = {bound.role for bound in kit.bindings if bound.switch == switch} | (set(kit.lent) if switch == "AllowSupport" else set())
        policy["bindings"] = [bound for bound in policy["bindings"] if bound["role"] not in gone]
        self.write_policy("", policy)
        for bound in kit.bindings if to == "yes" else ():
            if bound.switch == switch:
                self.bind(bound.role, f"serviceAccount:{kit.accounts[bound.account].email}", bound.condition)

    def _in(self, place: Place | None) -> Target:
        if place is None:
            return self.target
        target = replace(self.target, external_id=place.external_id, identity=place.identity)
        return replace(target, audience=self.kit.audience(target))

    def _put(self, path: str, body: Any) -> None:
        status, answer = self.google.call("POST", path, body)
        assert status in {200, 409}, answer  # 409: the kit is run a second time

    def add_provider(self, name: str, kit: ShippedKit, **changes: Any) -> None:
        body = {"oidc": {"issuerUri": kit.issuer}, "attributeMapping": dict(kit.mapping), "attributeCondition": kit.condition, **changes}
        self._put(f"/iam/v1/{kit.pool}/providers?workloadIdentityPoolProviderId={name}", body)

    # --- the script itself ---

    def run_script(
        self, *more: str, gcloud: str = "played", scratch: Path | None = None, **instead: str
    ) -> subprocess.CompletedProcess[str]:
        """By the real bash, with the played gcloud or the real one. `scratch` is where it may leave files behind."""
        given = self.kit.arguments(self.target) | {name.replace("_", "-"): value for name, value in instead.items()}
        words = [word for name, value in given.items() for word in (f"--{name}", value)]
        with tempfile.TemporaryDirectory(prefix="byoc-gcp-") as folder:
            environment = self._played(Path(folder)) if gcloud == "played" else self._real(Path(folder))
            environment = {**environment, **({"TMPDIR": str(scratch)} if scratch else {})}
            path = script.SCRIPT_PATH
            return subprocess.run(
                ["bash", str(path), *words, *more], env=environment, capture_output=True, text=True, check=False, timeout=400
            )

    def run_line(self, line: str) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryDirectory(prefix="byoc-gcp-") as folder:
            return subprocess.run(
                ["bash", "-c", line], env=self._played(Path(folder)), capture_output=True, text=True, check=False, timeout=60
            )

    def _played(self, folder: Path) -> Mapping[str, str]:
        return prepare(folder, Session("owner@acme.example", PROJECT, self.google.owner, self.sandbox.google))

    def _real(self, folder: Path) -> Mapping[str, str]:
        """gcloud takes another address for each API, and a token of ours for a signed-in person."""
        (folder / "token").write_text(self.google.owner)
        apis = ("iam", "serviceusage", "orgpolicy", "logging")
        paths = {"CLOUDRESOURCEMANAGER": "crm/", **{name.upper(): f"{name}/" for name in apis}}
        return {
            "PATH": os.environ["PATH"], "HOME": str(folder), "CLOUDSDK_CONFIG": str(folder / "gcloud"), "CLOUDSDK_PYTHON_SITEPACKAGES": "0",
            "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(folder / "token"), "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
            "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
            **{f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api}": f"{self.sandbox.google}/{path}" for api, path in paths.items()},
        }  # fmt: skip

    def state(self, project: str = PROJECT) -> dict[str, Any]:
        """Everything that the kit has made, without what is another at every run."""
        found = self.google.control("GET", f"state?{urlencode({'project': project})}")
        unique = {
            body["uniqueId"]: body["email"] for name, body in found["resources"].items() if "/serviceAccounts/" in name and body["is_live"]
        }
        text = json.dumps(found, sort_keys=True)
        for number, email in unique.items():
            text = text.replace(number, email)
        return _without(json.loads(text), {"etag", "uniqueId", "oauth2ClientId", "title@", "createTime", "updateTime"})

    # --- what a customer may do by hand ---

    def policy(self, path: str) -> dict[str, Any]:
        """Of a service account or, with an empty path, of the project."""
        if path:
            return self.google.done(
                "POST", f"/iam/v1/projects/{PROJECT}/serviceAccounts/{path}:getIamPolicy?options.requestedPolicyVersion=3", {}
            )
        return self.google.done("POST", f"/crm/v3/projects/{PROJECT}:getIamPolicy", {"options": {"requestedPolicyVersion": 3}})

    def write_policy(self, path: str, policy: dict[str, Any], project: str = PROJECT) -> None:
        target = f"/iam/v1/projects/{project}/serviceAccounts/{path}" if path else f"/crm/v3/projects/{project}"
        self.google.done("POST", f"{target}:setIamPolicy", {"policy": {**policy, "version": 3}})

    def write_members(self, email: str, members: Mapping[str, Any]) -> None:
        roles: dict[str, list[str]] = {}
        for member, held in members.items():
            for role in held:
                roles.setdefault(role, []).append(member)
        project = email.partition("@")[2].partition(".")[0]
        self.write_policy(email, {"bindings": [{"role": role, "members": found} for role, found in roles.items()]}, project)

    def bind(self, role: str, member: str, condition: str = "", *, project: str = PROJECT) -> None:
        policy = self.google.done("POST", f"/crm/v3/projects/{project}:getIamPolicy", {"options": {"requestedPolicyVersion": 3}})
        limit = {"condition": {"title": "byoc", "expression": condition}} if condition else {}
        same = [bound for bound in policy["bindings"] if bound["role"] == role and bound.get("condition", {}) == limit.get("condition", {})]
        if same:
            same[0]["members"] = sorted({*same[0]["members"], member})
        else:
            policy["bindings"].append({"role": role, "members": [member], **limit})
        self.write_policy("", policy, project)

    def unbind(self, role: str) -> None:
        policy = self.policy("")
        policy["bindings"] = [bound for bound in policy["bindings"] if bound["role"] != role]
        self.write_policy("", policy)

    def email(self, name: str) -> str:
        return self.shipped.accounts[name].email

    def role(self, name: str) -> str:
        return f"projects/{PROJECT}/roles/byoc_{self.suffix.replace('-', '_')}_{name}"

    def member(self, subject: Subject) -> str:
        return f"principal://iam.googleapis.com/{self.shipped.pool}/subject/{self.target.subject(subject)}"

    def patch_provider(self, mask: str, **body: Any) -> None:
        self.google.done("PATCH", f"/iam/v1/{self.shipped.provider}?updateMask={mask}", body)

    def patch_role(self, name: str, permissions: list[str]) -> None:
        self.google.done("PATCH", f"/iam/v1/{self.role(name)}?updateMask=includedPermissions", {"includedPermissions": permissions})


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(inner, names) for name, inner in value.items() if name not in names}
    if isinstance(value, list):
        return sorted((_without(inner, names) for inner in value), key=lambda inner: json.dumps(inner, sort_keys=True))
    return value
