"""Runs of kits: the script by the real bash, in a folder of its own, with an empty environment and the played programs in front."""

import asyncio
import hashlib
import itertools
import json
import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from portal.sandbox.aws.cloudformation import S3_DENIED, TemplateAddressError, read_public
from portal.sandbox.shell import command
from portal.sandbox.shell.session import Session

if TYPE_CHECKING:
    from portal.sandbox.sandbox import Sandbox

SYSTEM_PATH = "/usr/bin:/bin"
LONGEST_SECONDS = 600.0
OUTPUT_BYTES = 256 * 1024
RUNS_KEPT = 20
NO_HOST, NOT_FOUND, MISMATCH, KILLED = 6, 22, 1, 124


@dataclass
class Run:
    id: str
    who: str
    text: str
    output: bytearray = field(default_factory=bytearray)
    exit_code: int | None = None

    def say(self, line: str) -> None:
        self.output += f"{line}\n".encode()


class Runs:
    """The last runs, and the tasks of those still under way."""

    def __init__(self, sandbox: "Sandbox") -> None:
        self.sandbox = sandbox
        self.kept: dict[str, Run] = {}
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, text: str, wanted: command.Wanted, session: Session) -> Run:
        run = Run(f"{int(time.time())}-{next(self._numbers)}", f"{session.email} {session.project}", text)
        self.kept[run.id] = run
        for old in list(self.kept)[:-RUNS_KEPT]:
            del self.kept[old]
        task = asyncio.get_running_loop().create_task(self._run(run, wanted, session))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return run

    async def _run(self, run: Run, wanted: command.Wanted, session: Session) -> None:
        folder = Path(tempfile.mkdtemp(prefix="byoc-shell-"))
        try:
            environment = prepare(folder, session)
            if isinstance(wanted, command.GcloudLines):
                run.exit_code = await self._run_lines(run, wanted, folder, environment)
            else:
                run.exit_code = await self._run_kit(run, wanted, folder, environment)
        finally:
            if run.exit_code is None:
                run.exit_code = KILLED
            self._take_notes(folder)
            shutil.rmtree(folder, ignore_errors=True)

    async def _run_kit(self, run: Run, wanted: command.KitCommand, folder: Path, environment: Mapping[str, str]) -> int:
        """The three parts of the command, each stopping the rest, as `&&` does."""
        try:
            script = await self._fetch(wanted.url)
        except TemplateAddressError as problem:
            is_refused = str(problem) == S3_DENIED
            run.say("curl: (22) The requested URL returned error: 403" if is_refused else "curl: (6) Could not resolve host")
            return NOT_FOUND if is_refused else NO_HOST
        if hashlib.sha256(script.encode()).hexdigest() != wanted.sha256:
            run.say(f"{wanted.script}: FAILED\nsha256sum: WARNING: 1 computed checksum did NOT match")
            return MISMATCH
        if not self._is_kit(wanted.sha256):
            run.say("The demo's Cloud Shell runs the kits of this portal and nothing else.")
            return MISMATCH
        run.say(f"{wanted.script}: OK")
        (folder / "home" / wanted.script).write_text(script)
        bash = shutil.which("bash", path=SYSTEM_PATH)
        if bash is None:
            run.say("This machine has no bash, which the kit needs.")
            return 127
        return await self._execute(run, [bash, wanted.script, *wanted.arguments], folder, environment)

    async def _fetch(self, url: str) -> str:
        """From the bucket of the provider, or from the portal itself."""
        portal = self.sandbox.options.portal_url
        if portal and url.startswith(f"{portal}/"):
            try:
                return await asyncio.to_thread(_read, url)
            except OSError as problem:
                raise TemplateAddressError(str(problem)) from problem
        return read_public(url, "", self.sandbox)

    def _is_kit(self, sha256: str) -> bool:
        """The hash in the command is the caller's own word: any program of this machine could have put a script into the bucket."""
        options = self.sandbox.options
        # A folder may be filled only after this process has begun.
        scripts = [script for path in options.kit_scripts for script in (path.glob("*.sh") if path.suffix != ".sh" else [path])]
        return options.is_any_script_run or sha256 in {hashlib.sha256(script.read_bytes()).hexdigest() for script in scripts}

    async def _run_lines(self, run: Run, wanted: command.GcloudLines, folder: Path, environment: Mapping[str, str]) -> int:
        """One after the other; the last one's exit code, as a terminal would leave it."""
        program, code = command.PROGRAMS[type(wanted)], 0
        for line in wanted.lines:
            run.say(f"$ {program} {shlex.join(line)}")
            code = await self._execute(run, [str(folder / "bin" / program), *line], folder, environment)
        return code

    async def _execute(self, run: Run, words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> int:
        if not Path(words[0]).exists():
            run.say(f"bash: {Path(words[0]).name}: command not found")
            return 127
        process = await asyncio.create_subprocess_exec(
            *words, cwd=folder / "home", env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                assert process.stdout is not None
                while chunk := await process.stdout.read(4096):
                    run.output += chunk[: max(0, OUTPUT_BYTES - len(run.output))]
                return await process.wait()
        except TimeoutError:
            run.say(f"Stopped after {LONGEST_SECONDS:.0f} seconds.")
            return KILLED
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _take_notes(self, folder: Path) -> None:
        notes = folder / "notes"
        if notes.exists():
            for line in notes.read_text().splitlines():
                self.sandbox.violate(**json.loads(line))


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - the portal's own address
        content: bytes = answer.read()
    return content.decode()


def prepare(folder: Path, session: Session) -> dict[str, str]:
    """Lays out home, launchers and session file; the environment of whatever runs there."""
    home, programs = folder / "home", folder / "bin"
    home.mkdir()
    programs.mkdir()
    session.notes = str(folder / "notes")
    session.write(folder / "session.json")
    entry = Path(__file__).with_name("entry.py")
    for name in ("az" if session.azure else "aws" if session.aws else "gcloud", "curl"):
        launcher = programs / name
        words = shlex.join([sys.executable, "-I", str(entry), name, str(folder / "session.json")])
        launcher.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        launcher.chmod(0o700)
    # What Cloud Shell itself sets, and nothing of this process.
    theirs = {"GOOGLE_CLOUD_PROJECT": session.project, "DEVSHELL_PROJECT_ID": session.project, "CLOUD_SHELL": "true"}
    if session.azure:
        theirs = {"ACC_CLOUD": "PROD", "AZUREPS_HOST_ENVIRONMENT": "cloud-shell/1.0"}
    if session.aws:
        theirs = {"AWS_EXECUTION_ENV": "CloudShell", "AWS_DEFAULT_OUTPUT": "json"}
    return {"PATH": f"{programs}:{SYSTEM_PATH}", "HOME": str(home), "LANG": "C.UTF-8", **theirs}
