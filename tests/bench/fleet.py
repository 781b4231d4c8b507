"""Part b: the list of an organisation with many instances in a far larger table, beside the smallest page with a session."""

import re
import subprocess
import time
from dataclasses import dataclass
from urllib.parse import urljoin

from tests.bench import load, rows
from tests.bench.ingest import measure
from tests.bench.stand import Stand, gunicorn
from tests.bench.table import Report, micros, say

PORT = 18311
MOST_PAGES = 2000
ROUNDS = 5


def run(stand: Stand, report: Report, options) -> None:
    from django.conf import settings
    from django.test import Client

    from tests.factories import make_membership, make_user

    begun = time.perf_counter()
    fleet = rows.make_fleet(options.instances, options.own)
    say(f"(rows made in {time.perf_counter() - begun:.0f} s)")
    user = make_membership(organisation=fleet, user=make_user(email="fleet@people.example"), role="owner").user
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    first = "/o/fleet/instances/"
    found, last = _walk(client, first)
    counts = [_queries(client, first), _queries(client, last)]
    answer = client.get(first)
    shown = answer.content.decode().count('<th scope="row"')
    etag = client.get(first, headers={"HX-Request": "true"}).headers.get("ETag", "")  # of the poll

    with (
        stand.served(gunicorn("tests.bench.one_page:application", PORT + 1), PORT + 1) as small,
        stand.served(gunicorn("portal.wsgi:application", PORT), PORT) as large,
    ):
        pages = {
            "one": Page(small, PORT + 1, load.get("/one/", cookie=cookie)),
            "first": Page(large, PORT, load.get(first, cookie=cookie)),
            "last": Page(large, PORT, load.get(last, cookie=cookie)),
            "same": Page(large, PORT, load.get(first, cookie=cookie, etag=etag), expects=304),
        }
        rounds = [{name: _cpu(stand, page, options.seconds) for name, page in pages.items()} for _ in range(ROUNDS)]

    total = f"{options.own:,} instances in a table of {options.instances:,}"
    few = "" if shown >= 25 else f"{shown} rows shown"
    _line(report, f"b. list of {total}, {shown} rows, {len(answer.content) / 1024:.0f} KB", rounds, "first", "one", goal="≤ 4", problem=few)
    reached = f"page {found}, the last" if found < MOST_PAGES else f"page {found}"
    _line(report, f"b. {reached}, beside the first", rounds, "last", "first", goal="≤ 1.3")
    report.add(
        "b. queries of the first and the last page",
        ours=f"{counts[0]} and {counts[1]}",
        ratio=str(max(counts)),
        goal="≤ 6, the same",
        problem="" if all(counts) else "the counter failed",
    )
    unversioned = "" if etag else "the page has no ETag"
    _line(report, "b. unchanged page (304)", rounds, "same", "one", goal="304", problem=unversioned)
    _line(report, "b. unchanged page (304), beside the first", rounds, "same", "first", goal="304", problem=unversioned)


@dataclass(frozen=True)
class Page:
    process: subprocess.Popen
    port: int
    request: bytes
    expects: int = 200


@dataclass(frozen=True)
class Cost:
    """CPU seconds a request."""

    web: float
    postgres: float
    problem: str

    @property
    def cpu(self) -> float:
        return self.web + self.postgres


def _queries(client, address: str) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        client.get(address)
    return len(queries)  # at once: the next request empties the log


def _cpu(stand: Stand, page: Page, seconds: float) -> Cost:
    found, web, postgres = measure(stand, page.process, lambda _: page.request, lines=4, seconds=seconds, port=page.port)
    bad = found.bad if page.expects == 200 else found.done - found.bad
    return Cost(web, postgres, f"{bad} answers were not {page.expects}" if bad or not found.done else "")


def _line(report: Report, what: str, rounds: list[dict[str, Cost]], name: str, beside: str, *, goal: str, problem: str = "") -> None:
    """The middle round, with the ratios of all of them: the pages took turns, as a shared machine costs more from one minute to another."""
    ordered = sorted(rounds, key=lambda costs: costs[name].cpu / costs[beside].cpu)
    ratios = [costs[name].cpu / costs[beside].cpu for costs in ordered]
    ours, other = ordered[ROUNDS // 2][name], ordered[ROUNDS // 2][beside]
    report.add(
        what,
        ours=f"{micros(ours.cpu)} (web {micros(ours.web)}, PostgreSQL {micros(ours.postgres)})",
        beside=f"{'session + one query' if beside == 'one' else 'the first'}: {micros(other.cpu)}",
        ratio=f"{ratios[ROUNDS // 2]:.2f} ({', '.join(f'{ratio:.2f}' for ratio in ratios)})",
        goal=goal,
        problem=problem or next((costs[of].problem for costs in rounds for of in (name, beside) if costs[of].problem), ""),
    )


def _walk(client, address: str) -> tuple[int, str]:
    """From page to page by the link to the next one, to the end."""
    for number in range(1, MOST_PAGES):
        content = client.get(address).content.decode()
        following = re.search(r'<a[^>]*href="([^"]+)"[^>]*rel="next"|<a[^>]*rel="next"[^>]*href="([^"]+)"', content)
        if following is None:
            return number, address
        address = urljoin(address, (following[1] or following[2]).replace("&amp;", "&"))
    return MOST_PAGES, address
