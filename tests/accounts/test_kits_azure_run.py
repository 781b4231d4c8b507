"""What the customer runs of the Azure kit, and what is said about it."""

import hashlib
import json
import re
import shlex
import subprocess
from dataclasses import replace
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.clouds.azure.environment import NAMESPACES
from accounts.clouds.azure.errors import ROWS
from accounts.clouds.support import SUPPORT_CODES
from accounts.failures import FAILURES as SHARED
from accounts.failures import WAITS as SHARED_WAITS
from accounts.kits.azure import template
from accounts.kits.azure.failures import FAILURES, WAITS
from accounts.kits.azure.names import HOLDERS
from accounts.kits.base import Publication
from portal.operations.catalogue import fill
from tests.accounts.azure_kit import KIT, SCRIPT, TARGET
from tests.clouds.azure.account import SUBSCRIPTION, TENANT

PUBLISHED = Publication("fernhill-kits", "us-east-1", "", "", "https://portal.example/kits/report/abc:def_-/")
CLIENT, SUPPORT = "605aaa51-8c1a-4699-a3ba-9ada7b28db45", "805aaa51-8c1a-4699-a3ba-9ada7b28db46"
GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


# --- What the customer runs ----------------------------------------------------------------------------------------------


def test_azure_kit_shell_command_has_the_one_form_and_every_value() -> None:
    shell, _portal = KIT.routes(TARGET, PUBLISHED)
    (command,) = [act.command for act in shell.acts if act.command]
    joined = command.replace("\\\n", " ")
    base = f"https://fernhill-kits.s3.us-east-1.amazonaws.com/kits/azure/{KIT.version}/{KIT.content_hash}"
    script_sha = hashlib.sha256(SCRIPT.read_bytes()).hexdigest()

    form = r"curl -fsSLo byoc-kit\.sh '(\S+)' && +echo '(\S+)  byoc-kit\.sh' \| sha256sum --check && +bash byoc-kit\.sh +(.*)"
    found = re.fullmatch(form, joined)

    assert found is not None
    assert (found[1], found[2]) == (f"{base}/kit.sh", script_sha)
    words = shlex.split(found[3])
    assert dict(zip(words[::2], words[1::2], strict=True)) == {
        "--subscription": SUBSCRIPTION,
        "--tenant": TENANT,
        "--account": TARGET.account,
        "--generation": "9999",
        "--suffix": "3f9a1c2e-g9999",
        "--issuer": TARGET.issuer,
        "--region": "germanywestcentral",
        "--template-url": f"{base}/kit.json",
        "--template-sha256": KIT.content_hash,
        "--report": PUBLISHED.report_url,
    }
    assert shell.code == "shell"
    assert shell.acts[0].link == "https://shell.azure.com/bash"


def test_azure_kit_portal_route_opens_the_template_and_hands_over_the_parameters() -> None:
    _shell, portal = KIT.routes(TARGET, PUBLISHED)
    link = portal.acts[0].link
    (parameters,) = [json.loads(act.command) for act in portal.acts if act.command]

    assert link.startswith("https://portal.azure.com/#create/Microsoft.Template/uri/https%3A%2F%2Ffernhill-kits.s3.")
    assert unquote(link.rpartition("/uri/")[2]).endswith(f"/{KIT.content_hash}/kit.json")
    assert {name: entry["value"] for name, entry in parameters["parameters"].items()} == KIT.parameters(TARGET)


def test_azure_kit_links_lead_to_a_played_console_where_one_is_set() -> None:
    publication = replace(PUBLISHED, base_url="http://127.0.0.1:8202/kits", console_url="http://127.0.0.1:8202/console/azure/")
    shell, portal = KIT.routes(TARGET, publication)

    assert shell.acts[0].link == "http://127.0.0.1:8202/console/shell/azure"
    assert portal.acts[0].link.startswith("http://127.0.0.1:8202/console/azure/deploy#create/Microsoft.Template/uri/http%3A%2F%2F127.0.0.1")


