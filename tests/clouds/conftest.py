"""The strict local AWS as a fixture: one process for the run, on free ports, with an issuer of its own."""

import base64
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import jwt
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

ISSUER_HOST = "https://id.portal.test"


@dataclass
class TestIssuer:
    """A tiny OIDC issuer with its own RSA keys. Any path under it is an issuer, as the portal's are."""

    __test__ = False
    keys: dict[str, rsa.RSAPrivateKey] = field(default_factory=dict)
    is_down: bool = False
    port: int = 0
    requests: int = 0

    def add_key(self, kid: str) -> None:
        self.keys[kid] = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwks(self) -> dict[str, Any]:
        return {"keys": [{**_public(key), "kid": kid, "use": "sig", "alg": "RS256"} for kid, key in self.keys.items()]}

    def token(
        self,
        *,
        issuer: str,
        subject: str,
        audience: object = "sts.amazonaws.com",
        kid: str = "one",
        key: Any = None,
        algorithm: str = "RS256",
        lifetime: int = 300,
        **claims: Any,
    ) -> str:
        now = int(time.time())
        body = {"iss": issuer, "sub": subject, "aud": audience, "iat": now, "nbf": now, "exp": now + lifetime, **claims}
        return jwt.encode(body, key if key is not None else self.keys.get("one"), algorithm=algorithm, headers={"kid": kid})


