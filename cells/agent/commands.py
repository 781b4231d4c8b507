"""The cluster's command-line programs: argument lists, never a shell; what they say on failure, as a code."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from cells.agent.runtime import RuntimeAwayError

TIMEOUT_SECONDS = 50.0
# What helm and kubectl say when nobody answers them, as opposed to when somebody says no.
UNREACHABLE = (
    "connection refused",
    "was refused - did you specify",
    "i/o timeout",
    "no such host",
    "unable to connect to the server",
    "cluster unreachable",
    "tls handshake",
)
CODES = (
    ("chart_not_found", ("not found", "failed to resolve", "manifest unknown", "no chart version found")),
    ("values_refused", ("values don't meet the specifications", "values do not meet")),
    ("not_permitted", ("forbidden", "unauthorized")),
    ("quota_exceeded", ("exceeded quota",)),
)


class CommandError(Exception):
    """A program understood and said no. `code` goes into the report; its words stay in the agent's own log."""

    def __init__(self, code: str, words: str) -> None:
        self.code = code
        super().__init__(words)


def run(*words: str, stdin: str = "", seconds: float = TIMEOUT_SECONDS) -> str:
    """Its output. Raises CommandError, RuntimeAwayError."""
    try:
        done = subprocess.run(  # noqa: S603
            words, input=stdin, capture_output=True, text=True, timeout=seconds, check=False, env={**os.environ, "LC_ALL": "C"}
        )
    except FileNotFoundError as problem:
        raise RuntimeAwayError("program_missing", f"{words[0]} is not installed.") from problem
    except subprocess.TimeoutExpired as problem:
        raise RuntimeAwayError("cluster_slow", f"{words[0]} took longer than {seconds:.0f} s.") from problem
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.lower()
    if any(mark in said for mark in UNREACHABLE):
        raise RuntimeAwayError("cluster_unreachable", done.stderr.strip()[:500])
    code = next((code for code, marks in CODES if any(mark in said for mark in marks)), "apply_failed")
    raise CommandError(code, done.stderr.strip()[:500])


def run_json(*words: str, seconds: float = TIMEOUT_SECONDS) -> Any:
    """Raises CommandError, RuntimeAwayError."""
    try:
        return json.loads(run(*words, seconds=seconds))
    except ValueError as problem:
        raise RuntimeAwayError("answer_unreadable", f"{words[0]} did not answer with JSON.") from problem
