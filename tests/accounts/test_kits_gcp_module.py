"""The Google Cloud kit's Terraform module beside its script."""

import io
import re
import shutil
import subprocess
import zipfile

import hcl2
import pytest

from accounts import kits
from accounts.kits.gcp import script, terraform
from tests.accounts.gcp_kit import TARGET, module


def names_of(kind: str) -> set[str]:
    return {name.strip('"') for block in module()[kind] for name in block if not name.startswith("__")}


@pytest.mark.parametrize("is_reviewed", [True, False])
def test_gcp_module_is_unpacked_only_if_it_is_the_reviewed_one(tmp_path, is_reviewed):
    """The command of the page, by the real shell: what Terraform then calls is there or not."""
    content = terraform.archive() if is_reviewed else terraform.archive() + b"\n"
    (tmp_path / "published.zip").write_bytes(content)

    done = subprocess.run(
        ["bash", "-c", terraform.fetch((tmp_path / "published.zip").as_uri())], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode == 0) == is_reviewed
    assert (tmp_path / "byoc-gcp-kit/main.tf").exists() == is_reviewed
    assert 'source = "./byoc-gcp-kit"' in terraform.snippet(TARGET)


def test_gcp_module_holds_the_suffix_to_account_and_generation():
    text = (terraform.MODULE_PATH / "main.tf").read_text()

    assert 'condition     = var.suffix == "${split("-", var.account_ref)[0]}-g${var.generation}"' in text


def test_gcp_module_is_as_the_script_makes_it():
    assert terraform.written_files() == terraform.generated_files()


def test_gcp_module_is_hcl_and_takes_what_the_portal_writes():
    given = re.findall(r"^  (\w+) +=", terraform.snippet(TARGET).partition("\n\n")[2], re.MULTILINE)

    assert names_of("variable") == set(given)
    assert hcl2.loads(terraform.snippet(TARGET) + "\n")["module"]


def test_gcp_module_makes_the_kinds_of_the_script_and_no_other():
    assert names_of("resource") == {
        "google_logging_log_view",
        "google_project_iam_audit_config",
        "google_project_service",
        "google_project_iam_custom_role",
        "google_service_account",
        "google_project_iam_member",
        "google_service_account_iam_member",
        "google_iam_workload_identity_pool",
        "google_iam_workload_identity_pool_provider",
    }


def test_gcp_module_says_the_same_words_as_the_script():
    """What the adapter compares: names, condition, mapping, members."""
    text = (terraform.MODULE_PATH / "main.tf").read_text()

    assert "assertion.sub in ['account:${var.account_ref}:ops', 'account:${var.account_ref}:support']" in text
    assert "assertion.sub in ['account:$ACCOUNT:ops', 'account:$ACCOUNT:support']" in script.text()
    assert 'SWITCHES="allow-changes=$ALLOW_CHANGES allow-support=$ALLOW_SUPPORT"' in script.text()
    said = re.search(r'description  = "(byoc kit=[^"]+)"', text)[1]
    pairs = {
        "local.kit_version": "KIT_VERSION",
        "var.account_ref": "ACCOUNT",
        "var.generation": "GENERATION",
        "var.allow_changes": "ALLOW_CHANGES",
        "var.allow_support": "ALLOW_SUPPORT",
        "var.region": "REGION",
    }
    for inside, outside in pairs.items():
        said = said.replace(f"${{{inside}}}", f"${outside}")
    said = said.replace("allow-changes=$ALLOW_CHANGES allow-support=$ALLOW_SUPPORT", "$SWITCHES")
    assert f'--description="{said}"' in script.text()
    assert text.count('"roles/') == 4


def test_gcp_archive_is_the_module_and_the_same_bytes_each_time():
    first = terraform.archive()
    terraform.archive.cache_clear()

    assert terraform.archive() == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert {"main.tf", "outputs.tf", "variables.tf", "versions.tf", *terraform.generated_files()} == set(files)
    assert files == {name: (terraform.MODULE_PATH / name).read_bytes() for name in files}


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
def test_gcp_module_is_formatted():
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-recursive"], cwd=terraform.MODULE_PATH, capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.returncode) == ("", 0)


def test_gcp_kit_is_loaded_by_its_name():
    assert kits.load("gcp").cloud == "gcp"
