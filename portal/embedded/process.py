"""Start servers that die with the process that started them, also when that one was killed with SIGKILL."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

IS_LINUX = sys.platform == "linux"
CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522
NOBODY = 65534

# Loaded here and not in the child: between fork and exec nothing may take a lock or import.
_libc = ctypes.CDLL(None, use_errno=True)


class NoOrdinaryUserError(Exception):
    """PostgreSQL refuses to run as this user, and the machine allows no other. The text says so, and what to do."""


def spawn(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    output: IO[bytes] | int | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
    as_user: bool = False,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, so that Ctrl-C reaches only the one who started it.

    `stop_signal` is what the kernel sends it when this process dies (Linux). `as_user` leaves root, for a server that refuses it.
    Call it from the main thread: the death signal follows the thread that forks. Raises NoOrdinaryUserError, OSError.
    """
    return subprocess.Popen(  # noqa: S603  every command is our own
        [str(part) for part in command],
        env=dict(env) if env is not None else None,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        start_new_session=True,
        preexec_fn=before_exec(stop_signal, as_user=as_user),  # noqa: PLW1509  main thread only, see above
    )


def before_exec(stop_signal: signal.Signals, *, as_user: bool) -> Callable[[], None]:
    """For `preexec_fn`: become an ordinary user if wanted, then ask the kernel for `stop_signal` at this process's death."""
    become_ordinary = ordinary_user() if as_user else None
    parent = os.getpid()

    def in_child() -> None:
        if become_ordinary:
            become_ordinary()
        if IS_LINUX:  # after that, because a change of user clears the death signal
            _libc.prctl(PR_SET_PDEATHSIG, int(stop_signal), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return in_child


# --- An ordinary user: PostgreSQL refuses to run as root, or as a user without a name ------------------------------------


@cache
def ordinary_user() -> Callable[[], None] | None:
    """What a child calls to become one, None where this process already is one. Raises NoOrdinaryUserError."""
    user = os.geteuid()
    if user != 0 and _has_name(user):
        return None
    for way in (_enter_user_namespace, _become_nobody) if user == 0 else (_enter_user_namespace,):
        if _works(way):
            return way
    who = "as root" if user == 0 else f"as a user without a name (id {user} is not in /etc/passwd)"
    message = f"PostgreSQL refuses to run {who}, and this machine allows no way around that. Run the demo as an ordinary user."
    raise NoOrdinaryUserError(message)


def owner_of_files() -> int:
    """User id, as this process sees it, that must own the files of a server started with `as_user`."""
    return NOBODY if ordinary_user() is _become_nobody else os.geteuid()


def _has_name(user: int) -> bool:
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


# Any name will do inside a namespace; looked up here, because a child between fork and exec must not.
_NAMED = NOBODY if _has_name(NOBODY) else next((entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0), NOBODY)


def _enter_user_namespace() -> None:
    """In the child: be somebody with a name, in a namespace where that is the real user. Files stay theirs, no user is created."""
    user, group = os.geteuid(), os.getegid()
    if _libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for name, line in (("setgroups", "deny"), ("uid_map", f"{_NAMED} {user} 1"), ("gid_map", f"{_NAMED} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123  as little as possible between fork and exec
            file.write(line)


class _CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _CapabilityData(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


def _become_nobody() -> None:
    """In the child: be nobody, but still able to walk into directories that only root may enter (most containers lack namespaces).

    Without that one capability the state and the programs would have to lie where everybody can reach them.
    """
    _libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    header = _CapabilityHeader(CAPABILITY_VERSION_3, 0)
    data = (_CapabilityData * 2)()
    mask = 1 << CAP_DAC_OVERRIDE
    data[0].effective = data[0].permitted = data[0].inheritable = mask
    if _libc.capset(ctypes.byref(header), data) == 0:
        _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def _works(way: Callable[[], None]) -> bool:
    pid = os.fork()
    if pid == 0:
        try:
            way()
            os._exit(0 if os.geteuid() != 0 else 1)
        except OSError:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


# --- Looking at processes that are not our children --------------------------------------------------------------------


def command_of(pid: int) -> str:
    """Command line of a running process, empty when there is none."""
    if IS_LINUX:
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    listing = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return listing.stdout.strip()


def is_alive(pid: int) -> bool:
    """Whether a process with this id exists, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask every 10 ms; whether it became true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def end_leftovers(mark: str) -> None:
    """End the processes that carry `mark` ("NAME=value") in their environment: children of a supervisor that was killed.

    PostgreSQL is not among them: it hides its environment, and `Postgres.prepare` ends it more gently.
    """
    for stop_signal, seconds in ((signal.SIGTERM, 4.0), (signal.SIGKILL, 5.0)):
        pids = _marked(mark)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, stop_signal)
        if wait_until(lambda: not _marked(mark), seconds):
            return


def _marked(mark: str) -> list[int]:
    if IS_LINUX:
        found = []
        for environment in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):  # another user's, or just gone
                if mark.encode() in environment.read_bytes().split(b"\0"):
                    found.append(int(environment.parent.name))
        return [pid for pid in found if pid != os.getpid() and command_of(pid)]
    listing = subprocess.run(["ps", "axeww", "-o", "pid=,command="], capture_output=True, text=True, check=False)  # noqa: S607
    return [int(line.split()[0]) for line in listing.stdout.splitlines() if f" {mark} " in f"{line} "]
