"""The local AWS's control endpoint, and its memory across restarts."""

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

from tests.clouds.aws import kit
from tests.clouds.conftest import ISSUER_HOST, Cloud, SandboxProcess, TestIssuer
from tests.clouds.orders import ACCOUNT, _start, order


@pytest.fixture
def owner(sandbox: SandboxProcess, cloud: Cloud) -> Any:
    return cloud.owner("cloudformation")


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


# --- Memory --------------------------------------------------------------------------------------------------------------


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
