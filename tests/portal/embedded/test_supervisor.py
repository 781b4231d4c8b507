"""The supervisor with small children of its own."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from portal.embedded.data import DemoError
from portal.embedded.process import command_of, wait_until
from portal.embedded.supervisor import Child, Stopped, Supervisor

ENVIRONMENT = {"PATH": os.environ["PATH"]}


@pytest.fixture
def said():
    return []


@pytest.fixture
def supervisor(tmp_path, said):
    with Supervisor(Path.cwd(), tmp_path, said.append) as running:
        yield running


def python(name, program, **more):
    return Child(name, [sys.executable, "-c", program], ENVIRONMENT, **more)


def test_supervisor_starts_a_killed_child_again_and_says_so(supervisor, said, tmp_path):
    child = supervisor.start(python("Sleeper", "import time; time.sleep(60)"))
    first = child.process.pid
    os.kill(first, signal.SIGKILL)

    supervisor.wait_for(lambda: child.process.pid != first, "it", 5)

    assert said == [f"Sleeper was killed by SIGKILL; starting it again. Log: {tmp_path / 'sleeper.log'}"]


def test_supervisor_ends_what_a_dead_child_had_forked(supervisor, tmp_path):
    note = tmp_path / "grandchild"
    program = f"import os, time; pid = os.fork(); pid and open({str(note)!r}, 'w').write(str(pid)); time.sleep(60)"
    child = supervisor.start(python("Parent", program))
    supervisor.wait_for(lambda: note.exists() and note.read_text() != "", "the grandchild", 5)
    grandchild = int(note.read_text())
    first = child.process.pid
    os.kill(first, signal.SIGKILL)

    supervisor.wait_for(lambda: child.process.pid != first, "it", 5)

    assert wait_until(lambda: not command_of(grandchild), 5)


def test_supervisor_once_child_is_forgotten_after_success(supervisor):
    child = supervisor.start(python("Task", "pass", is_once=True))

    supervisor.wait_for(lambda: child not in supervisor.children, "the task", 5)

    assert child.process.returncode == 0


def test_supervisor_once_child_failing_tells_the_end_of_its_log(supervisor, tmp_path):
    supervisor.start(python("Task", "print('what went wrong'); raise SystemExit(3)", is_once=True))

    with pytest.raises(DemoError) as caught:
        supervisor.wait_for(lambda: False, "the task", 5)

    assert str(caught.value) == f"what went wrong\n\nTask ended with code 3. The lines above are the end of {tmp_path / 'task.log'}."


def test_supervisor_full_disk_is_said_in_words(supervisor, tmp_path):
    supervisor.start(python("Task", "print('could not write: No space left on device'); raise SystemExit(1)", is_once=True))

    with pytest.raises(DemoError, match=r"^The disk of .* is full\. Nothing that was saved is lost\."):
        supervisor.wait_for(lambda: False, "the task", 5)


def test_supervisor_gives_up_on_a_child_that_cannot_start(supervisor, said):
    supervisor.start(python("Web", "raise SystemExit(1)"))

    with pytest.raises(DemoError, match="Web ended with code 1"):
        supervisor.wait_for(lambda: False, "the web server", 10)

    assert len(said) == 2  # tried three times


def test_supervisor_ends_its_children_in_order_on_a_signal(tmp_path, said):
    order = tmp_path / "order"
    program = """
import signal, time
def end(*_):
    with open({path!r}, "a") as file:
        file.write({name!r})
    raise SystemExit
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(60)
"""
    with Supervisor(Path.cwd(), tmp_path, said.append) as supervisor:
        for name, is_server in (("s", True), ("a", False)):
            supervisor.start(python(name, program.format(path=str(order), name=name), is_server=is_server))
        supervisor.wait_for(lambda: all((tmp_path / f"{name}.log").read_text() for name in "sa"), "both", 5)
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
        with pytest.raises(Stopped):
            supervisor.run()

    assert order.read_text() == "as"


def test_supervisor_kills_a_child_that_does_not_end(tmp_path, said):
    began = time.monotonic()
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    with Supervisor(Path.cwd(), tmp_path, said.append) as supervisor:
        child = supervisor.start(python("Deaf", program, stop_seconds=0.3))
        supervisor.wait_for(lambda: (tmp_path / "deaf.log").read_text() != "", "it", 5)
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Stopped):
            supervisor.run()

    assert child.process.returncode == -signal.SIGKILL
    assert time.monotonic() - began < 5
