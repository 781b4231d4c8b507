"""The locked packages for `manage.py demo` and `test`: fetched when missing, then manage.py starts again inside them.

Inside any environment that already has them (an activated one, `uv run`, an image) nothing is fetched. Otherwise `.venv` is made
from a lock file with hashes and no address in it, so packages come from wherever this machine's pip or uv takes them.
"""

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent.parent
LOCKS = {"demo": "requirements-demo.lock", "test": "requirements-dev.lock"}
NEEDED = {"demo": ("django", "ministack"), "test": ("django", "pytest")}
PINNED = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==([^\s;\\]+)(.*)$", re.MULTILINE)

EXPLANATIONS = (
    (
        ("No space left on device", "os error 28", "Errno 28", "Disk quota exceeded"),
        "The disk is full. The packages need up to 1 GB; free some space and run the same command again.",
    ),
    (
        ("No module named pip", "No module named 'pip'"),
        "This Python has no pip. Install it (Debian and Ubuntu: apt-get install python3-pip), or install uv; then run the same "
        "command again.",
    ),
    (
        ("do not match the hashes", "Hash mismatch", "hash mismatch"),
        "A package is not the one this version was tested with: its hash differs from the lock file. Nothing of it was installed. "
        "Check the package index that this machine is configured to use.",
    ),
    (
        (
            "dns error",
            "name resolution",
            "Name or service not known",
            "Failed to establish a new connection",
            "Failed to fetch",
            "error sending request",
            "Connection refused",
            "Network is unreachable",
            "timed out",
            "No matching distribution found",
        ),
        "The packages could not be downloaded. The first run needs a package index (PyPI, or the mirror that pip or uv is configured "
        "for: PIP_INDEX_URL, UV_DEFAULT_INDEX, HTTPS_PROXY). Check the connection and run the same command again; later runs need "
        "no network.",
    ),
    (
        ("Permission denied", "Read-only file system"),
        "A folder cannot be written. This command writes .venv and .cache beside manage.py; run it as the user who owns the folder.",
    ),
)


class EnvironmentFailedError(Exception):
    """The packages are not there and cannot be fetched; the text says why and what to do."""


def ensure(argv: list[str]) -> None:
    """Return when this process can run `argv[1]` ("demo" or "test"); else prepare `.venv` and never return: start again in it."""
    try:
        python = python_for(argv[1])
    except EnvironmentFailedError as error:
        sys.exit(f"\n{error}")
    except OSError as error:
        sys.exit(f"\n{explain(str(error))}\n({error})")
    if str(python) != sys.executable:
        _restart(python, argv)


def python_for(command: str) -> Path:
    """The interpreter that has what `command` needs, prepared if necessary. Raises EnvironmentFailedError, OSError."""
    environment = Environment(ROOT)
    if environment.is_this_one_ready(command):
        return Path(sys.executable)
    environment.prepare(command)
    return environment.python


def _restart(python: Path, argv: list[str]) -> NoReturn:
    sys.stdout.flush()
    os.execv(python, [str(python), *argv])  # noqa: S606


