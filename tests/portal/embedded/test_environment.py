"""How `manage.py` gets its packages. A program named `uv` on PATH plays the installer; nothing is fetched."""

import ast
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from portal.embedded.environment import Environment, EnvironmentFailedError, explain

ROOT = Path(__file__).resolve().parents[3]
PINNED = "django==5.2.19 --hash=sha256:0\n"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with lock files, and first on PATH a `uv` that notes each call and does what the file `uv-does` says."""
    for name in ("requirements-demo.lock", "requirements-dev.lock"):
        (tmp_path / name).write_text(f"# {name}\n{PINNED}")
    (tmp_path / "bin").mkdir()
    uv = tmp_path / "bin" / "uv"
    uv.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n. {tmp_path}/uv-does\n')
    uv.chmod(0o755)
    (tmp_path / "uv-does").write_text("sleep 0.2\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return tmp_path


def stamp(checkout, lock):
    return f"{lock} {hashlib.sha256((checkout / lock).read_bytes()).hexdigest()}"


def calls(checkout):
    return (checkout / "calls").read_text().splitlines()


def test_environment_is_made_from_the_lock_with_hashes_and_stamped(checkout):
    environment = Environment(checkout)
    environment.prepare("demo")

    assert calls(checkout) == [f"pip sync --require-hashes --python {checkout}/.venv/bin/python {checkout}/requirements-demo.lock"]
    assert (checkout / ".venv" / "portal-stamp").read_text() == stamp(checkout, "requirements-demo.lock")
    assert not (checkout / ".venv" / "portal-unfinished").exists()
    assert subprocess.run([environment.python, "-c", ""], check=False).returncode == 0


def test_environment_current_is_not_installed_again(checkout):
    Environment(checkout).prepare("demo")
    Environment(checkout).prepare("demo")

    assert len(calls(checkout)) == 1


def test_environment_of_the_tests_serves_the_demo_but_not_the_other_way_round(checkout):
    Environment(checkout).prepare("demo")
    assert not Environment(checkout).is_current("test")

    Environment(checkout).prepare("test")

    assert Environment(checkout).is_current("demo")
    assert Environment(checkout).is_current("test")


def test_environment_with_a_changed_lock_is_stale(checkout):
    Environment(checkout).prepare("demo")
    (checkout / "requirements-demo.lock").write_text(f"# newer\n{PINNED}")

    assert not Environment(checkout).is_current("demo")


def test_environment_interrupted_begins_afresh(checkout):
    Environment(checkout).prepare("demo")
    (checkout / ".venv" / "half-a-package").touch()
    (checkout / ".venv" / "portal-unfinished").touch()

    Environment(checkout).prepare("demo")

    assert Environment(checkout).is_current("demo")
    assert not (checkout / ".venv" / "half-a-package").exists()


def test_environment_whose_python_is_gone_begins_afresh(checkout):
    Environment(checkout).prepare("demo")
    (checkout / ".venv" / "bin" / "python").unlink()
    (checkout / ".venv" / "bin" / "python").symlink_to("/no/such/python")

    Environment(checkout).prepare("demo")

    assert Environment(checkout).is_current("demo")


def test_environment_failed_leaves_no_stamp_and_says_why(checkout):
    Environment(checkout).prepare("demo")
    (checkout / "requirements-demo.lock").write_text(f"# newer\n{PINNED}")
    (checkout / "uv-does").write_text("echo 'error: No space left on device (os error 28)'; exit 1\n")

    with pytest.raises(EnvironmentFailedError, match="The disk is full"):
        Environment(checkout).prepare("demo")

    assert not (checkout / ".venv" / "portal-stamp").exists()
    assert not Environment(checkout).is_current("demo")


def test_environment_is_installed_once_by_two_runs_at_once(checkout):
    program = "import pathlib, sys; from portal.embedded.environment import *; Environment(pathlib.Path(sys.argv[1])).prepare('demo')"
    runs = [subprocess.Popen([sys.executable, "-c", program, checkout], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [run.communicate(timeout=30)[0] for run in runs]

    assert [run.returncode for run in runs] == [0, 0]
    assert len(calls(checkout)) == 1
    assert sum("Another run is installing the packages" in text for text in said) == 1


def test_environment_outside_of_venv_is_believed_only_with_every_locked_version(checkout):
    from importlib.metadata import version

    environment = Environment(checkout)
    lines = [f"django=={version('django')} --hash=sha256:0", "no-such==1 ; sys_platform == 'win32' --hash=sha256:0"]
    (checkout / "requirements-demo.lock").write_text("\n".join(lines))
    assert environment._has_all("demo")

    (checkout / "requirements-demo.lock").write_text("django==1.0 --hash=sha256:0\n")
    assert not environment._has_all("demo")


@pytest.mark.parametrize(
    ("output", "beginning"),
    [
        ("/usr/bin/python3: No module named pip", "This Python has no pip."),
        ("error: Failed to fetch: `https://…` dns error", "The packages could not be downloaded."),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES; do not match the hashes", "A package is not the one this version was tested with"),
        ("[Errno 13] Permission denied: '.venv'", "A folder cannot be written."),
        ("something else", "The packages could not be installed."),
    ],
)
def test_explain_names_cause_and_remedy(output, beginning):
    assert explain(output).startswith(beginning)


def test_manage_is_understood_by_pythons_it_refuses():
    ast.parse((ROOT / "manage.py").read_text(), feature_version=(3, 4))


def test_manage_test_is_pytest_with_its_exit_code():
    answer = subprocess.run(
        [sys.executable, "manage.py", "test", "--no-such-option", "tests"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert answer.returncode == 4
    assert "unrecognized arguments: --no-such-option" in answer.stderr


def test_locks_fit_pyproject_and_name_no_address():
    assert subprocess.run([sys.executable, ".ci/lock", "--check"], cwd=ROOT, check=False).returncode == 0
    for name in ("requirements.lock", "requirements-demo.lock", "requirements-dev.lock", "requirements-uv.lock"):
        assert "://" not in (ROOT / name).read_text()


def test_environment_of_somebody_else_is_used_as_it_is(checkout):
    """The one the tests run in: it has what both commands need, and nothing is fetched."""
    if sys.prefix == sys.base_prefix:
        pytest.skip("not in a virtual environment")

    assert [Environment(checkout).is_this_one_ready(command) for command in ("demo", "test")] == [True, True]
    assert not (checkout / "calls").exists()
