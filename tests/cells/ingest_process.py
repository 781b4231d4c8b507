"""The batching server as a process beside the tests, on the test's database, and agents by hand that speak to it over one connection."""

import http.client
import json
import os
import re
import socket
import sys
import time
from contextlib import contextmanager

from django.db import connection

from cells.protocol.access import Grant, issue
from portal.embedded.process import spawn
from tests.cells.agents import until
from tests.cells.factories import make_cell
from tests.local_cloud import ROOT

BESIDE = [
    "-m",
    "uvicorn",
    "portal.ingest:application",
    "--loop",
    "uvloop",
    "--http",
    "httptools",
    "--no-access-log",
    "--log-level",
    "warning",
    "--timeout-graceful-shutdown",
    "10",
]
IN_FRONT = ["-m", "gunicorn", "portal.wsgi:application", "--worker-class", "gthread", "--threads", "4", "--log-level", "warning"]


class IngestProcess:
    """Of Django (`IN_FRONT`), or the one beside it."""

    def __init__(self, port, log, words) -> None:
        self.port = port
        self.words = words
        self.log = log
        self.process = None
        self.reporters = []

    def start(self, **more):
        database = re.sub(r"/\w+\?", f"/{connection.settings_dict['NAME']}?", os.environ["DATABASE_URL"])
        place = ["--port", str(self.port)] if self.words is BESIDE else ["--bind", f"127.0.0.1:{self.port}"]
        command = [sys.executable, *self.words, *place]
        with self.log.open("ab") as log:
            self.process = spawn(command, env={**os.environ, "DATABASE_URL": database, **more}, cwd=ROOT, output=log)
        until(self._is_up, 30)

    def _is_up(self):
        assert self.process.poll() is None, self.log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def speaker(self, cell, key):
        self.reporters.append(Reporter(self.port, cell, key))
        return self.reporters[-1]

    def stop(self):
        for reporter in self.reporters:
            reporter.line.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Reporter:
    """An agent with a valid token and one open connection."""

    def __init__(self, port, cell, key) -> None:
        self.cell = cell
        self.token = issue(Grant(cell.pk, key.pk), time.time())
        self.line = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def send(self, *reports, cell=None, body=None, path="/agent/v1/reports", **headers):
        body = body if body is not None else json.dumps({"cell": str(cell or self.cell.pk), "reports": reports})
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"} | headers
        self.line.request("POST", path, body, headers)
        answer = self.line.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers


def keyed_cell(**values):
    """A cell with an agent's key, as if it had enrolled."""
    cell = make_cell(**values)
    return cell, cell.agent_keys.create(generation=1, thumbprint="t" * 43, public_jwk={})


@contextmanager
def ingest_process(folder, words=BESIDE, **environment):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    made = IngestProcess(port, folder / "ingest.log", words)
    made.start(**environment)
    try:
        yield made
    finally:
        made.stop()
