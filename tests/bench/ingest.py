"""Part a: CPU of one report by each way in, beside a ping of healthchecks; and what 100,000 cells every 30 seconds take."""

import json
import os
import random
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

from tests.bench import load
from tests.bench.stand import Stand, cpu_of, gunicorn, uvicorn
from tests.bench.table import Report, micros

PORT = 18301
CHECKS = 10_000


class Reports:
    """Requests of agents that report one instance each, every cell in a random order, round after round."""

    def __init__(self, cells, instances) -> None:
        from cells.protocol.access import Grant, issue

        self.cells, self.instances = cells, instances
        now = time.time()
        self.tokens = [issue(Grant(cell, uuid4()), now) for cell in cells]
        self.order = list(range(len(cells)))
        random.Random(7).shuffle(self.order)
        self.seqs = [0] * len(cells)
        self.sent = 0
        # As if time went by: 30 seconds from one report of a cell to its next, so that every tenth leaves a sample.
        self.began = [now - 6 * 3600 - random.randint(0, 300) for _ in cells]

    def prime(self) -> None:
        """Every cell has reported before: what is measured is the everyday report."""
        from datetime import UTC, datetime

        import msgspec

        from cells.protocol.documents import Reports as Document
        from cells.telemetry.ingest import Received, store

        for first in range(0, len(self.cells), 1000):
            batch = range(first, min(first + 1000, len(self.cells)))
            for at in batch:
                self.seqs[at] += 1
            store([Received(msgspec.json.decode(self.body(at), type=Document), datetime.now(UTC)) for at in batch])
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE cells_cellstatus, cells_instancestatus, cells_instance, cells_cell")

    def __call__(self, _number: int) -> bytes:
        self.sent += 1
        at = self.order[self.sent % len(self.order)]
        self.seqs[at] += 1
        return load.post("/agent/v1/reports", self.body(at), token=self.tokens[at])

    def body(self, at: int) -> bytes:
        seq, instance = self.seqs[at], self.instances[at]
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.began[at] + 30 * seq))
        return (
            f'{{"cell":"{self.cells[at]}","reports":[{{"seq":{seq},"at":"{when}",'
            '"agent":{"version":"1.0.0"},"cluster":{"version":"v1.35.0","nodes_ready":2,"nodes":2,"cpu_used":'
            f'{random.randint(50, 999)},"cpu":4000,"memory_used":900,"memory":8000}},"components":[],"instances":[{{"id":"{instance}",'
            f'"revision":1,"state":"running","health":"healthy","ready":1,"desired":1,"restarts":0,'
            f'"cpu":{random.randint(1, 500)},"memory":20,'
            f'"requests":{seq * 40},"errors":1,"endpoints":[{{"name":"web","url":"https://orders.example/"}}],"components":[]}}],'
            '"events":[]}]}'
        ).encode()


def measure(stand: Stand, process, request, *, lines: int, seconds: float, rate: float = 0.0, port: int = PORT):
    """The load, and CPU seconds a request: of the web process, of PostgreSQL."""
    stand.come_first(process.pid)
    load.run(port, request, lines=lines, seconds=min(3.0, seconds))
    stand.come_first(process.pid)  # what was started meanwhile
    web, postgres = cpu_of(process.pid), stand.postgres_cpu()
    found = load.run(port, request, lines=lines, seconds=seconds, rate=rate)
    done = max(1, found.done)
    return found, (cpu_of(process.pid) - web) / done, (stand.postgres_cpu() - postgres) / done


ROUNDS = 3
WAYS = (
    ("a. CPU of one report, plain Django (`portal.wsgi`), 8 connections", gunicorn("portal.wsgi:application", PORT), 8, "≤ 1/6"),
    ("a. CPU of one report, batching server, 64 connections", uvicorn("portal.ingest:application", PORT), 64, "≤ 1/25"),
    ("a. CPU of one report, batching server, 256 connections", uvicorn("portal.ingest:application", PORT), 256, "≤ 1/25"),
)


