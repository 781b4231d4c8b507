"""The data directory of a demo, and what `manage.py demo` says when it cannot have it."""

import json
import shutil
import socket
import stat
from pathlib import Path

import pytest

from portal.embedded import data, demo
from portal.embedded.data import DataDirectory, DemoError, fingerprint
from portal.embedded.demo import run
from portal.embedded.ports import free_port


@pytest.fixture
def opened(tmp_path):
    directory = DataDirectory(tmp_path / "data")
    with directory.opened():
        yield directory


def refusal(capsys, *arguments, **options):
    assert run(*arguments, **options) == 1
    return capsys.readouterr().err.strip()


def test_data_secrets_are_made_once_and_only_the_owner_reads_them(opened):
    first = opened.secrets()

    assert opened.secrets() == first
    assert sorted(first) == ["PORTAL_DEMO_PASSWORD", "PORTAL_DEMO_TOTP_SECRET", "PORTAL_SEAL_KEYS", "PORTAL_SECRET_KEY"]
    assert len(first["PORTAL_DEMO_PASSWORD"]) >= 12
    assert stat.S_IMODE((opened.path / "secrets.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(opened.path.stat().st_mode) == 0o700


def test_data_secrets_lost_beside_a_database_are_not_replaced(opened):
    opened.secrets()
    (opened.path / "pg").mkdir()
    (opened.path / "secrets.json").write_text("{")

    with pytest.raises(DemoError, match=r"secrets\.json is missing or damaged"):
        opened.secrets()


def test_data_ports_stay_the_same_and_give_way_to_who_has_them(opened):
    first = opened.ports(("console", "aws"), free_port())
    assert opened.ports(("console", "aws"), 1) == first

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first["aws"]))
        taken.listen()
        second = opened.ports(("console", "aws"), 1)

    assert second["console"] == first["console"]
    assert second["aws"] not in first.values()


def test_demo_second_start_is_refused_and_names_the_first(opened, capsys):
    opened.sign_lock("process 4711, http://localhost:8000")

    said = refusal(capsys, free_port(), opened.path, reset=False)

    assert said == (
        f"A demo already runs on {opened.path} (process 4711, http://localhost:8000). Stop it with Ctrl-C first, or start a second one "
        "with its own --data-dir and --port."
    )


def test_demo_reset_is_refused_while_it_runs(opened, capsys):
    opened.secrets()

    assert refusal(capsys, free_port(), opened.path, reset=True).startswith(f"A demo already runs on {opened.path}.")
    assert (opened.path / "secrets.json").exists()


@pytest.mark.parametrize("reset", [False, True])
def test_demo_leaves_a_foreign_directory_alone(tmp_path, capsys, reset):
    (tmp_path / "thesis.odt").write_text("years of work")

    said = refusal(capsys, free_port(), tmp_path, reset=reset)

    assert said == (
        f"{tmp_path} holds files that are not of a demo (the file PORTAL_DEMO is missing), so it was left alone. "
        "Choose another directory with --data-dir, or remove it yourself."
    )
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.odt"]


def test_demo_taken_port_is_named(tmp_path, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refusal(capsys, port, tmp_path / "data", reset=False)

    assert said == (
        f"Port {port} is taken by another program, so the portal cannot listen there. Stop that program, or choose another port: "
        f"python3 manage.py demo --port {port + 100}"
    )


def test_demo_directory_of_another_version_is_kept_until_reset(tmp_path, capsys):
    with DataDirectory(tmp_path / "data").opened():
        pass
    (tmp_path / "data" / "PORTAL_DEMO").write_text("Data of the portal's demo, layout 0\n")

    said = refusal(capsys, free_port(), tmp_path / "data", reset=False)

    assert said == (
        f"{tmp_path / 'data'} was written by another version of the portal (layout 0; this version reads {data.LAYOUT}). "
        "Add --reset to delete it and start afresh, or keep it and choose another with --data-dir."
    )


def test_data_reset_empties_our_own_directory(tmp_path):
    directory = DataDirectory(tmp_path / "data")
    with directory.opened():
        before = directory.secrets()

    with directory.opened(reset=True):
        assert directory.secrets() != before


def test_demo_directory_that_cannot_be_made_is_explained(capsys):
    said = refusal(capsys, free_port(), data.Path("/proc/portal-data"), reset=False)

    assert said.startswith("The data directory /proc/portal-data cannot be used: ")
    assert said.endswith("Choose another with --data-dir.")


def test_demo_file_in_place_of_the_directory_is_named(tmp_path, capsys):
    (tmp_path / "data").touch()

    assert (
        refusal(capsys, free_port(), tmp_path / "data", reset=False)
        == f"{tmp_path / 'data'} is a file. Choose a directory with --data-dir."
    )


def test_demo_nearly_full_disk_stops_before_anything_is_written(tmp_path, capsys, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=7 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    said = refusal(capsys, free_port(), tmp_path / "data", reset=False)

    assert said == (
        f"The disk of {tmp_path / 'data'} is nearly full: 7 MB are free, the demo needs 200 MB. "
        "Free some space, or choose a directory on another disk with --data-dir."
    )


def test_data_prepared_remembers_each_task_by_its_fingerprint(opened):
    opened.mark_prepared({"schema": "a"})
    opened.mark_prepared({"static": "b"})

    assert opened.is_prepared("schema", "a")
    assert opened.is_prepared("static", "b")
    assert not opened.is_prepared("static", "a")
    assert json.loads((opened.path / "prepared.json").read_text()) == {"schema": "a", "static": "b"}


def test_fingerprint_follows_names_and_contents_but_not_bytecode(tmp_path):
    (tmp_path / "one.css").write_text("a")
    first = fingerprint([tmp_path])
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "one.pyc").touch()
    assert fingerprint([tmp_path]) == first

    (tmp_path / "two.css").write_text("a")
    second = fingerprint([tmp_path])
    (tmp_path / "one.css").write_text("ab")

    assert len({first, second, fingerprint([tmp_path]), fingerprint([tmp_path], "more")}) == 4


def test_data_logs_are_read_by_the_owner_only_also_where_an_earlier_demo_made_them(tmp_path):
    directory = DataDirectory(tmp_path / "data")
    with directory.opened():
        directory.logs.chmod(0o755)
    with directory.opened():
        assert stat.S_IMODE(directory.logs.stat().st_mode) == 0o700


def test_demo_migrates_what_is_there_after_a_change_of_any_migration():
    root = Path(demo.__file__).parents[2]
    folders = {path.parent for app in ("accounts", "cells", "portal") for path in (root / app).rglob("migrations/0001_*.py")}

    watched = [root / path for path in demo.MIGRATIONS]

    assert len(folders) >= 5
    assert all(path.exists() for path in watched)
    assert [folder for folder in folders if not any(folder.is_relative_to(path) for path in watched)] == []
