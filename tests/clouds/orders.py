"""What the tests of the local AWS order of it."""

from pathlib import Path
from typing import Any

from tests.clouds.conftest import ISSUER_HOST, SandboxProcess, TestIssuer, start_sandbox

ACCOUNT = "111122223333"


def order(sandbox: SandboxProcess, **fault: Any) -> dict[str, Any]:
    made: dict[str, Any] = sandbox.control("POST", "faults", {"service": "cloudformation", "action": "DescribeStacks", **fault})
    return made


def _start(folder: Path, issuer: TestIssuer, *more: str) -> SandboxProcess:
    resolve = f"{ISSUER_HOST}=http://127.0.0.1:{issuer.port}"
    return start_sandbox("--propagation", "0", "--issuer-resolve", resolve, "--state-dir", str(folder), *more)
