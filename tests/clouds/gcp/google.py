"""Google Cloud as its owner and as the portal see it: plain HTTP, so that every body can be looked at."""

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.clouds.conftest import ISSUER_HOST, SandboxProcess, TestIssuer

PROJECT, NUMBER = "acme-data-prod", "123456789012"
POOL, PROVIDER, ACCOUNT, ROLE = "fernhill-g1", "portal", "fernhill-ops", "fernhillOperator"
EMAIL = f"{ACCOUNT}@{PROJECT}.iam.gserviceaccount.com"
POOL_NAME = f"projects/{NUMBER}/locations/global/workloadIdentityPools/{POOL}"
PROVIDER_NAME = f"{POOL_NAME}/providers/{PROVIDER}"
ISSUER = f"{ISSUER_HOST}/trust/a/g1"
SUBJECT = "account:a:ops"
MEMBER = f"principal://iam.googleapis.com/{POOL_NAME}/subject/{SUBJECT}"
APIS = [
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "sts.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "compute.googleapis.com",
]
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
JWT = "urn:ietf:params:oauth:token-type:jwt"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"
OPERATE = ["resourcemanager.projects.get", "serviceusage.services.get", "serviceusage.services.list", "compute.regions.list"]


@dataclass
class Google:
    """`call` answers (status, body) and raises nothing: refusals are what most tests look at."""

    sandbox: SandboxProcess
    issuer: TestIssuer
    owner: str = ""

    def __post_init__(self) -> None:
        self.owner = self.owner or self.person(project=PROJECT)

    def control(self, method: str, path: str, values: object = None) -> Any:
        return self.sandbox.control(method, f"gcp/{path}", values)

    def person(self, **who: Any) -> str:
        return str(self.control("POST", "owner-token", who)["token"])

    def call(self, verb: str, path: str, body: Any = None, *, token: str | None = None, **headers: str) -> tuple[int, Any]:
        used = self.owner if token is None else token
        given = {"Content-Type": "application/json", **({"Authorization": f"Bearer {used}"} if used else {}), **headers}
        data = None if body is None else json.dumps(body).encode()
        return self._send(urllib.request.Request(self.sandbox.google + path, data, method=verb, headers=given))

    def _send(self, request: urllib.request.Request) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                text = refused.read().decode()
            return refused.code, json.loads(text) if "json" in refused.headers["Content-Type"] else text

    def done(self, verb: str, path: str, body: Any = None) -> Any:
        """A call of the owner that must succeed."""
        status, answer = self.call(verb, path, body)
        assert status == 200, answer
        return answer

    # --- The kit, as small as it can be ---

    def enable(self, *hosts: str, project: str = PROJECT) -> None:
        self.done("POST", f"/serviceusage/v1/projects/{project}/services:batchEnable", {"serviceIds": list(hosts) or APIS})

    def create_pool(self, pool: str = POOL, project: str = PROJECT, **body: Any) -> tuple[int, Any]:
        return self.call("POST", f"/iam/v1/projects/{project}/locations/global/workloadIdentityPools?workloadIdentityPoolId={pool}", body)

    def create_provider(self, project: str = PROJECT, pool: str = POOL, **body: Any) -> tuple[int, Any]:
        given = {"oidc": {"issuerUri": ISSUER}, "attributeMapping": {"google.subject": "assertion.sub"}, **body}
        path = (
            f"/iam/v1/projects/{project}/locations/global/workloadIdentityPools/{pool}/providers?workloadIdentityPoolProviderId={PROVIDER}"
        )
        return self.call("POST", path, given)

    def create_account(self, account: str = ACCOUNT, project: str = PROJECT) -> tuple[int, Any]:
        return self.call("POST", f"/iam/v1/projects/{project}/serviceAccounts", {"accountId": account})

    def bind_account(self, *members: str, role: str = "roles/iam.workloadIdentityUser") -> tuple[int, Any]:
        policy = {"bindings": [{"role": role, "members": list(members)}]}
        return self.call("POST", f"/iam/v1/projects/{PROJECT}/serviceAccounts/{EMAIL}:setIamPolicy", {"policy": policy})

    def policy(self) -> Any:
        return self.done("POST", f"/crm/v1/projects/{PROJECT}:getIamPolicy", {"options": {"requestedPolicyVersion": 3}})

    def set_policy(self, policy: Any, *, token: str | None = None, project: str = PROJECT) -> tuple[int, Any]:
        return self.call("POST", f"/crm/v1/projects/{project}:setIamPolicy", {"policy": policy}, token=token)

    def bind_project(self, role: str, member: str, condition: str = "") -> tuple[int, Any]:
        policy = self.policy()
        extra = {"condition": {"title": "until", "expression": condition}} if condition else {}
        policy["bindings"].append({"role": role, "members": [member], **extra})
        return self.set_policy({**policy, "version": 3})

    def install(self) -> None:
        self.enable()
        for status, answer in (self.create_pool(), self.create_provider()):
            assert status == 200, answer
        self.install_rest()

    def install_rest(self) -> None:
        """What comes after pool and provider: account, role, bindings."""
        role = {"roleId": ROLE, "role": {"includedPermissions": OPERATE, "stage": "GA"}}
        for status, answer in (
            self.create_account(),
            self.bind_account(MEMBER),
            self.call("POST", f"/iam/v1/projects/{PROJECT}/roles", role),
            self.bind_project(f"projects/{PROJECT}/roles/{ROLE}", f"serviceAccount:{EMAIL}"),
        ):
            assert status == 200, answer

    # --- The way in ---

    def exchange(self, token: str = "", *, form: dict[str, str] | None = None, **claims: Any) -> tuple[int, Any]:
        signed = token or self.issuer.token(
            **{"issuer": ISSUER, "subject": SUBJECT, "audience": f"https://iam.googleapis.com/{PROVIDER_NAME}", **claims}
        )
        fields = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "audience": f"//iam.googleapis.com/{PROVIDER_NAME}",
            "scope": SCOPE, "requested_token_type": ACCESS, "subject_token": signed, "subject_token_type": JWT, **(form or {}),
        }  # fmt: skip
        request = urllib.request.Request(
            f"{self.sandbox.google}/sts/v1/token", urlencode(fields).encode(), headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        return self._send(request)

    def impersonate(self, federated: str = "", *, email: str = EMAIL, lifetime: str = "900s", **body: Any) -> tuple[int, Any]:
        token = federated or self.exchange()[1]["access_token"]
        given = {"scope": [SCOPE], "lifetime": lifetime, "delegates": None, **body}
        return self.call("POST", f"/iamcredentials/v1/projects/-/serviceAccounts/{email}:generateAccessToken", given, token=token)

    def session(self) -> str:
        status, answer = self.impersonate()
        assert status == 200, answer
        return str(answer["accessToken"])


def in_seconds(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


# --- Bodies that several tests expect ---

GET_PROJECT = f"/crm/v3/projects/{PROJECT}"
BAD_TARGET = {
    "error": "invalid_target",
    "error_description": 'The target service indicated by the "audience" parameters is invalid. This might either be because the pool or '
    "provider is disabled or deleted or because it doesn't exist.",
}


def no_project(name: str, permission: str = "resourcemanager.projects.get") -> dict[str, Any]:
    return {
        "error": {
            "code": 403,
            "message": f"Permission '{permission}' denied on resource '//cloudresourcemanager.googleapis.com/projects/{name}' "
            "(or it may not exist).",
            "status": "PERMISSION_DENIED",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "IAM_PERMISSION_DENIED",
                    "domain": "cloudresourcemanager.googleapis.com",
                    "metadata": {"permission": permission, "resource": f"projects/{name}"},
                }
            ],
        }
    }


def forget_violations(google: Google) -> list[dict[str, str]]:
    found: list[dict[str, str]] = google.sandbox.control("GET", "violations")
    google.sandbox.control("DELETE", "violations")
    return found
