"""The played Cloud Shell as a browser meets it, running real scripts by the real bash against the local Google."""

import hashlib
import html
import http.client
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from portal.embedded.process import is_alive
from portal.sandbox.shell import entry
from portal.sandbox.shell.command import GcloudLines, KitCommand, NotAKitCommandError, parse
from portal.sandbox.shell.session import Session
from tests.clouds.aws import kit
from tests.clouds.conftest import ISSUER_HOST, Cloud, SandboxProcess, TestIssuer, start_sandbox
from tests.clouds.gcp.google import EMAIL, ISSUER, NUMBER, POOL, PROJECT, PROVIDER_NAME, ROLE, Google

URL = "https://provider-kits.s3.us-east-1.amazonaws.com/kits/gcp/kit.sh"
SHA = "0" * 64
GOOD = f"curl -fsSLo byoc-kit.sh '{URL}' && echo '{SHA}  byoc-kit.sh' | sha256sum --check && bash byoc-kit.sh"

# A kit as small as a kit can be: every gcloud command that the played one knows stands in it or in a test below.
KIT = f"""set -euo pipefail
gcloud config set project {PROJECT}
number="$(gcloud projects describe {PROJECT} --format='value(projectNumber)')"
echo "project $(gcloud config get project) has number $number"
gcloud services enable iam.googleapis.com iamcredentials.googleapis.com sts.googleapis.com cloudresourcemanager.googleapis.com --quiet
gcloud iam workload-identity-pools create {POOL} --project={PROJECT} --location=global --display-name="Fern hill"
gcloud iam workload-identity-pools providers create-oidc portal --project={PROJECT} --location=global --workload-identity-pool={POOL} \\
  --issuer-uri="$1" --attribute-mapping=google.subject=assertion.sub --attribute-condition="assertion.sub in ['account:a:ops']"
gcloud iam service-accounts create fernhill-ops --display-name="Operator"
gcloud iam roles create {ROLE} --project={PROJECT} --title="Look" --permissions=resourcemanager.projects.get --stage=GA --format=none
gcloud iam service-accounts add-iam-policy-binding {EMAIL} --role=roles/iam.workloadIdentityUser --condition=None --format=none \\
  --member="principal://iam.googleapis.com/projects/$number/locations/global/workloadIdentityPools/{POOL}/subject/account:a:ops"
gcloud projects add-iam-policy-binding {PROJECT} --member=serviceAccount:{EMAIL} --role=projects/{PROJECT}/roles/{ROLE} --format=none \\
  --condition='expression=request.time < timestamp("2099-01-01T00:00:00Z"),title=until'
"""


