"""The local AWS's control endpoint, its memory across restarts, and that every patch of ministack still bites."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from accounts.clouds.aws.publish import publish
from tests.clouds.aws import kit
from tests.clouds.conftest import ISSUER_HOST, Cloud, SandboxProcess, TestIssuer, start_sandbox

ACCOUNT = "111122223333"


@pytest.fixture
def owner(sandbox: SandboxProcess, cloud: Cloud) -> Any:
    return cloud.owner("cloudformation")


def order(sandbox: SandboxProcess, **fault: Any) -> dict[str, Any]:
    made: dict[str, Any] = sandbox.control("POST", "faults", {"service": "cloudformation", "action": "DescribeStacks", **fault})
    return made


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("throttle", "Throttling", 400),
        ("500", "InternalFailure", 500),
        ("503", "ServiceUnavailable", 503),
        ("access_denied", "AccessDenied", 403),
    ],
)
def test_fault_answers_once_then_all_is_well(sandbox: SandboxProcess, owner: Any, kind: str, code: str, status: int) -> None:
    order(sandbox, kind=kind)

    with pytest.raises(ClientError) as refused:
        owner.describe_stacks()

    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert owner.describe_stacks()["Stacks"] == []
    assert sandbox.control("GET", "faults") == []


def test_fault_502_answers_html(sandbox: SandboxProcess, owner: Any) -> None:
    order(sandbox, kind="502_html")

    with pytest.raises((ClientError, ResponseParserError)):
        owner.describe_stacks()


def test_fault_counts_and_matches_service_action_and_account(sandbox: SandboxProcess, cloud: Cloud, owner: Any) -> None:
    fault = order(sandbox, kind="throttle", count=2, account=ACCOUNT)

    assert cloud.owner("cloudformation", account="222233334444").describe_stacks()["Stacks"] == []
    assert cloud.owner("iam").list_roles()["Roles"] == []
    for _ in range(2):
        with pytest.raises(ClientError):
            owner.describe_stacks()
    assert owner.describe_stacks()["Stacks"] == []
    assert fault["count"] == 2


def test_fault_of_web_identity_matches_the_roles_account(sandbox: SandboxProcess, cloud: Cloud) -> None:
    kit.create(cloud)
    sandbox.control("POST", "faults", {"kind": "throttle", "service": "sts", "action": "AssumeRoleWithWebIdentity", "account": ACCOUNT})

    with pytest.raises(ClientError, match="Throttling"):
        cloud.assume("fidelity-operator")

    cloud.assume("fidelity-operator")


def test_lost_reply_does_the_work_and_drops_the_connection(sandbox: SandboxProcess, cloud: Cloud) -> None:
    sandbox.control("POST", "faults", {"kind": "lost_reply", "service": "iam", "action": "CreateRole"})
    iam = cloud.owner("iam")

    with pytest.raises((ConnectionClosedError, ReadTimeoutError)):
        iam.create_role(RoleName="lost", AssumeRolePolicyDocument=json.dumps(kit.document(kit.statement(["sts:AssumeRole"]))))

    assert iam.get_role(RoleName="lost")["Role"]["RoleName"] == "lost"


def test_delay_delays(sandbox: SandboxProcess, owner: Any) -> None:
    order(sandbox, kind="delay", seconds=0.4)
    began = time.monotonic()

    owner.describe_stacks()

    assert 0.4 <= time.monotonic() - began < 3


def test_standing_fault_ends_when_deleted(sandbox: SandboxProcess, owner: Any) -> None:
    fault = order(sandbox, kind="500", count=None)
    for _ in range(3):
        with pytest.raises(ClientError):
            owner.describe_stacks()

    assert sandbox.control("DELETE", f"faults?id={fault['id']}") == []

    assert owner.describe_stacks()["Stacks"] == []


@pytest.mark.parametrize(("path", "values"), [("knobs", {"pase_seconds": 1}), ("faults", {"kind": "nonsense"}), ("faults", {"typo": 1})])
def test_control_refuses_what_it_does_not_know(sandbox: SandboxProcess, path: str, values: dict[str, Any]) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        sandbox.control("POST", path, values)

    assert refused.value.code == 400
    refused.value.close()


def test_control_is_not_on_the_portals_port(sandbox: SandboxProcess) -> None:
    for path in ("_sandbox/reset", "_ministack/reset", "_ministack/health"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(f"{sandbox.portal}/{path}", method="POST"), timeout=5)
        assert refused.value.code == 403
        refused.value.close()


def test_pages_are_not_on_the_portals_port(sandbox: SandboxProcess) -> None:
    for path in ("console/", "mailbox/"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{sandbox.portal}/{path}", timeout=5)
        assert refused.value.code == 404
        refused.value.close()


def test_unknown_service_and_ignored_field_are_violations(sandbox: SandboxProcess, cloud: Cloud) -> None:
    with pytest.raises(ClientError, match="SandboxUnsupported"):
        cloud.owner("sqs").list_queues()
    with pytest.raises(ClientError):
        cloud.owner("cloudformation").create_stack(StackName="x", TemplateBody="{", RoleARN=f"arn:aws:iam::{ACCOUNT}:role/service")
    with pytest.raises(ClientError, match="InvalidAction"):
        cloud.owner("iam").list_server_certificates()

    kinds = [(entry["kind"], entry["service"]) for entry in sandbox.control("GET", "violations")]

    assert kinds == [("service", "sqs"), ("field", "cloudformation"), ("unplayed", "iam")]
    sandbox.control("DELETE", "violations")


def test_quota_is_overridden_per_account(sandbox: SandboxProcess, cloud: Cloud) -> None:
    sandbox.control("POST", "knobs", {"quotas": {ACCOUNT: {"vpc/L-F678F1CE": 1}}})

    found = cloud.owner("service-quotas").get_service_quota(ServiceCode="vpc", QuotaCode="L-F678F1CE")
    default = cloud.owner("service-quotas").get_aws_default_service_quota(ServiceCode="vpc", QuotaCode="L-F678F1CE")

    assert found["Quota"]["Value"] == 1.0
    assert default["Quota"]["Value"] == 5.0


# --- Memory ---


def _start(folder: Path, issuer: TestIssuer, *more: str) -> SandboxProcess:
    resolve = f"{ISSUER_HOST}=http://127.0.0.1:{issuer.port}"
    return start_sandbox("--propagation", "0", "--issuer-resolve", resolve, "--state-dir", str(folder), *more)


def _wait(condition: Any) -> None:
    until = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_state_survives_a_clean_restart(tmp_path: Path, issuer: TestIssuer) -> None:
    running = _start(tmp_path, issuer, "--pace", "0")
    cloud = Cloud(ACCOUNT, issuer, f"{ISSUER_HOST}/trust/a/g1", running)
    kit.create(cloud)
    session = cloud.assume("fidelity-operator")
    bucket = cloud.owner("s3", region="us-east-1")
    bucket.create_bucket(Bucket="kept")
    bucket.put_object(Bucket="kept", Key="a/b", Body=b"kept")
    running.stop()
    assert running.process.returncode == 0

    cloud.sandbox = again = _start(tmp_path, issuer, "--pace", "0")

    assert cloud.owner("cloudformation").describe_stacks(StackName="fidelity")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
    assert cloud.portal("iam", session).get_role(RoleName="fidelity-operator")["Role"]["PermissionsBoundary"]
    assert cloud.owner("s3", region="us-east-1").get_object(Bucket="kept", Key="a/b")["Body"].read() == b"kept"
    cloud.assume("fidelity-operator")
    again.stop()


def test_killed_creation_goes_on_after_the_restart(tmp_path: Path, issuer: TestIssuer) -> None:
    running = _start(tmp_path, issuer, "--pace", "0.7")
    cloud = Cloud(ACCOUNT, issuer, f"{ISSUER_HOST}/trust/a/g1", running)
    cloudformation = cloud.owner("cloudformation")
    parameters = [{"ParameterKey": "Issuer", "ParameterValue": "id.portal.test/trust/a/g1"}]
    made = cloudformation.create_stack(
        StackName="fidelity", TemplateBody=kit.template(), Parameters=parameters, Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    _wait(lambda: len(cloudformation.describe_stack_resources(StackName="fidelity")["StackResources"]) == 2)
    time.sleep(0.6)  # a snapshot is half a second old at most
    running.process.kill()
    running.process.communicate()

    cloud.sandbox = again = _start(tmp_path, issuer, "--pace", "0.05")

    stack = cloud.finish(cloud.owner("cloudformation"), made["StackId"])
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    cloud.assume("fidelity-operator")
    again.stop()


def test_killed_deletion_goes_on_after_the_restart(tmp_path: Path, issuer: TestIssuer) -> None:
    running = _start(tmp_path, issuer, "--pace", "0")
    cloud = Cloud(ACCOUNT, issuer, f"{ISSUER_HOST}/trust/a/g1", running)
    stack = kit.create(cloud)
    running.control("POST", "knobs", {"pace_seconds": 5})
    cloud.owner("cloudformation").delete_stack(StackName="fidelity")
    time.sleep(1.2)
    running.process.send_signal(signal.SIGKILL)
    running.process.communicate()

    cloud.sandbox = again = _start(tmp_path, issuer, "--pace", "0")

    assert cloud.finish(cloud.owner("cloudformation"), stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert cloud.owner("iam").list_roles()["Roles"] == []
    again.stop()


def test_unreadable_state_starts_empty_and_is_kept_aside(tmp_path: Path, issuer: TestIssuer) -> None:
    (tmp_path / "aws.json").write_text('{"format": 1, "services"')

    running = _start(tmp_path, issuer)

    assert (tmp_path / "aws.unreadable").exists()
    assert running.control("GET", "")["sessions"] == 0
    running.stop()


def test_taken_port_is_a_clear_message() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "portal.sandbox", "--aws-port", str(port)]

        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20, cwd=Path(__file__).resolve().parents[2])

    assert ended.returncode == 2
    assert ended.stderr == f"The local AWS cannot listen: port {port} is taken (Address already in use)\n"


def test_it_stays_lean(sandbox: SandboxProcess, cloud: Cloud) -> None:
    kit.create(cloud)
    cloud.assume("fidelity-operator")

    status = Path(f"/proc/{sandbox.process.pid}/status").read_text()

    assert int(status.partition("VmRSS:")[2].split()[0]) < 140 * 1024  # kB; 110 MB measured, measured runs on this size vary


@pytest.mark.skipif(not os.path.exists("/proc/self/net/tcp"), reason="reads Linux's list of listening sockets")  # noqa: PTH110
def test_it_listens_on_loopback_only(sandbox: SandboxProcess) -> None:
    lines = Path("/proc/self/net/tcp").read_text().splitlines()[1:]
    listening = {line.split()[1] for line in lines if line.split()[3] == "0A"}

    for port in (sandbox.aws, sandbox.console, sandbox.smtp):
        assert [address for address in listening if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]


# --- Patches: each replaced name, and the test that fails when the replacement no longer bites ---

BITES = {
    "app._resolve_custom_domain_request": "test_web_identity_opens_a_session_of_the_role",
    "services.iam.CreateOpenIDConnectProvider": "test_provider_answers_its_url_without_the_scheme",
    "services.iam.DeletePolicy": "test_policy_used_as_a_boundary_cannot_be_deleted",
    "services.iam.UpdateAssumeRolePolicy": "test_iam_refuses_a_policy_that_is_none",
    "services.iam.PutRolePolicy": "test_iam_refuses_a_policy_that_is_none",
    "services.iam.CreateRole": "test_iam_refuses_a_policy_that_is_none",
    "services.iam.CreatePolicy": "test_iam_refuses_a_policy_that_is_none",
    "services.iam.CreatePolicyVersion": "test_iam_refuses_a_policy_that_is_none",
    "services.iam.SimulatePrincipalPolicy": "test_simulation_counts_the_boundary",
    "services.iam.AddClientIDToOpenIDConnectProvider": "test_audience_taken_from_the_provider_is_refused",
    "services.iam.RemoveClientIDFromOpenIDConnectProvider": "test_audience_taken_from_the_provider_is_refused",
    "core.iam_actions.extract_resource_arn": "test_patch_names_the_provider_and_the_policy_source_as_resources",
    "core.iam_evaluator.resolve_principal": "test_service_control_policy_limits_the_role_and_the_owner",
    "core.iam_actions._TAG_MEMBERS": "test_fresh_account_passes_every_check_in_the_order_of_the_kit",
    "services.ec2.CreateVpc": "test_looking_creates_nothing",
    "services.ec2.DescribeAvailabilityZones": "test_zones",
    "services.ec2.DescribeRegions": "test_region_that_is_off_blocks_and_silences_what_it_would_have_to_answer",
    "services.ec2.DescribeTransitGatewayVpcAttachments": "test_overlapping_network_on_a_transit_gateway_blocks",
    "services.ec2.GetEbsDefaultKmsKeyId": "test_disks_encrypted_with_the_clouds_key_pass",
    "services.ec2.GetEbsEncryptionByDefault": "test_disks_encrypted_with_a_key_of_the_customers_are_a_warning",
    "services.ec2._instance_xml": "test_vcpus_in_use_count_against_the_limit",
    "services.sts._evict_expired_sessions": "test_ended_session_is_refused_in_each_services_own_words",
    "services.cloudformation.stacks._runs_on_worker_thread": "test_patch_keeps_the_server_answering_while_a_resource_is_made",
    "services.cloudformation.stacks._provision_resource": "test_injected_failure_rolls_back_with_its_reason_and_nothing_stays",
    "services.cloudformation.stacks._update_resource": "test_patch_fails_updates_on_order",
    "services.cloudformation.stacks._delete_resource": "test_patch_fails_deletions_on_order",
    "services.cloudformation.stacks._roll_back_operation": "test_injected_failure_rolls_back_with_its_reason_and_nothing_stays",
    "services.cloudformation.helpers._resolve_document": "test_template_of_another_account_needs_its_grant",
    "services.cloudformation.handlers.CreateStack": "test_stack_is_created_once_for_the_same_request_token",
    "services.cloudformation.provisioners.AWS::IAM::OIDCProvider": "test_web_identity_opens_a_session_of_the_role",
    "services.cloudformation.provisioners.AWS::IAM::Role": "test_role_name_clash_rolls_back",
    "services.cloudformation.provisioners.AWS::IAM::ManagedPolicy": "test_patch_refuses_a_taken_policy_name",
    "services.cloudformation.provisioners.AWS::EC2::EIP": "test_part_that_is_gone_is_drift",
    "services.cloudformation.provisioners.AWS::EC2::NatGateway": "test_part_that_is_gone_is_drift",
    "services.cloudformation.provisioners.AWS::EC2::Instance": "test_agents_machine_has_no_public_address_and_no_key",
    "services.cloudformation.provisioners.AWS::EKS::Addon": "test_contract_cell_is_built_as_ordered",
    "services.cloudformation.provisioners.AWS::EKS::AccessEntry": "test_agents_entry_that_was_taken_away_is_drift",
    "services.cloudformation.provisioners.AWS::EC2::Subnet": "test_contract_deletion_that_something_blocks_says_what_and_is_tried_again",
    "services.cloudformation.provisioners.AWS::EC2::SecurityGroup": "test_group_that_is_in_use_is_not_deleted",
    "services.cloudformation.provisioners.AWS::EC2::VPC": "test_quota_of_the_account_counts",
    "services.cloudformation.provisioners.AWS::EKS::Cluster": "test_cluster_stands_as_ordered",
    "services.cloudformation.drift.AWS::EC2::EIP": "test_part_that_is_gone_is_drift",
    "services.cloudformation.drift.AWS::EC2::Instance": "test_contract_part_removed_by_hand_is_drift",
    "services.cloudformation.drift.AWS::EC2::InternetGateway": "test_contract_cell_in_sync_has_no_drift",
    "services.cloudformation.drift.AWS::EC2::LaunchTemplate": "test_part_that_is_gone_is_drift",
    "services.cloudformation.drift.AWS::EC2::NatGateway": "test_part_that_is_gone_is_drift",
    "services.cloudformation.drift.AWS::EC2::RouteTable": "test_contract_cell_in_sync_has_no_drift",
    "services.cloudformation.drift.AWS::EC2::SecurityGroup": "test_rule_added_by_hand_is_drift",
    "services.cloudformation.drift.AWS::EC2::Subnet": "test_contract_cell_in_sync_has_no_drift",
    "services.cloudformation.drift.AWS::EC2::VPC": "test_contract_property_changed_by_hand_is_drift",
    "services.cloudformation.drift.AWS::EKS::AccessEntry": "test_agents_entry_that_was_taken_away_is_drift",
    "services.cloudformation.drift.AWS::EKS::Addon": "test_contract_cell_in_sync_has_no_drift",
    "services.cloudformation.drift.AWS::EKS::Cluster": "test_contract_cell_in_sync_has_no_drift",
    "services.cloudformation.drift.AWS::EKS::Nodegroup": "test_contract_cell_in_sync_has_no_drift",
    "services.cloudformation.handlers.UpdateStack": "test_contract_retry_of_the_same_order_goes_on",
    "services.cloudformation.handlers._stack_has_no_updates": "test_contract_retry_of_the_same_order_goes_on",
    "services.cloudformation.handlers.DescribeStackResources": "test_contract_failure_says_why_and_keeps_what_was_built",
    "services.eks._get_docker": "test_cluster_stands_as_ordered",
    "services.tagging.cloudformation": "test_contract_cell_is_deleted_whole",
    "services.tagging.ec2": "test_contract_cell_is_deleted_whole",
    "services.tagging.eks": "test_contract_cell_is_deleted_whole",
    "services.tagging.kms": "test_contract_cell_is_deleted_whole",
}


def test_every_patch_has_a_test_that_it_still_bites(sandbox: SandboxProcess) -> None:
    here = Path(__file__).parent
    tests = "".join(path.read_text() for folder in (here, here / "aws") for path in folder.glob("test_*.py"))

    assert {patch["name"] for patch in sandbox.control("GET", "patches")} == set(BITES)
    assert [name for name in BITES.values() if f"def {name}(" not in tests] == []


def test_patch_names_the_provider_and_the_policy_source_as_resources(cloud: Cloud) -> None:
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/id.portal.test/trust/a/g1"
    role = f"arn:aws:iam::{ACCOUNT}:role/fidelity-operator"
    narrow = {"Effect": "Allow", "Action": ["iam:GetOpenIDConnectProvider", "iam:SimulatePrincipalPolicy"], "Resource": [provider, role]}
    kit.create(cloud, body=kit.template(policy=[narrow]))
    iam = cloud.portal("iam", cloud.assume("fidelity-operator"))

    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider)["ClientIDList"] == ["sts.amazonaws.com"]
    assert iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=["iam:GetRole"])["EvaluationResults"]
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider + "2")


def test_patch_keeps_the_server_answering_while_a_resource_is_made(sandbox: SandboxProcess, cloud: Cloud) -> None:
    sandbox.control("POST", "knobs", {"pace_seconds": 1.0})
    cloudformation = cloud.owner("cloudformation")
    body = json.dumps(
        {
            "Resources": {
                "Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": kit.document(kit.statement(["s3:*"]))}}
            }
        }
    )
    cloudformation.create_stack(StackName="slow", TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
    began = time.monotonic()

    cloudformation.describe_stacks(StackName="slow")

    assert time.monotonic() - began < 0.7
    cloud.finish(cloudformation, "slow")


def test_patch_fails_updates_on_order(sandbox: SandboxProcess, cloud: Cloud) -> None:
    kit.create(cloud)
    sandbox.control("POST", "knobs", {"failures": [{"type": "AWS::IAM::Role", "action": "update", "reason": "on order"}]})
    cloudformation = cloud.owner("cloudformation")
    parameters = [{"ParameterKey": "Issuer", "UsePreviousValue": True}]
    body = kit.template(MaxSessionDuration=7200)

    cloudformation.update_stack(StackName="fidelity", TemplateBody=body, Parameters=parameters, Capabilities=["CAPABILITY_NAMED_IAM"])

    assert cloud.finish(cloudformation, "fidelity")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"


def test_patch_fails_deletions_on_order(sandbox: SandboxProcess, cloud: Cloud) -> None:
    kit.create(cloud)
    sandbox.control("POST", "knobs", {"failures": [{"type": "AWS::IAM::Role", "action": "delete", "reason": "on order"}]})
    cloudformation = cloud.owner("cloudformation")

    cloudformation.delete_stack(StackName="fidelity")

    assert cloud.finish(cloudformation, "fidelity")["StackStatus"] == "DELETE_FAILED"


def test_patch_refuses_a_taken_policy_name(cloud: Cloud) -> None:
    kit.create(cloud)
    policy = {"ManagedPolicyName": "fidelity-boundary", "PolicyDocument": kit.document(kit.statement(["s3:*"]))}
    body = json.dumps({"Resources": {"Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": policy}}})

    stack = kit.create(cloud, "taken", body=body, Parameters=[])

    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"


def test_published_template_kept_on_disk_is_read_by_another_account(tmp_path: Path, issuer: TestIssuer, monkeypatch: Any) -> None:
    running = _start(tmp_path, issuer, "--pace", "0")
    provider = {"AWS_ACCESS_KEY_ID": "999900001111", "AWS_SECRET_ACCESS_KEY": "x", "AWS_ENDPOINT_URL": running.customer}
    for name, value in provider.items():
        monkeypatch.setenv(name, value)
    publish({"kits/a/template.yaml": kit.template().encode()}, bucket="fernhill-kits", region="us-east-1")
    cloud = Cloud(ACCOUNT, issuer, f"{ISSUER_HOST}/trust/a/g1", running)
    url = "https://fernhill-kits.s3.us-east-1.amazonaws.com/kits/a/template.yaml"
    given = [{"ParameterKey": "Issuer", "ParameterValue": cloud.issuer_url.removeprefix("https://")}]

    stack = cloud.owner("cloudformation").create_stack(
        StackName="read", TemplateURL=url, Parameters=given, Capabilities=["CAPABILITY_NAMED_IAM"]
    )

    assert stack["StackId"].startswith(f"arn:aws:cloudformation:eu-central-1:{ACCOUNT}:stack/read/")
    running.stop()


# --- What a web site could make a browser on this machine send ----------------------------------------------------------


def status_of(url: str, method: str = "GET", **headers: str) -> int:
    request = urllib.request.Request(url, method=method, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


@pytest.mark.parametrize("path", ["mailbox/", "authenticator/", "_sandbox/", "console/", ""])
def test_name_of_somebody_else_is_refused(sandbox: SandboxProcess, path: str) -> None:
    port = sandbox.console
    assert status_of(f"{sandbox.customer}/{path}", Host=f"evil.example:{port}") == 421
    assert status_of(f"{sandbox.customer}/{path}", Host=f"127.0.0.1.evil.example:{port}") == 421
    assert status_of(f"{sandbox.portal}/{path}", Host="evil.example", Authorization="Credential=111122223333/1/us-east-1/iam/x") == 421


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "bucket.localhost", "s3.us-east-1.amazonaws.com"])
def test_names_of_this_machine_and_of_aws_are_answered(sandbox: SandboxProcess, host: str) -> None:
    assert status_of(f"{sandbox.customer}/mailbox/", Host=f"{host}:{sandbox.console}") == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", ["_sandbox/reset", "console/signin", "mailbox/"])
def test_post_from_another_site_is_refused(sandbox: SandboxProcess, path: str, site: str) -> None:
    assert status_of(f"{sandbox.customer}/{path}", "POST", Sec_Fetch_Site=site) == 403


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_post_from_its_own_page_is_taken(sandbox: SandboxProcess, site: str) -> None:
    assert status_of(f"{sandbox.customer}/_sandbox/snapshot", "POST", Sec_Fetch_Site=site) == 200


def test_link_from_another_site_may_be_followed(sandbox: SandboxProcess) -> None:
    assert status_of(f"{sandbox.customer}/mailbox/", Sec_Fetch_Site="cross-site") == 200