class Environment:
    """`.venv` of one checkout, with a stamp that says which lock file it was completely made from."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / "bin" / "python"
        self.stamp = self.folder / "portal-stamp"
        self.unfinished = self.folder / "portal-unfinished"
        self.cache = root / ".cache"

    # --- What is there ---

    def is_this_one_ready(self, command: str) -> bool:
        """Whether the running interpreter has what `command` needs."""
        if not all(importlib.util.find_spec(package) for package in NEEDED[command]):
            return False
        if Path(sys.prefix).resolve() == self.folder.resolve():
            # Without a stamp a developer made it: theirs to keep in order.
            return self.is_current(command) or not (self.stamp.exists() or self.unfinished.exists())
        return sys.prefix != sys.base_prefix or self._has_all(command)

    def is_current(self, command: str) -> bool:
        """Whether `.venv` was completely made from a lock file, unchanged since, that covers `command`."""
        if not self.python.exists() or self.unfinished.exists():
            return False
        covering = {LOCKS[command], LOCKS["test"]}  # the lock for tests holds all of the other
        return _read(self.stamp) in {self._line(name) for name in covering}

    def _line(self, lock: str) -> str:
        return f"{lock} {hashlib.sha256((self.root / lock).read_bytes()).hexdigest()}"

    def _has_all(self, command: str) -> bool:
        """An image has the packages beside Python itself: believe it only when every version is the locked one."""
        for name, pinned, marker in PINNED.findall((self.root / LOCKS[command]).read_text()):
            try:
                if version(name) != pinned:
                    return False
            except PackageNotFoundError:
                if ";" not in marker:  # a package for other platforms only may be missing
                    return False
        return True

    # --- Making it ---

    def prepare(self, command: str) -> None:
        """Bring `.venv` to the state of the lock file. Raises EnvironmentFailedError, OSError."""
        if sys.platform == "win32":
            message = "Windows itself is not supported; run the same command in WSL."
            raise EnvironmentFailedError(message)
        if self.is_current(command):
            return
        with self._alone():
            if self.is_current(command):
                return
            self._make(LOCKS[command])

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One installation at a time in this checkout; the second waits and then finds all done."""
        self.cache.mkdir(exist_ok=True)
        with (self.cache / "environment.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Another run is installing the packages; waiting for it.")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _make(self, lock: str) -> None:
        count = len(PINNED.findall((self.root / lock).read_text()))
        say(f"Installing {count} packages into .venv (first run, or the lock file changed).")
        if self.unfinished.exists() or (self.folder.exists() and not self._python_runs()):
            shutil.rmtree(self.folder)  # half made, or of a Python that is gone
        if not self.folder.exists():
            # `venv` without pip needs no distribution package beyond Python itself.
            _run([sys.executable, "-m", "venv", "--without-pip", self.folder])
        self.unfinished.touch()
        self.stamp.unlink(missing_ok=True)
        self._install(lock)
        self.stamp.write_text(self._line(lock))
        self.unfinished.unlink()

    def _python_runs(self) -> bool:
        try:
            return subprocess.run([self.python, "-c", ""], check=False, capture_output=True).returncode == 0  # noqa: S603
        except OSError:
            return False

    def _install(self, lock: str) -> None:
        settings = _settings_for_uv(self.cache)
        try:
            _run([self._uv(), "pip", "sync", "--require-hashes", "--python", self.python, self.root / lock], settings)
        except EnvironmentFailedError as error:
            if "disk is full" in str(error) or "No module named" in _pip_version():
                raise
            # A machine may be configured for pip in ways that uv does not know: extra indexes, wheel folders, keyrings.
            say("uv could not install them; trying pip, which is slower.")
            pip: list[str | Path] = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", self.python]
            _run([*pip, "install", "--quiet", "--require-hashes", "-r", self.root / lock])

    def _uv(self) -> Path:
        """`uv` from PATH, or the pinned one fetched with pip into `.cache`: `--target` needs no permission of the distribution."""
        if on_path := shutil.which("uv"):
            return Path(on_path)
        lock = self.root / "requirements-uv.lock"
        pinned = PINNED.search(lock.read_text())
        folder = self.cache / f"uv-{pinned[2] if pinned else 'pinned'}"
        if not (folder / "bin" / "uv").exists():
            say("Fetching uv, which installs the packages.")
            scratch = folder.with_name(folder.name + ".new")
            shutil.rmtree(scratch, ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            _run([*pip, "--require-hashes", "--no-deps", "--target", scratch, "-r", lock])
            shutil.rmtree(folder, ignore_errors=True)
            scratch.rename(folder)
        return folder / "bin" / "uv"


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def say(line: str) -> None:
    """One line of progress, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _run(command: list[str | Path], settings: dict[str, str] | None = None) -> None:
    answer = subprocess.run(  # noqa: S603
        [str(part) for part in command],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=os.environ | (settings or {}),
    )
    if answer.returncode != 0:
        tail = "\n".join(answer.stdout.strip().splitlines()[-12:])
        message = f"{tail}\n\n{explain(answer.stdout)}"
        raise EnvironmentFailedError(message)


def explain(output: str) -> str:
    """What the output of a failed installation means and what to do, in one paragraph."""
    for signs, explanation in EXPLANATIONS:
        if any(sign in output for sign in signs):
            return explanation
    return "The packages could not be installed. The lines above say why; running the same command again starts the installation afresh."


def _pip_version() -> str:
    answer = subprocess.run([sys.executable, "-m", "pip", "--version"], check=False, capture_output=True, text=True)
    return answer.stdout + answer.stderr


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _settings_for_uv(cache: Path) -> dict[str, str]:
    """uv does not read pip's configuration: hand over the index, certificates and proxy a machine has set for pip."""
    settings = {}
    if "UV_CACHE_DIR" not in os.environ and not _can_write(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")):
        settings["UV_CACHE_DIR"] = str(cache / "uv")
    answer = subprocess.run([sys.executable, "-m", "pip", "config", "list"], check=False, capture_output=True, text=True)
    for key, value in re.findall(r"^[^.]*\.([a-z-]+)='(.*)'$", answer.stdout, re.MULTILINE):
        name = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE", "proxy": "HTTPS_PROXY"}.get(key)
        if name and not os.environ.get(name):
            settings[name] = value
    return settings
