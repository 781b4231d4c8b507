"""The played Azure portal and Cloud Shell, as a browser without scripts meets them; the project's own kit goes through both."""

import hashlib
import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from accounts.kits.azure import template
from tests.clouds.aws import kit as aws_kit
from tests.clouds.azure.account import CLOSED, GLOBEX_TENANT, SECOND, SUBSCRIPTION, TENANT, AzureAccount
from tests.clouds.azure.browser import Browser, fields, visible
from tests.clouds.conftest import ISSUER_HOST, Cloud, SandboxProcess, TestIssuer

ACCOUNT = "aaaaaaaa-0000-4000-8000-000000000000"
OWNER = "owner@acme.onmicrosoft.example"
BUCKET = "https://provider-kits.s3.us-east-1.amazonaws.com"
PARAMETERS = {
    "expectedSubscriptionId": SUBSCRIPTION,
    "expectedTenantId": TENANT,
    "accountRef": ACCOUNT,
    "generation": "1",
    "suffix": "aaaaaaaa-g1",
    "issuerUrl": f"{ISSUER_HOST}/trust/a/g1",
    "location": "westeurope",
    "cellLocation": "westeurope",
}
SWITCHES = {"allowChanges": "yes", "allowSupport": "no"}  # chosen by whoever fills in the form


@pytest.fixture
def account(sandbox: SandboxProcess, issuer: TestIssuer) -> AzureAccount:
    return AzureAccount(sandbox, issuer)


@pytest.fixture
def browser(sandbox: SandboxProcess) -> Browser:
    return Browser(sandbox)


