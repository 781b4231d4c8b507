"""The played AWS console and the mailbox, as a browser meets them, without a browser."""

import http.client
import re
import smtplib
from email.message import EmailMessage
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest

from accounts.kits.aws.regions import REGIONS
from tests.clouds.aws import kit
from tests.clouds.conftest import Cloud, SandboxProcess

ACCOUNT = "111122223333"


class Browser:
    """Follows no redirects, keeps the one cookie."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        self.port = sandbox.console
        self.cookie = self.raw = ""

    def open(self, path: str, form: dict[str, str] | None = None, **headers: str) -> tuple[int, http.client.HTTPMessage, str]:
        return self.send(path, urlencode(form) if form else "", "application/x-www-form-urlencoded" if form else "", **headers)

    def send(self, path: str, content: str, kind: str, **headers: str) -> tuple[int, http.client.HTTPMessage, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        given = {"Cookie": self.cookie, **({"Content-Type": kind} if kind else {}), **headers}
        connection.request("POST" if content else "GET", path, content.encode() or None, given)
        answer = connection.getresponse()
        body = self.raw = answer.read().decode()
        connection.close()
        self.cookie = (answer.headers.get("Set-Cookie") or self.cookie).split(";")[0]
        return answer.status, answer.headers, unescape(body)

    def sign_in(self, account: str = ACCOUNT) -> None:
        assert self.open("/console/signin", {"account": account, "next": "/console/cloudformation/stacks"})[0] == 303


@pytest.fixture
def browser(sandbox: SandboxProcess) -> Browser:
    return Browser(sandbox)


@pytest.fixture
def launch(cloud: Cloud) -> dict[str, str]:
    """What a launch link carries behind its #, with the template published for everyone to read."""
    provider = cloud.owner("s3", account="999988887777", region="us-east-1")
    provider.create_bucket(Bucket="provider-kits")
    provider.put_public_access_block(Bucket="provider-kits", PublicAccessBlockConfiguration={"BlockPublicPolicy": False})
    grant = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::provider-kits/kits/*"}
    import json

    provider.put_bucket_policy(Bucket="provider-kits", Policy=json.dumps(kit.document(grant)))
    provider.put_object(Bucket="provider-kits", Key="kits/template.json", Body=kit.template().encode())
    return {
        "region": "eu-central-1",
        "templateURL": "https://provider-kits.s3.us-east-1.amazonaws.com/kits/template.json",
        "stackName": "fidelity",
        "param_Issuer": "id.portal.test/trust/a/g1",
    }


def test_console_root_leads_to_the_stacks_and_they_to_the_sign_in(browser: Browser) -> None:
    assert browser.open("/")[1]["Location"] == "/console/cloudformation/stacks"
    assert browser.open("/console/cloudformation/stacks")[1]["Location"].startswith("/console/signin?next=")


def test_console_says_that_it_is_played_and_is_strict_about_scripts(browser: Browser) -> None:
    status, headers, body = browser.open("/console/signin")

    assert status == 200
    assert "Played AWS console – part of the demo, not AWS" in body
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'; script-src 'self'")
    assert 'value="111122223333"' in body


@pytest.mark.parametrize("account", ["12345", "abcdefghijkl", ""])
def test_console_sign_in_wants_twelve_digits(browser: Browser, account: str) -> None:
    status, _headers, body = browser.open("/console/signin", {"account": account, "next": "/console/"})

    assert status == 200
    assert "An account number has 12 digits." in body


def test_console_sign_in_leads_nowhere_else(browser: Browser) -> None:
    assert browser.open("/console/signin", {"account": ACCOUNT, "next": "https://evil.example/"})[1]["Location"].startswith("/console/")


def test_console_home_serves_the_script_that_reads_the_fragment(browser: Browser) -> None:
    assert '<script src="/console/static/console.js" defer>' in browser.open("/console/cloudformation/home?region=eu-central-1")[2]
    assert "/stacks/create/review" in browser.open("/console/static/console.js")[2]
    assert browser.open("/console/static/console.css")[0] == 200
    assert browser.open("/console/static/../html.py")[0] == 404


def test_console_review_shows_template_and_parameters(browser: Browser, launch: dict[str, str]) -> None:
    browser.sign_in()

    status, _headers, body = browser.open(f"/console/cloudformation/review?{urlencode(launch)}")

    assert status == 200
    assert '"AWS::IAM::OIDCProvider"' in body
    assert 'name="param_Issuer" value="id.portal.test/trust/a/g1"' in body
    assert "I acknowledge that AWS CloudFormation might create IAM resources with custom names." in body


def test_console_review_of_an_unreadable_template_says_so(browser: Browser, launch: dict[str, str]) -> None:
    browser.sign_in()

    status, _headers, body = browser.open(f"/console/cloudformation/review?{urlencode({**launch, 'templateURL': 'https://example.org/x'})}")

    assert status == 400
    assert "TemplateURL must be a supported URL." in body


def test_console_creates_the_stack_as_the_accounts_root(browser: Browser, launch: dict[str, str], cloud: Cloud) -> None:
    browser.sign_in()

    refused = browser.open("/console/cloudformation/review", {**launch, "act": "create"})
    status, headers, _body = browser.open("/console/cloudformation/review", {**launch, "act": "create", "acknowledge": "yes"})

    assert refused[0] == 400
    assert "Requires capabilities : [CAPABILITY_NAMED_IAM]" in refused[2]
    assert status == 303
    assert cloud.finish(cloud.owner("cloudformation"), "fidelity")["StackStatus"] == "CREATE_COMPLETE"
    body = browser.open(headers["Location"])[2]
    assert f"arn:aws:iam::{ACCOUNT}:role/fidelity-operator" in body
    assert "data-refresh" not in body
    cloud.assume("fidelity-operator")


def test_console_plays_the_wrong_account_and_the_wrong_region(browser: Browser, launch: dict[str, str], cloud: Cloud) -> None:
    browser.sign_in("2222-3333-4444")

    browser.open("/console/cloudformation/review", {**launch, "region": "us-west-2", "act": "create", "acknowledge": "yes"})

    there = cloud.owner("cloudformation", account="222233334444", region="us-west-2")
    assert cloud.finish(there, "fidelity")["StackStatus"] == "CREATE_COMPLETE"
    assert cloud.owner("cloudformation").describe_stacks()["Stacks"] == []


def test_console_stack_page_refreshes_itself_while_it_works(browser: Browser, launch: dict[str, str], cloud: Cloud, paced: Any) -> None:
    browser.sign_in()
    location = browser.open("/console/cloudformation/review", {**launch, "act": "create", "acknowledge": "yes"})[1]["Location"]

    body = browser.open(location)[2]

    assert 'data-refresh="2000"' in body
    assert "CREATE_IN_PROGRESS" in body
    cloud.finish(cloud.owner("cloudformation"), "fidelity")


def test_console_shows_why_a_stack_failed(browser: Browser, launch: dict[str, str], cloud: Cloud, sandbox: SandboxProcess) -> None:
    sandbox.control("POST", "knobs", {"failures": [{"type": "AWS::IAM::Role", "reason": "Not today"}]})
    browser.sign_in()
    location = browser.open("/console/cloudformation/review", {**launch, "act": "create", "acknowledge": "yes"})[1]["Location"]
    cloud.finish(cloud.owner("cloudformation"), "fidelity")

    body = browser.open(location)[2]

    assert "ROLLBACK_COMPLETE" in body
    assert "Not today" in body


def test_console_deletes_a_stack(browser: Browser, cloud: Cloud) -> None:
    stack = kit.create(cloud)
    browser.sign_in()

    browser.open("/console/cloudformation/stack", {"region": "eu-central-1", "id": stack["StackId"], "act": "delete"})

    assert cloud.finish(cloud.owner("cloudformation"), stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def test_console_offers_every_region_that_the_portal_offers(browser: Browser) -> None:
    browser.sign_in()

    offered = re.findall(r'<option value="([a-z0-9-]+)"', browser.open("/console/cloudformation/stacks?region=eu-central-1")[2])

    assert {region.code for region in REGIONS} - set(offered) == set()
    assert len(offered) == len(set(offered))


def test_console_lists_stacks_per_region(browser: Browser, cloud: Cloud) -> None:
    kit.create(cloud)
    browser.sign_in()

    assert ">fidelity</a>" in browser.open("/console/cloudformation/stacks?region=eu-central-1")[2]
    assert "There is no stack in this region." in browser.open("/console/cloudformation/stacks?region=us-east-1")[2]


def test_console_edits_a_trust_policy(browser: Browser, cloud: Cloud) -> None:
    kit.create(cloud)
    browser.sign_in()
    page = browser.open("/console/iam/role?name=fidelity-operator")[2]
    trust = re.search(r"<textarea[^>]*>(.*?)</textarea>", page, re.DOTALL)
    assert trust is not None

    status, _headers, body = browser.open(
        "/console/iam/role", {"name": "fidelity-operator", "trust": trust.group(1).replace("account:a:ops", "account:b:ops")}
    )

    assert status == 200
    assert "Trust policy updated." in body
    assert (
        "account:b:ops"
        in cloud.owner("iam")
        .get_role(RoleName="fidelity-operator")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]["StringEquals"]
        .values()
    )


def test_console_deletes_the_identity_provider(browser: Browser, cloud: Cloud) -> None:
    kit.create(cloud)
    browser.sign_in()

    browser.open("/console/iam/providers", {"arn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/id.portal.test/trust/a/g1"})

    assert cloud.owner("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"] == []


def test_console_refuses_forms_from_other_sites(browser: Browser) -> None:
    browser.sign_in()

    assert browser.open("/console/iam/providers", {"arn": "x"}, **{"Sec-Fetch-Site": "cross-site"})[0] == 403


def test_console_shows_awss_own_refusal(browser: Browser) -> None:
    browser.sign_in()

    status, _headers, body = browser.open("/console/iam/role?name=nobody")

    assert status == 400
    assert "NoSuchEntity" in body


def test_console_survives_a_fault(browser: Browser, sandbox: SandboxProcess) -> None:
    browser.sign_in()
    for kind in ("throttle", "502_html", "lost_reply"):
        sandbox.control("POST", "faults", {"kind": kind, "service": "cloudformation", "action": "DescribeStacks"})

        assert browser.open("/console/cloudformation/stacks")[0] == 400

    assert browser.open("/console/cloudformation/stacks")[0] == 200


# --- Mail ---


def send(sandbox: SandboxProcess, to: str, subject: str, text: str) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "no-reply@fernhill.example", to, subject
    message.set_content(text)
    message.add_alternative(f"<p>{text}</p>", subtype="html")
    with smtplib.SMTP("127.0.0.1", sandbox.smtp) as server:
        server.send_message(message)


def test_mailbox_takes_mail_newest_first_and_filters_by_address(sandbox: SandboxProcess, browser: Browser) -> None:
    send(sandbox, "owner@acme.example", "Confirm your address", "First")
    send(sandbox, "Owner@globex.example", "Grüße", "Second")

    subjects = [mail["subject"] for mail in sandbox.control("GET", "mail")]
    page = browser.open("/mailbox/")[2]

    assert subjects == ["Grüße", "Confirm your address"]
    assert page.index("Grüße") < page.index("Confirm your address")
    assert [mail["subject"] for mail in sandbox.control("GET", "mail?to=owner@globex.example")] == ["Grüße"]
    assert "Confirm your address" not in browser.open("/mailbox/?to=owner@globex.example")[2]


def test_mailbox_reads_a_subject_that_was_folded_before_its_first_word(sandbox: SandboxProcess) -> None:
    folded = b"To: owner@acme.example\r\nSubject:\r\n =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello\r\n"
    with smtplib.SMTP("127.0.0.1", sandbox.smtp) as server:
        server.sendmail("no-reply@fernhill.example", ["owner@acme.example"], folded)

    assert [mail["subject"] for mail in sandbox.control("GET", "mail")] == ["Grüße"]


def test_mailbox_shows_a_mail_with_its_links_and_nothing_else_as_markup(sandbox: SandboxProcess, browser: Browser) -> None:
    send(sandbox, "owner@acme.example", "<i>Hello</i>", "Open http://localhost:8000/auth/confirm/a-b_c/. <script>alert(1)</script>")
    mail = sandbox.control("GET", "mail")[0]

    connection = http.client.HTTPConnection("127.0.0.1", sandbox.console)
    connection.request("GET", f"/mailbox/{mail['id']}/")
    body = connection.getresponse().read().decode()
    connection.close()

    assert '<a href="http://localhost:8000/auth/confirm/a-b_c/">http://localhost:8000/auth/confirm/a-b_c/</a>.' in body
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in body
    assert "<h1>&lt;i&gt;Hello&lt;/i&gt;</h1>" in body
    assert browser.open("/mailbox/nothing/")[0] == 404


def test_mailbox_keeps_two_hundred(sandbox: SandboxProcess) -> None:
    message = EmailMessage()
    message["From"], message["To"] = "a@b.example", "c@d.example"
    with smtplib.SMTP("127.0.0.1", sandbox.smtp) as server:
        for number in range(205):
            del message["Subject"]
            message["Subject"] = str(number)
            server.send_message(message)

    subjects = [mail["subject"] for mail in sandbox.control("GET", "mail")]

    assert (len(subjects), subjects[0], subjects[-1]) == (200, "204", "5")
