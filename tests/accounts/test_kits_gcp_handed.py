"""What the customer is handed of the Google Cloud kit, and what comes back."""

import hashlib
import json
import re
from dataclasses import replace

import pytest

from accounts.kits.base import Publication
from accounts.kits.gcp import installer, terraform
from accounts.kits.gcp.words import clean_project_id, clean_project_number
from portal.sandbox.shell.command import GcloudLines, KitCommand, parse
from tests.accounts.gcp_kit import KIT, NUMBER, SHIPPED, TARGET

PUBLISHED = Publication("fernhill-kits", "us-east-1", "", "", "https://portal.example.com/kits/report/3f9a:sig/")
NOWHERE = Publication("", "", "", "")


# --- what the customer is handed ---


def test_gcp_command_is_one_that_the_played_shell_takes():
    shell, _ = KIT.routes(TARGET, PUBLISHED)
    (act,) = (act for act in shell.acts if act.command)

    command = parse(act.command)

    assert isinstance(command, KitCommand)
    assert command.sha256 == KIT.content_hash
    assert command.url == f"https://fernhill-kits.s3.us-east-1.amazonaws.com/kits/gcp/{KIT.version}/{KIT.content_hash}/kit.sh"
    assert dict(zip(command.arguments[::2], command.arguments[1::2], strict=True)) == {
        "--project-id": TARGET.external_id,
        "--project-number": NUMBER,
        "--account": TARGET.account,
        "--generation": "9999",
        "--suffix": "3f9a1c2e-g9999",
        "--issuer": TARGET.issuer,
        "--region": TARGET.region,
        "--report": PUBLISHED.report_url,
    }


def test_gcp_command_without_a_published_script_takes_the_file_of_the_page():
    shell, module = KIT.routes(TARGET, NOWHERE)
    (act,) = (act for act in shell.acts if act.command)

    assert act.command.startswith(f"echo '{KIT.content_hash}  byoc-kit.sh' | sha256sum --check &&")
    assert "curl" not in act.command
    assert "--report" not in act.command
    assert module.acts[0].command.startswith(f"echo '{terraform.archive_sha256()}  terraform.zip' | sha256sum --check &&")
    assert '"./byoc-gcp-kit"' in module.acts[1].command


def test_gcp_link_opens_the_shell_and_the_played_one_in_the_project():
    links = [
        next(act.link for act in KIT.routes(TARGET, publication)[0].acts if act.link)
        for publication in (PUBLISHED, replace(PUBLISHED, console_url="http://127.0.0.1:9/console/shell/gcp/"))
    ]

    assert links == [
        "https://shell.cloud.google.com/?show=terminal",
        f"http://127.0.0.1:9/console/shell/gcp?project={TARGET.external_id}",
    ]


def test_gcp_removal_is_lines_that_the_played_shell_takes_and_names_the_30_days():
    text = KIT.removal_command(TARGET)

    lines = parse(text)

    assert isinstance(lines, GcloudLines)
    assert "30 days" in text
    assert lines.lines[0][:4] == ("iam", "workload-identity-pools", "delete", "byoc-3f9a1c2e-g9999")
    assert len(lines.lines) == 1 + 10 + 7 + 12 + 4


def test_gcp_rights_of_the_one_who_runs_it_are_single_permissions():
    import yaml

    found = yaml.safe_load(KIT.installer_rights(PUBLISHED, TARGET.issuer))

    assert tuple(found["includedPermissions"]) == installer.RIGHTS == tuple(sorted(installer.RIGHTS))


def test_gcp_published_files_are_the_script_the_module_and_a_record():
    files = KIT.files()
    base = f"kits/gcp/{KIT.version}/{KIT.content_hash}"

    assert set(files) == {f"{base}/kit.sh", f"{base}/terraform.zip", f"kits/gcp/{KIT.version}/kit.sha256"}
    assert hashlib.sha256(files[f"{base}/kit.sh"]).hexdigest() == KIT.content_hash


def test_gcp_regions_are_places_with_names():
    codes = [region.code for region in KIT.regions]

    assert len(codes) == len(set(codes)) > 40
    assert all(re.fullmatch(r"[a-z]+-[a-z]+[0-9]+", code) for code in codes)
    assert KIT.region(KIT.default_region).name == "Iowa"
    with pytest.raises(KeyError):
        KIT.region("eu-central-1")


# --- input ---


@pytest.mark.parametrize("text", ["acme-data-prod", " acme-data-prod\n", "projects/acme-data-prod", "'acme-data-prod'", "ACME-data-prod"])
def test_gcp_project_id_is_read_as_pasted(text):
    assert clean_project_id(text) == "acme-data-prod"


@pytest.mark.parametrize(
    "text", ["", "acme", "1acme-data", "acme-data-", "acme data prod", "123456789012", "a" * 31, "acme_data", "acme\x00data"]
)
def test_gcp_project_id_that_is_none(text):
    with pytest.raises(ValueError, match="project id"):
        clean_project_id(text)


@pytest.mark.parametrize("text", ["123456789012", " 123 456 789 012 ", "projects/123456789012"])
def test_gcp_project_number_is_read_as_pasted(text):
    assert clean_project_number(text) == NUMBER


@pytest.mark.parametrize("text", ["", "acme-data-prod", "12345", "0123456789", "9" * 20, "١٢٣٤٥٦٧٨٩", "1e12"])
def test_gcp_project_number_that_is_none(text):
    with pytest.raises(ValueError, match="project number"):
        clean_project_number(text)


def test_gcp_report_of_the_script_is_read():
    told = {
        "kit": "gcp",
        "version": KIT.version,
        "generation": 1,
        "project_id": "acme-data-prod",
        "project_number": NUMBER,
        "region": "us-east1",
    }

    report = KIT.read_report(json.dumps(told))

    assert report is not None
    assert (report.external_id, report.region) == ("acme-data-prod", "us-east1")
    assert report.values == {"version": KIT.version, "generation": "1", "project_number": NUMBER}


def test_gcp_report_may_be_the_name_of_the_pool():
    report = KIT.read_report(f"name: {SHIPPED.pool}\nstate: ACTIVE")

    assert report is not None
    assert (report.values, report.external_id, report.region) == ({"pool": SHIPPED.pool, "project_number": NUMBER}, "", "")


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{}", '{"kit": "aws"}', '{"kit": ["gcp"]}', "[" * 100_000, "arn:aws:iam::1:role/x", "projects/1/locations/global"],
    ids=lambda text: text[:20],
)
def test_gcp_report_that_says_nothing(text):
    assert KIT.read_report(text) is None


@pytest.mark.parametrize("value", ["Acme Corp", "x" * 200, 7, None, ["acme-data-prod"], "acme-data-prod\n; rm"])
def test_gcp_report_keeps_no_nonsense(value):
    report = KIT.read_report(json.dumps({"kit": "gcp", "project_id": value, "region": value, "version": value}))

    assert report is not None
    assert (report.external_id, report.region) == ("", "")
    assert all(len(kept) <= 40 for kept in report.values.values())
