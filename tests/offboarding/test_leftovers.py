"""The look for what is left, which the customer runs: the very command of the page, in the very shell, with something left and without."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from html import unescape

import pytest

from accounts.offboarding import leftovers
from cells.models import CellResource
from cells.stacks import STACKS, load
from tests.clouds.gcp.google import Google
from tests.hands import process
from tests.offboarding import shells
from tests.offboarding.leaving import Leaver

pytestmark = pytest.mark.django_db(transaction=True)
CLOUDS = ("aws", "azure", "gcp")


@pytest.fixture
def leaver(stand, acme, alice, client, sandbox, settings, live_server):
    """An account with its kit and nothing else, which has begun to leave: the shell fetches the script from this very portal."""
    settings.PORTAL_URL = live_server.url

    def make(cloud):
        made = Leaver(stand(cloud), acme, alice, client, sandbox, has_cell=False)
        made.start()
        made.until_ready()
        return made

    return make


def command_on(leaver, page: str) -> str:
    """What the page offers to copy."""
    offered = re.findall(r"<code data-portal-copy-source>(.*?)</code>", leaver.client.get(leaver.url(page)).text, re.DOTALL)
    return next(text for text in map(unescape, offered) if "byoc-leftovers.sh" in text)


def look(leaver, command: str = "") -> tuple[int, dict, str]:
    account = leaver.account
    code, told = shells.run(leaver.sandbox, account.cloud, account.external_id, command or leftovers.look_of(account).command)
    found = re.search(r'^\{"format":"byoc-leftovers/1".*\}$', told, re.MULTILINE)
    return code, json.loads(found.group(0)) if found else {}, told


def leave_something(leaver) -> str:
    """With the account's mark, by the customer's own hand; its id."""
    account, hand = leaver.account, leaver.standing.hand
    if account.cloud == "aws":
        ec2 = hand.customer.client("ec2", hand.region)
        vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
        ec2.create_tags(Resources=[vpc], Tags=[{"Key": "byoc:account", "Value": str(account.pk)}])
        return vpc
    if account.cloud == "gcp":
        disk = {"project": account.external_id, "path": f"zones/{hand.region}-a/disks/pvc-1"}
        hand.google.control("POST", "resources", {**disk, "body": {"labels": {"byoc-account": str(account.pk)}}})
        return "disks/pvc-1"
    answer = hand.account.owner("PUT", "/resourceGroups/forgotten", {"location": hand.region, "tags": {"byoc-account": str(account.pk)}})
    assert answer.status < 300, answer
    return "resourceGroups/forgotten"


def take_it_away(leaver, left: str) -> None:
    account, hand = leaver.account, leaver.standing.hand
    if account.cloud == "aws":
        hand.customer.client("ec2", hand.region).delete_vpc(VpcId=left)
    elif account.cloud == "gcp":
        hand.google.control("POST", "resources", {"project": account.external_id, "path": f"zones/{hand.region}-a/{left}"})
    else:
        hand.account.owner("DELETE", "/resourceGroups/forgotten")


@pytest.mark.parametrize("cloud", CLOUDS)
def test_look_lists_what_is_left_and_says_when_nothing_is(cloud, leaver):
    leaver = leaver(cloud)
    left = leave_something(leaver)
    command = command_on(leaver, "plan")

    code, report, told = look(leaver, command)
    assert (code, report["is_clean"], report["is_whole"]) == (1, False, True), told
    assert [one["id"].endswith(left) for one in report["found"] if one["sort"] == "left" and "-cell-" not in one["id"]] == [True]
    assert any(one["sort"] == "kit" for one in report["found"])
    assert "Left over, and may cost:" in told
    assert "Of the kit." in told

    take_it_away(leaver, left)
    shells.run(leaver.sandbox, cloud, leaver.account.external_id, whole(leaver.removal_command()))
    leaver.until_offboarded()
    code, report, told = look(leaver, command_on(leaver, "certificate_detail"))
    assert (code, report["is_clean"], report["found"]) == (0, True, []), told
    assert "Nothing of the portal is left here." in told


def test_look_after_a_teardown_believes_the_services_and_not_the_list_of_tags(stand, acme, alice, client, sandbox, settings, live_server):
    """AWS's list goes on naming what a cell was made of; the customer's own look says what the certificate says."""
    settings.PORTAL_URL = live_server.url
    leaver = Leaver(stand("aws"), acme, alice, client, sandbox)
    sandbox.control("POST", "knobs", {"tag_index_mark": "before the teardown"})
    hand = leaver.standing.hand
    index = hand.customer.client("resourcegroupstaggingapi", hand.region)
    remembered = {one["ResourceARN"] for one in index.get_resources()["ResourceTagMappingList"]}
    leaver.start()
    leaver.until_ready()
    shells.run(sandbox, "aws", leaver.account.external_id, leaver.removal_command())
    leaver.until_offboarded()

    code, report, told = look(leaver)

    kinds = {arn.split(":")[2] + ":" + arn.split(":")[5].split("/")[0] for arn in remembered}
    assert kinds >= {"ec2:instance", "ec2:vpc", "eks:cluster", "cloudformation:stack"}
    assert {one["ResourceARN"] for one in index.get_resources()["ResourceTagMappingList"]} == remembered
    assert (code, report["is_clean"], report["found"], report["not_looked_at"]) == (0, True, [], []), told


def whole(removal: str) -> str:
    """With what the kit's own words tell to take away last: the group of cells."""
    return re.sub(r"^# (az group delete)(.*)$", r"\1\2 --yes", removal, flags=re.MULTILINE)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_look_that_was_refused_somewhere_does_not_say_that_nothing_is_left(cloud, leaver):
    leaver = leaver(cloud)
    where = {
        "aws": {"service": "tagging", "action": "GetResources"},
        "azure": {"service": "arm", "action": "Microsoft.Resources/subscriptions/resources/read"},
        "gcp": {"service": "compute", "action": "compute.disks.aggregatedList"},
    }[cloud]
    leaver.standing.hand.fault("access_denied", **where)

    code, report, told = look(leaver)

    assert (code, report["is_clean"], report["is_whole"]) == (2, False, False), told
    assert "It could not look at everything." in told


