"""`python -m tests.bench`: ratios measured side by side in one run, on servers of its own. A failed counter makes a line not count.

Parts: ingest, sweep, fleet, operations, weight. Peers are never installed by this program: give it their folders, or it says what it
could not run.
"""

import argparse
import os
import platform

from tests.bench.stand import Stand
from tests.bench.table import Report, say

PARTS = ("ingest", "sweep", "fleet", "operations", "weight")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all of them by default")
    parser.add_argument("--seconds", type=float, default=8, help="of each measurement")
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--instances", type=int, default=1_000_000)
    parser.add_argument("--own", type=int, default=10_000, help="instances of the organisation whose page is measured")
    parser.add_argument("--operations", type=int, default=1_000)
    parser.add_argument("--healthchecks", default="", help="folder with the source of healthchecks")
    parser.add_argument("--healthchecks-python", default="", help="a Python that has its requirements and gunicorn")
    parser.add_argument("--peers-python", default="", help="a Python that has procrastinate and dbos")
    parser.add_argument("--first", action="store_true", help="before other work of this machine, peers too (Linux, as root)")
    options = parser.parse_args()
    stand, report = Stand(is_first=options.first), Report()
    try:
        stand.start()
        _run(stand, report, options)
    finally:
        stand.stop()
    say(f"\n{platform.system()}, {os.cpu_count()} cores, Python {platform.python_version()}\n\n{report.markdown()}")


def _run(stand: Stand, report: Report, options: argparse.Namespace) -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    parts = options.parts or PARTS
    if {"ingest", "sweep"} & set(parts):
        from tests.bench import ingest, rows, sweep

        cells, instances = rows.make_cells(options.cells)
        if "ingest" in parts:
            ingest.run(stand, report, options, cells, instances)
        if "sweep" in parts:
            sweep.run(report, cells)
    if "fleet" in parts:
        from tests.bench import fleet

        fleet.run(stand, report, options)
    if "operations" in parts:
        from tests.bench import operations

        operations.run(stand, report, options)
    if "weight" in parts:
        from tests.bench import weight

        weight.run(report)


if __name__ == "__main__":
    main()
