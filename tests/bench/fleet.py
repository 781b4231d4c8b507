"""Part b: the list of an organisation with many instances in a far larger table, beside the smallest page with a session."""

import re
import time
from urllib.parse import urljoin

from tests.bench import load, rows
from tests.bench.ingest import measure
from tests.bench.stand import Stand, gunicorn
from tests.bench.table import Report, micros, say

PORT = 18311
MOST_PAGES = 2000


def run(stand: Stand, report: Report, options) -> None:
    from django.conf import settings
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

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
    with CaptureQueriesContext(connection) as queries_first:
        answer = client.get(first)
    with CaptureQueriesContext(connection) as queries_last:
        client.get(last)
    shown = answer.content.decode().count('<th scope="row"')

    with stand.served(gunicorn("tests.bench.one_page:application", PORT), PORT) as process:
        one = _cpu(stand, process, load.get("/one/", cookie=cookie), options)
    with stand.served(gunicorn("portal.wsgi:application", PORT), PORT) as process:
        page = _cpu(stand, process, load.get(first, cookie=cookie), options)
        end = _cpu(stand, process, load.get(last, cookie=cookie), options)
        etag = client.get(first, headers={"HX-Request": "true"}).headers.get("ETag", "")  # of the poll
        same = _cpu(stand, process, load.get(first, cookie=cookie, etag=etag), options, expects=304) if etag else None
    total = f"{options.own:,} instances in a table of {options.instances:,}"
    problem = page[1] or one[1] or ("" if shown >= 25 else f"{shown} rows shown")
    report.add(
        f"b. list of {total}, {shown} rows", ours=f"{micros(page[0])}; {len(answer.content) / 1024:.0f} KB",
        beside=f"session + one query: {micros(one[0])}",
        ratio=f"{page[0] / one[0]:.1f}", goal="≤ 4", problem=problem,
    )  # fmt: skip
    reached = f"page {found}, the last" if found < MOST_PAGES else f"page {found}"
    report.add(
        f"b. {reached}, beside the first",
        ours=micros(end[0]),
        beside=micros(page[0]),
        ratio=f"{end[0] / page[0]:.2f}",
        goal="≤ 1.3",
        problem=end[1],
    )
    counts = f"{len(queries_first)} and {len(queries_last)}"
    report.add(
        "b. queries of the first and the last page",
        ours=counts,
        ratio=str(max(len(queries_first), len(queries_last))),
        goal="≤ 6, the same",
        problem="" if len(queries_first) and len(queries_last) else "the counter failed",
    )
    if same:
        report.add(
            "b. unchanged page (304)",
            ours=micros(same[0]),
            beside=micros(page[0]),
            ratio=f"{same[0] / page[0]:.2f}",
            goal="304",
            problem=same[1],
        )
    else:
        report.add("b. unchanged page (304)", problem="the page has no ETag")


def _cpu(stand: Stand, process, request: bytes, options, *, expects: int = 200):
    found, web, postgres = measure(stand, process, lambda _: request, lines=4, seconds=options.seconds, port=PORT)
    bad = found.bad if expects == 200 else found.done - found.bad
    return web + postgres, f"{bad} answers were not {expects}" if bad or not found.done else ""


def _walk(client, address: str) -> tuple[int, str]:
    """From page to page by the link to the next one, to the end."""
    for number in range(1, MOST_PAGES):
        content = client.get(address).content.decode()
        following = re.search(r'<a[^>]*href="([^"]+)"[^>]*rel="next"|<a[^>]*rel="next"[^>]*href="([^"]+)"', content)
        if following is None:
            return number, address
        address = urljoin(address, (following[1] or following[2]).replace("&amp;", "&"))
    return MOST_PAGES, address
