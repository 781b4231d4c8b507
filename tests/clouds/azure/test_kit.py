"""The kit of Azure, run by its owner: what it makes, that it makes nothing elsewhere, what it tells, how it is removed."""

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest

from accounts.clouds.base import CloudAdapter, CloudError, Needs, PermissionProbe, Verdict, require_current_kit
from accounts.kits import history
from accounts.kits.azure import template
from accounts.kits.azure.kit import AzureKit
from accounts.kits.base import Publication
from accounts.steps.promises import questions
from tests.clouds.azure.account import GLOBEX, GLOBEX_TENANT, SECOND, SUBSCRIPTION, TENANT, AzureAccount
from tests.clouds.azure.browser import Browser
from tests.clouds.azure.played import ACCOUNT, REGISTERED, SUFFIX, SWITCHES_ON, VAULT, PlayedAzure, addresses
from tests.clouds.conftest import ISSUER_HOST, SandboxProcess, TestIssuer, start_sandbox

NEEDS = Needs(vcpus=12, networks=1, addresses=1, cidr="10.64.0.0/16", name_prefix="byoc-3f9a1c2e-cell-")
KIT = AzureKit()


@pytest.fixture
def played(sandbox: SandboxProcess, issuer: TestIssuer) -> PlayedAzure:
    return PlayedAzure(sandbox, issuer)


def deploy(played: PlayedAzure, subscription: str = SUBSCRIPTION, text: str = "", **changes: str) -> Any:
    owner = AzureAccount(played.account.sandbox, played.account.issuer, subscription)
    owner.control("PATCH", "subscriptions", {"id": subscription, "registered": REGISTERED})
    document = json.loads(text or template.text())
    told = KIT.parameters(played.target) | SWITCHES_ON | changes
    given = {name: value for name, value in told.items() if name in document["parameters"]}  # an earlier version knows fewer
    return owner.deploy(document, "by-hand", **given)


def test_azure_kit_makes_what_the_manifest_says(played: PlayedAzure) -> None:
    made = deploy(played)
    assert made.body["properties"]["provisioningState"] == "Succeeded", made.body

    found = played.account.control("GET", f"resources?under=/subscriptions/{SUBSCRIPTION}")
    kinds = {resource.type for resource in KIT.resources}
    ours = [entry for entry in found if entry["type"] in kinds and not _is_the_owners(entry)]
    names = {"account": ACCOUNT, "suffix": SUFFIX, "short": "3f9a1c2e", "region": "westeurope", "mark": "2222wesope10"}
    promised = {(resource.type, resource.name.format(**names)) for resource in KIT.resources}

    assert {(entry["type"], _shown_name(entry, found)) for entry in ours} == promised
    assert len(ours) == len(KIT.resources)
    for resource in KIT.resources:
        entry = next(e for e in ours if e["type"] == resource.type and _shown_name(e, found) == resource.name.format(**names))
        assert (entry.get("tags") or {}).get("byoc-account", "") == (ACCOUNT if resource.tag else ""), resource.logical_id
        assert len(entry["name"]) <= 64


def _is_the_owners(entry: dict[str, Any]) -> bool:
    """The owner had a role before the kit came."""
    return entry["type"].endswith("roleAssignments") and entry["properties"]["principalType"] == "User"


def _shown_name(entry: dict[str, Any], found: list[dict[str, Any]]) -> str:
    """Roles and assignments are called by numbers: what a person sees is the role's own name."""
    if entry["type"].endswith("roleDefinitions"):
        return entry["properties"]["roleName"]
    if entry["type"].endswith("roleAssignments"):
        role = next(other for other in found if other["id"].endswith(entry["properties"]["roleDefinitionId"].rpartition("/")[2]))
        return role["properties"]["roleName"]
    if entry["type"].endswith("federatedIdentityCredentials"):
        return f"{entry['id'].split('/')[-3]}/{entry['name']}"
    return entry["name"]


def test_azure_kit_outputs_can_be_pasted_as_they_are(played: PlayedAzure) -> None:
    outputs = deploy(played).body["properties"]["outputs"]

    told = KIT.read_report(json.dumps(outputs))

    assert told is not None
    assert told.values == {
        "client_id": outputs["clientId"]["value"], "support_client_id": outputs["supportClientId"]["value"], "tenant_id": TENANT,
    }  # fmt: skip
    assert (told.external_id, told.region) == (SUBSCRIPTION, "westeurope")


