"""Google's own gcloud against the local Google, and the played one beside it: the same words must leave the same state.

Skipped where gcloud is not installed: it is on no package index that the tests use.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from portal.sandbox.shell import entry
from portal.sandbox.shell.session import Session
from tests.clouds.conftest import SandboxProcess, TestIssuer
from tests.clouds.gcp.google import APIS, EMAIL, ISSUER, MEMBER, NUMBER, POOL, PROJECT, ROLE, Google

GCLOUD = shutil.which("gcloud")
needs_gcloud = pytest.mark.skipif(GCLOUD is None, reason="gcloud is not installed here")
OVERRIDES = {"IAM": "iam", "CLOUDRESOURCEMANAGER": "crm", "SERVICEUSAGE": "serviceusage", "IAMCREDENTIALS": "iamcredentials", "STS": "sts"}

POOLS = "iam workload-identity-pools"
PROVIDER = f"--location=global --workload-identity-pool={POOL}"
UNTIL = 'expression=request.time < timestamp("2099-01-01T00:00:00Z"),title=until'
# Words and exit code. What is printed with --format is compared too.
MAKE: tuple[tuple[list[str], int], ...] = (
    (["projects", "describe", PROJECT, "--format=value(projectNumber,lifecycleState)"], 0),
    (["services", "enable", *APIS, f"--project={PROJECT}", "--quiet"], 0),
    ([*POOLS.split(), "describe", POOL, "--location=global", "--format=value(state)"], 1),
    ([*POOLS.split(), "create", POOL, "--location=global", "--display-name=Fern hill", "--description=Lets, the portal in"], 0),
    ([*POOLS.split(), "providers", "create-oidc", "portal", *PROVIDER.split(), f"--issuer-uri={ISSUER}",
      "--attribute-mapping=google.subject=assertion.sub,attribute.account=assertion.account",
      "--attribute-condition=assertion.sub in ['account:a:ops', 'account:a:support']"], 0),
    ([*POOLS.split(), "providers", "update-oidc", "portal", *PROVIDER.split(), "--allowed-audiences=fernhill,//other"], 0),
    ([*POOLS.split(), "providers", "describe", "portal", *PROVIDER.split(), "--format=json"], 0),
    (["iam", "service-accounts", "create", "fernhill-ops", "--display-name=Operator"], 0),
    (["iam", "service-accounts", "create", "fernhill-ops"], 1),
    (["iam", "service-accounts", "update", EMAIL, "--description=kit=1.0.0 region=europe-west3"], 0),
    (["iam", "service-accounts", "describe", EMAIL, "--format=value(email,description)"], 0),
    (["iam", "roles", "create", ROLE, f"--project={PROJECT}", "--title=Look: here", "--stage=GA",
      "--permissions=resourcemanager.projects.get,compute.regions.list"], 0),
    (["iam", "roles", "update", ROLE, f"--project={PROJECT}", "--permissions=resourcemanager.projects.get", "--stage=GA", "--quiet"], 0),
    (["iam", "service-accounts", "add-iam-policy-binding", EMAIL, f"--member={MEMBER}", "--role=roles/iam.workloadIdentityUser",
      "--condition=None", "--format=none"], 0),
    (["projects", "add-iam-policy-binding", PROJECT, f"--member=serviceAccount:{EMAIL}", f"--role=projects/{PROJECT}/roles/{ROLE}",
      "--condition=None", "--format=none"], 0),
    (["projects", "add-iam-policy-binding", PROJECT, f"--member=serviceAccount:{EMAIL}", "--role=roles/browser", f"--condition={UNTIL}",
      "--format=none"], 0),
    (["projects", "add-iam-policy-binding", PROJECT, f"--member=serviceAccount:{EMAIL}", "--role=roles/compute.viewer"], 1),
    (["projects", "get-iam-policy", PROJECT, "--format=json"], 0),
)  # fmt: skip
TAKE_AWAY: tuple[tuple[list[str], int], ...] = (
    ([*POOLS.split(), "delete", POOL, "--location=global", "--quiet"], 0),
    ([*POOLS.split(), "describe", POOL, "--location=global", "--format=value(state)"], 0),
    ([*POOLS.split(), "create", POOL, "--location=global"], 1),
    ([*POOLS.split(), "undelete", POOL, "--location=global", "--format=none"], 0),
    (["projects", "remove-iam-policy-binding", PROJECT, f"--member=serviceAccount:{EMAIL}", "--role=roles/browser", "--all",
      "--format=none", "--quiet"], 0),
    (["projects", "remove-iam-policy-binding", PROJECT, f"--member=serviceAccount:{EMAIL}", "--role=roles/browser", "--all", "--quiet"], 1),
    (["iam", "roles", "delete", ROLE, f"--project={PROJECT}", "--quiet", "--format=value(name,deleted)"], 0),
    (["iam", "roles", "describe", ROLE, f"--project={PROJECT}", "--format=value(name,deleted)"], 0),
    (["iam", "roles", "undelete", ROLE, f"--project={PROJECT}", "--format=value(name)"], 0),
    (["iam", "service-accounts", "delete", EMAIL, "--quiet"], 0),
    (["iam", "service-accounts", "describe", EMAIL, "--format=value(email)"], 1),
)  # fmt: skip


class Gcloud:
    """One of the two programs, signed in as the project's owner."""

    def __init__(self, google: Google, folder: Path, *, is_real: bool) -> None:
        folder.mkdir()
        self.is_real = is_real
        self.folder = folder
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "CLOUDSDK_CORE_PROJECT": PROJECT, "LANG": "C.UTF-8"}
        address = google.sandbox.google
        if is_real:
            token = folder / "token"
            token.write_text(google.owner)
            self.environment |= {
                "CLOUDSDK_CONFIG": str(folder / "config"), "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token),
                "CLOUDSDK_CORE_DISABLE_PROMPTS": "1", "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
                "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
                **{f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{name}": f"{address}/{prefix}/" for name, prefix in OVERRIDES.items()},
            }  # fmt: skip
            self.start = [str(GCLOUD)]
        else:
            Session("owner@acme.example", PROJECT, google.owner, address, notes=str(folder / "notes")).write(folder / "session.json")
            self.start = [sys.executable, "-I", str(Path(entry.__file__)), "gcloud", str(folder / "session.json")]

    def run(self, words: list[str]) -> tuple[int, str, str]:
        done = subprocess.run(
            [*self.start, *words], env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def google(sandbox: SandboxProcess, issuer: TestIssuer) -> Google:
    return Google(sandbox, issuer)


def state(google: Google) -> Any:
    """Everything in the project, without what is made by chance."""
    text = json.dumps(google.control("GET", f"state?project={PROJECT}"), sort_keys=True)
    text = re.sub(r"\b\d{21}\b", "UNIQUE", text)
    return json.loads(re.sub(r'"(etag|expireTime)": "[^"]*"', r'"\1": ""', text))


def printed(words: list[str], text: str) -> str:
    """What a script would read: only where it asked for a form. Etags are made by chance."""
    return re.sub(r'"etag": "[^"]*"', '"etag": ""', text) if any(word.startswith("--format") for word in words) else ""


def play(gcloud: Gcloud, steps: tuple[tuple[list[str], int], ...]) -> list[str]:
    told = []
    for words, expected in steps:
        code, out, err = gcloud.run(words)
        assert code == expected, f"{' '.join(words)}\n{out}\n{err}"
        told.append(printed(words, out))
    return told


@needs_gcloud
def test_real_and_played_gcloud_leave_the_same_state_and_say_the_same(google: Google, tmp_path: Path) -> None:
    told, left = {}, {}
    for name in ("real", "played"):
        google.sandbox.control("POST", "reset")
        google.owner = google.person(project=PROJECT)
        gcloud = Gcloud(google, tmp_path / name, is_real=name == "real")
        made = play(gcloud, MAKE)
        left[name] = [state(google)]
        told[name] = [*made, *play(gcloud, TAKE_AWAY)]
        left[name].append(state(google))

    for (words, _code), real, played in zip(MAKE + TAKE_AWAY, told["real"], told["played"], strict=True):
        assert played == real, " ".join(words)
    assert left["played"] == left["real"]


@needs_gcloud
def test_real_gcloud_repeats_the_refusals_in_the_words_that_scripts_look_for(google: Google, tmp_path: Path) -> None:
    google.enable()
    viewer = google.person(email="viewer@acme.example")
    for name in ("real", "played"):
        google.owner = viewer
        gcloud = Gcloud(google, tmp_path / name, is_real=name == "real")
        described = gcloud.run(["iam", "roles", "describe", "none", f"--project={PROJECT}"])
        created = gcloud.run([*POOLS.split(), "create", POOL, "--location=global"])
        foreign = gcloud.run(["projects", "describe", "globex-analytics"])

        assert [described[0], created[0], foreign[0]] == [1, 1, 1]
        assert "NOT_FOUND" in described[2]
        assert f"The role named projects/{PROJECT}/roles/none was not found." in described[2]
        assert "PERMISSION_DENIED" in created[2]
        assert "iam.workloadIdentityPools.create" in created[2]
        assert "globex-analytics" in foreign[2]


@needs_gcloud
def test_real_gcloud_signs_in_with_our_token_as_googles_own_library_does(google: Google, issuer: TestIssuer, tmp_path: Path) -> None:
    """gcloud brings a google-auth of its own: a second client of the exchange, not written here."""
    google.install()
    provider = f"//iam.googleapis.com/projects/{NUMBER}/locations/global/workloadIdentityPools/{POOL}/providers/portal"
    token = tmp_path / "jwt"
    token.write_text(issuer.token(issuer=ISSUER, subject="account:a:ops", audience=f"https:{provider}"))
    address = google.sandbox.google
    configuration = tmp_path / "credentials.json"
    configuration.write_text(json.dumps({
        "type": "external_account", "audience": provider, "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{address}/sts/v1/token", "credential_source": {"file": str(token)},
        "service_account_impersonation_url": f"{address}/iamcredentials/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken",
    }))  # fmt: skip
    gcloud = Gcloud(google, tmp_path / "real", is_real=True)
    del gcloud.environment["CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"]

    signed_in = gcloud.run(["auth", "login", "--cred-file", str(configuration), "--quiet"])
    described = gcloud.run(["projects", "describe", PROJECT, "--format=value(projectNumber)"])

    assert signed_in[0] == 0, signed_in[2]
    assert described[:2] == (0, f"{NUMBER}\n"), described[2]
