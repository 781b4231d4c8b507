"""What only the Google Cloud adapter knows: the project, the kit's own words, how it asks, where it goes."""

import json
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from accounts.clouds.base import KitStatus, PermissionProbe, Place, Subject, require_current_kit
from accounts.clouds.gcp.clients import HOSTS, Endpoints
from accounts.kits.gcp import script
from tests.clouds.gcp.discovery import problems
from tests.clouds.gcp.google import ACCESS, NUMBER, PROJECT, in_seconds
from tests.clouds.gcp.played import STRANGER, PlayedGcp
from tests.clouds.gcp.standing import IAM, NEEDS, played, refusal, standing

__all__ = ["played", "standing"]  # fixtures


# --- the project ---


def test_gcp_project_of_another_number_is_another_project(standing):
    """The pool of one project, the account of another: what a number typed wrong, or a project made anew, comes down to."""
    adapter = standing.adapter()
    adapter.shipped = standing.kit.shipped(standing.target)
    object.__setattr__(adapter.shipped, "number", "999999999999")

    error = refusal(adapter.probe_trust)

    assert (error.code, error.params) == ("account_recreated", {"found": NUMBER, "expected": "999999999999"})


def test_gcp_project_made_anew_knows_no_kit(standing):
    standing.google.control("POST", "projects/recreate", {"id": PROJECT})

    assert refusal(standing.adapter().probe_trust).code in {"kit_not_run", "account_deleted"}
    assert refusal(standing.adapter(was_trusted=True).probe_trust).code in {"provider_deleted", "account_deleted"}


def test_gcp_project_marked_for_deletion_is_told(standing):
    adapter = standing.adapter()
    adapter.probe_trust()
    standing.google.control("DELETE", f"projects?id={PROJECT}")

    error = refusal(adapter.probe_trust)

    assert (error.code, error.retryable) == ("account_deleted", False)
    assert NUMBER in error.raw


@pytest.mark.parametrize("service", ["cloudresourcemanager.googleapis.com", "iamcredentials.googleapis.com"])
def test_gcp_api_that_was_switched_off_is_named(standing, service):
    standing.google.done("POST", f"/serviceusage/v1/projects/{PROJECT}/services/{service}:disable", {"disableDependentServices": True})

    error = refusal(standing.adapter().probe_trust)

    assert (error.code, error.retryable, error.params["service"]) == ("api_disabled", False, service)


def test_gcp_account_that_opens_before_its_roles_are_known_is_not_ready(standing):
    standing.unbind(standing.role("verify"))

    assert refusal(standing.adapter().probe_trust).code == "trust_not_ready"
    assert refusal(standing.adapter(was_trusted=True).probe_trust).code == "access_denied"


def test_gcp_other_place_without_a_number_is_passed_over(standing):
    assert standing.adapter().find_kit_elsewhere([Place("acme-sandbox")]) is None


# --- the kit's own words ---


@pytest.mark.parametrize("text", ["", "Operator of the portal", "byoc", "kit=1.1.0 byoc", "unfinished allow-changes=no allow-support=yes"])
def test_gcp_kit_that_says_nothing_of_itself_has_not_finished(standing, text):
    describe(standing, text)

    report = standing.adapter().describe_kit()

    assert report.status == KitStatus.CREATING
    assert refusal(lambda: require_current_kit(report, standing.target)).code == "kit_not_finished"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("byoc kit=0.9.0 account=3f9a1c2e-0b5d-4c1e-9a57-6a1f0c2d3e4b generation=1", "kit_version_wrong"),
        (f"byoc kit={script.version()} account=00000000-0b5d-4c1e-9a57-6a1f0c2d3e4b generation=1", "kit_of_another_account"),
        (f"byoc kit={script.version()} account=3f9a1c2e-0b5d-4c1e-9a57-6a1f0c2d3e4b generation=٣", "kit_generation_wrong"),
        (f"byoc kit={script.version()} account=3f9a1c2e-0b5d-4c1e-9a57-6a1f0c2d3e4b generation=1 region=us-east1", "wrong_region"),
    ],
)
def test_gcp_kit_that_says_something_else_is_not_ours(standing, text, code):
    describe(standing, text)

    assert refusal(lambda: require_current_kit(standing.adapter().describe_kit(), standing.target)).code == code


def describe(played: PlayedGcp, text: str) -> None:
    path = f"{IAM}/serviceAccounts/{played.email('operator')}"
    played.google.done("PATCH", path, {"serviceAccount": {"description": text}, "updateMask": "description"})


