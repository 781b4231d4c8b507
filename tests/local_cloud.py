"""The local AWS as a process beside the tests, asking the tests' own live server for the keys of the issuer."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portal.embedded.ports import is_listening
from portal.embedded.process import spawn, wait_until

ROOT = Path(__file__).resolve().parent.parent
ISSUER = "https://id.portal.test"


@dataclass(frozen=True)
class LocalCloud:
    """Addresses of one running sandbox."""

    aws_port: int
    console_port: int
    smtp_port: int
    gcp_port: int
    azure_port: int
    azure_ca: str  # file: the authority that the Azure port's certificate is from, PORTAL_AZURE_CA_FILE

    @property
    def aws_url(self) -> str:
        """What the portal knows as AWS."""
        return f"http://127.0.0.1:{self.aws_port}"

    @property
    def gcp_url(self) -> str:
        """What the portal knows as Google Cloud: PORTAL_GCP_URL."""
        return f"http://127.0.0.1:{self.gcp_port}"

    @property
    def azure_url(self) -> str:
        """What the portal knows as Entra and as Resource Manager: PORTAL_AZURE_AUTHORITY_URL, PORTAL_AZURE_ARM_URL."""
        return f"https://127.0.0.1:{self.azure_port}"

    @property
    def customer_url(self) -> str:
        """AWS as the customer and the provider use it, with keys of their own: the key id is the account's number."""
        return f"http://127.0.0.1:{self.console_port}"

    @property
    def console_url(self) -> str:
        """The played console: PORTAL_AWS_CONSOLE_URL."""
        return f"{self.customer_url}/console"

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Ask `/_sandbox/`: faults, knobs, mail, violations. Raises urllib.error.HTTPError."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.customer_url}/_sandbox/{path}", data, method=method, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            content = answer.read()
        return json.loads(content) if content else None


@contextmanager
def running(portal_url: str, log: Path, *more: str, scripts: Sequence[str] = ("--any-script",)) -> Iterator[LocalCloud]:
    """A sandbox without delays that resolves the issuer to `portal_url`."""
    command = [sys.executable, "-m", "portal.sandbox", "--issuer-resolve", f"{ISSUER}={portal_url}", "--pace", "0", "--propagation", "0"]
    command += ["--portal-url", portal_url, *scripts, *more]
    process = spawn(command, cwd=ROOT, output=subprocess.PIPE)
    assert process.stdout
    first = process.stdout.readline()
    try:
        ports = json.loads(first)
    except ValueError:
        process.kill()
        raise RuntimeError(f"The local AWS did not start:\n{first.decode()}{process.stdout.read().decode()}") from None
    # From here on it must find a reader, or it would stop at a full pipe.
    with log.open("wb") as file:
        drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=file)
    process.stdout.close()
    try:
        assert wait_until(lambda: all(is_listening(ports[name]) for name in ("aws", "console", "gcp", "azure")), 10)
        yield LocalCloud(ports["aws"], ports["console"], ports["smtp"], ports["gcp"], ports["azure"], ports["azure_ca"])
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        drain.wait()
