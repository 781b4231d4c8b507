"""The Terraform module: the same trust as the CloudFormation template, and a portal that connects by it.

`terraform fmt` needs the program; the rest needs its AWS provider on this machine too: TF_PLUGIN_DIR names a folder that has it.
"""

import json
import os
import re
import shutil
import subprocess
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from django.core.management import call_command

from accounts import kits
from accounts.actions.connect import issue_kit
from accounts.kit_links import kit_links
from accounts.kits.aws import template, terraform
from accounts.models import CloudAccount
from accounts.states import AccountState
from portal.operations.models import Operation
from portal.operations.states import OperationState
from portal.operations.tasks import advance
from tests.factories import make_cloud_account, make_contact

NUMBER = "111122223333"
VALUES = {
    "account_id": NUMBER,
    "account_ref": "3f9a1c2e-0000-4000-8000-000000000001",
    "audience": "sts.amazonaws.com",
    "issuer_path": "id.portal.test/trust/a/g1",
    "partition": "aws",
    "short": "3f9a1c2e",
    "suffix": "3f9a1c2e-g1",
}
PARAMETERS = {
    "ExpectedAccountId": NUMBER,
    "ExpectedRegion": "eu-west-1",
    "AccountRef": VALUES["account_ref"],
    "Generation": "1",
    "Suffix": VALUES["suffix"],
    "IssuerUrl": f"https://{VALUES['issuer_path']}",
    "Audience": VALUES["audience"],
}


def plugin_folder() -> Path | None:
    """Where Terraform finds its AWS provider without the network."""
    named = [Path(os.environ["TF_PLUGIN_DIR"])] if "TF_PLUGIN_DIR" in os.environ else []
    usual = [Path.home() / ".terraform.d/plugins", Path("/usr/local/share/terraform/plugins"), Path("/usr/share/terraform/plugins")]
    return next((folder for folder in named + usual if any(folder.glob("*/hashicorp/aws"))), None)


needs_terraform = pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
needs_provider = pytest.mark.skipif(
    shutil.which("terraform") is None or plugin_folder() is None, reason="terraform's AWS provider is not on this machine: TF_PLUGIN_DIR"
)


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    offline = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_CLI_CONFIG_FILE": os.devnull}
    command = ["terraform", *arguments, "-no-color"]
    return subprocess.run(
        command, cwd=folder, env=os.environ | offline | environment, check=False, capture_output=True, text=True, timeout=300
    )


def rendered(file: str) -> object:
    """A policy of the module as Terraform's templatefile() gives it."""
    text = (terraform.MODULE_PATH / "policies" / f"{file}.json.tftpl").read_text()
    return json.loads(re.sub(r"\$\{(\w+)\}", lambda found: VALUES[found[1]], text))


@pytest.mark.parametrize("switch", ["yes", "no"])
def test_kit_module_has_the_policies_of_the_template(switch):
    stack = template.Rendered(
        PARAMETERS | {"AllowChanges": switch, "AllowSupport": switch}, account_id=NUMBER, region="eu-west-1", stack="byoc-3f9a1c2e-g1-kit"
    )

    for logical_id in stack.logical_ids("AWS::IAM::Role"):
        shipped = stack.properties(logical_id)
        role = shipped["RoleName"].removeprefix("byoc-3f9a1c2e-g1-")
        assert rendered(f"{role}-trust") == shipped["AssumeRolePolicyDocument"]
        for policy in shipped.get("Policies", []):
            ending = f"-{switch}" if policy["PolicyName"] == "switch" else ""
            assert rendered(f"{role}-{policy['PolicyName']}{ending}") == policy["PolicyDocument"]
    for logical_id in stack.logical_ids("AWS::IAM::ManagedPolicy"):
        shipped = stack.properties(logical_id)
        assert rendered(shipped["ManagedPolicyName"].removeprefix("byoc-3f9a1c2e-g1-")) == shipped["PolicyDocument"]


def test_kit_module_is_as_the_template_makes_it():
    assert terraform.written_files() == terraform.generated_files()


def test_write_kit_module_mends_and_clears(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(terraform, "MODULE_PATH", tmp_path)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "gone.json.tftpl").write_text("{}")
    (tmp_path / "VERSION").write_text("0.0.1\n")

    call_command("write_kit_module")

    assert terraform.written_files() == terraform.generated_files()
    assert "removed  policies/gone.json.tftpl" in capsys.readouterr().out


def test_kit_module_uses_every_policy_file_and_no_other():
    text = (terraform.MODULE_PATH / "main.tf").read_text()
    named = set(re.findall(r'"((?:operator|support|cell)-[a-z]+)(?:\.json\.tftpl)?"', text)) | set(
        re.findall(r"policies/([a-z-]+)\.json\.tftpl", text)
    )
    switches = {f"{role}-switch-{value}" for role in ("operator", "support", "cell-cluster", "cell-storage") for value in ("yes", "no")}
    cell_trusts = {f"cell-{role}-trust" for role in ("agent", "cluster", "node", "storage")}

    assert {f"policies/{name}.json.tftpl" for name in named | switches | cell_trusts} | {"VERSION"} == set(terraform.written_files())
    assert '"support-switch-${var.allow_support}"' in text
    assert all(f'"{role}-switch-${{var.allow_changes}}"' in text for role in ("operator", "cell-cluster", "cell-storage"))
    assert "policies/cell-${each.key}-trust.json.tftpl" in text