@pytest.fixture
def published(cloud: Cloud) -> str:
    """The project's kit in a bucket that everybody may read; its folder's address."""
    provider = cloud.owner("s3", account="999988887777", region="us-east-1")
    provider.create_bucket(Bucket="provider-kits")
    provider.put_public_access_block(Bucket="provider-kits", PublicAccessBlockConfiguration={"BlockPublicPolicy": False})
    grant = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::provider-kits/kits/*"}
    provider.put_bucket_policy(Bucket="provider-kits", Policy=json.dumps(aws_kit.document(grant)))
    for name, text in (("kit.json", template.text()), ("kit.sh", template.script())):
        provider.put_object(Bucket="provider-kits", Key=f"kits/azure/{name}", Body=text.encode())
    return f"{BUCKET}/kits/azure"


def command(folder: str, **changed: str) -> str:
    """As the portal's page shows it."""
    options = {
        "subscription": SUBSCRIPTION, "tenant": TENANT, "account": ACCOUNT, "generation": "1", "suffix": "aaaaaaaa-g1",
        "issuer": f"{ISSUER_HOST}/trust/a/g1", "region": "westeurope", "template-url": f"{folder}/kit.json",
        "template-sha256": template.sha256(), **changed,
    }  # fmt: skip
    words = " \\\n    ".join(["bash byoc-kit.sh", *(f"--{name} {value}" for name, value in options.items())])
    check = f"echo '{template.script_sha256()}  byoc-kit.sh' | sha256sum --check"
    return f"curl -fsSLo byoc-kit.sh '{folder}/kit.sh' && \\\n  {check} && \\\n  {words}"


# --- Custom deployment ---


@pytest.fixture
def form(browser: Browser, published: str) -> dict[str, str]:
    """The filled form of Custom deployment for the project's kit."""
    browser.open("/console/azure/signin", {"tenant": TENANT, "role": "Owner", "next": "/console/azure/deployments"})
    values = {f"param_{name}": value for name, value in (PARAMETERS | SWITCHES).items()}
    return {"template": f"{published}/kit.json", "subscription": SUBSCRIPTION, "region": "westeurope", **values}


def test_link_is_opened_by_the_script_of_the_page(browser: Browser) -> None:
    status, _headers, body = browser.open("/console/azure/deploy")

    script = browser.open("/console/static/console.js")[2]
    assert (status, "/console/static/console.js" in body) == (200, True)
    assert "create\\/Microsoft\\.Template\\/uri" in script
    assert "Address of the template" in visible(body)


def test_signing_in_comes_first_and_leads_back(browser: Browser, published: str) -> None:
    status, headers, _body = browser.open(f"/console/azure/custom?template={published}/kit.json")
    assert status == 303

    status, headers, _body = browser.open(
        "/console/azure/signin", {"tenant": TENANT, "role": "Owner", **fields(browser.open(headers["Location"])[2])}
    )

    assert (status, headers["Location"]) == (
        303,
        f"/console/azure/custom?template={published.replace(':', '%3A').replace('/', '%2F')}%2Fkit.json",
    )


def test_form_is_filled_from_the_template_alone(browser: Browser, form: dict[str, str]) -> None:
    body = browser.open(f"/console/azure/custom?template={form['template']}")[2]

    given = {name.removeprefix("param_"): value for name, value in fields(body).items() if name.startswith("param_")}
    assert given == dict.fromkeys(PARAMETERS, "")
    for switch in SWITCHES:
        assert re.search(rf'<select id="param_{switch}"[^>]*><option value="" selected></option><option value="no">no</option>', body)
    assert "Acme Production" in visible(body)
    assert "Globex Main" not in visible(body)


def test_form_without_a_choice_is_refused(browser: Browser, form: dict[str, str]) -> None:
    reviewed = browser.open("/console/azure/custom", {**form, "param_allowSupport": "", "act": "review"})[2]

    assert "'allowSupport' is not valid" in visible(reviewed)


def test_parameters_file_fills_the_form(browser: Browser, form: dict[str, str]) -> None:
    told = json.dumps({"parameters": {name: {"value": value} for name, value in PARAMETERS.items()}})

    body = browser.open("/console/azure/custom", {"template": form["template"], "act": "load", "file": told})[2]

    assert fields(body)["param_issuerUrl"] == f"{ISSUER_HOST}/trust/a/g1"


def test_kit_is_deployed_and_its_outputs_can_be_copied(browser: Browser, account: AzureAccount, form: dict[str, str]) -> None:
    reviewed = browser.open("/console/azure/custom", {**form, "act": "review"})[2]
    assert "Validation passed." in visible(reviewed), visible(reviewed)

    status, headers, body = browser.open("/console/azure/custom", fields(reviewed))

    assert status == 303, visible(body)
    assert re.search(r"Microsoft\.Template-\d{14}$", headers["Location"])
    done = browser.when_done(headers["Location"])
    assert "Your deployment is complete: Succeeded" in visible(done)
    outputs = dict(re.findall(r'<input id="o-(\w+)" value="([^"]*)" readonly>', done))
    assert outputs["tenantId"] == TENANT
    assert account.exchange(outputs["clientId"], subject=f"account:{ACCOUNT}:ops").status == 200


def test_kit_in_a_subscription_it_was_not_made_for_creates_no_identity(
    browser: Browser, account: AzureAccount, form: dict[str, str]
) -> None:
    reviewed = browser.open("/console/azure/custom", {**form, "subscription": SECOND, "act": "review"})[2]
    shown = browser.when_done(browser.open("/console/azure/custom", fields(reviewed))[1]["Location"])

    assert "LocationNotAvailableForResourceType" in visible(shown)
    assert account.control("GET", f"resources?under=/subscriptions/{SECOND}/resourceGroups") == []


def test_progress_is_seen_by_looking_again(browser: Browser, account: AzureAccount, form: dict[str, str]) -> None:
    account.sandbox.control("POST", "knobs", {"pace_seconds": 30})
    reviewed = browser.open("/console/azure/custom", {**form, "act": "review"})[2]
    where = browser.open("/console/azure/custom", fields(reviewed))[1]["Location"]

    first = browser.open(where)[2]

    assert 'data-refresh="2000"' in first
    assert '<meta http-equiv="refresh" content="2">' in first
    assert "Deployment is in progress: Accepted" in visible(first)
    account.sandbox.control("POST", "knobs", {"pace_seconds": 0})
    account.control("POST", "clock", {"seconds": 3600})
    assert "Your deployment is complete" in visible(browser.open(where)[2])


@pytest.mark.parametrize(
    ("role", "subscription", "said"),
    [
        ("Reader", SUBSCRIPTION, "AuthorizationFailed"),
        ("Contributor", SUBSCRIPTION, "InvalidTemplateDeployment"),
        ("Owner", CLOSED, "ReadOnlyDisabledSubscription"),
    ],
)
def test_refusal_stands_on_the_page(browser: Browser, form: dict[str, str], role: str, subscription: str, said: str) -> None:
    browser.open("/console/azure/signin", {"tenant": TENANT, "role": role})

    status, _headers, body = browser.open("/console/azure/custom", {**form, "subscription": subscription, "act": "review"})

    assert status == 400
    assert said in visible(body)


def test_neighbour_tenant_is_not_shown(browser: Browser, form: dict[str, str]) -> None:
    browser.open("/console/azure/signin", {"tenant": GLOBEX_TENANT, "role": "Owner"})

    shown = visible(browser.open("/console/azure/deployments")[2])

    assert "Globex Main" in shown
    assert "Acme" not in shown


def test_group_and_assignment_are_taken_away_by_hand(browser: Browser, account: AzureAccount, form: dict[str, str]) -> None:
    reviewed = browser.open("/console/azure/custom", {**form, "act": "review"})[2]
    done = browser.when_done(browser.open("/console/azure/custom", fields(reviewed))[1]["Location"])
    client = dict(re.findall(r'<input id="o-(\w+)" value="([^"]*)" readonly>', done))["clientId"]
    subject = f"account:{ACCOUNT}:ops"
    token = account.exchange(client, subject=subject).body["access_token"]
    access = browser.open(f"/console/azure/access?subscription={SUBSCRIPTION}")[2]
    rows = re.findall(r"<td>byoc-aaaaaaaa-g1-operator</td>.*?name=\"id\" value=\"([^\"]+)\"", access, re.DOTALL)

    browser.follow("/console/azure/access", {"id": html.unescape(rows[0]), "subscription": SUBSCRIPTION})
    assert account.owner("GET", account.scope, token=token).code == "AuthorizationFailed"

    browser.follow("/console/azure/groups", {"id": f"{account.scope}/resourceGroups/byoc-aaaaaaaa-g1-kit", "subscription": SUBSCRIPTION})
    assert account.exchange(client, subject=subject).body["error_codes"] == [700016]


# --- Cloud Shell: the kit's script by the real bash, with the played az ---


def test_script_of_the_kit_runs_in_cloud_shell(browser: Browser, account: AzureAccount, published: str) -> None:
    browser.sign_in_to_shell(OWNER, SUBSCRIPTION)

    code, output = browser.run(command(published))

    assert code == 0, output
    told = json.loads(output.strip().splitlines()[-1])
    assert (told["subscription_id"], told["tenant_id"], told["region"]) == (SUBSCRIPTION, TENANT, "westeurope")
    assert account.exchange(told["client_id"], subject=f"account:{ACCOUNT}:ops").status == 200
    assert account.exchange(told["support_client_id"], subject=f"account:{ACCOUNT}:support").status == 200


def test_script_reads_a_template_that_lies_beside_it(browser: Browser, published: str, tmp_path: Path) -> None:
    (tmp_path / "kit.json").write_text(template.text())
    browser.sign_in_to_shell(OWNER, SUBSCRIPTION)

    code, output = browser.run(command(published, **{"template-url": f"file://{tmp_path}/kit.json"}))

    assert code == 0, output


def test_script_stops_at_a_template_of_another_hash(browser: Browser, account: AzureAccount, published: str) -> None:
    browser.sign_in_to_shell(OWNER, SUBSCRIPTION)

    code, output = browser.run(command(published, **{"template-sha256": "0" * 64}))

    assert (code, "Nothing was changed." in output) == (1, True)
    assert account.owner("GET", "/resourcegroups").body["value"] == []


@pytest.mark.parametrize(
    ("email", "said"),
    [
        (
            "nobody@acme.onmicrosoft.example",
            f"ERROR: Subscription '{SUBSCRIPTION}' not found. Check the spelling and casing and try again.",
        ),
        ("reader@acme.onmicrosoft.example", "ERROR: (AuthorizationFailed) The client 'reader@acme.onmicrosoft.example' with object id '"),
    ],
)
def test_script_says_what_azure_refuses(browser: Browser, published: str, email: str, said: str) -> None:
    browser.sign_in_to_shell(email, SUBSCRIPTION)

    code, output = browser.run(command(published))

    assert code == 1
    assert said in output


def test_removal_command_leaves_only_the_empty_group_of_the_cell(browser: Browser, account: AzureAccount, published: str) -> None:
    from accounts.clouds.base import Target
    from accounts.kits.azure.kit import AzureKit

    target = Target(
        account=ACCOUNT, external_id=SUBSCRIPTION, region="westeurope", suffix="aaaaaaaa-g1", generation=1, kit_version="", kit_hash="",
        issuer="", audience="", identity={"tenant_id": TENANT},
    )  # fmt: skip
    before = {entry["id"] for entry in account.control("GET", f"resources?under={account.scope}")}
    browser.sign_in_to_shell(OWNER, SUBSCRIPTION)
    assert browser.run(command(published))[0] == 0

    code, output = browser.run(AzureKit().removal_command(target))

    assert code == 0, output
    left = {entry["id"] for entry in account.control("GET", f"resources?under={account.scope}")} - before
    assert {number.rpartition("/")[2] for number in left} == {
        "byoc-aaaaaaaa-cell-westeurope", "byoc-aaaaaaaa-g1-cell", "byocaaaaaaaa2222wesope10",
    }  # fmt: skip


@pytest.mark.parametrize("line", ["az vm list", "az group list --query-examples", "az account show --sdk-auth", "az account show -o yaml"])
def test_command_that_is_not_played_ends_with_two_and_a_violation(browser: Browser, account: AzureAccount, line: str) -> None:
    browser.sign_in_to_shell(OWNER, SUBSCRIPTION)

    code, output = browser.run(line)

    assert (code, "does not play" in output) == (2, True)
    assert [entry["kind"] for entry in account.sandbox.control("GET", "violations")] == ["shell"]
    account.sandbox.control("DELETE", "violations")


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("az account show --query '{subscription:id,tenant:tenantId}'", 0, f'"tenant": "{TENANT}"'),
        ("az account list --query '[].name' --output tsv", 0, "Acme Production\nAcme Sandbox\n"),
        ("az group create --name byoc --location westeurope --tags a=b --query tags.a -o tsv", 0, "b\n"),
        ("az group show --name none", 3, "ERROR: (ResourceGroupNotFound) Resource group 'none' could not be found."),
        ("az group exists -n none", 0, "false"),
        ("az provider show -n Microsoft.Compute --query registrationState -o tsv", 0, "Registered"),
        ("az role definition list --name Reader --query '[0].roleType' --output tsv", 0, "BuiltInRole"),
        ("az identity list --output tsv", 0, ""),
        ("gcloud projects list", 127, "gcloud: command not found"),
    ],
)
def test_lines_of_az(browser: Browser, account: AzureAccount, line: str, code: int, said: str) -> None:
    browser.sign_in_to_shell(OWNER, SUBSCRIPTION)

    ended, output = browser.run(line)

    assert (ended, said in output) == (code, True), output


def test_az_deploys_a_template_from_its_address(browser: Browser, account: AzureAccount, published: str) -> None:
    browser.sign_in_to_shell(OWNER, SUBSCRIPTION)
    given = " ".join(f"{name}={value}" for name, value in (PARAMETERS | SWITCHES).items())

    code, output = browser.run(
        f"az deployment sub create -n mine -l westeurope --template-uri {published}/kit.json --parameters {given} "
        "--query properties.outputs.clientId.value -o tsv\n"
        "az deployment operation sub list --name mine --query 'length(@)' -o tsv"
    )

    assert code == 0, output
    client = re.findall(r"^[0-9a-f-]{36}$", output, re.MULTILINE)[0]
    assert account.exchange(client, subject=f"account:{ACCOUNT}:ops").status == 200


def test_az_deploys_a_file_into_a_group(browser: Browser, account: AzureAccount, tmp_path: Path) -> None:
    body = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0",
        "parameters": {"count": {"type": "int"}, "word": {"type": "string"}}, "resources": [],
        "outputs": {"said": {"type": "string", "value": "[concat(parameters('word'), string(add(parameters('count'), 1)))]"}},
    }  # fmt: skip
    (tmp_path / "group.json").write_text(json.dumps(body))
    browser.sign_in_to_shell(OWNER, SUBSCRIPTION)

    code, output = browser.run(
        "az group create -n byoc -l westeurope -o none\n"
        f"az deployment group create -g byoc --template-file {tmp_path}/group.json --parameters count=4 word=a "
        "--query properties.outputs.said.value -o tsv\n"
        "az deployment group show -g byoc -n group --query properties.provisioningState -o tsv"
    )

    assert code == 0, output
    assert output.count("a5\n") == 1
    assert output.endswith("Succeeded\n")


def test_script_of_the_kit_by_the_real_az(account: AzureAccount, tmp_path: Path) -> None:
    """Microsoft's own program against this Azure, where it is installed."""
    az = shutil.which("az")
    if az is None:
        pytest.skip("needs Microsoft's az, which is not on this machine")
    (tmp_path / "kit.json").write_text(template.text())
    (tmp_path / "kit.sh").write_text(template.script())
    made = account.deploy_identity()
    environment = {
        "PATH": f"{Path(az).parent}:/usr/bin:/bin", "HOME": str(tmp_path), "AZURE_CONFIG_DIR": str(tmp_path / "azure"),
        "REQUESTS_CA_BUNDLE": account.sandbox.azure_ca, "AZURE_CORE_INSTANCE_DISCOVERY": "false", "AZURE_CORE_COLLECT_TELEMETRY": "no",
    }  # fmt: skip

    def run(*words: str) -> str:
        return subprocess.run(words, env=environment, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=180).stdout

    run(az, "cloud", "register", "--name", "local", "--endpoint-resource-manager", account.sandbox.azure)
    run(az, "cloud", "set", "--name", "local")
    run(az, "login", "--service-principal", "--username", made, "--tenant", TENANT, "--federated-token", account.assertion())
    options = {
        "subscription": SUBSCRIPTION, "tenant": TENANT, "account": ACCOUNT, "generation": "1", "suffix": "aaaaaaaa-g1",
        "issuer": f"{ISSUER_HOST}/trust/a/g1", "region": "westeurope", "template-url": f"file://{tmp_path}/kit.json",
        "template-sha256": hashlib.sha256(template.text().encode()).hexdigest(),
    }  # fmt: skip
    told: dict[str, Any] = json.loads(run("bash", "kit.sh", *(word for name, value in options.items() for word in (f"--{name}", value))))

    assert account.exchange(told["client_id"], subject=f"account:{ACCOUNT}:ops").status == 200
