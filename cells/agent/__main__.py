"""`byoc-agent --config FILE --state DIR --runtime helm|local`: runs until it is told to stop."""

from __future__ import annotations

import _thread
import argparse
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cells.agent import VERSION, files
from cells.agent.agent import Agent, Pace
from cells.agent.helm import HelmRuntime
from cells.agent.identity import Config
from cells.agent.local.runtime import LocalRuntime

if TYPE_CHECKING:
    from collections.abc import Callable

    from cells.agent.runtime import Runtime


def main(argv: list[str] | None = None) -> int:
    """0 after a clean stop, 2 when it cannot start."""
    given = _parse(argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    try:
        held = files.lock(given.state)
        config = Config.read(given.config)
    except (files.AlreadyRunningError, OSError, ValueError, KeyError) as problem:
        sys.stderr.write(f"The agent cannot start: {problem}\n")
        return 2
    runtime: Runtime = _runtime(given, config)
    look_every = 0.5 if given.runtime == "local" else 10.0
    pace = Pace(look_every, given.report_every, given.longest_wait, given.rotate_every)
    agent = Agent(config, given.state, runtime, pace)
    stop_at_signals(agent.stop)
    with held:
        agent.run()
    return 0


def stop_at_signals(stop: Callable[[], None]) -> None:
    """In a thread of its own: a handler runs in the midst of what the main thread does, and would wait for ever for what that holds."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _thread.start_new_thread(stop, ()))


def _runtime(given: argparse.Namespace, config: Config) -> Runtime:
    if given.runtime == "local":
        return LocalRuntime(given.cluster or given.state / "cluster", given.backups or given.state / "kept-backups")
    return HelmRuntime(given.state, allowed_charts=config.allowed_charts)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="byoc-agent", description="Connects a deployment cell to the portal. Nothing dials in.")
    parser.add_argument("--version", action="version", version=VERSION)
    parser.add_argument("--config", type=Path, required=True, help="JSON with portal_url, cell and enrolment_token")
    parser.add_argument("--state", type=Path, required=True, help="a directory of its own: key, reports that wait, what is wanted")
    parser.add_argument("--runtime", choices=["helm", "local"], required=True)
    parser.add_argument("--cluster", type=Path, help="with --runtime local: the directory of `cells.agent.local.cluster`")
    parser.add_argument("--backups", type=Path, help="with --runtime local: where last backups are kept, outside of the cell")
    parser.add_argument("--report-every", type=float, default=Pace.report_every, metavar="SECONDS")
    parser.add_argument("--longest-wait", type=float, default=Pace.longest_wait, metavar="SECONDS", help="between two tries")
    parser.add_argument("--rotate-every", type=float, default=Pace.rotate_every, metavar="SECONDS", help="a new key")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