# --- how it asks ---


def test_gcp_asks_for_all_permissions_in_few_calls(standing):
    adapter = standing.adapter()
    adapter.probe_trust()
    standing.google.control("DELETE", "journal")

    adapter.check_permissions(standing.kit.probes(standing.target))

    asked = [entry["method"] for entry in standing.google.control("GET", "journal")]
    assert asked.count("cloudresourcemanager.projects.testIamPermissions") + asked.count("crm.projects.testIamPermissions") == 1
    # Two questions, the project's policy, those of two accounts, Google's own role on these, and each role that is not the operator's once.
    assert len(asked) == 2 + 1 + 2 + len(standing.shipped.roles) - 4 + 1


def test_gcp_reads_the_builders_permissions_from_its_roles(standing):
    """Nobody can sign in as the builder: a role that was taken away, disabled or lent to it must show nonetheless."""
    standing.unbind(standing.role("store"))
    standing.google.done("PATCH", f"/iam/v1/{standing.role('clusters')}?updateMask=stage", {"stage": "DISABLED"})
    standing.bind("roles/logging.viewer", f"serviceAccount:{standing.email('builder')}")
    kit, adapter = standing.kit, standing.adapter()

    held = {found.permission for found in adapter.check_permissions(kit.probes(standing.target)) if found.is_granted}
    lent = [probe for probe in kit.forbidden_probes(standing.target) if probe.role == "builder"]
    granted = {found.permission for found in adapter.check_permissions(lent) if found.is_granted}

    assert {"builder/compute.networks.create", "builder/iam.serviceAccounts.actAs"} <= held
    assert not {"builder/storage.objects.get", "builder/compute.firewalls.create"} & held
    assert granted == {"builder/logging.logEntries.list"}


def test_gcp_operator_of_the_kit_cannot_do_what_it_only_orders(standing):
    """Asked of the local Google itself, which computes it from the policies: state, store, networks, and each account."""
    adapter = standing.adapter()
    accounts = {name: f"serviceAccounts/{standing.email(name)}" for name in ("operator", "builder", "node", "support")}
    probes = [PermissionProbe(name, "operator", "iam.serviceAccounts.actAs", resource) for name, resource in accounts.items()]
    wanted = ("config.deployments.getState", "config.revisions.getState", "storage.objects.get", "compute.firewalls.create")
    probes += [PermissionProbe(action, "operator", action, f"projects/{PROJECT}") for action in wanted]
    probes += [PermissionProbe("open", "operator", "iam.serviceAccounts.getAccessToken", accounts["builder"])]

    assert {found.permission for found in adapter.check_permissions(probes) if found.is_granted} == {"builder"}


# --- refusals ---


def test_gcp_refusals_prove_nothing_where_the_right_sign_in_fails_too(standing):
    standing.write_members(standing.email("operator"), {STRANGER: ["roles/iam.workloadIdentityUser"]})

    assert refusal(standing.adapter().check_refusals).code == "trust_refused"


def test_gcp_refusals_prove_nothing_about_an_account_that_is_not_there(standing):
    standing.google.done("DELETE", f"{IAM}/serviceAccounts/{standing.email('support')}")

    assert refusal(standing.adapter().check_refusals).code == "role_deleted"


def test_gcp_token_refused_proves_the_audience_only(standing):
    """Tokens that are broken are refused whatever they say: that they were is no proof of a subject."""
    adapter = standing.adapter()
    minted = adapter.tokens
    adapter.tokens = lambda *, subject, audience: (
        minted(subject=subject, audience=audience) + ("" if subject == standing.target.subject(Subject.OPS) else "broken")
    )

    assert refusal(adapter.check_refusals).code == "token_refused"


def test_gcp_never_signs_in_as_support_to_find_out(standing):
    standing.google.control("DELETE", "journal")
    adapter = standing.adapter()

    adapter.check_trust_unedited()
    adapter.check_permissions(standing.kit.probes(standing.target))
    adapter.check_refusals()

    opened = [entry for entry in standing.google.control("GET", "journal") if entry["method"].endswith("generateAccessToken")]
    assert {entry["path"].rpartition("/")[2].partition(":")[0] for entry in opened if entry["status"] == 200} == {
        standing.email("operator")
    }