def test_azure_kit_unpublished_runs_from_downloaded_files() -> None:
    (shell,) = KIT.routes(TARGET, Publication("", "", "", ""))
    (command,) = [act.command for act in shell.acts if act.command]

    assert "curl" not in command
    assert "--report" not in command
    assert f'--template-url "file://$PWD/{KIT.documents[0].file}"' in command


def test_azure_kit_removal_names_everything_that_the_kit_made() -> None:
    lines = KIT.removal_command(TARGET).splitlines()
    run = [line for line in lines if not line.startswith("#")]

    assert all(line.startswith("az ") and f"--subscription {SUBSCRIPTION} " in f"{line} " for line in run)
    assert not re.search(r"[$`|;&<>()]", "".join(run))  # one program a line, no shell
    for role in HOLDERS:
        assert sum(f" byoc-{TARGET.suffix}-{role} " in line for line in run) >= 2, role
    assert run.index(next(line for line in run if "role definition delete" in line)) > max(
        index for index, line in enumerate(run) if "role assignment delete" in line
    )
    assert sum("byoc-3f9a1c2e-cell-germanywestcentral" in line and "group delete" in line for line in run) == 0


# --- The script, as far as it goes without Azure -------------------------------------------------------------------------


def run_script(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """By the real bash. There is no az: whatever gets that far fails on it."""
    return subprocess.run(
        ["bash", str(SCRIPT), *arguments], capture_output=True, text=True, timeout=30, check=False, env={"PATH": "/usr/bin:/bin"}
    )


def arguments(**changes: str) -> list[str]:
    given = {
        "subscription": SUBSCRIPTION, "tenant": TENANT, "account": TARGET.account, "generation": "9999", "suffix": TARGET.suffix,
        "issuer": TARGET.issuer, "region": TARGET.region, "template_url": "https://kits.example/kit.json", "template_sha256": "0" * 64,
        **changes,
    }  # fmt: skip
    return [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", value)]


@pytest.mark.parametrize(
    "changes",
    [
        {"subscription": ""},
        {"subscription": "production"},
        {"tenant": "acme.onmicrosoft.com"},
        {"account": "x"},
        {"generation": "0"},
        {"suffix": "3f9a1c2e-g1"},  # of another generation
        {"suffix": "00000000-g9999"},  # of another account
        {"issuer": "http://portal.example/trust"},
        {"issuer": "https://portal.example/$(id)"},
        {"region": "West Europe"},
        {"template_url": "ftp://kits.example/kit.json"},
        {"template_url": "https://kits.example/kit.json; id"},
        {"template_sha256": "abc"},
        {"report": "https://portal.example/`id`"},
        {"allow_changes": "maybe"},
        {"allow_support": ""},
        {"surprise": "yes"},
    ],
)
def test_azure_kit_script_stops_at_anything_that_the_portal_does_not_hand_out(changes: dict[str, str]) -> None:
    stopped = run_script(*arguments(**changes))

    assert stopped.returncode == 1
    assert "Copy the whole command from the portal." in stopped.stderr


def test_azure_kit_script_stops_when_the_last_value_was_lost() -> None:
    stopped = run_script(*arguments(), "--report")

    assert stopped.returncode == 1
    assert "--report has no value" in stopped.stderr


def test_azure_kit_script_stops_where_nobody_is_signed_in() -> None:
    stopped = run_script(*arguments())

    assert stopped.returncode == 1
    assert f"this shell does not see subscription {SUBSCRIPTION}" in stopped.stderr


def test_azure_kit_script_registers_what_a_cell_needs_and_says_why() -> None:
    block = re.search(r"providers=\(\n(.*?)\n\)", template.script(), re.DOTALL)
    assert block is not None
    rows = [line.split("#") for line in block[1].splitlines()]

    assert {row[0].strip() for row in rows} == {*NAMESPACES, "Microsoft.Resources", "Microsoft.Authorization", "Microsoft.Logic"}
    assert all(row[1].strip() for row in rows)


# --- What is said about a kit that was run -------------------------------------------------------------------------------

SENT = {"kit": "azure", "subscription_id": SUBSCRIPTION, "tenant_id": TENANT, "client_id": CLIENT, "support_client_id": SUPPORT}
SAYINGS = {
    "as the script sends it": json.dumps(SENT),
    "the script's line with what stands around it": f"Done. Copy the next line into the portal:\n{json.dumps(SENT)}\nowner@Azure:~$",
    "outputs of the deployment": json.dumps(
        {"clientId": {"type": "String", "value": CLIENT.upper()}, "supportClientId": {"type": "String", "value": SUPPORT}}
    ),
    "the whole deployment": json.dumps({"outputs": {"clientId": {"value": CLIENT}, "supportClientId": {"value": SUPPORT}}}),
    "lines of the portal": f"clientId\n{CLIENT}\n\nsupportClientId\n{SUPPORT}\n",
    "lines with a colon": f"clientId: {CLIENT}\nsupportClientId: {SUPPORT}",
    "quoted lines": f'"client_id": "{CLIENT}",\n"support_client_id": "{SUPPORT}"',
    "bare ids": f"{CLIENT}\n{SUPPORT}\n",
}


@pytest.mark.parametrize("text", SAYINGS.values(), ids=SAYINGS.keys())
def test_azure_kit_reads_what_was_pasted(text: str) -> None:
    told = KIT.read_report(text)

    assert told is not None
    assert (told.values["client_id"], told.values["support_client_id"]) == (CLIENT, SUPPORT)
    assert told.external_id in {"", SUBSCRIPTION}


def test_azure_kit_report_tells_where_it_stands() -> None:
    told = KIT.read_report(json.dumps({**SENT, "region": "westeurope", "surprise": "x"}))

    assert told is not None
    assert (told.external_id, told.region) == (SUBSCRIPTION, "westeurope")
    assert set(told.values) == {"client_id", "support_client_id", "tenant_id"}


@pytest.mark.parametrize(
    "text",
    ["", "it is done", "{}", "[]", "null", '{"clientId": 7}', '{"client_id": "not-an-id"}', f"subscription_id: {SUBSCRIPTION}",
     f"{CLIENT} {SUPPORT} {TENANT}", "{" * 4000],
)  # fmt: skip
def test_azure_kit_does_not_guess(text: str) -> None:
    assert KIT.read_report(text) is None


@given(st.text(max_size=300))
def test_azure_kit_report_takes_anything(text: str) -> None:
    told = KIT.read_report(text)

    assert told is None or re.fullmatch(GUID, told.values["client_id"])


# --- Words ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [SUBSCRIPTION, SUBSCRIPTION.upper(), f"  {SUBSCRIPTION}\n", f"/subscriptions/{SUBSCRIPTION}"])
def test_azure_kit_cleans_what_was_pasted(text: str) -> None:
    for question in KIT.identity_fields:
        assert question.clean(text) == SUBSCRIPTION


@pytest.mark.parametrize("text", ["", "production", "acme.onmicrosoft.com", "00000000-0000-0000-0000-000000000000", "1" * 36])
def test_azure_kit_refuses_what_is_no_id(text: str) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        KIT.identity_fields[0].clean(text)


def test_azure_kit_refuses_two_ids_for_one() -> None:
    with pytest.raises(ValueError, match="This holds 2 IDs"):
        KIT.identity_fields[0].clean(f"{SUBSCRIPTION} {TENANT}")


def test_azure_kit_has_words_for_every_code() -> None:
    codes = {row.code for row in ROWS} | {row.once for row in ROWS if row.once} | {"wrong_account", "kit_not_run"}
    words = {**SHARED, **FAILURES}

    assert codes - set(words) - set(SHARED_WAITS) - set(WAITS) - SUPPORT_CODES - {"stack_busy"} == set()  # its words are the cells'
    params = dict.fromkeys(("found", "expected", "state", "namespace", "names", "account_id", "count", "cloud", "kind"), "x")
    for text in FAILURES.values():
        for sentence in (text.happened, text.means, text.act):
            assert not re.search(r"%\(\w+\)s", fill(sentence, params)), sentence
            assert fill(sentence, {}).strip().endswith(".")
