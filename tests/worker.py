"""A real Celery worker with its schedule beside the tests: the demo's own program, on this run's test database and broker."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty

import redis
from django.conf import settings
from django.db import connection

from portal.embedded.process import spawn
from tests.local_cloud import ROOT, LocalCloud

COMMAND = [sys.executable, "-m", "celery", "--app=portal.embedded.worker", "worker", "--pool=threads", "--concurrency=2"]
QUIET = ["--without-gossip", "--without-mingle", "--without-heartbeat"]


def process_environment(cloud: LocalCloud, **more: str) -> dict[str, str]:
    """What another process of the portal needs to work on this test's rows, broker and local AWS. Its mail goes to the sandbox."""
    return {
        **os.environ,
        "DATABASE_URL": re.sub(r"/\w+\?", f"/{connection.settings_dict['NAME']}?", os.environ["DATABASE_URL"]),
        "BROKER_URL": settings.CELERY_BROKER_URL,
        "CACHE_URL": re.sub(r"db=\d+$", f"db={settings.CACHES['default']['OPTIONS']['db']}", os.environ["CACHE_URL"]),
        "EMAIL_URL": f"smtp://127.0.0.1:{cloud.smtp_port}",
        "PORTAL_AWS_CONSOLE_URL": cloud.console_url,
        "AWS_ENDPOINT_URL": cloud.aws_url,
        **more,
    }


def flush_broker() -> None:
    """Lose everything that is queued, as a broker does that was restarted without its disk."""
    with broker() as valkey:
        valkey.flushdb()


def broker() -> redis.Redis:
    """The test's own broker, raw."""
    path, number = re.fullmatch(r"redis\+socket://(.+)\?virtual_host=(\d+)", settings.CELERY_BROKER_URL).groups()
    return redis.Redis(unix_socket_path=path, db=int(number))


def cache() -> redis.Redis:
    """The test's own cache, raw."""
    path = re.fullmatch(r"rediscache://(.+)\?db=\d+", os.environ["CACHE_URL"])[1]
    return redis.Redis(unix_socket_path=path, db=settings.CACHES["default"]["OPTIONS"]["db"])


def work_off_queue() -> None:
    """Everything that is queued now and what that queues, in this process: a worker without a start of its own."""
    from portal.celery import app

    with app.connection_for_read() as connection, connection.SimpleQueue("celery") as queue:
        while True:
            try:
                message = queue.get(block=False)
            except Empty:
                return
            args, kwargs, _embedded = message.payload
            app.tasks[message.headers["task"]].apply(args, kwargs, throw=True)
            message.ack()


@contextmanager
def running_worker(cloud: LocalCloud, folder: Path) -> Iterator[None]:
    """From an empty queue: what earlier tests have left in it is not this worker's."""
    flush_broker()
    environment = process_environment(cloud, PORTAL_DEMO_SCHEDULE=str(folder / "beat-schedule"))
    with (folder / "worker.log").open("wb") as log:
        process = spawn([*COMMAND, *QUIET], env=environment, cwd=ROOT, output=log)
    try:
        yield
    finally:
        # Not asked politely: it would finish what it holds, and the test's rows are about to go.
        process.kill()
        process.wait()