def _public(key: rsa.RSAPrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()

    def text(number: int) -> str:
        return base64.urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()

    return {"kty": "RSA", "n": text(numbers.n), "e": text(numbers.e)}


def _handler(issuer: TestIssuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.requests += 1
            if issuer.is_down:
                self.send_error(503)
                return
            suffix = "/.well-known/openid-configuration"
            if self.path == "/trust/jwks.json":
                body = issuer.jwks()
            elif self.path.endswith(suffix) and "/dead/" not in self.path:
                body = {"issuer": ISSUER_HOST + self.path.removesuffix(suffix), "jwks_uri": f"{ISSUER_HOST}/trust/jwks.json"}
            else:
                self.send_error(410)
                return
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Keeps test output clean."""

    return Handler


class Quiet(ThreadingHTTPServer):
    """Says nothing of callers that have gone before their answer: a sandbox that is stopped does that."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@pytest.fixture(scope="session")
def issuer() -> Iterator[TestIssuer]:
    made = TestIssuer()
    made.add_key("one")
    server = Quiet(("127.0.0.1", 0), _handler(made))
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class SandboxProcess:
    """A running `python -m portal.sandbox`. `portal` and `customer` are its two AWS endpoints."""

    process: subprocess.Popen[str]
    aws: int
    console: int
    smtp: int
    gcp: int
    azure_port: int
    azure_ca: str

    @property
    def portal(self) -> str:
        return f"http://127.0.0.1:{self.aws}"

    @property
    def google(self) -> str:
        return f"http://127.0.0.1:{self.gcp}"

    @property
    def azure(self) -> str:
        return f"https://127.0.0.1:{self.azure_port}"

    @property
    def customer(self) -> str:
        return f"http://127.0.0.1:{self.console}"

    def control(self, method: str, path: str, values: object = None) -> Any:
        body = json.dumps(values).encode() if values is not None else None
        request = urllib.request.Request(f"{self.customer}/_sandbox/{path}", data=body, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=10)


def start_sandbox(*arguments: str, scripts: Sequence[str] = ("--any-script",)) -> SandboxProcess:
    """Starts one and waits until it listens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "portal.sandbox", *scripts, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    return SandboxProcess(process, ready["aws"], ready["console"], ready["smtp"], ready["gcp"], ready["azure"], ready["azure_ca"])


@pytest.fixture(scope="session")
def sandbox_process(issuer: TestIssuer) -> Iterator[SandboxProcess]:
    running = start_sandbox("--pace", "0", "--propagation", "0", "--issuer-resolve", f"{ISSUER_HOST}=http://127.0.0.1:{issuer.port}")
    yield running
    running.stop()


@pytest.fixture
def sandbox(sandbox_process: SandboxProcess, issuer: TestIssuer) -> Iterator[SandboxProcess]:
    """Empty for every test; a test that used what is not played here fails, as does one that saw an answer Azure's models do not know."""
    sandbox_process.control("POST", "reset")
    issuer.is_down = False
    yield sandbox_process
    assert sandbox_process.control("GET", "violations") == []
    if asked := sandbox_process.control("GET", "azure/journal"):
        from tests.clouds.azure.models import problems  # these packages load slowly, and most tests ask nothing of Azure

        assert problems(asked) == []


@pytest.fixture
def paced(sandbox: SandboxProcess) -> SandboxProcess:
    """CloudFormation takes a moment for each resource, so that one can see it work."""
    sandbox.control("POST", "knobs", {"pace_seconds": 0.15})
    return sandbox


# --- An account as its owner and as the portal see it: here the sandbox's, elsewhere perhaps AWS's own ---

ONCE = Config(retries={"total_max_attempts": 1})
REGION = "eu-central-1"


@dataclass
class Cloud:
    """One AWS account, two ways in. FIDELITY_ISSUER and FIDELITY_ISSUER_KEY (a PEM file) choose a real one."""

    account: str
    issuer: TestIssuer
    issuer_url: str
    sandbox: SandboxProcess | None

    def owner(self, service: str, region: str = REGION, account: str = "") -> Any:
        """A client with all rights in the account."""
        if self.sandbox is None:
            return boto3.client(service, region_name=region, config=ONCE)
        return _client(service, self.sandbox.customer, region, (account or self.account, "any", None))

    def portal(self, service: str, session: dict[str, Any] | tuple[str, str, str | None], region: str = REGION) -> Any:
        """A client of a session that `assume` opened, on the portal's endpoint."""
        keys = session if isinstance(session, tuple) else (session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
        return _client(service, None if self.sandbox is None else self.sandbox.portal, region, keys)

    def assume(
        self, role: str, *, account: str = "", seconds: int = 3600, policy: str = "", token: str = "", **claims: Any
    ) -> dict[str, Any]:
        """Opens a session of a role by a token of ours; returns its credentials. Raises boto3's errors."""
        endpoint = None if self.sandbox is None else self.sandbox.portal
        sts = boto3.client("sts", endpoint_url=endpoint, region_name=REGION, config=ONCE.merge(Config(signature_version=UNSIGNED)))
        signed = token or self.issuer.token(**{"issuer": self.issuer_url, "subject": "account:a:ops", **claims})
        more = {"Policy": policy} if policy else {}
        arn = f"arn:aws:iam::{account or self.account}:role/{role}"
        answer = sts.assume_role_with_web_identity(
            RoleArn=arn, RoleSessionName="portal", WebIdentityToken=signed, DurationSeconds=seconds, **more
        )
        return answer["Credentials"]

    def finish(self, cloudformation: Any, stack: str) -> dict[str, Any]:
        """Waits until nothing is under way any more; the stack as it then stands."""
        for _ in range(600):
            found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
            if not found["StackStatus"].endswith("IN_PROGRESS"):
                return found
            time.sleep(0.05 if self.sandbox else 2)
        raise AssertionError(f"{stack} does not finish")


def _client(service: str, endpoint: str | None, region: str, keys: tuple[str, str, str | None]) -> Any:
    access, secret, token = keys
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        config=ONCE,
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        aws_session_token=token,
    )


@pytest.fixture
def cloud(request: pytest.FixtureRequest, issuer: TestIssuer) -> Cloud:
    real = os.environ.get("FIDELITY_ISSUER")
    if real:
        key = load_pem_private_key(Path(os.environ["FIDELITY_ISSUER_KEY"]).read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        account = boto3.client("sts").get_caller_identity()["Account"]
        return Cloud(account, TestIssuer(keys={"one": key}), real, None)
    running: SandboxProcess = request.getfixturevalue("sandbox")
    return Cloud("111122223333", issuer, f"{ISSUER_HOST}/trust/a/g1", running)
