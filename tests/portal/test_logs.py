"""Nothing that opens a door reaches a log line."""

import json
import subprocess
import sys

import pytest

from portal.logs import REMOVED, SECRETS

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhY2NvdW50OngifQ.c2lnbmF0dXJlLW9mLXRoaXM"


@pytest.mark.parametrize(
    "text",
    [
        f"sent {TOKEN}",
        "key AKIAIOSFODNN7EXAMPLE used",
        "password=hunter2hunter2",
        "{'secret_key': 'abcdefgh'}",
        "Authorization: Bearer abcdefgh",
    ],
)
def test_secret_is_removed(text):
    assert REMOVED in SECRETS.sub(REMOVED, text)


@pytest.mark.parametrize("text", ["OP-7F3K9Q failed", "account 111122223333 in us-east-1", "token_rotated"])
def test_plain_words_stay(text):
    assert SECRETS.sub(REMOVED, text) == text


PROGRAM = f"""
import logging, structlog
from portal.logs import configure
configure("INFO")
log = structlog.get_logger("test")
try:
    raise ValueError("refused {TOKEN}")
except ValueError:
    log.exception("call_failed", sent="{TOKEN}")
logging.getLogger("somebody.else").error("token %s", "{TOKEN}")
"""


def test_canary_in_message_argument_and_traceback_is_not_printed():
    # A process of its own: logging is global, and pytest's capture would be in the way.
    printed = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    lines = [json.loads(line) for line in printed.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["call_failed", f"token {REMOVED}"]
    assert TOKEN not in printed.stdout + printed.stderr
    assert "ValueError" in printed.stdout
