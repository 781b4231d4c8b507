"""kill -9 of the worker, the broker and PostgreSQL at once, in the middle of connecting: nothing changes but the time it takes."""

import json
import os
import re
import signal
import tempfile
import urllib.parse
import urllib.request
from collections import Counter
from http.cookiejar import CookieJar
from pathlib import Path

import boto3
import psycopg
import pytest

from portal.embedded.postgres import DATABASE, OWNER
from portal.embedded.process import wait_until
from tests.portal.embedded.test_demo import Running

pytestmark = pytest.mark.xdist_group("demo")
NUMBER = "111122223333"


class Visitor:
    """Links and forms, as a browser without scripts has them."""

    def __init__(self, portal: str) -> None:
        self.portal = portal
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def open(self, path: str, **form: str) -> None:
        """GET, then POST when there is something to send; afterwards `url` and `body` are where that led."""
        self._load(path, None)
        if form:
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.body)[1]
            self._load(path, urllib.parse.urlencode({**form, "csrfmiddlewaretoken": token}).encode())

    def _load(self, path: str, data: bytes | None) -> None:
        request = urllib.request.Request(urllib.parse.urljoin(self.portal, path), data, headers={"Referer": self.portal})
        with self.opener.open(request, timeout=20) as answer:
            self.url, self.body = urllib.parse.urlsplit(answer.url).path, answer.read().decode()


@pytest.fixture
def demo():
    with tempfile.TemporaryDirectory(prefix="byoc-d-") as folder:
        running = Running(Path(folder))
        yield running
        running.process.send_signal(signal.SIGINT)
        running.process.wait(20)


def rows(demo, query: str) -> list[tuple]:
    """The answer of the demo's database; none while it is away."""
    runtime = (demo.folder / "data" / "runtime").read_text()
    try:
        with psycopg.connect(host=runtime, user=OWNER, dbname=DATABASE, connect_timeout=5) as connection:
            return connection.execute(query).fetchall()
    except psycopg.OperationalError:
        return []


def control(demo, path: str, **values: object):
    data = json.dumps(values).encode() if values else None
    with urllib.request.urlopen(f"{demo.console}/_sandbox/{path}", data, timeout=10) as answer:
        return json.load(answer)


def fill_in(demo) -> str:
    """From the sign-in to the kit; its Launch link."""
    visitor = Visitor(f"http://localhost:{demo.port}")
    visitor.open("/auth/login/", login="owner@acme.example", password=demo.password())
    visitor.open("/o/acme/accounts/connect/", cloud="aws")
    for answers in ({"name": "Production", "external_id": NUMBER}, {"region": "us-east-1"}, {"go": "on"}, {"generation": "0"}):
        visitor.open(visitor.url, **answers)
    return re.search(r'href="([^"]+/cloudformation/home[^"]+)"', visitor.body)[1].replace("&amp;", "&")


def run_kit(demo, launch: str) -> None:
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(launch).fragment.partition("?")[2]))
    aws = boto3.client(
        "cloudformation", region_name="us-east-1", endpoint_url=demo.console, aws_access_key_id=NUMBER, aws_secret_access_key="root"
    )
    aws.create_stack(
        StackName=asked["stackName"],
        TemplateURL=asked["templateURL"],
        Parameters=[
            {"ParameterKey": name.removeprefix("param_"), "ParameterValue": value}
            for name, value in asked.items()
            if name.startswith("param_")
        ],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )


def test_killed_worker_broker_and_database_change_nothing_but_the_time(demo):
    demo.console = re.search(r"AWS console  (http://localhost:\d+)/", demo.said)[1]
    control(demo, "knobs", pace_seconds=0, propagation_seconds=0)
    control(demo, "faults", kind="delay", action="SimulatePrincipalPolicy", count=None, seconds=0.5)
    run_kit(demo, fill_in(demo))

    assert wait_until(lambda: rows(demo, "SELECT 1 FROM operations_step WHERE name = 'check_permissions' AND state = 'running'"), 30)
    before = demo.children()
    for name in ("worker", "valkey", "postgres"):
        os.kill(before[name], signal.SIGKILL)

    connected = "SELECT 1 FROM operations_operation WHERE state = 'succeeded' AND kind = 'connect_cloud_account'"
    assert wait_until(lambda: rows(demo, connected), 90), demo.log("worker")[-3000:]
    assert not {demo.children()[name] for name in ("worker", "valkey", "postgres")} & set(before.values())
    assert rows(demo, "SELECT state, failure_code FROM accounts_cloudaccount") == [("connected", "")]
    assert rows(demo, "SELECT generation, state FROM accounts_kit") == [(1, "current")]
    # The check of the environment that follows by itself is an operation of its own, and may still be under way.
    of_connecting = "JOIN operations_operation o ON o.id = s.operation_id WHERE o.kind = 'connect_cloud_account'"
    assert {state for (state,) in rows(demo, f"SELECT s.state FROM operations_step s {of_connecting}")} == {"done"}
    checks = Counter(rows(demo, "SELECT kind, name FROM accounts_trustcheck"))
    assert len(checks) > 20
    assert set(checks.values()) == {1}
    actions = Counter(action for (action,) in rows(demo, "SELECT action FROM audit_event"))
    assert [actions[action] for action in ("cloud_account.kit_issued", "cloud_account.connected", "operation.succeeded")] == [1, 1, 1]
    assert wait_until(lambda: len(told(demo)) == 2, 15)
    assert sorted(told(demo)) == ["operations@acme.example", "owner@acme.example"]


def told(demo) -> list[str]:
    return [address for mail in control(demo, "mail") if "connected" in mail["subject"] for address in mail["to"]]