def test_look_in_another_account_stops(leaver):
    leaver = leaver("aws")
    code, report, told = look(leaver, leftovers.look_of(leaver.account).command.replace("--place 1", "--place 2"))

    assert (code, report) == (2, {})
    assert "You are signed in to account" in told


def test_look_tells_what_is_kept_on_purpose_and_counts_it_as_no_leftover(leaver, alice):
    leaver = leaver("aws")
    vpc = leave_something(leaver)
    kept = {"outcome": "kept", "kept_by": alice, "kept_why": "Another team's", "outcome_at": leaver.account.state_at}
    named = {"kind": "AWS::EC2::VPC", "name": vpc, "made": vpc, "origin": "tag", "region": "eu-north-1"}
    CellResource.objects.create(account=leaver.account, **named, **kept)

    _code, report, told = look(leaver)

    assert [one["sort"] for one in report["found"] if one["id"].endswith(vpc)] == ["kept"]
    assert "Kept on purpose, as you have decided:" in told
    assert "eu-north-1" in report["regions"]


def test_script_is_fetched_by_anybody_and_is_what_the_page_says(leaver, client):
    leaver = leaver("aws")
    page = leaver.page()
    client.logout()

    fetched = client.get("/offboarding/byoc-leftovers.sh").content

    assert hashlib.sha256(fetched).hexdigest() in page
    assert str(leaver.account.pk).encode() not in fetched


def test_script_knows_only_commands_that_read():
    lines = [line.split("#")[0].replace('"', "") for line in leftovers.script().splitlines()]
    asked = [found for line in lines for found in re.findall(r"(?:\bask |\$\()((?:aws|gcloud|az) [^'|<>]*)", line)]
    verbs = [
        next((word for word in words.split() if re.fullmatch(r"(list|get|describe|show)(-[a-z$2-]+)?", word)), words) for words in asked
    ]

    assert len(asked) > 20
    assert [verb for verb in verbs if " " in verb and "$what" not in verb] == []


def test_script_looks_for_the_marks_that_cells_bear(leaver):
    """Its words are its own, as no script can import them."""
    for cloud in STACKS:
        target = type("Target", (), {"account": "0a1b", "suffix": "0a1b-g1"})()
        mark = next(name for name, value in load(cloud).tags(target).items() if value == "0a1b")
        assert (mark in leftovers.script()) or cloud == "gcp"


# --- By the tools that customers have ------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("aws") is None, reason="the AWS CLI is not installed here")
def test_real_aws_says_the_same(leaver, tmp_path):
    leaver = leaver("aws")
    vpc = leave_something(leaver)
    keys = {"AWS_ACCESS_KEY_ID": leaver.account.external_id, "AWS_SECRET_ACCESS_KEY": "any"}

    found = by_real_tool(leaver, tmp_path, {**keys, "AWS_ENDPOINT_URL": leaver.sandbox.customer_url})

    assert found == look(leaver)[1]["found"]
    assert any(one["id"].endswith(vpc) for one in found)


@pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed here")
def test_real_gcloud_says_the_same(leaver, tmp_path):
    leaver = leaver("gcp")
    leave_something(leaver)
    google, address = Google(process(leaver.sandbox), None), leaver.sandbox.gcp_url
    (tmp_path / "token").write_text(google.owner)
    paths = {"IAM": "iam", "CLOUDRESOURCEMANAGER": "crm", "COMPUTE": "compute/compute/v1", "CONTAINER": "container", "CONFIG": "config"}
    keys = {f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{name}": f"{address}/{path}/" for name, path in {**paths, "LOGGING": "logging"}.items()}
    keys |= {"CLOUDSDK_CONFIG": str(tmp_path / "config"), "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(tmp_path / "token")}
    quiet = {"CLOUDSDK_CORE_DISABLE_PROMPTS": "1", "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1"}

    found = by_real_tool(leaver, tmp_path, {**keys, **quiet, "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1"})

    assert found == look(leaver)[1]["found"]
    assert [one["sort"] for one in found].count("left") == 1


def by_real_tool(leaver, folder, keys: dict[str, str]) -> list[dict[str, str]]:
    """What the script finds with the tool that is installed here."""
    words = leftovers.look_of(leaver.account).command.partition("bash byoc-leftovers.sh")[2]
    line = f"bash {leftovers.SCRIPT}{words} --json"
    known = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    done = subprocess.run(
        ["bash", "-c", line], env={**known, "HOME": str(folder), **keys}, capture_output=True, text=True, check=False, timeout=300
    )
    report = json.loads(done.stdout)
    assert (done.returncode, report["not_looked_at"]) == (1, []), done.stderr
    return report["found"]
