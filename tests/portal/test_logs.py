"""Nothing that opens a door reaches a log line."""

import json
import re
import subprocess
import sys

import pytest

from portal.logs import clean
from portal.redaction import REMOVED

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
    assert REMOVED in clean(text)
    assert not re.search("eyJ|IOSFODNN7|hunter2|abcdefgh", clean(text))


@pytest.mark.parametrize(
    "text",
    [
        "OP-7F3K9Q failed",
        "account 111122223333 in us-east-1",
        "token_rotated",
        "POST /invitations/0a1b2c3d-0000-4000-8000-000000000000/accept/",
        "GET /o/acme/settings/invitations/new/",
        "POST /o/acme/settings/invitations/0a1b2c3d-0000-4000-8000-000000000000/resend/",
    ],
)
def test_plain_words_stay(text):
    assert clean(text) == text


KEY = "k9_fT-2mQ7xLr4Zp0sWv8NdYbHc3EaUj6GiKoXyR1Sw"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"GET /invitations/{KEY}/", "GET /invitations/[removed]/"),
        (f"GET /handover/{KEY}/files/kit.yaml", "GET /handover/[removed]/files/kit.yaml"),
        (f"POST /invitations/{KEY}/sign-up/", "POST /invitations/[removed]/sign-up/"),
        (f"Not Found: /contacts/confirm/{KEY}/", "Not Found: /contacts/confirm/[removed]/"),
        (f"http://localhost:8000/auth/confirm-email/MQ:1sXyZa:{KEY}/", "http://localhost:8000/auth/confirm-email/[removed]/"),
        (f"GET /auth/confirm-email/MQ%3A1sXyZa%3A{KEY}/?a=b", "GET /auth/confirm-email/[removed]/?a=b"),
        (f"GET /auth/password/reset/key/1f-{KEY}/", "GET /auth/password/reset/key/[removed]/"),
        (f"GET /auth/login/?next=/invitations/{KEY}/", "GET /auth/login/?next=/invitations/[removed]/"),
        (f"GET /auth/login/?next=%2Finvitations%2F{KEY}%2F&a=b", "GET /auth/login/?next=%2Finvitations%2F[removed]%2F&a=b"),
        (f"?next=%252fcontacts%252fconfirm%252f{KEY}%252f", "?next=%252fcontacts%252fconfirm%252f[removed]%252f"),
        (f'"Referer": "/invitations/{KEY}"', '"Referer": "/invitations/[removed]"'),
    ],
)
def test_secret_of_a_link_is_removed_and_the_page_stays(text, left):
    assert clean(text) == left


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
logging.getLogger("somebody.else").error("Not Found: %s", "/invitations/{KEY}/")
log.info("nested", path="/invitations/{KEY}/", headers={{"Referer": ["/contacts/confirm/{KEY}/"]}}, what=Exception("/invitations/{KEY}/"))
"""


def test_canary_in_message_argument_and_traceback_is_not_printed():
    # A process of its own: logging is global, and pytest's capture would be in the way.
    printed = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    lines = [json.loads(line) for line in printed.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["call_failed", f"token {REMOVED}", f"Not Found: /invitations/{REMOVED}/", "nested"]
    assert TOKEN not in printed.stdout + printed.stderr
    assert KEY not in printed.stdout + printed.stderr
    assert "ValueError" in printed.stdout
