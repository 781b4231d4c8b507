"""Real agents beside the tests: the program that customers run, as processes that can be killed, against the live server."""

import json
import os
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from cells.protocol.enrolment import enrolment_token
from portal.embedded.process import spawn
from tests.local_cloud import ROOT


class RunningAgent:
    """One machine: its folder, the cluster's process, the agent's process."""

    def __init__(self, folder: Path, url: str, cell, *options: str) -> None:
        self.folder = folder
        self.options = options
        folder.mkdir(exist_ok=True)
        config = {"portal_url": url, "cell": str(cell.pk), "enrolment_token": enrolment_token(cell), "package_sha256": ""}
        self.config = folder / "config.json"
        self.config.write_text(json.dumps(config))
        self.agent = self.cluster = None

    def start_cluster(self):
        self.cluster = self._spawn("cells.agent.local.cluster", "--state", str(self.folder / "cluster"))

    def start(self, *options: str, **env: str):
        words = ["--config", str(self.config), "--state", str(self.folder / "agent"), "--runtime", "local"]
        words += ["--cluster", str(self.folder / "cluster"), "--longest-wait", "1", *self.options, *options]
        self.agent = self._spawn("cells.agent", *words, env=env)

    def kill(self):
        """As kill -9 does, at whatever it is doing."""
        self.agent.kill()
        return self.agent.wait()

    def stop(self):
        for process in (self.agent, self.cluster):
            if process is not None and process.poll() is None:
                process.terminate()
                process.wait(10)

    def workload(self, instance) -> dict:
        return json.loads((self.folder / "cluster" / "status.json").read_text())["releases"][str(instance.pk)]

    def kill_workload(self, instance):
        os.kill(self.workload(instance)["pid"], signal.SIGKILL)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def _spawn(self, module: str, *words: str, env: dict[str, str] | None = None):
        clean = {name: value for name, value in os.environ.items() if name == "PATH"}
        with (self.folder / "log").open("ab") as log:
            return spawn([sys.executable, "-m", module, *words], env={**clean, **(env or {})}, cwd=ROOT, output=log)


@contextmanager
def running_agent(folder: Path, url: str, cell, *options: str):
    made = RunningAgent(folder, url, cell, *options)
    made.start_cluster()
    made.start()
    try:
        yield made
    finally:
        made.stop()


def until(condition, seconds: float = 20.0):
    """The condition's first true answer; fails when there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := condition():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"Not within {seconds} seconds: {condition}")