def test_kit_module_gives_each_cell_role_the_same_policies_of_aws():
    text = (terraform.MODULE_PATH / "main.tf").read_text()
    given = {}
    for policy, role in re.findall(r'^    "([A-Za-z0-9_/-]+)" += "(cluster|node|storage)"$', text, re.MULTILINE):
        given.setdefault(f"byoc-3f9a1c2e-g1-cell-{role}", set()).add(f"arn:aws:iam::aws:policy/{policy}")
    stack = template.Rendered(PARAMETERS, account_id=NUMBER, region="eu-west-1", stack="byoc-3f9a1c2e-g1-kit")
    roles = [stack.properties(logical_id) for logical_id in stack.logical_ids("AWS::IAM::Role")]

    assert given == {role["RoleName"]: set(role["ManagedPolicyArns"]) for role in roles if "ManagedPolicyArns" in role}


def test_kit_module_takes_every_parameter_of_the_template():
    declared = re.findall(r'^variable "(\w+)"', (terraform.MODULE_PATH / "variables.tf").read_text(), re.MULTILINE)

    assert sorted(declared) == sorted(terraform.VARIABLES.values())
    assert set(terraform.VARIABLES) == set(template.parsed()["Parameters"])


def test_kit_module_roles_are_described_as_in_the_template():
    text = (terraform.MODULE_PATH / "main.tf").read_text()
    for name, resource in template.parsed()["Resources"].items():
        assert resource["Properties"].get("Description", "") in text, name
    assert text.count("max_session_duration = 3600") == 3


def test_kit_archive_is_the_module_and_the_same_bytes_each_time():
    first = terraform.archive()
    terraform.archive.cache_clear()

    assert terraform.archive() == first
    with zipfile.ZipFile(BytesIO(first)) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name) for name in archive.namelist()}
    assert {"main.tf", "outputs.tf", "variables.tf", "versions.tf", "VERSION"} <= set(files)
    assert files == {name: (terraform.MODULE_PATH / name).read_bytes() for name in files}


@needs_terraform
def test_kit_module_is_formatted():
    assert run(terraform.MODULE_PATH, "fmt", "-check", "-recursive").stdout == ""


# --- With the AWS provider -------------------------------------------------------------------------------------------------


@pytest.fixture
def workspace(tmp_path):
    """A customer's folder with the module beside it; `write(configuration)` makes it ready to run."""
    shutil.copytree(terraform.MODULE_PATH, tmp_path / "byoc-aws-kit")

    def write(configuration: str) -> Path:
        (tmp_path / "main.tf").write_text(configuration + "\n")
        made = run(tmp_path, "init", "-input=false", f"-plugin-dir={plugin_folder()}")
        assert made.returncode == 0, made.stderr
        return tmp_path

    return write


@needs_provider
def test_kit_module_is_valid_as_the_portal_writes_it(workspace):
    folder = workspace(kits.load("aws").terraform_snippet(parameters=PARAMETERS | {"AllowChanges": "yes", "AllowSupport": "yes"}))

    assert run(folder, "validate").stdout == "Success! The configuration is valid.\n\n"


@needs_provider
@pytest.mark.django_db(transaction=True)
def test_kit_module_refuses_another_place_and_then_connects(workspace, sandbox, acme, alice):
    make_contact(organisation=acme)
    account = make_cloud_account(organisation=acme, external_id=NUMBER, home_region="eu-west-1")
    issue_kit(account, after_generation=0, by=alice)
    folder = workspace(kit_links(account.kits.get()).terraform.replace(source_of(account), '"./byoc-aws-kit"'))

    def apply(number: str, region: str) -> subprocess.CompletedProcess[str]:
        keys = {"AWS_ACCESS_KEY_ID": number, "AWS_SECRET_ACCESS_KEY": "root"}
        place = {"AWS_REGION": region, "AWS_ENDPOINT_URL": sandbox.customer_url}
        return run(folder, "apply", "-auto-approve", "-input=false", **keys, **place)

    elsewhere = " ".join(apply("999900001111", "us-east-1").stderr.replace("│", " ").split())
    assert f"This kit was made for AWS account {NUMBER}. You are signed in to account 999900001111. Nothing was created." in elsewhere
    assert "This kit was made for region eu-west-1. Your AWS provider is set to us-east-1. Nothing was created." in elsewhere
    done = apply(NUMBER, "eu-west-1")
    assert done.returncode == 0, done.stderr

    operation = Operation.objects.get()
    advance(str(operation.pk))
    operation.refresh_from_db()
    assert (operation.state, operation.failure_code, operation.failure_evidence) == (OperationState.SUCCEEDED, "", "")
    assert CloudAccount.objects.get(pk=account.pk).state == AccountState.CONNECTED


def source_of(account) -> str:
    """The module's published address in the configuration: this test takes the folder instead, as S3 needs https."""
    return re.search(r'source = (".*")', kit_links(account.kits.get()).terraform)[1]