@pytest.mark.parametrize(
    ("subscription", "changes"),
    [(SECOND, {}), (SUBSCRIPTION, {"expectedTenantId": "11111111-bbbb-4bbb-8bbb-111111111111"})],
    ids=["other subscription", "other tenant"],
)
def test_azure_kit_in_the_wrong_place_makes_nothing_and_says_why(played: PlayedAzure, subscription: str, changes: dict[str, str]) -> None:
    before = played.account.control("GET", f"resources?under=/subscriptions/{subscription}")

    made = deploy(played, subscription, **changes)

    after = played.account.control("GET", f"resources?under=/subscriptions/{subscription}")
    left = [entry for entry in after if entry not in before and entry["type"] != "Microsoft.Resources/deployments"]
    assert left == []
    assert f"this-kit-was-made-for-subscription-{SUBSCRIPTION}-in-tenant-" in json.dumps(made.body)


@pytest.mark.parametrize("switch", SWITCHES_ON)
def test_azure_kit_has_no_switch_that_says_yes_by_itself(played: PlayedAzure, switch: str) -> None:
    owner = AzureAccount(played.account.sandbox, played.account.issuer, SUBSCRIPTION)
    said = {name: value for name, value in (KIT.parameters(played.target) | SWITCHES_ON).items() if name != switch}

    answer = owner.deploy(json.loads(template.text()), "by-hand", **said)

    assert answer.status == 400
    assert switch in json.dumps(answer.body)


