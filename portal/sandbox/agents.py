"""Machines of agents in the local clouds: the real agent as a process, given the same user data as a real machine.

A machine of a real cloud runs what its user data says. These run the program that stands there by its hash, when it is the portal's own,
with the runtime that keeps releases as processes. Beside each agent lives its "cluster", which keeps the workload running when the
agent is stopped. Both die with the sandbox, however that ends, and come back with it, like a machine that boots again.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import yaml

from cells.protocol.package import package_sha256
from portal.embedded.process import spawn

ROOT = Path(__file__).resolve().parents[2]
CONFIG = "/etc/byoc-agent/config.json"
# As systemd starts it again on a real machine, only sooner.
RESTART_SECONDS = 2.0
STOP_SECONDS = 5.0
PROGRAMS = {
    "cluster": ("cells.agent.local.cluster", "--state", "{folder}/cluster"),
    "agent": (
        *("cells.agent", "--config", "{folder}/config.json", "--state", "{folder}/agent"),
        *("--runtime", "local", "--cluster", "{folder}/cluster", "--backups", "{backups}", "--longest-wait", "10"),
    ),
}


class UserDataError(ValueError):
    """A real machine could not start an agent from it either."""


@dataclass(frozen=True)
class Workload:
    """One release that runs on a machine, as its cluster says."""

    instance: str
    state: str
    health: str
    pid: int
    url: str


@dataclass(frozen=True)
class AgentHost:
    machine: str
    cell: str
    is_stopped: bool  # on purpose
    pid: int  # of the agent, 0 while it does not run
    workloads: tuple[Workload, ...] = ()


@dataclass
class _Machine:
    folder: Path
    cell: str
    is_stopped: bool = False
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    not_before: dict[str, float] = field(default_factory=dict)


class AgentHosts:
    """All machines of one sandbox process. Calls may come from any thread.

    Processes are started by one thread that lives as long as this one does: they die with the thread that started them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.machines: dict[str, _Machine] = {}
        self._leaving: dict[Path, _Machine] = {}
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._keep, name="agent-hosts", daemon=True)
        self._is_started = False
        self._lock = threading.Lock()

    # --- What the played clouds call ---

    def boot(self, machine: str, user_data: str) -> None:
        """Start what the user data says, as a machine does that is switched on for the first time. Raises UserDataError."""
        config = read_user_data(user_data)
        if config["package_sha256"] != package_sha256():
            raise UserDataError("The agent's package has another hash than the portal's: a real machine would refuse to start it.")
        folder = self._folder(machine)

        def unpack() -> None:
            self._bury(folder)  # one of the same name may be on its way out
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = folder / "config.json"
            file.touch(mode=0o600)
            file.write_text(json.dumps(config))

        self._do(unpack)
        self._add(machine, folder, config["cell"])

    def resume(self) -> None:
        """Start again every machine that an earlier process left behind."""
        for folder in sorted(self.folder.glob("*/")) if self.folder.is_dir() else ():
            if (folder / "config.json").exists():
                self._add(folder.name, folder, json.loads((folder / "config.json").read_text())["cell"])

    def halt(self, machine: str) -> None:
        """Delete the machine and everything on it, without waiting for its end. One that is not there is no error."""

        def remove() -> None:
            if found := self.machines.pop(machine, None):
                for process in found.processes.values():
                    process.terminate()
                self._leaving[found.folder] = found

        self._do(remove)

    def stop(self, machine: str) -> None:
        """Stop the agent alone; what it has deployed goes on. KeyError where there is no such machine."""
        found = self.machines[machine]

        def stop() -> None:
            found.is_stopped = True
            (found.folder / "stopped").touch()
            _end(found, "agent")

        self._do(stop)

    def start(self, machine: str) -> None:
        """Start a stopped agent again. KeyError where there is no such machine."""
        found = self.machines[machine]

        def start() -> None:
            found.is_stopped = False
            (found.folder / "stopped").unlink(missing_ok=True)
            found.not_before.clear()
            self._tend(found)

        self._do(start)

    def kill(self, machine: str, instance: str) -> bool:
        """Kill one instance's process with SIGKILL. False where none of it runs there."""
        for host in self.list():
            for workload in host.workloads:
                if (host.machine, workload.instance) == (machine, instance) and workload.pid:
                    os.kill(workload.pid, signal.SIGKILL)
                    return True
        return False

    def list(self) -> tuple[AgentHost, ...]:
        return tuple(_host(name, machine) for name, machine in sorted(self.machines.items(), key=lambda item: item[0]))

    def clear(self) -> None:
        """Delete all machines."""
        for machine in tuple(self.machines):
            self.halt(machine)

    def close(self) -> None:
        """End all processes; their folders stay. Nothing may be called afterwards."""
        if self._is_started:
            self._calls.put(None)
            self._thread.join()

    # --- The thread ---

    def _folder(self, machine: str) -> Path:
        return self.folder / re.sub(r"[^A-Za-z0-9._-]", "_", machine)

    def _add(self, name: str, folder: Path, cell: str) -> None:
        def add() -> None:
            known = self.machines.setdefault(name, _Machine(folder, cell, is_stopped=(folder / "stopped").exists()))
            self._tend(known)

        self._do(add)

    def _do(self, call: Callable[[], None]) -> None:
        """Have the thread do it, and wait until it is done. What the disk refuses is the caller's to tell: the thread goes on."""
        with self._lock:
            if not self._is_started:
                self._thread.start()
                self._is_started = True
        done: Future[None] = Future()

        def run() -> None:
            try:
                call()
            except OSError as refused:
                done.set_exception(refused)
            else:
                done.set_result(None)

        self._calls.put(run)
        done.result()

    def _keep(self) -> None:
        while True:
            try:
                call = self._calls.get(timeout=0.2 if self._leaving else 1.0 if self.machines else None)
            except Empty:
                self._look_around()
                continue
            if call is None:
                break
            call()
        for machine in self.machines.values():
            _end(machine)
        for folder in tuple(self._leaving):
            self._bury(folder)

    def _look_around(self) -> None:
        for machine in self.machines.values():
            self._tend(machine)
        for folder, machine in tuple(self._leaving.items()):
            if not any(_runs(process) for process in machine.processes.values()):
                self._bury(folder)

    def _bury(self, folder: Path) -> None:
        if machine := self._leaving.pop(folder, None):
            _end(machine)
            shutil.rmtree(folder, ignore_errors=True)

    def _tend(self, machine: _Machine) -> None:
        """Start what should run and does not, but never one that died a moment ago."""
        for name, program in PROGRAMS.items():
            if (name == "agent" and machine.is_stopped) or _runs(machine.processes.get(name)):
                continue
            if time.monotonic() >= machine.not_before.get(name, 0.0):
                machine.not_before[name] = time.monotonic() + RESTART_SECONDS
                machine.processes[name] = _start(program, machine.folder)


