"""Google's own libraries as this portal uses them, before a Google that answers what no local Google would: figures, nonsense, nothing."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from accounts.clouds.base import CloudError
from accounts.clouds.gcp import libraries as google_libraries
from accounts.clouds.gcp.clients import MOST_PAGES, Endpoints, Session
from tests.clouds.gcp.google import NUMBER
from tests.clouds.gcp.played import PlayedGcp

TOKEN = {"access_token": "federated", "token_type": "Bearer", "expires_in": 3600, "issued_token_type": "jwt"}
OPENED = {"accessToken": "opened", "expireTime": "2099-01-01T00:00:00Z"}
PROJECT = {"name": "projects/123456789012", "projectId": "acme"}


class Odd(ThreadingHTTPServer):
    """Lets everybody in and answers each other call alike: by `status` and `body`, after `seconds`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.body, self.seconds = 200, b"{}", 0.0
        self.asked: list[str] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that did not wait for a late answer has gone: no matter, and nothing for another test's output."""

    def answers(self, body: object, status: int = 200) -> None:
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.status = status


class Handler(BaseHTTPRequestHandler):
    server: Odd

    def do_GET(self) -> None:
        self.answer(self.server.status, self.server.body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        for path, known in (("/sts/v1/token", TOKEN), (":generateAccessToken", OPENED)):
            if self.path.endswith(path):
                self.send(200, json.dumps(known).encode())
                return
        self.answer(self.server.status, self.server.body)

    def answer(self, status: int, body: bytes) -> None:
        self.server.asked.append(self.path)
        time.sleep(self.server.seconds)
        self.send(status, body)

    def send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keeps test output clean."""


@pytest.fixture
def odd() -> Iterator[Odd]:
    server = Odd()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def libraries(odd: Odd) -> google_libraries.Libraries:
    endpoints = Endpoints(f"http://127.0.0.1:{odd.server_address[1]}")
    return Session(endpoints, provider="p", email="e@x", mint=lambda: "ours", was_trusted=True).libraries


def refusal(call, *given):
    with pytest.raises(CloudError) as caught:
        call(*given)
    return caught.value


NONSENSE = [
    b"", b"<html>", b"\xff\xfe", b'{"error": ', b"[]", b'"x"', b"1", b"null", b'{"error": "x"}', b'{"error": null}', b'{"error": []}',
    b'{"error": {"details": [null, 1]}}', b'{"error": {"details": {}}}', b'{"error": {"errors": ["x"], "code": "1"}}', b"[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("body", NONSENSE, ids=lambda body: repr(body[:40]))
@pytest.mark.parametrize("status", [200, 502])
def test_gcp_library_given_nonsense_is_a_passing_fault(libraries, odd, body, status):
    odd.answers(body, status)

    for call in (libraries.project, libraries.bindings):
        error = refusal(call, "acme")
        assert (error.code, error.retryable) == ("cloud_unavailable", True)
        assert error.raw.startswith("crm: ")
        assert len(error.raw) < 600


@pytest.mark.parametrize(
    ("shown", "state"), [("ACTIVE", "ACTIVE"), (1, "ACTIVE"), (2, "DELETE_REQUESTED"), (9, "9"), ("NEW", "STATE_UNSPECIFIED")]
)
def test_gcp_state_is_read_as_a_word_or_as_the_figure_that_google_sends(libraries, odd, shown, state):
    """Asked with `enum-encoding=int`, Google answers in figures; the library would warn of one that it does not know."""
    odd.answers({**PROJECT, "state": shown})

    assert libraries.project("acme") == google_libraries.FoundProject("acme", "123456789012", state)
    assert odd.asked == ["/crm/v3/projects/acme?%24alt=json%3Benum-encoding%3Dint"]


@pytest.mark.parametrize(("state", "code"), [(2, "account_deleted"), (0, "unknown_cloud_error"), (9, "unknown_cloud_error")])
def test_gcp_project_in_a_state_that_nobody_knows_is_not_called_deleted(odd, sandbox, issuer, monkeypatch, state, code):
    monkeypatch.setenv("PORTAL_GCP_URL", f"http://127.0.0.1:{odd.server_address[1]}")
    adapter = PlayedGcp(sandbox, issuer).adapter()
    odd.answers({"name": f"projects/{NUMBER}", "projectId": adapter.target.external_id, "state": state})

    assert refusal(adapter.probe_trust).code == code


@pytest.mark.parametrize("status", [429, 500, 503])
def test_gcp_library_asks_once(libraries, odd, status):
    """Left alone it asks for a minute; trying again is the engine's, with words on the page."""
    odd.answers({"error": {"code": status, "message": "Later", "status": "UNAVAILABLE"}}, status)

    for call in (libraries.project, libraries.bindings, libraries.services, lambda number: libraries.rules(number, "x")):
        odd.asked.clear()
        assert refusal(call, "1").retryable
        assert len(odd.asked) == 1


def test_gcp_library_waits_no_longer_than_told(libraries, odd, monkeypatch):
    monkeypatch.setattr(google_libraries, "TIMEOUT", 0.2)
    odd.seconds = 1.5

    for call in (libraries.project, libraries.bindings, libraries.services, lambda number: libraries.rules(number, "x")):
        begun = time.monotonic()
        assert refusal(call, "1").code == "cloud_unavailable"
        assert time.monotonic() - begun < 1.4


def test_gcp_address_that_a_library_puts_before_a_message_is_not_read_as_google_s_word(libraries, odd):
    """`orgpolicy` stands in the address of every question about the organisation's rules."""
    odd.answers({"error": {"code": 403, "message": "The caller does not have permission", "status": "PERMISSION_DENIED"}}, 403)

    error = refusal(libraries.rules, "1", "compute.requireShieldedVm")

    assert error.code == "access_denied"
    assert error.raw == "orgpolicy: compute.requireShieldedVm: PERMISSION_DENIED: The caller does not have permission"


def test_gcp_refusal_is_told_by_google_s_reason_and_not_by_its_class(libraries, odd):
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "CONSUMER_INVALID", "domain": "googleapis.com"}
    odd.answers({"error": {"code": 403, "message": "x", "details": [{**info, "metadata": {"consumer": "projects/1"}}]}}, 403)

    error = refusal(libraries.services, "1")

    assert (error.code, error.params) == ("account_deleted", {"consumer": "projects/1"})


def test_gcp_list_without_end_is_left(libraries, odd):
    odd.answers({"services": [{"name": "projects/1/services/a"}], "nextPageToken": "more"})

    assert refusal(libraries.services, "1").code == "cloud_unavailable"
    assert len(odd.asked) == MOST_PAGES + 1


def test_gcp_libraries_leave_compute_out():
    """Google's library for Compute takes 100 MB and three seconds: what is asked of it is plain JSON."""
    code = "import sys, accounts.clouds.gcp.libraries; print('grpc' in sys.modules, 'google.cloud.compute_v1' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "True False"


def test_gcp_libraries_write_their_lines_like_all_others():
    """With its first client the library would keep every line of `google` from the loggers above, and so from the log's format."""
    code = (
        "import logging; from google.auth.credentials import AnonymousCredentials; from portal.logs import configure; configure('DEBUG');"
        "from accounts.clouds.gcp.libraries import ProjectsClient; ProjectsClient(credentials=AnonymousCredentials(), transport='rest');"
        "logging.getLogger('google.auth.external_account').error('no answer')"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == ["no answer"]
    assert done.stderr == ""