def test_azure_kit_of_the_version_before_is_held_to_its_own_promises(sandbox: SandboxProcess, issuer: TestIssuer,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """1.0.0 may read every deployment of the subscription, which 1.1.0 promises never to do."""
    for name, value in addresses(sandbox).items():
        monkeypatch.setenv(name, value)
    old = PlayedAzure(sandbox, issuer)
    old.target = replace(old.target, kit_version="1.0.0")
    made = deploy(old, text=(history.folder("azure") / "1.0.0.kit.json").read_text(encoding="utf-8")).body["properties"]
    told = {"client_id": made["outputs"]["clientId"]["value"], "support_client_id": made["outputs"]["supportClientId"]["value"]}
    old.target = replace(old.target, reported=told)
    adapter = old.adapter()

    require_current_kit(adapter.describe_kit(), old.target)
    assert all(found.is_granted for found in adapter.check_permissions(history.probes("azure", old.target)))
    asked, all_of_it = questions("azure", old.target), KIT.forbidden_probes(old.target)
    assert len(all_of_it) > len(asked) > len(all_of_it) - 10
    assert not granted(adapter, asked)
    assert granted(adapter, all_of_it) == {
        "Microsoft.Resources/deployments/read", "Microsoft.Resources/deployments/operations/read", "Microsoft.KeyVault/vaults/write",
        "Microsoft.KeyVault/vaults/delete", "Microsoft.ContainerService/managedClusters/runCommand/action",
    }  # fmt: skip


def granted(adapter: CloudAdapter, asked: Sequence[PermissionProbe]) -> set[str]:
    """Actions that were answered with yes, somewhere."""
    distinct = [replace(probe, key=f"{number} {probe.action}") for number, probe in enumerate(asked)]
    return {found.permission.partition(" ")[2] for found in adapter.check_permissions(distinct) if found.is_granted}


def test_azure_kit_keeps_its_promises(shop: PlayedAzure) -> None:
    _code, said = run(shop)
    report = KIT.read_report(said)
    assert report is not None
    shop.target = replace(shop.target, reported=dict(report.values))

    asked = questions("azure", shop.target)

    assert len(asked) == len(KIT.forbidden_probes(shop.target)) > 45
    assert not granted(shop.adapter(), asked)


def test_azure_kit_of_another_generation_stands_beside_the_first(played: PlayedAzure) -> None:
    assert deploy(played).body["properties"]["provisioningState"] == "Succeeded"
    played.target = replace(played.target, suffix="3f9a1c2e-g2", generation=2)

    assert deploy(played).body["properties"]["provisioningState"] == "Succeeded"

    found = played.account.control("GET", f"resources?under=/subscriptions/{SUBSCRIPTION}")
    groups = sorted(entry["name"] for entry in found if entry["type"] == "Microsoft.Resources/resourceGroups")
    assert groups == ["byoc-3f9a1c2e-cell-westeurope", "byoc-3f9a1c2e-g1-kit", "byoc-3f9a1c2e-g2-kit"]


# --- The script, by the real bash in the played Cloud Shell --------------------------------------------------------------

OWNER = "owner@acme.onmicrosoft.example"
BUCKET = "provider-kits"


@dataclass
class Portal:
    """What stands for the portal at the other end of `--report`."""

    url: str
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@pytest.fixture
def portal() -> Iterator[Portal]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "application/json"
            made.told.append((self.path, json.loads(body)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keeps test output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Portal(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def shop(issuer: TestIssuer, portal: Portal, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedAzure]:
    """A customer whose Cloud Shell reaches the portal, and a bucket with the kit in it."""
    resolved = f"{ISSUER_HOST}=http://127.0.0.1:{issuer.port}"
    running = start_sandbox("--pace", "0", "--propagation", "0", "--issuer-resolve", resolved, "--portal-url", portal.url)
    for name, value in addresses(running).items():
        monkeypatch.setenv(name, value)
    provider = boto3.client(
        "s3", endpoint_url=running.customer, region_name="us-east-1", aws_access_key_id="999988887777", aws_secret_access_key="any"
    )
    provider.create_bucket(Bucket=BUCKET)
    provider.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration={"BlockPublicPolicy": False})
    grant = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/kits/*"}
    provider.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [grant]}))
    for key, content in KIT.files().items():
        provider.put_object(Bucket=BUCKET, Key=key, Body=content)
    yield PlayedAzure(running, issuer)
    violations = running.control("GET", "violations")
    running.stop()
    assert violations == []


def run(shop: PlayedAzure, report_url: str = "", more: str = "", **changes: Any) -> tuple[int, str]:
    """The command of the Cloud Shell route, pasted as it stands."""
    shell, _portal = KIT.routes(replace(shop.target, **changes), Publication(BUCKET, "us-east-1", "", "", report_url))
    (command,) = [act.command for act in shell.acts if act.command]
    browser = Browser(shop.account.sandbox)
    browser.sign_in_to_shell(OWNER, SUBSCRIPTION)
    return browser.run(command + more)


def works(shop: PlayedAzure) -> None:
    """The portal drives what stands there: signed in, current, unedited, every permission held, wrong sign-ins refused."""
    adapter = shop.adapter()
    adapter.probe_trust()
    require_current_kit(adapter.describe_kit(), shop.target)
    adapter.check_trust_unedited()
    assert [found.permission for found in adapter.check_permissions(KIT.probes(shop.target)) if not found.is_granted] == []
    assert all(found.is_refused for found in adapter.check_refusals())


def test_azure_script_tells_the_portal_and_what_it_made_works(shop: PlayedAzure, portal: Portal) -> None:
    code, output = run(shop, f"{portal.url}/kits/report/abc:def_-/")

    assert code == 0, output
    ((path, told),) = portal.told
    assert path == "/kits/report/abc:def_-/"
    assert (told["kit"], told["subscription_id"], told["tenant_id"]) == ("azure", SUBSCRIPTION, TENANT)
    assert json.loads(output.strip().splitlines()[-1]) == told  # what is printed for pasting is what was sent
    report = KIT.read_report(json.dumps(told))
    assert report is not None
    assert (report.external_id, report.region) == (SUBSCRIPTION, "westeurope")
    shop.target = replace(shop.target, reported=dict(report.values))
    works(shop)
    assert {finding.check: finding.verdict for finding in shop.adapter().check_environment("westeurope", NEEDS)} == dict.fromkeys(
        [check.name for check in KIT.environment_checks], Verdict.PASS
    )


def test_azure_script_ends_well_when_the_portal_cannot_be_told(shop: PlayedAzure) -> None:
    code, output = run(shop, "https://portal.example/kits/report/abc/")

    assert code == 0, output
    assert "Could not resolve host" in output
    assert "Copy the next line into the portal:" in output
    report = KIT.read_report(output)
    assert report is not None
    shop.target = replace(shop.target, reported=dict(report.values))
    works(shop)


def test_azure_script_may_run_again_mends_and_switches(shop: PlayedAzure) -> None:
    _code, first = run(shop)
    report = KIT.read_report(first)
    assert report is not None
    shop.target = replace(shop.target, reported=dict(report.values))
    for entry in shop.assignments("operator-cells"):
        shop.remove(entry["id"])
    shop.remove(f"{shop.identity('operator')}/federatedIdentityCredentials/portal")

    code, second = run(shop, more=" --allow-support no")

    assert code == 0, second
    assert KIT.read_report(second) == report  # the same identities
    adapter = shop.adapter()
    adapter.check_trust_unedited()
    assert adapter.describe_kit().switches == {"AllowChanges": "yes", "AllowSupport": "no"}
    assert run(shop, more=" --allow-support yes")[0] == 0
    works(shop)


def test_azure_script_leaves_the_customers_no_as_it_stands(shop: PlayedAzure) -> None:
    """The same command again, and the command of the next kit."""
    assert "Changes by the operator identity: yes (to change it, add --allow-changes yes or --allow-changes no)." in run(shop)[1]
    _code, said = run(shop, more=" --allow-changes no")
    assert "Changes by the operator identity: no (as the command says)." in said

    for suffix, generation in ((SUFFIX, 1), ("3f9a1c2e-g2", 2)):
        shop.target = replace(shop.target, suffix=suffix, generation=generation)
        code, said = run(shop)
        report = KIT.read_report(said)
        assert (code, report is not None) == (0, True), said
        assert "Changes by the operator identity: no (to change it" in said
        assert "Support access, once you approve it: yes (to change it" in said
        adapter = shop.adapter(reported=dict(report.values if report else {}))
        assert adapter.describe_kit().switches == {"AllowChanges": "no", "AllowSupport": "yes"}
        adapter.check_trust_unedited()

    assert run(shop, more=" --allow-changes yes")[0] == 0
    assert "Changes by the operator identity: yes (to change it" in run(shop)[1]  # of its own group, whatever an earlier kit's says


def test_azure_script_asks_when_nobody_can_tell_how_a_switch_stands(shop: PlayedAzure) -> None:
    assert run(shop)[0] == 0
    group = shop.read(shop.kit_group)
    tags = {name: value for name, value in group["tags"].items() if name != "byoc-allow-support"}
    assert shop.account.owner("PATCH", shop.kit_group, {"tags": tags}).status == 200

    code, said = run(shop)

    assert code == 1
    assert "no longer says how your switch allow-support stands. Add --allow-support yes or --allow-support no" in said
    assert "Deploying" not in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"identity": {"tenant_id": GLOBEX_TENANT}}, f"belongs to tenant {TENANT}, and this kit was made for tenant {GLOBEX_TENANT}"),
        ({"external_id": GLOBEX}, f"this shell does not see subscription {GLOBEX}"),
    ],
    ids=["tenant", "subscription"],
)
def test_azure_script_refuses_another_place_before_it_changes_anything(shop: PlayedAzure, changes: dict[str, Any], said: str) -> None:
    before = shop.account.control("GET", "")

    code, output = run(shop, **changes)

    assert code == 1
    assert said in output
    after = shop.account.control("GET", "")
    assert [after[name] for name in ("subscriptions", "resources")] == [before[name] for name in ("subscriptions", "resources")]


def test_azure_script_is_removed_by_the_removal_command(shop: PlayedAzure) -> None:
    _code, output = run(shop)
    report = KIT.read_report(output)
    assert report is not None
    shop.target = replace(shop.target, reported=dict(report.values))
    browser = Browser(shop.account.sandbox)
    browser.sign_in_to_shell(OWNER, SUBSCRIPTION)

    code, output = browser.run(KIT.removal_command(shop.target))

    assert code == 0, output
    left = shop.account.control("GET", f"resources?under=/subscriptions/{SUBSCRIPTION}")
    names = {entry["name"] for entry in left if not _is_the_owners(entry)}
    assert names == {"byoc-3f9a1c2e-cell-westeurope", "byoc-3f9a1c2e-g1-cell", VAULT}  # the cell's group, and its vault for a newer kit
    with pytest.raises(CloudError) as refused:
        shop.adapter(was_trusted=True).probe_trust()
    assert refused.value.code == "role_deleted"
