"""The embedded servers: real processes, killed as machines kill them."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest
import redis

from portal.embedded import process
from portal.embedded.postgres import APPLICATION, OWNER, Postgres, PostgresError, find_binaries
from portal.embedded.process import command_of, end_leftovers, is_alive, spawn, wait_until
from portal.embedded.valkey import Valkey, find_server

pytestmark = pytest.mark.xdist_group("servers")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def folder():
    """Short, because a socket's path may have 107 bytes and pytest's own folders are long."""
    path = Path(tempfile.mkdtemp(prefix="byoc-s-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def database():
    """A durable server, started once; tests may kill it and start it again."""
    path = Path(tempfile.mkdtemp(prefix="byoc-s-", dir="/tmp"))
    postgres = Postgres(path / "pg", path / "run", find_binaries())
    start(postgres)
    yield postgres
    postgres.process.send_signal(signal.SIGINT)
    postgres.process.wait(10)
    shutil.rmtree(path, ignore_errors=True)


def start(postgres):
    postgres.prepare()
    with (postgres.runtime / "log").open("ab") as log:
        postgres.spawn(log)
    assert wait_until(postgres.is_ready, 20), (postgres.runtime / "log").read_text()


def connect(postgres, role):
    return psycopg.connect(host=str(postgres.runtime), user=role, dbname="portal", autocommit=True)


def test_postgres_roles_neither_is_superuser_and_only_the_owner_makes_tables(database):
    with connect(database, OWNER) as connection:
        roles = connection.execute("SELECT rolname, rolsuper, rolcreatedb FROM pg_roles WHERE rolname LIKE 'portal%' ORDER BY 1").fetchall()
        connection.execute("CREATE TABLE only_owner (n int)")
        connection.execute("DROP TABLE only_owner")

    assert roles == [(APPLICATION, False, False), (OWNER, False, True)]
    with connect(database, APPLICATION) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("CREATE TABLE mine (n int)")


def test_postgres_is_on_a_private_socket_only_and_orders_words_alike_everywhere(database):
    with connect(database, APPLICATION) as connection:
        listens = connection.execute("SHOW listen_addresses").fetchone()
        locale = connection.execute("SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'portal'").fetchone()

    assert listens == ("",)
    assert locale == ("b", "C.UTF-8")
    assert database.runtime.stat().st_mode & 0o777 == 0o700


def test_postgres_killed_keeps_what_was_committed(database):
    with connect(database, OWNER) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    os.kill(database.process.pid, signal.SIGKILL)
    database.process.wait()

    start(database)

    with connect(database, OWNER) as connection:
        assert connection.execute("SELECT count(*), sum(n) FROM kept").fetchone() == (1000, 500500)


def test_postgres_left_by_a_killed_supervisor_is_ended_before_the_next_starts(database):
    left = database.process
    second = Postgres(database.data, database.runtime, database.binaries)

    start(second)

    assert left.wait(5) == 0  # a clean shutdown, not a kill
    database.process = second.process
    with connect(second, OWNER) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_postgres_lock_naming_a_stranger_is_dropped_and_the_stranger_lives(folder):
    (folder / "pg").mkdir()
    lock = folder / "pg" / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{folder / 'pg'}\n")
    postgres = Postgres(folder / "pg", folder / "run", find_binaries())

    postgres.prepare()

    assert not lock.exists()


def test_postgres_interrupted_first_start_begins_afresh(folder):
    (folder / "pg.new").mkdir()
    (folder / "pg.new" / "half").touch()
    postgres = Postgres(folder / "pg", folder / "run", find_binaries(), is_durable=False)

    postgres.prepare()

    assert not (folder / "pg.new").exists()
    assert (folder / "pg" / "PG_VERSION").read_text().strip() == str(postgres.binaries.major)


def test_postgres_of_another_major_version_is_named(folder):
    (folder / "pg").mkdir()
    (folder / "pg" / "PG_VERSION").write_text("12\n")

    with pytest.raises(PostgresError, match=r"was made by PostgreSQL 12, and this version runs PostgreSQL \d\d"):
        find_binaries(folder / "pg")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to leave root")
def test_root_is_left_even_where_user_namespaces_are_refused(folder, monkeypatch):
    """As in most containers; the folder is one that only root may enter."""
    monkeypatch.setattr(process, "ordinary_user", lambda: process._become_nobody)
    postgres = Postgres(folder / "pg", folder / "run", find_binaries(), is_durable=False)

    start(postgres)

    assert Path(f"/proc/{postgres.process.pid}").stat().st_uid == process.NOBODY
    with connect(postgres, OWNER) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    postgres.process.kill()
    postgres.process.wait()


def test_valkey_killed_keeps_what_was_queued(folder):
    valkey = Valkey(folder / "data", folder / "run", find_server())
    for _ in range(2):
        valkey.prepare()
        valkey.spawn(subprocess.DEVNULL)
        assert wait_until(valkey.is_ready, 10)
        with redis.Redis(unix_socket_path=str(valkey.socket_path)) as client:
            client.rpush("queue", "message")
            length = client.llen("queue")
        valkey.process.kill()
        valkey.process.wait()

    assert length == 2
    assert not valkey.is_ready()


def test_children_die_with_a_killed_parent(folder):
    program = (
        "import os, subprocess, sys, time; from pathlib import Path; from portal.embedded.process import spawn\n"
        "child = spawn([sys.executable, '-c', 'import time; time.sleep(60)']); print(child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        parent.kill()

    assert wait_until(lambda: not command_of(child), 5)


def test_end_leftovers_ends_the_marked_and_nobody_else(folder):
    mark = f"PORTAL_DEMO_DATA={folder}"
    marked = spawn(["sleep", "60"], env={"PATH": os.environ["PATH"], "PORTAL_DEMO_DATA": str(folder)})
    other = spawn(["sleep", "60"], env={"PATH": os.environ["PATH"], "PORTAL_DEMO_DATA": f"{folder}-other"})

    end_leftovers(mark)

    assert marked.wait(1) == -signal.SIGTERM
    assert is_alive(other.pid)
    other.kill()
    other.wait()
