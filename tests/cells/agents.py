"""Real agents beside the tests: the program that customers run, as processes that can be killed, against the live server."""

import json
import os
import signal
import socket
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from portal.embedded.process import spawn
from tests.cells.factories import make_enrolment
from tests.local_cloud import ROOT


class RunningAgent:
    """One machine: its folder, the cluster's process, the agent's process."""

    def __init__(self, folder: Path, url: str, cell, *options: str) -> None:
        self.folder = folder
        self.options = options
        self.backups = folder.with_name("backups")  # outlives the machine
        folder.mkdir(exist_ok=True)
        config = {"portal_url": url, "cell": str(cell.pk), "enrolment_token": make_enrolment(cell), "package_sha256": ""}
        self.config = folder / "config.json"
        self.config.write_text(json.dumps(config))
        self.agent = self.cluster = None

    def start_cluster(self):
        self.cluster = self._spawn("cells.agent.local.cluster", "--state", str(self.folder / "cluster"))

    def start(self, *options: str, die_after: int = 0, clock: float = 0):
        words = ["--config", str(self.config), "--state", str(self.folder / "agent"), "--runtime", "local"]
        words += ["--cluster", str(self.folder / "cluster"), "--backups", str(self.backups), "--longest-wait", "1", *self.options, *options]
        if die_after or clock:
            self.agent = self._spawn("tests.cells.odd_agent", str(die_after), str(clock), *words)
        else:
            self.agent = self._spawn("cells.agent", *words)

    def kill(self):
        """As kill -9 does, at whatever it is doing."""
        self.agent.kill()
        return self.agent.wait()

    def stop(self):
        for process in (self.agent, self.cluster):
            if process is not None and process.poll() is None:
                process.terminate()
                process.wait(10)

    def workloads(self) -> dict:
        return json.loads((self.folder / "cluster" / "status.json").read_text())["releases"]

    def workload(self, instance) -> dict:
        return self.workloads()[str(instance.pk)]

    def kill_workload(self, instance):
        os.kill(self.workload(instance)["pid"], signal.SIGKILL)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def waiting_reports(self) -> int:
        return len(list((self.folder / "agent" / "reports").glob("*.json")))

    def _spawn(self, module: str, *words: str):
        # A machine of a customer's: nothing of the portal's environment.
        env = {name: value for name, value in os.environ.items() if name == "PATH"}
        with (self.folder / "log").open("ab") as log:
            return spawn([sys.executable, "-m", module, *words], env=env, cwd=ROOT, output=log)


class Line:
    """The way to the portal, which can be cut: TCP passed on to `port`, or refused."""

    def __init__(self, port: int) -> None:
        self.to = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"http://localhost:{self.port}"  # the name that the portal answers to
        self.open: list[socket.socket] = []
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def cut(self) -> None:
        self.listener.close()
        for end in self.open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.open.clear()
        # Closed under a thread that waits on it, a listener goes on until somebody has knocked once more.
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()

    def mend(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near = listener.accept()[0]
                if listener.fileno() == -1:
                    near.close()
                    return
                far = socket.create_connection(("127.0.0.1", self.to))
                self.open += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=_pass_on, args=(source, sink), daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


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