def test_gcp_resolves_no_name_and_leaves_this_machine_never(standing, monkeypatch):
    """google-auth would ask for regional boundaries at an address that no setting changes, in a thread of its own."""
    asked = []
    resolve = socket.getaddrinfo

    def watch(host, *more, **given):
        asked.append(host)
        return resolve(host, *more, **given)

    monkeypatch.setattr(socket, "getaddrinfo", watch)
    adapter = standing.adapter()
    adapter.check_environment("europe-west3", NEEDS)
    adapter.check_refusals()

    assert set(asked) == {"127.0.0.1"}


def test_gcp_every_question_fits_google_s_description(standing):
    standing.google.control("DELETE", "journal")
    adapter = standing.adapter()
    adapter.describe_kit()
    adapter.check_trust_unedited()
    adapter.check_permissions(standing.kit.probes(standing.target))
    adapter.check_environment("europe-west3", NEEDS)

    journal = standing.google.control("GET", "journal")

    assert {entry["api"] for entry in journal} == set(HOSTS) - {"storage"}  # asked by publish_plans alone, in the provider's own project
    assert [f"{entry['method']}: {problem}" for entry in journal for problem in problems(entry)] == []


def test_gcp_mints_a_fresh_token_for_each_sign_in(standing):
    seen = []
    for _ in range(2):
        adapter = standing.adapter()
        minted = adapter.tokens
        adapter.tokens = lambda minted=minted, **claims: seen.append(claims) or minted(**claims)
        adapter.probe_trust()

    assert seen == [{"subject": standing.target.subject(Subject.OPS), "audience": standing.target.audience}] * 2


@pytest.mark.parametrize("url", ["http://gcp.example.com", "ftp://127.0.0.1", "http://127.0.0.1.example.com", "gcp.example.com"])
def test_gcp_address_that_would_show_tokens_is_refused(monkeypatch, url):
    monkeypatch.setenv("PORTAL_GCP_URL", url)

    with pytest.raises(ValueError, match="must be https"):
        Endpoints.from_environment()


def test_gcp_without_a_setting_it_is_google_itself(monkeypatch):
    monkeypatch.delenv("PORTAL_GCP_URL", raising=False)

    assert {api: Endpoints.from_environment().url(api, "/x") for api in HOSTS} == {api: f"{host}/x" for api, host in HOSTS.items()}
    monkeypatch.setenv("PORTAL_GCP_URL", "https://gcp.example.com/")
    assert Endpoints.from_environment().url("iam", "/x") == "https://gcp.example.com/iam/x"


def test_gcp_sdk_loads_with_the_first_adapter_only_and_without_grpc():
    code = (
        "import sys, accounts.clouds; assert 'google.auth' not in sys.modules;"
        "import accounts.clouds.gcp.adapter; assert 'google.auth' in sys.modules;"
        "print([name for name in ('grpc', 'google.protobuf', 'google.api_core', 'django') if name in sys.modules])"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


# --- where it goes ---


class Elsewhere(BaseHTTPRequestHandler):
    """A Google that points away: what it is asked first it answers, or not, and whoever follows it is found out."""

    points: str  # which API answers with a redirection
    seen: list[str]

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append(self.path)
        api = self.path.split("/")[1]
        body = {"access_token": "a", "token_type": "Bearer", "expires_in": 900, "issued_token_type": ACCESS}
        if api == "iamcredentials":
            body = {"accessToken": "b", "expireTime": in_seconds(900)}
        self.send_response(307 if api == self.points else 200)
        if api == self.points:
            self.send_header("Location", f"/elsewhere{self.path}")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    do_GET = do_POST = answer  # noqa: N815 - as http.server calls them

    def log_message(self, *_more: object) -> None:
        """Says nothing."""


@pytest.mark.parametrize(
    ("points", "ask"),
    [
        ("sts", lambda adapter: adapter.probe_trust()),
        ("iamcredentials", lambda adapter: adapter.probe_trust()),
        ("crm", lambda adapter: adapter.probe_trust()),
        ("iam", lambda adapter: adapter.describe_kit()),
        ("serviceusage", lambda adapter: adapter._operator.libraries.services(NUMBER)),
        ("orgpolicy", lambda adapter: adapter._operator.libraries.rules(NUMBER, "gcp.resourceLocations")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_gcp_goes_nowhere_that_an_answer_points_to(played, monkeypatch, points, ask):
    seen: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Pointing", (Elsewhere,), {"points": points, "seen": seen})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PORTAL_GCP_URL", f"http://127.0.0.1:{server.server_port}")

        refusal(lambda: ask(played.adapter()))
        server.shutdown()

    assert [path for path in seen if path.startswith(f"/{points}/")]
    assert not any(path.startswith("/elsewhere") for path in seen)