def read_user_data(user_data: str) -> dict[str, str]:
    """The agent's configuration out of cloud-init user data. Raises UserDataError."""
    if not user_data.startswith("#cloud-config\n"):
        raise UserDataError("User data that cloud-init reads begins with #cloud-config.")
    try:
        files: Any = {file["path"]: file["content"] for file in yaml.safe_load(user_data)["write_files"]}
        config: Any = json.loads(files[CONFIG])
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as problem:
        raise UserDataError(f"The user data holds no {CONFIG}: {problem}") from problem
    missing = {"portal_url", "cell", "enrolment_token", "package_sha256"} - config.keys()
    if missing:
        raise UserDataError(f"{CONFIG} lacks {', '.join(sorted(missing))}.")
    return {name: str(value) for name, value in config.items()}


def _start(program: tuple[str, ...], folder: Path) -> "subprocess.Popen[bytes]":
    # Not the machine's: last backups stay in the played account when machine, cell and instance are gone.
    backups = folder.parent.with_name("backups")
    command = [sys.executable, "-m", *(word.format(folder=folder, backups=backups) for word in program)]
    with (folder / "machine.log").open("ab") as log:
        return spawn(command, cwd=ROOT, env=_environment(os.environ), output=log)


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """A machine of the customer's knows nothing of the portal's own settings."""
    return {name: value for name, value in variables.items() if name in {"PATH", "LANG", "TMPDIR", "HOME"} or name.startswith("PYTHON")}


def _runs(process: "subprocess.Popen[bytes] | None") -> bool:
    return process is not None and process.poll() is None


def _end(machine: _Machine, *names: str) -> None:
    """End these of its processes, or all."""
    ending = [machine.processes.pop(name) for name in names or tuple(machine.processes) if name in machine.processes]
    for process in ending:
        process.terminate()
    for process in ending:
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _host(name: str, machine: _Machine) -> AgentHost:
    agent = machine.processes.get("agent")
    pid = agent.pid if agent is not None and _runs(agent) else 0
    return AgentHost(name, machine.cell, machine.is_stopped, pid, _workloads(machine.folder / "cluster" / "status.json"))


def _workloads(status: Path) -> tuple[Workload, ...]:
    try:
        releases = json.loads(status.read_text())["releases"]
    except (OSError, ValueError, KeyError):
        return ()
    return tuple(
        Workload(release["id"], release["state"], release["health"], release["pid"] or 0, release["url"]) for release in releases.values()
    )