class Shell:
    """A browser at /console/shell/gcp: no redirects, one cookie, the header that browsers send with their own forms."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        self.port = sandbox.console
        self.cookie = ""

    def open(self, path: str, form: dict[str, str] | None = None, **headers: str) -> tuple[int, http.client.HTTPMessage, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        given = {"Cookie": self.cookie, "Origin": f"http://127.0.0.1:{self.port}"} if form else {"Cookie": self.cookie}
        given |= {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
        connection.request("POST" if form else "GET", f"/console/shell/{path}", urlencode(form) if form else None, {**given, **headers})
        answer = connection.getresponse()
        body = html.unescape(answer.read().decode())
        connection.close()
        self.cookie = (answer.headers.get("Set-Cookie") or self.cookie).split(";")[0]
        return answer.status, answer.headers, body

    def sign_in(self, email: str = "owner@acme.example", project: str = PROJECT) -> None:
        assert self.open("gcp/signin", {"email": email, "project": project})[0] == 303

    def run(self, command: str) -> tuple[int, str]:
        """Exit code and everything on the terminal, once it has ended."""
        status, headers, _body = self.open("gcp", {"command": command})
        assert status == 303
        for _ in range(600):
            body = self.open(headers["Location"].removeprefix("/console/shell/"))[2]
            if ended := re.search(r"Exit code (\d+)", body):
                return int(ended.group(1)), body
            assert "Running" in body
            time.sleep(0.05)
        raise AssertionError("the run does not end")


@pytest.fixture
def google(sandbox: SandboxProcess, issuer: TestIssuer) -> Google:
    return Google(sandbox, issuer)


@pytest.fixture
def shell(sandbox: SandboxProcess) -> Shell:
    made = Shell(sandbox)
    made.sign_in()
    return made


def published(cloud: Cloud) -> Callable[..., str]:
    """Puts a script into the provider's bucket; the command that runs it."""
    provider = cloud.owner("s3", account="999988887777", region="us-east-1")
    provider.create_bucket(Bucket="provider-kits")
    provider.put_public_access_block(Bucket="provider-kits", PublicAccessBlockConfiguration={"BlockPublicPolicy": False})
    grant = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::provider-kits/kits/*"}
    provider.put_bucket_policy(Bucket="provider-kits", Policy=json.dumps(kit.document(grant)))

    def put(script: str, arguments: str = "", sha256: str = "") -> str:
        provider.put_object(Bucket="provider-kits", Key="kits/gcp/kit.sh", Body=script.encode())
        return GOOD.replace(SHA, sha256 or hashlib.sha256(script.encode()).hexdigest()) + f" {arguments}"

    return put


@pytest.fixture
def publish(cloud: Cloud) -> Callable[..., str]:
    return published(cloud)


# --- What may be typed ---


def test_command_is_understood_over_several_lines_and_with_quotes() -> None:
    text = GOOD.replace(" && ", " && \\\r\n  ") + " --issuer 'https://id.portal.test/a' \\\n  --name \"two words\" --x='a b'"

    assert parse(text) == KitCommand(URL, SHA, ("--issuer", "https://id.portal.test/a", "--name", "two words", "--x=a b"))


def test_lines_of_gcloud_are_understood_with_comments() -> None:
    text = "# first\ngcloud iam roles delete a --project=p \\\n  --quiet\n\ngcloud projects describe 'p'"

    assert parse(text) == GcloudLines((("iam", "roles", "delete", "a", "--project=p", "--quiet"), ("projects", "describe", "p")))


TWO = (
    "gcloud iam workload-identity-pools delete byoc-3f9a1c2e-g1 --location=global --project=acme-data-prod --quiet; gcloud iam"
    " service-accounts delete byoc-3f9a1c2e-g1-operator@acme-data-prod.iam.gserviceaccount.com --project=acme-data-prod --quiet"
)


@pytest.mark.parametrize("program", ["gcloud", "aws", "az"])
def test_two_commands_on_one_line_are_two(program: str) -> None:
    found = parse(TWO.replace("gcloud", program) + f" ;{program} a --b='c; d' \"e;f\";")

    assert isinstance(found, GcloudLines)
    assert [line[:3] for line in found.lines] == [
        ("iam", "workload-identity-pools", "delete"), ("iam", "service-accounts", "delete"), ("a", "--b=c; d", "e;f")
    ]  # fmt: skip


@pytest.mark.parametrize("end", ["; id", " && id", " | cat", " 'open", ' "open', " $(id)", " ;; id", " a'b' \"c\"'"])
@pytest.mark.parametrize("start", [TWO, f"{GOOD} {'a' * 4000}", f"gcloud {'a' * 20000}", "az " + "a'b'" * 4000, "aws " + "a 'b' " * 3000])
def test_what_is_refused_is_refused_at_once(start: str, end: str) -> None:
    began = time.process_time()

    with pytest.raises(NotAKitCommandError):
        parse(start + end)

    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "text",
    [
        "", "ls", "bash byoc-kit.sh", f"{GOOD}; id", f"{GOOD} && id", f"{GOOD} | tee x", f"{GOOD} > /tmp/x", f"{GOOD} $(id)",
        f"{GOOD} `id`",
        f'{GOOD} "$(id)"', f'{GOOD} "`id`"', f"{GOOD} $HOME", f"{GOOD} *", f"{GOOD} ~", f"{GOOD} & id", f"{GOOD}\nid", f"{GOOD} 'open",
        GOOD.replace("bash byoc-kit.sh", "bash other.sh"), GOOD.replace("curl -fsSLo", "curl -o"), GOOD.replace(" | sha256sum --check", ""),
        GOOD.replace(SHA, "0" * 63), f"{GOOD} {'a' * 24000}", "gcloud", "gcloud auth login; id", "gcloud a $(id)", "gcloud a\nrm -rf /",
        "; gcloud a", "gcloud a;; gcloud b", "gcloud a; az b", "gcloud a;" * 200,
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(NotAKitCommandError):
        parse(text)


# --- The pages ---


def test_shell_asks_who_you_are_and_suggests_the_owner(sandbox: SandboxProcess) -> None:
    browser = Shell(sandbox)

    assert browser.open(f"gcp?project={PROJECT}")[1]["Location"] == f"/console/shell/gcp/signin?project={PROJECT}"
    status, _headers, body = browser.open("gcp/signin?project=globex-analytics")

    assert status == 200
    assert "Played Cloud Shell – part of the demo, not Google Cloud" in body
    assert 'value="owner@globex.example"' in body


@pytest.mark.parametrize("form", [{"email": "nobody", "project": PROJECT}, {"email": "a@b.example", "project": "UPPER"}])
def test_shell_sign_in_checks_what_it_is_told(sandbox: SandboxProcess, form: dict[str, str]) -> None:
    assert Shell(sandbox).open("gcp/signin", form)[0] == 400


def test_shell_of_another_cloud_is_not_there(sandbox: SandboxProcess) -> None:
    assert Shell(sandbox).open("oracle")[0] == 404


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]
)
def test_shell_takes_no_form_of_another_site(shell: Shell, headers: dict[str, str]) -> None:
    assert shell.open("gcp", {"command": GOOD}, **headers)[0] == 403


def test_shell_takes_no_form_without_a_browsers_word(shell: Shell) -> None:
    assert shell.open("gcp", {"command": GOOD}, Origin="")[0] == 403


def test_shell_refuses_what_is_no_kit(shell: Shell) -> None:
    status, _headers, body = shell.open("gcp", {"command": "cat /etc/passwd"})

    assert status == 400
    assert "The demo's Cloud Shell runs only a kit's command." in body


# --- Runs ---


def test_kit_makes_what_the_portal_needs(shell: Shell, publish: Any, google: Google) -> None:
    code, terminal = shell.run(publish(KIT, "https://id.portal.test/trust/a/g1"))

    assert code == 0, terminal
    assert "byoc-kit.sh: OK" in terminal
    assert f"project {PROJECT} has number {NUMBER}" in terminal
    assert f"Created workload identity pool [{POOL}]." in terminal
    session = google.session()
    assert google.call("GET", f"/crm/v3/projects/{PROJECT}", token=session)[1]["projectId"] == PROJECT


def test_kit_of_somebody_without_rights_stops_with_googles_words(sandbox: SandboxProcess, publish: Any) -> None:
    browser = Shell(sandbox)
    browser.sign_in("viewer@acme.example")

    code, terminal = browser.run(publish(KIT, "https://id.portal.test/trust/a/g1"))

    assert code == 1
    assert "ERROR: (gcloud.services.enable) PERMISSION_DENIED: Permission denied to access services for consumer container" in terminal


def test_kit_with_another_hash_does_not_run(shell: Shell, publish: Any) -> None:
    code, terminal = shell.run(publish("echo ran", sha256="a" * 64))

    assert code == 1
    assert "byoc-kit.sh: FAILED" in terminal
    assert "computed checksum did NOT match" in terminal
    assert "\nran" not in terminal


@pytest.mark.parametrize(
    ("url", "code"),
    [("https://example.org/kit.sh", 6), ("http://169.254.169.254/x", 6), ("file:///etc/passwd", 6), (URL.replace("kit.sh", "none.sh"), 22)],
)
def test_kit_comes_from_the_providers_bucket_only(shell: Shell, publish: Any, url: str, code: int) -> None:
    assert shell.run(publish("echo ran").replace(URL, url))[0] == code


def test_kit_sees_an_empty_environment_and_its_own_folder(shell: Shell, publish: Any) -> None:
    code, terminal = shell.run(publish('env | sort; pwd; echo "$#:$1"; ls /nowhere', "'a $(id) b'"))

    names = set(re.findall(r"^([A-Z_]+)=", terminal, re.MULTILINE))
    assert code == 2
    assert names <= {"CLOUD_SHELL", "DEVSHELL_PROJECT_ID", "GOOGLE_CLOUD_PROJECT", "HOME", "LANG", "PATH", "PWD", "SHLVL", "_"}
    assert "1:a $(id) b" in terminal
    assert "byoc-shell-" in terminal


def test_gcloud_lines_run_one_after_the_other(shell: Shell, google: Google) -> None:
    google.install()

    code, terminal = shell.run(
        f"# The portal is shut out first.\ngcloud iam workload-identity-pools delete {POOL} --project={PROJECT} --location=global --quiet\n"
        f"gcloud projects remove-iam-policy-binding {PROJECT} --member=serviceAccount:{EMAIL} \\\n  --role=projects/{PROJECT}/roles/{ROLE}"
        f" --all --format=none --quiet\ngcloud iam service-accounts delete {EMAIL} --project={PROJECT} --quiet\n"
        f"gcloud iam roles delete {ROLE} --project={PROJECT} --quiet --format=json"
    )

    state = google.control("GET", f"state?project={PROJECT}")
    assert code == 0, terminal
    assert f"Deleted workload identity pool [{POOL}]." in terminal
    left = {name for name, made in state["resources"].items() if made["is_live"] and "works/" not in name}
    assert left == {PROVIDER_NAME}  # a provider goes with its pool, not before
    assert all(ROLE not in binding["role"] for binding in state["policies"][f"projects/{NUMBER}"])


@pytest.mark.parametrize("command", [
    "gcloud auth print-access-token", "gcloud compute instances create machine", f"gcloud projects describe {PROJECT} --flatten=x",
    "gcloud iam roles describe a b", f"gcloud projects describe {PROJECT} --format=table(name)",
])  # fmt: skip
def test_gcloud_beyond_the_subset_ends_with_two_and_is_recorded(shell: Shell, sandbox: SandboxProcess, publish: Any, command: str) -> None:
    quoted = command.replace("table(name)", "'table(name)'")
    assert shell.run(publish(quoted))[0] == 2

    assert [entry["kind"] for entry in sandbox.control("GET", "violations")] == ["shell"]
    sandbox.control("DELETE", "violations")


def test_gcloud_looks_have_its_own_back_and_change(shell: Shell, publish: Any, google: Google) -> None:
    google.install()
    look = f"""set -e
gcloud iam workload-identity-pools delete {POOL} --location=global --quiet
gcloud iam workload-identity-pools describe {POOL} --location=global --format='value(state)'
gcloud iam workload-identity-pools undelete {POOL} --location=global --format=none
gcloud iam workload-identity-pools providers describe portal --location=global --workload-identity-pool={POOL} \\
  --format='value(oidc.issuerUri)'
gcloud iam workload-identity-pools providers update-oidc portal --location=global --workload-identity-pool={POOL} \\
  --allowed-audiences=fernhill --format='value(oidc.allowedAudiences)'
gcloud iam service-accounts describe {EMAIL} --format='value(email,disabled)'
gcloud iam service-accounts update {EMAIL} --description='kit=1 region=x' --format='value(description)'
gcloud iam roles delete {ROLE} --project={PROJECT} --quiet --format=none
gcloud iam roles describe {ROLE} --project={PROJECT} --format='value(name,deleted)'
gcloud iam roles undelete {ROLE} --project={PROJECT} --format=none
gcloud iam roles update {ROLE} --project={PROJECT} --permissions=compute.regions.get,compute.regions.list \\
  --format='value(includedPermissions)'
gcloud services list --enabled --project={PROJECT} --format='value(config.name)'
gcloud iam roles describe none --project={PROJECT} || echo "exit $?"
"""
    code, terminal = shell.run(publish(look))

    assert code == 0, terminal
    lines = terminal.splitlines()
    for expected in (
        "DELETED", "https://id.portal.test/trust/a/g1", "fernhill", f"{EMAIL}\t", "kit=1 region=x",
        f"projects/{PROJECT}/roles/{ROLE}\tTrue", "compute.regions.get;compute.regions.list", "serviceusage.googleapis.com",
        f"ERROR: (gcloud.iam.roles.describe) NOT_FOUND: The role named projects/{PROJECT}/roles/none was not found.", "exit 1",
    ):  # fmt: skip
        assert expected in lines


def test_gcloud_will_not_mix_conditions_by_accident(shell: Shell, publish: Any, google: Google) -> None:
    google.bind_project("roles/browser", "user:a@acme.example", 'request.time < timestamp("2099-01-01T00:00:00Z")')

    code, terminal = shell.run(
        publish(f"gcloud projects add-iam-policy-binding {PROJECT} --member=user:b@acme.example --role=roles/viewer")
    )

    assert code == 1
    assert "prohibited in non-interactive mode" in terminal


def test_curl_reaches_the_portal_and_nobody_else(shell: Shell, publish: Any) -> None:
    reach = """curl -fsS -m 5 https://id.portal.test/trust/jwks.json | head -c 8; echo
curl -fsS -X POST -H 'Content-Type: application/json' -d '{}' https://id.portal.test/none; echo "exit $?"
curl -fsS https://example.org/; echo "exit $?"
"""
    code, terminal = shell.run(publish(reach))

    assert code == 0
    assert '{"keys":' in terminal
    assert "curl: (22) The requested URL returned error: 501\nexit 22" in terminal
    assert "curl: (6) Could not resolve host: example.org\nexit 6" in terminal


def test_run_ends_with_the_sandbox(issuer: TestIssuer) -> None:
    """Nothing a kit started goes on when the demo is stopped."""
    alone = start_sandbox("--issuer-resolve", f"{ISSUER_HOST}=http://127.0.0.1:{issuer.port}")
    browser = Shell(alone)
    browser.sign_in()
    cloud = Cloud("111122223333", issuer, ISSUER, alone)
    try:
        status, headers, _body = browser.open("gcp", {"command": published(cloud)("echo pid $$; sleep 300; echo done")})
        assert status == 303
        found = None
        for _ in range(200):
            if found := re.search(r"pid (\d+)", browser.open(headers["Location"].removeprefix("/console/shell/"))[2]):
                break
            time.sleep(0.05)
        assert found
    finally:
        alone.stop()

    assert not is_alive(int(found[1]))


@pytest.mark.parametrize("program", ["gcloud", "az", "curl"])
def test_played_program_loads_itself_and_not_the_sdk_of_another(program: str, tmp_path: Path) -> None:
    """A kit starts dozens of them, one after the other."""
    session = tmp_path / "session.json"
    Session(email="ada@acme.example", project=PROJECT, token="none", notes=str(tmp_path / "notes")).write(session)

    words = [sys.executable, "-X", "importtime", "-I", str(entry.__file__), program, str(session), "no-such-word"]
    loaded = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60).stderr

    assert "portal.sandbox.shell.session" in loaded
    assert "boto" not in loaded
