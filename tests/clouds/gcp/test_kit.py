"""The script of the Google Cloud kit, run by the real bash: what it makes, that it may run again, what it refuses."""

import re

import pytest

from accounts.kits.gcp import script
from accounts.kits.gcp.installer import RIGHTS
from tests.clouds.conftest import SandboxProcess, TestIssuer
from tests.clouds.gcp.google import NUMBER, PROJECT
from tests.clouds.gcp.played import GCLOUD, PlayedGcp

POOL_CREATE = "iam.projects.locations.workloadIdentityPools.create"
needs_gcloud = pytest.mark.skipif(GCLOUD is None, reason="Google's own gcloud is not on this machine")


@pytest.fixture
def played(sandbox: SandboxProcess, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> PlayedGcp:
    monkeypatch.setenv("PORTAL_GCP_URL", sandbox.google)
    return PlayedGcp(sandbox, issuer)


def works(played: PlayedGcp) -> None:
    """The portal drives what stands there: signed in, unedited, every permission held, wrong sign-ins refused."""
    adapter = played.adapter()
    adapter.probe_trust()
    adapter.check_trust_unedited()
    assert [found.permission for found in adapter.check_permissions(played.kit.probes(played.target)) if not found.is_granted] == []
    assert all(found.is_refused for found in adapter.check_refusals())


def test_gcp_script_makes_what_the_other_tests_stand_on(played, sandbox):
    made = played.run_script()
    assert made.returncode == 0, made.stdout + made.stderr
    by_script = played.state()
    works(played)

    sandbox.control("POST", "reset")
    other = PlayedGcp(sandbox, played.issuer)
    other.run_kit()

    assert other.state() == by_script


def test_gcp_script_may_run_again_and_goes_on_after_a_break(played):
    assert played.run_script().returncode == 0
    first = played.state()
    played.google.done("DELETE", f"/iam/v1/projects/{PROJECT}/serviceAccounts/{played.email('node')}")
    played.unbind(played.role("cells"))

    again = played.run_script()

    assert again.returncode == 0, again.stdout + again.stderr
    works(played)
    assert played.run_script().returncode == 0
    assert {name for name, body in played.state()["resources"].items() if body["is_live"]} == set(first["resources"])


def test_gcp_script_mends_what_was_edited(played):
    assert played.run_script().returncode == 0
    played.patch_role("verify", ["resourcemanager.projects.get"])
    played.patch_provider("attributeCondition", attributeCondition="true")

    assert played.run_script().returncode == 0

    works(played)


def test_gcp_script_switches_off_and_on_again(played):
    assert played.run_script("--allow-changes", "no", "--allow-support", "no").returncode == 0

    adapter = played.adapter()
    adapter.check_trust_unedited()
    assert adapter.describe_kit().switches == {"AllowChanges": "no", "AllowSupport": "no"}
    held = {found.permission for found in adapter.check_permissions(played.kit.probes(played.target)) if found.is_granted}
    assert "config.deployments.create" not in held
    assert "compute.networks.list" in held
    # Who may be named stays; what the builder may do is gone.
    assert {name for name in held if name.startswith(("support/", "builder/"))} == {"builder/iam.serviceAccounts.actAs"}

    assert played.run_script("--allow-changes", "yes", "--allow-support", "yes").returncode == 0
    assert played.adapter().describe_kit().switches == {"AllowChanges": "yes", "AllowSupport": "yes"}
    works(played)


def test_gcp_script_run_again_keeps_the_customers_own_no(played):
    """The portal's command names no switch: it must not undo what the customer said."""
    first = played.run_script()
    assert "Your switches: --allow-changes yes, --allow-support yes" in first.stdout
    assert played.run_script("--allow-changes", "no", "--allow-support", "no").returncode == 0

    again = played.run_script()

    assert again.returncode == 0, again.stdout + again.stderr
    assert "Your switches: --allow-changes no, --allow-support no" in again.stdout
    assert played.adapter().describe_kit().switches == {"AllowChanges": "no", "AllowSupport": "no"}
    bound = {binding["role"] for binding in played.policy("")["bindings"]}
    assert {played.role(name) for name in ("verify", "cells", "build", "clusters", "store", "support")} & bound == {played.role("verify")}
    # One alone is switched back, the other stays.
    assert played.run_script("--allow-support", "yes").returncode == 0
    assert played.adapter().describe_kit().switches == {"AllowChanges": "no", "AllowSupport": "yes"}


def test_gcp_script_that_stopped_half_way_remembers_the_no(played):
    """Stopped before the pool: nothing of the portal's is open yet, and the description is not the one of a finished kit."""
    played.google.control("POST", "faults", {"kind": "access_denied", "service": "iam", "action": POOL_CREATE})
    assert played.run_script("--allow-changes", "no").returncode == 1

    again = played.run_script()

    assert again.returncode == 0, again.stdout + again.stderr
    assert played.adapter().describe_kit().switches == {"AllowChanges": "no", "AllowSupport": "yes"}


def test_gcp_next_kit_keeps_the_switches_of_the_last(played):
    """A new kit has accounts of its own; what the customer said of the old one still counts."""
    assert played.run_script("--allow-changes", "no").returncode == 0

    renewed = played.run_script(generation="3", suffix="3f9a1c2e-g3")

    assert renewed.returncode == 0, renewed.stdout + renewed.stderr
    assert "Your switches: --allow-changes no, --allow-support yes" in renewed.stdout
    operator = f"byoc-3f9a1c2e-g3-operator@{PROJECT}.iam.gserviceaccount.com"
    assert (
        "allow-changes=no allow-support=yes"
        in played.google.done("GET", f"/iam/v1/projects/{PROJECT}/serviceAccounts/{operator}")["description"]
    )


def test_gcp_script_asks_where_the_switches_cannot_be_read(played):
    assert played.run_script("--allow-changes", "no").returncode == 0
    path = f"/iam/v1/projects/{PROJECT}/serviceAccounts/{played.email('operator')}"
    played.google.done("PATCH", path, {"serviceAccount": {"description": "ours"}, "updateMask": "description"})
    before = played.state()

    refused = played.run_script()

    assert refused.returncode == 1
    assert "does not tell how --allow-changes stands" in refused.stderr
    assert played.state() == before
    assert played.run_script("--allow-changes", "no", "--allow-support", "yes").returncode == 0


def test_gcp_script_leaves_no_file_behind(played, tmp_path, monkeypatch):
    """Not even when it is refused half-way: what it reads of the project's policy is nobody's business on a shared machine."""
    assert played.run_script("--allow-changes", "no", scratch=tmp_path).returncode == 0
    assert played.run_script("--remove", scratch=tmp_path).returncode == 0
    played.google.owner = played.google.person(email="viewer@acme.example")
    assert played.run_script(scratch=tmp_path).returncode == 1

    assert list(tmp_path.iterdir()) == []


def test_gcp_script_writes_only_into_a_folder_of_its_own():
    text = script.text()

    assert 'WORK="$(mktemp -d)"' in text
    assert text.count("mktemp") == 1
    assert set(re.findall(r'2?>"?(\$\w+|/dev/null)', text)) <= {"$LOG", "$POLICY", "/dev/null"}
    assert re.findall(r'^(?:LOG|POLICY)="(.+)"$', text, re.MULTILINE) == ["$WORK/log", "$WORK/policy"]


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ({"project_number": "999999999999"}, f"The project of this name has number {NUMBER}. Nothing was changed."),
        ({"project_id": "acme-not-there"}, "cannot be read by the account that you are signed in with. Nothing was changed."),
        ({"project_id": "Acme; rm -rf"}, "--project-id is not what the portal filled in."),
        ({"issuer": "http://id.portal.test"}, "--issuer is not what the portal filled in."),
        ({"suffix": "3f9a1c2e-g2"}, "--suffix is not what the portal filled in."),
        ({"suffix": "0badc0de-g1"}, "--suffix is not what the portal filled in."),
        ({"account": "0badc0de-0b5d-4c1e-9a57-6a1f0c2d3e4b"}, "--suffix is not what the portal filled in."),
        ({"generation": "2"}, "--suffix is not what the portal filled in."),
        ({"allow_changes": "perhaps"}, "--allow-changes is not what the portal filled in."),
        ({"report": "https://portal.test/' && true"}, "--report is not what the portal filled in."),
        ({"colour": "blue"}, "--colour is not known."),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_gcp_script_refuses_what_the_portal_did_not_fill_in(played, argument, said):
    before = played.state()

    refused = played.run_script(**argument)

    assert refused.returncode == 1
    assert said in refused.stderr
    assert played.state() == before


def test_gcp_script_brings_nothing_back_that_was_deleted(played):
    assert played.run_script().returncode == 0
    played.google.done("DELETE", f"/iam/v1/{played.shipped.pool}")

    refused = played.run_script()

    assert refused.returncode == 1
    assert "Identity pool byoc-3f9a1c2e-g1 was deleted, and Google Cloud keeps its name for 30 days." in refused.stderr


def test_gcp_script_runs_with_the_published_rights_and_no_more(played):
    """What the portal tells the one who runs it to have, as a custom role of its own: for making and for removing."""
    google = played.google
    google.enable("iam.googleapis.com")
    google.done(
        "POST",
        f"/iam/v1/projects/{PROJECT}/roles",
        {"roleId": "byoc_installer", "role": {"includedPermissions": list(RIGHTS), "stage": "GA"}},
    )
    google.control(
        "POST", "grants", {"project": PROJECT, "role": f"projects/{PROJECT}/roles/byoc_installer", "member": "user:ines@acme.example"}
    )
    owner, google.owner = google.owner, google.person(email="ines@acme.example")

    made = played.run_script()
    assert made.returncode == 0, made.stdout + made.stderr
    google.owner = owner
    works(played)
    google.owner = google.person(email="ines@acme.example")
    removed = played.run_script("--remove")

    assert removed.returncode == 0, removed.stdout + removed.stderr
    used = {entry["method"] for entry in google.control("GET", "journal") if entry["caller"] == "user:ines@acme.example"}
    assert used  # it was she who did it all


def test_gcp_script_without_rights_says_who_refused(played):
    played.google.owner = played.google.person(email="viewer@acme.example")

    refused = played.run_script()

    assert refused.returncode == 1
    assert "PERMISSION_DENIED" in refused.stderr
    assert "run the same command again" in refused.stderr


def test_gcp_script_removes_everything_and_only_that(played):
    before = played.state()
    assert played.run_script().returncode == 0

    removed = played.run_script("--remove")

    assert removed.returncode == 0, removed.stdout + removed.stderr
    after = played.state()
    assert after["policies"][f"projects/{NUMBER}"] == before["policies"][f"projects/{NUMBER}"]
    assert [name for name, body in after["resources"].items() if body["is_live"] and "/providers/" not in name] == list(before["resources"])
    assert played.run_script("--remove").returncode == 0


def delete_accounts_by_hand(played: PlayedGcp, *names: str) -> None:
    """What Google then writes into the policy instead of them: deleted:serviceAccount:…?uid=…"""
    for name in names:
        played.google.done("DELETE", f"/iam/v1/projects/{PROJECT}/serviceAccounts/{played.email(name)}")
    members = {member for binding in played.policy("")["bindings"] for member in binding["members"]}
    assert len([member for member in members if member.startswith("deleted:serviceAccount:byoc-")]) == len(names)


def is_removed(played: PlayedGcp) -> bool:
    policy = played.policy("")
    live = [name for name, body in played.state()["resources"].items() if body["is_live"] and "/providers/" not in name]
    return "byoc" not in str(policy) and not any("byoc" in name for name in live)


@pytest.mark.parametrize("gcloud", ["played", pytest.param("real", marks=needs_gcloud)])
def test_gcp_script_removes_the_rest_when_accounts_were_deleted_by_hand(played, gcloud):
    played.run_kit()
    delete_accounts_by_hand(played, "operator", "builder", "node")

    removed = played.run_script("--remove", gcloud=gcloud)

    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert is_removed(played)
    assert "Done." in removed.stdout


def test_gcp_script_removes_beside_an_account_made_anew(played):
    """The policy then names both, and only one of them has the role."""
    played.run_kit()
    delete_accounts_by_hand(played, "operator")
    assert played.google.create_account(f"byoc-{played.suffix}-operator")[0] == 200
    played.bind("roles/browser", f"serviceAccount:{played.email('operator')}")

    removed = played.run_script("--remove")

    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert "still names accounts that are gone" in removed.stdout
    assert {binding["role"] for binding in played.policy("")["bindings"] if "byoc" in str(binding)} == {"roles/browser"}


def test_gcp_script_names_what_it_could_not_remove_and_goes_on(played):
    played.run_kit()
    refuse = {"kind": "access_denied", "service": "iam", "action": "iam.projects.serviceAccounts.delete", "count": 1}
    played.google.control("POST", "faults", refuse)

    stopped = played.run_script("--remove")

    assert stopped.returncode == 1
    assert f"service account {played.email('operator')}" in stopped.stderr.partition("refused to take these away")[2]
    live = [name for name, body in played.state()["resources"].items() if body["is_live"] and "/providers/" not in name and "byoc" in name]
    assert live == [f"projects/{PROJECT}/serviceAccounts/{played.email('operator')}"]
    assert played.run_script("--remove").returncode == 0
    assert is_removed(played)


def test_gcp_removal_lines_of_the_page_do_the_same(played):
    """They need no file; every line is one that the played shell takes."""
    before = played.state()
    played.run_kit()
    command = re.sub(r"\\\n", " ", played.kit.removal_command(played.target))

    for line in command.splitlines():
        if not line.startswith("#"):
            ended = played.run_line(line)
            assert ended.returncode == 0, line + ended.stderr

    after = played.state()
    assert after["policies"][f"projects/{NUMBER}"] == before["policies"][f"projects/{NUMBER}"]
    assert [name for name, body in after["resources"].items() if body["is_live"] and "/providers/" not in name] == list(before["resources"])


@needs_gcloud
def test_gcp_script_by_the_real_gcloud_makes_the_same(played, sandbox):
    made = played.run_script(gcloud="real")
    assert made.returncode == 0, made.stdout + made.stderr
    by_script = played.state()
    works(played)

    sandbox.control("POST", "reset")
    other = PlayedGcp(sandbox, played.issuer)
    other.run_kit()

    assert other.state() == by_script
