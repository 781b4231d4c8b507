"""Part d: the sweep over all cells, when nothing changed and when everything did."""

import time
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from cells.models import CellLink, CellStatus
from cells.telemetry.sweep import sweep
from tests.bench.table import Report


def run(report: Report, cells) -> None:
    if CellStatus.objects.count() < len(cells):
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO cells_cellstatus (cell_id, seq, seen_at, reported_at, agent_version, cluster_version, nodes_ready, nodes,
                    cpu_used, cpu, memory_used, memory, components, events, digest)
                SELECT id, 1, now(), now(), '1', '1', 2, 2, 1, 1, 1, 1, '[]', '[]', 1 FROM cells_cell ON CONFLICT DO NOTHING
                """
            )
    now = timezone.now()
    CellStatus.objects.update(seen_at=now)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE cells_cellstatus")
    first = _timed()
    steady = min(_timed() for _ in range(3))
    known = CellLink.objects.filter(link="connected").count()
    CellStatus.objects.exclude(cell=cells[0]).update(seen_at=now - timedelta(hours=1))
    all_change = _timed()
    offline = CellLink.objects.filter(link="offline").count()
    problem = "" if (known, offline) == (len(cells), len(cells) - 1) else f"{known} connected and {offline} offline of {len(cells)}"
    report.add(
        f"d. sweep over {len(cells):,} cells, nothing changed",
        ours=f"{steady * 1e3:.0f} ms",
        ratio=f"{steady:.2f} s",
        goal="≤ 1 s",
        problem=problem,
    )
    report.add(
        "d. the same, all of them fell silent at once",
        ours=f"{all_change * 1e3:,.0f} ms (first round: {first * 1e3:,.0f} ms)",
        problem=problem,
    )


def _timed() -> float:
    begun = time.perf_counter()
    assert sweep() is not None
    return time.perf_counter() - begun
