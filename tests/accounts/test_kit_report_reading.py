"""What somebody says about a kit that was run, read by every kit: anybody may send anything."""

import json
import re
import time

import pytest

from accounts import kits
from accounts.actions.connect import issue_kit
from accounts.models import Kit
from tests.accounts.test_kit_reports import ARN, report
from tests.factories import make_cloud_account

CLIENT = "605aaa51-8c1a-4699-a3ba-9ada7b28db45"
POOL = "projects/123456789012/locations/global/workloadIdentityPools/byoc-3f9a1c2e-g1"
# No longer than a report may be. The first is what once held a worker for a minute.
HOSTILE = {
    "a word and a gap": "a" * 1300 + " " * 2600 + "!",
    "a name and a gap": "clientId" + " " * 3991 + "!",
    "names": "clientId " * 444,
    "names in one word": "clientId" * 500,
    "underscores": "a_" * 2000,
    "gaps and quotes": "client_id " + "\"' :=" * 800,
    "colons": "client_id" + ":" * 3990,
    "half an id": "605aaa51-8c1a-4699-" * 210,
    "digits": "0" * 4000,
    "spaces": " " * 4000,
    "lines": "\n\t" * 2000,
    "quotes": '"' * 4000,
    "backslashes": '{"a": "' + "\\" * 3990,
    "braces": "{" * 4000,
    "brackets": "[" * 4000,
    "objects": '{"a":' * 800,
    "closed objects": '{"a":' * 660 + "1" + "}" * 660,
    "names of one object": "{" + ",".join(f'"{number}":{number}' for number in range(300)) + "}",
    "a number": '{"kit": "gcp", "version": ' + "9" * 3970 + "}",
    "half ARNs": "arn:aws" * 570,
    "ARNs without an account": "arn:aws:a:" * 400,
    "an ARN of dashes": "arn:aws" + "-" * 3990,
    "half pools": "projects/1234567/locations/" * 148,
    "pools": POOL[:-1] * 52,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("cloud", kits.KITS)
def test_kit_report_is_read_in_no_time(cloud, text):
    kit = kits.load(cloud)
    begun = time.thread_time()

    kit.read_report(text[:4000])

    assert time.thread_time() - begun < 0.05


def saying(cloud, text):
    """A report that its kit knows, with `text` wherever there is room for it."""
    if cloud == "aws":
        return f"{text} {ARN}{text} {text}"
    if cloud == "azure":
        said = dict.fromkeys(("support_client_id", "tenant_id", "subscription_id", "region", "kit", text), text)
        return json.dumps({**said, "client_id": CLIENT})
    return json.dumps({"kit": "gcp", **dict.fromkeys(("version", "generation", "project_number", "project_id", "region", text), text)})


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b", "x" * 400, "\x1b[31m", "<b>", "１２３４５６７"], ids=ascii)
@pytest.mark.parametrize("cloud", kits.KITS)
def test_kit_report_keeps_nothing_strange(cloud, text):
    found = kits.load(cloud).read_report(saying(cloud, text))

    assert found is not None
    for value in (*found.values.values(), found.external_id, found.region):
        assert re.fullmatch("[!-~]{0,300}", value)


@pytest.mark.parametrize("cloud", kits.KITS)
def test_kit_report_of_a_known_form_is_kept_by_the_database(client, acme, alice, cloud):
    """The characters that no database holds, by the public address."""
    account = make_cloud_account(
        organisation=acme, cloud=cloud, external_id="111122223333", identity={"tenant_id": CLIENT, "project_number": "123456789012"}
    )
    issue_kit(account, after_generation=0, by=alice)
    kit = Kit.objects.select_related("account").get()

    answer = report(client, kit, saying(cloud, "a\0b\ud800").encode(errors="replace"))

    assert answer.status_code == 200
    kit.refresh_from_db()
    assert "\0" not in json.dumps(kit.reported, ensure_ascii=False)
