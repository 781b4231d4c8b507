"""The lines that the page shows once nothing but the kit is left, run as they stand there: in the played shells, and by the real gcloud."""

import html
import re
import shutil
import subprocess

import pytest

from accounts import kits
from accounts.targets import target_of
from portal.audit.verify_certificate import check
from tests.accounts.test_connect_gcp import Shell
from tests.cells.living import drive_to_wait
from tests.clouds.azure.account import SUBSCRIPTION
from tests.clouds.azure.browser import Browser
from tests.hands import process
from tests.offboarding.leaving import OFFBOARD, Leaver

pytestmark = pytest.mark.django_db(transaction=True)
OWNER = "owner@acme.onmicrosoft.example"
needs_gcloud = pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed here")


@pytest.fixture
def leaver(stand, acme, alice, client, sandbox):
    return lambda cloud, **more: Leaver(stand(cloud), acme, alice, client, sandbox, **more)


def commands_of_page(leaver: Leaver) -> list[str]:
    """What the buttons copy."""
    page = leaver.client.get(leaver.url()).text
    label = r'aria-label="Command to remove kit number \d+"'
    return [html.unescape(one) for one in re.findall(label + r"><code data-portal-copy-source>(.*?)</code>", page, re.DOTALL)]


def command_of_page(leaver: Leaver) -> str:
    (command,) = commands_of_page(leaver)
    return command


def ours_on_azure(leaver: Leaver) -> set[str]:
    """All that bears a name or an id of this account, of whatever kind."""
    scope = f"/subscriptions/{SUBSCRIPTION}"
    found = leaver.standing.hand.account.control("GET", f"resources?under={scope}")
    return {entry["id"] for entry in found if f"byoc-{leaver.standing.pk.hex[:8]}" in entry["id"].lower()}


def ours_on_gcp(leaver: Leaver) -> set[str]:
    state = leaver.standing.hand.state()
    found = {name for name, body in state["resources"].items() if body["is_live"] and leaver.standing.pk.hex[:8] in name}
    bound = {bound["role"] for bindings in state["policies"].values() for bound in bindings}
    # A provider of a deleted pool is gone with it, and is listed as live.
    return {name for name in found | bound if leaver.standing.pk.hex[:8] in name and "/providers/" not in name}


@pytest.mark.parametrize("stands", ["whole", "without its janitor", "as a group alone"])
def test_az_lines_reach_a_location_that_nobody_had_seen_yet(stands, leaver):
    """The kit was run, or begun, for it just before its account leaves, and no cell ever stood there."""
    leaver = leaver("azure")
    hand, own = leaver.standing.hand, f"byoc-{leaver.standing.pk.hex[:8]}"
    if stands == "as a group alone":
        tags = {"byoc-account": str(leaver.standing.pk)}
        assert hand.account.owner("PUT", f"/resourceGroups/{own}-cell-uksouth", {"location": "uksouth", "tags": tags}).status == 201
    else:
        hand.run_kit(cellLocation="uksouth")
    if stands == "without its janitor":
        janitor = f"/resourceGroups/{own}-g1-kit/providers/Microsoft.Logic/workflows/{own}-g1-janitor-uksouth"
        assert hand.account.owner("DELETE", janitor, version="2019-05-01").status == 200
    leaver.start()
    leaver.until_ready()
    shell = Browser(process(leaver.sandbox))
    shell.sign_in_to_shell(OWNER, SUBSCRIPTION)

    shell.run(command_of_page(leaver))  # it says of what was not made there that it is not there

    assert ours_on_azure(leaver) == set()
    leaver.until_offboarded()
    looked_at = [one["region"] for one in check(leaver.row.certificate)["coverage"] if one["looked_at"]]
    assert looked_at == (["uksouth", "westeurope"] if stands == "whole" else ["westeurope"])


def test_az_lines_of_the_page_leave_nothing_of_ours_in_the_subscription(leaver):
    leaver = leaver("azure")
    leaver.start()
    leaver.until_ready()
    assert ours_on_azure(leaver)
    assert "Azure keeps a deleted vault for 90 days." in leaver.page()
    shell = Browser(process(leaver.sandbox))
    shell.sign_in_to_shell(OWNER, SUBSCRIPTION)

    code, said = shell.run(command_of_page(leaver))

    assert code == 0, said
    leaver.until_offboarded()
    assert ours_on_azure(leaver) == set()


def test_gcloud_lines_of_the_page_leave_nothing_of_ours_in_the_project(leaver):
    leaver = leaver("gcp")
    leaver.start()
    leaver.until_ready()
    assert ours_on_gcp(leaver)

    Shell(leaver.sandbox.console_port).run(command_of_page(leaver))

    leaver.until_offboarded()
    assert ours_on_gcp(leaver) == set()


@needs_gcloud
def test_the_real_gcloud_takes_the_lines_of_the_page(leaver, tmp_path):
    leaver = leaver("gcp", has_cell=False)
    leaver.start()
    leaver.until_ready()
    hand = leaver.standing.hand

    done = subprocess.run(
        ["bash", "-e", "-c", command_of_page(leaver)],
        env=hand._real(tmp_path), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=400,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    leaver.until_offboarded()
    assert ours_on_gcp(leaver) == set()


def test_group_that_holds_what_was_kept_is_not_in_the_command(leaver):
    """On Azure the kits share a group with the cells: whoever keeps something in it decides about the group, too."""
    leaver = leaver("azure")
    leaver.hand.do("hold")
    leaver.start()
    leaver.keep_what_remains()
    leaver.until_ready()

    lines = command_of_page(leaver).splitlines()

    assert not [line for line in lines if line.startswith("az group delete") and "-cell-" in line]
    assert [line for line in lines if line.startswith("# az group delete") and "-cell-" in line]


def test_last_of_two_kits_takes_what_both_share(leaver):
    """Every kit is removed by its own lines; the group goes with the last of them alone."""
    leaver = leaver("azure", has_cell=False)
    account = leaver.account
    kit, target = kits.load("azure"), target_of(account, account.kits.get())

    usual, last = (kit.removal_command(target, is_last=is_last) for is_last in (False, True))

    shared = [line for line in last.splitlines() if line not in usual.splitlines() and not line.startswith("#")]
    assert [line.split()[:3] for line in shared] == [["az", "group", "delete"]]
    assert "-cell-" in shared[0]


@pytest.mark.parametrize("cloud", ["aws", "azure", "gcp"])
def test_same_cloud_account_is_connected_afresh_while_the_cloud_keeps_the_old_names(cloud, leaver, stand):
    """Google keeps a deleted pool for 30 days, Azure a vault for 90: a fresh connection has names of its own."""
    first = leaver(cloud, has_cell=False)
    first.start()
    first.until_ready()
    if cloud == "gcp":
        assert "for 30 days" in first.page()
        assert "You can connect the same project again at once" in first.page()
    first.remove_kit()
    first.until_offboarded()
    if cloud == "gcp":
        assert first.standing.hand.google.done("GET", f"/iam/v1/{first.standing.hand.shipped.pool}")["state"] == "DELETED"

    again = leaver(cloud)

    assert again.account.pk != first.account.pk
    assert (first.account.state, again.account.state) == ("offboarded", "connected")
    assert first.account.external_id == again.account.external_id
    assert not {kit.suffix for kit in first.account.kits.all()} & {kit.suffix for kit in again.account.kits.all()}
    again.start()
    again.until_ready()
    again.remove_kit()
    drive_to_wait(OFFBOARD, "offboarding_kit_seen")
    assert first.page("certificate_detail") != again.page("plan")
