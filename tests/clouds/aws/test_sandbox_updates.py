"""Updating a stack in the played AWS console: as strict as CloudFormation, and the way to the kit's own switches."""

import json
import re
from html import unescape
from urllib.parse import urlencode

import pytest

from tests.clouds.aws import kit
from tests.clouds.aws.played import PlayedAws
from tests.clouds.conftest import REGION, Cloud, SandboxProcess
from tests.clouds.test_sandbox_console import Browser

PAGE = "/console/cloudformation/update"


@pytest.fixture
def browser(sandbox: SandboxProcess) -> Browser:
    browser = Browser(sandbox)
    browser.sign_in()
    return browser


def of(stack: dict, **more: str) -> dict[str, str]:
    return {"region": REGION, "id": stack["StackId"], **more}


def fields(browser: Browser) -> dict[str, str]:
    """What the page's second form would send as it stands."""
    form = browser.raw[browser.raw.index("<h2>Parameters</h2>") :]
    typed = {name: unescape(value) for name, value in re.findall(r'<input[^>]* name="([^"]+)" value="([^"]*)"', form)}
    chosen = dict(re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(?:<option>[^<]*</option>)*<option selected>([^<]*)<', form))
    return {name: value for name, value in {**typed, **chosen}.items() if name != "acknowledge"}


def upload(browser: Browser, stack: dict, text: str) -> tuple[int, str]:
    parts = {**of(stack), "act": "choose", "source": "TemplateBody", "TemplateURL": ""}
    lines = [f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in parts.items()]
    lines.append(f'--edge\r\nContent-Disposition: form-data; name="TemplateBody"; filename="kit.json"\r\n\r\n{text}\r\n--edge--\r\n')
    status, _headers, body = browser.send(PAGE, "".join(lines), "multipart/form-data; boundary=edge")
    return status, body


def test_console_updates_a_stack_with_the_template_that_it_has(browser, cloud: Cloud):
    document = json.loads(kit.template())
    document["Parameters"]["Seconds"] = {"Type": "Number", "Default": "3600", "AllowedValues": ["3600", "7200"]}
    document["Resources"]["Role"]["Properties"]["MaxSessionDuration"] = {"Ref": "Seconds"}
    stack = kit.create(cloud, body=json.dumps(document))
    assert "Update stack" in browser.open(f"/console/cloudformation/stack?{urlencode(of(stack))}")[2]
    assert 'value="UsePreviousTemplate" checked' in browser.open(f"{PAGE}?{urlencode(of(stack))}")[2]

    browser.open(PAGE, of(stack, act="choose", source="UsePreviousTemplate"))
    ready = fields(browser)
    assert (ready["param_Seconds"], ready["param_Issuer"]) == ("3600", cloud.issuer_url.removeprefix("https://"))
    refused = browser.open(PAGE, {**ready, "param_Seconds": "7200"})
    kept = fields(browser)
    status, headers, _body = browser.open(PAGE, {**ready, "param_Seconds": "7200", "acknowledge": "yes"})

    assert (refused[0], "Requires capabilities : [CAPABILITY_NAMED_IAM]" in refused[2]) == (400, True)
    assert kept["param_Seconds"] == "7200"  # what was typed is kept
    assert (status, "/console/cloudformation/stack?" in headers["Location"]) == (303, True)
    assert cloud.finish(cloud.owner("cloudformation"), "fidelity")["StackStatus"] == "UPDATE_COMPLETE"
    role = cloud.owner("iam").get_role(RoleName="fidelity-operator")["Role"]
    assert role["MaxSessionDuration"] == 7200


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "No updates are to be performed."),
        ({"param_Issuer": "Not An Issuer"}, "Issuer"),
        ({"source": "TemplateURL", "TemplateURL": "https://example.org/x"}, "TemplateURL must be a supported URL."),
    ],
)
def test_console_shows_why_aws_refuses_an_update(browser, cloud: Cloud, changes, told):
    stack = kit.create(cloud)
    browser.open(PAGE, of(stack, act="choose"))
    ready = fields(browser)

    status, _headers, body = browser.open(PAGE, {**ready, "acknowledge": "yes", **changes})

    assert (status, told in body) == (400, True)
    assert cloud.owner("cloudformation").describe_stacks(StackName="fidelity")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"


def test_console_updates_a_stack_with_another_file(browser, cloud: Cloud):
    stack = kit.create(cloud)
    other = json.dumps(json.loads(kit.template(Description="Another one")), indent=2)

    status, body = upload(browser, stack, other)
    browser.open(PAGE, {**fields(browser), "acknowledge": "yes"})

    assert (status, "Replace it with a template file." in body) == (200, True)
    assert cloud.finish(cloud.owner("cloudformation"), "fidelity")["StackStatus"] == "UPDATE_COMPLETE"
    assert cloud.owner("iam").get_role(RoleName="fidelity-operator")["Role"]["Description"] == "Another one"


@pytest.mark.parametrize(
    ("text", "told"), [("", "Choose a template file."), ("x" * 51_201, "Template may not exceed 51200 bytes in size.")]
)
def test_console_takes_no_file_that_is_none(browser, cloud: Cloud, text, told):
    status, body = upload(browser, kit.create(cloud), text)

    assert (status, told in body) == (400, True)


def test_console_offers_no_update_of_a_stack_that_takes_none(browser, cloud: Cloud, sandbox: SandboxProcess):
    sandbox.control("POST", "knobs", {"failures": [{"type": "AWS::IAM::Role", "reason": "Not today"}]})
    stack = kit.create(cloud)

    body = browser.open(f"/console/cloudformation/stack?{urlencode(of(stack))}")[2]

    assert "ROLLBACK_COMPLETE" in body
    assert "Update stack" not in body


def test_console_switches_the_kit_off_and_the_portal_sees_it(browser, cloud: Cloud, sandbox: SandboxProcess, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", sandbox.portal)
    played = PlayedAws(cloud)
    assert played.run_kit() == "CREATE_COMPLETE"
    name = played.kit.stack_name(played.target.suffix)
    (stack,) = cloud.owner("cloudformation", region=played.target.region).describe_stacks(StackName=name)["Stacks"]
    before = played.adapter().describe_kit()
    browser.open(PAGE, of(stack, act="choose", region=played.target.region))
    status, _headers, body = browser.open(PAGE, {**fields(browser), "param_AllowChanges": "no", "acknowledge": "yes"})

    assert status == 303, body

    assert cloud.finish(cloud.owner("cloudformation", region=played.target.region), name)["StackStatus"] == "UPDATE_COMPLETE"
    assert (before.switches["AllowChanges"], played.adapter().describe_kit().switches["AllowChanges"]) == ("yes", "no")
