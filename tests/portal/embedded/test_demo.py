"""The whole demo as one types it: started, every child killed, the supervisor killed, ended with Ctrl-C."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from itertools import count
from pathlib import Path

import pytest

from portal.embedded.people import PEOPLE
from portal.embedded.ports import free_port
from portal.embedded.process import command_of, wait_until

pytestmark = pytest.mark.xdist_group("demo")
ROOT = Path(__file__).resolve().parents[3]


class Running:
    """One demo, its output so far, and its processes."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.output = folder / "output"
        self.start()

    def start(self):
        command = [sys.executable, "manage.py", "demo", "--port", str(self.port), "--data-dir", str(self.folder / "data")]
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PORTAL_", "AWS_")) and not name.endswith("_URL")
        }
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=environment)
        assert wait_until(lambda: "Ready after" in self.said or self.process.poll() is not None, 120), self.said
        assert self.process.poll() is None, self.said
        assert wait_until(lambda: "celery@" in self.log("worker"), 30)

    @property
    def said(self):
        return self.output.read_text()

    def log(self, name):
        path = self.folder / "data" / "logs" / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def children(self):
        """Process ids below the supervisor, by a word of their command."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        words = {
            "portal.ingest": "reports",
            "gunicorn": "web",
            "celery": "worker",
            "sandbox": "aws",
            "valkey-server": "valkey",
            "bin/postgres": "postgres",
        }
        return {name: int(pid) for pid in found for word, name in words.items() if word in command_of(int(pid))}

    def get(self, path):
        """Status and body of a page, (0, reason) when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""
        except OSError as error:
            return 0, str(error)

    def password(self):
        return re.search(r"password: (\S+)", self.said)[1]


@pytest.fixture(scope="module")
def one_demo():
    with tempfile.TemporaryDirectory(prefix="byoc-d-") as folder:
        running = Running(Path(folder))
        yield running
        running.process.send_signal(signal.SIGINT)
        running.process.wait(20)


@pytest.fixture
def demo(one_demo):
    """A running one: the tests come in random order, and two of them end it."""
    if one_demo.process.poll() is not None:
        one_demo.start()
    return one_demo


def test_demo_tells_addresses_and_users_and_serves_pages_and_keys(demo):
    said = demo.said

    assert f"  Portal       http://localhost:{demo.port}\n" in said
    for person in PEOPLE:
        assert person.email in said
    assert re.fullmatch(r"demo-\w{4}-\w{4}", demo.password())
    assert demo.get("/auth/login/")[0] == 200
    status, keys = demo.get("/trust/jwks.json")
    assert (status, list(json.loads(keys))) == (200, ["keys"])


def test_demo_secrets_reach_neither_output_nor_logs(demo):
    secrets = json.loads((demo.folder / "data" / "secrets.json").read_text())
    logs = "".join(path.read_text() for path in (demo.folder / "data" / "logs").iterdir())

    for name in ("PORTAL_SECRET_KEY", "PORTAL_SEAL_KEYS"):
        assert secrets[name] not in demo.said + logs
    assert secrets["PORTAL_DEMO_PASSWORD"] not in logs


def test_demo_shell_may_run_the_recovery_kits_of_each_cloud(demo):
    """They lie in no file of the program, and every other script is refused there."""
    folder = demo.folder / "data" / "recovery-kits"

    assert f"--kit-script {folder}" in command_of(demo.children()["aws"])
    assert {path.name for path in folder.glob("*.sh")} == {"azure-byoc-recovery.sh", "gcp-byoc-recovery.sh"}


def test_demo_web_and_worker_have_no_aws_key(demo):
    children = demo.children()
    for name in ("web", "worker"):
        environment = Path(f"/proc/{children[name]}/environ").read_text()
        assert "AWS_ENDPOINT_URL=" in environment
        assert "AWS_ACCESS_KEY_ID" not in environment
        assert "AWS_SECRET_ACCESS_KEY" not in environment


@pytest.mark.parametrize("name", ["web", "worker", "reports", "aws", "valkey", "postgres"])
def test_demo_killed_child_comes_back_by_itself(demo, name):
    before = demo.children()
    os.kill(before[name], signal.SIGKILL)

    assert wait_until(lambda: demo.children().get(name, before[name]) != before[name], 10)
    assert wait_until(lambda: demo.get("/trust/jwks.json")[0] == 200 and demo.get("/auth/login/")[0] == 200, 15), demo.log("web-server")[
        -2000:
    ]
    assert " was killed by SIGKILL; starting it again." in demo.said
    assert {other: pid for other, pid in demo.children().items() if other != name} == {
        other: pid for other, pid in before.items() if other != name
    }


def send_report(demo, number):
    """Status of one without a token, and the log that names it."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{demo.port}/agent/v1/reports", b"{}", {"Content-Type": "application/json", "X-Request-ID": f"report-{number}"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert json.loads(refused.value.read())["code"] == "token_missing"
    return next(name for name in ("reports", "web-server") if f'"report-{number}"' in demo.log(name))


def test_demo_sends_reports_through_the_process_that_takes_them_and_past_it_while_it_is_gone(demo):
    numbers = count()
    assert wait_until(lambda: time.sleep(0.5) or send_report(demo, next(numbers)) == "reports", 30)

    os.kill(demo.children()["reports"], signal.SIGKILL)

    assert send_report(demo, next(numbers)) == "web-server"
    assert wait_until(lambda: time.sleep(0.5) or send_report(demo, next(numbers)) == "reports", 30)


def test_demo_killed_supervisor_takes_all_along_and_the_next_start_just_works(demo):
    password, children = demo.password(), demo.children()
    demo.process.kill()
    demo.process.wait()

    demo.start()

    assert not [pid for pid in children.values() if command_of(pid)]
    assert demo.password() == password
    assert demo.get("/trust/jwks.json")[0] == 200


def test_demo_ctrl_c_ends_everything_in_seconds(demo):
    children = demo.children()
    began = time.monotonic()
    demo.process.send_signal(signal.SIGINT)

    assert demo.process.wait(15) == 0
    assert time.monotonic() - began < 8
    assert not [pid for pid in children.values() if command_of(pid)]
    assert demo.said.endswith("Stopped. Everything is kept; the same command continues.\n")