def run(stand: Stand, report: Report, options, cells, instances) -> None:
    """Peer and ways in turn by turn: on a shared machine what one costs changes from minute to minute, for all alike."""
    requests = Reports(cells, instances)
    requests.prime()
    peer = _healthchecks(stand, options) or _stand_in(stand)
    rounds = []
    for _ in range(ROUNDS):
        beside = measured(stand, peer.served, peer.request, lines=8, seconds=options.seconds)
        ours = [measured(stand, partial(stand.served, way[1], PORT), requests, lines=way[2], seconds=options.seconds) for way in WAYS]
        rounds.append((beside, ours))
    for number, (name, _, _, goal) in enumerate(WAYS):
        pairs = sorted(((ours[number], beside) for beside, ours in rounds), key=lambda pair: pair[1].cpu / pair[0].cpu)
        ratios = [beside.cpu / one.cpu for one, beside in pairs]
        one, beside = pairs[ROUNDS // 2]
        bad = sum(one.load.bad for one, _ in pairs), sum(beside.load.bad for _, beside in pairs)
        report.add(
            name,
            ours=f"{micros(one.cpu)} (web {micros(one.web)}, PostgreSQL {micros(one.postgres)}; {one.rate:,.0f}/s)",
            beside=f"{peer.name}, {beside.rate:,.0f} pings/s: {micros(beside.cpu)}",
            ratio=f"1/{ratios[ROUNDS // 2]:.1f} ({', '.join(f'1/{ratio:.1f}' for ratio in ratios)})",
            goal=goal,
            problem=f"{bad[0]} answers of ours and {bad[1]} of the peer were not 200" if any(bad) else "",
        )
    _sustained(stand, report, options, requests)


@dataclass
class Measured:
    load: load.Load
    web: float  # CPU seconds a request
    postgres: float

    @property
    def cpu(self) -> float:
        return self.web + self.postgres

    @property
    def rate(self) -> float:
        return self.load.done / self.load.seconds


def measured(stand: Stand, served, request, **how) -> Measured:
    with served() as process:
        return Measured(*measure(stand, process, request, **how))


@dataclass
class Peer:
    name: str
    served: Callable
    request: Callable[[int], bytes]


# What is offered beyond what is wanted: an open loop that offers no more than the goal can only ever fall short of it.
OFFERED = 1.05


def _sustained(stand: Stand, report: Report, options, requests: Reports) -> None:
    wanted = len(requests.cells) / 30
    offered = OFFERED * wanted
    with stand.served(uvicorn("portal.ingest:application", PORT), PORT) as process:
        began = time.process_time()
        found, web, postgres = measure(stand, process, requests, lines=256, seconds=3 * options.seconds, rate=offered)
        senders = (time.process_time() - began) / (found.seconds + min(3.0, 3 * options.seconds))
    acknowledged = (found.done - found.bad) / found.seconds
    cores = (web + postgres) * found.done / found.seconds
    waits = f"ack p50 {found.percentile(0.5) * 1e3:.0f} ms, p99 {found.percentile(0.99) * 1e3:.0f} ms"
    ours = f"{acknowledged:,.0f} reports/s for {found.seconds:.0f} s; {cores:.2f} cores (the senders {senders:.2f} more); {waits}"
    problem = f"{found.bad} answers were not 200" if found.bad else _lost(requests) or ("fell behind" if acknowledged < wanted else "")
    what, beside = f"a. {len(requests.cells):,} cells every 30 s, open loop", f"wanted {wanted:,.0f}/s, offered {offered:,.0f}/s"
    report.add(what, ours=ours, beside=beside, ratio=f"{acknowledged / wanted:.2f}", goal="≥ 1", problem=problem)


def _lost(requests: Reports) -> str:
    """No cell's stored number is behind by more than what was never answered: each connection has at most one of these."""
    from cells.models import CellStatus

    stored = dict(CellStatus.objects.values_list("cell", "seq"))
    behind = sum(seq > stored.get(cell, 0) for cell, seq in zip(requests.cells, requests.seqs, strict=True))
    return f"{behind} cells are behind" if behind > 2000 else ""


# --- The peer --------------------------------------------------------------------------------------------------------


def _healthchecks(stand: Stand, options) -> Peer | None:
    """The real program, from its source, if it was given: CONN_MAX_AGE raised, which makes it three times cheaper than shipped."""
    if not options.healthchecks:
        return None
    folder, python = Path(options.healthchecks), options.healthchecks_python
    stand.database("hc")
    env = {
        "DB": "postgres", "DB_HOST": str(stand.postgres.runtime), "DB_NAME": "hc", "DB_USER": "postgres", "DB_CONN_MAX_AGE": "600",
        "DEBUG": "False", "SECRET_KEY": "x" * 50, "ALLOWED_HOSTS": "*", "DJANGO_SETTINGS_MODULE": "hc.settings", "S3_BUCKET": "",
    }  # fmt: skip
    stub = stand.folder / "stub"
    stub.mkdir(exist_ok=True)
    (stub / "pycurl.py").write_text("")  # needed for sending notifications only, and not for every Python as a wheel
    env["PYTHONPATH"] = str(stub)
    clean = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
    subprocess.run([python, "manage.py", "migrate", "-v0"], cwd=folder, env=clean | env, check=True)
    program = (
        "import django; django.setup()\nfrom hc.accounts.models import *; from hc.api.models import Check; import json\n"
        "from django.utils.timezone import now; from datetime import timedelta\n"
        "up = dict(status='up', n_pings=1, last_ping=now(), alert_after=now() + timedelta(days=9))\n"
        "from django.contrib.auth.models import User\nu = User.objects.create(username='u', email='u@x.example')\n"
        "p = Project.objects.create(owner=u)\n"
        f"cs = Check.objects.bulk_create([Check(project=p, **up) for _ in range({CHECKS})])\nprint(json.dumps([str(c.code) for c in cs]))"
    )
    answer = subprocess.run([python, "-c", program], cwd=folder, env=clean | env, check=True, capture_output=True, text=True)
    codes = json.loads(answer.stdout.splitlines()[-1])
    body = Reports([uuid4()], [uuid4()]).body(0)
    requests = [load.post(f"/ping/{code}", body) for code in codes]
    version = (folder / "CHANGELOG.md").read_text().split("## v", 1)[1].split()[0]
    served = partial(stand.served, gunicorn("hc.wsgi:application", PORT, python=python), PORT, cwd=folder, **env, DATABASE_URL="")
    return Peer(f"healthchecks {version}", served, lambda _: random.choice(requests))


def _stand_in(stand: Stand) -> Peer:
    """Not healthchecks: its six statements a ping, in Django with the ORM, and nothing else of it."""
    served = partial(
        stand.served, gunicorn("tests.bench.ping_stand_in:application", PORT), PORT, BENCH_DATABASE_URL=stand.database("hc_stand_in")
    )
    body = Reports([uuid4()], [uuid4()]).body(0)
    name = "STAND-IN with healthchecks' six statements, not healthchecks itself"
    return Peer(name, served, lambda _: load.post(f"/ping/{random.randint(1, CHECKS)}", body))
