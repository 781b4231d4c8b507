"""What healthchecks does to its database for one ping, as WSGI: SELECT, BEGIN, SELECT FOR UPDATE, UPDATE, INSERT, COMMIT."""

import os
import threading

import psycopg

_local = threading.local()
URL = os.environ["BENCH_DATABASE_URL"]
SCHEMA = """
CREATE TABLE IF NOT EXISTS checks (id int PRIMARY KEY, n_pings int DEFAULT 0, last_ping timestamptz, status text NOT NULL DEFAULT 'new');
CREATE TABLE IF NOT EXISTS pings (id bigserial PRIMARY KEY, n int, owner_id int, created timestamptz, ua text, body_raw bytea);
CREATE INDEX IF NOT EXISTS pings_of ON pings (owner_id);
INSERT INTO checks SELECT n FROM generate_series(1, 10000) n ON CONFLICT DO NOTHING;
"""
with psycopg.connect(URL) as _session:
    _session.execute("SELECT pg_advisory_xact_lock(1)")
    _session.execute(SCHEMA)


def application(environ, start_response):
    if not hasattr(_local, "session"):
        _local.session = psycopg.connect(URL, autocommit=True)
    number = int(environ["PATH_INFO"].rpartition("/")[2])
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    session = _local.session
    session.execute("SELECT * FROM checks WHERE id = %s", [number]).fetchone()
    with session.transaction():
        session.execute("SELECT * FROM checks WHERE id = %s FOR UPDATE", [number]).fetchone()
        session.execute("UPDATE checks SET n_pings = n_pings + 1, last_ping = now(), status = 'up' WHERE id = %s", [number])
        session.execute("INSERT INTO pings (n, owner_id, created, body_raw) VALUES (1, %s, now(), %s)", [number, body])
    start_response("200 OK", [("Content-Length", "2")])
    return [b"OK"]
