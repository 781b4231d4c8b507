"""The played phone of the demo's staff."""

import asyncio
import base64
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from portal.sandbox.console.authenticator import AuthenticatorPages, code_at
from portal.sandbox.request import Request
from tests.accounts.signing_in import code

# RFC 6238, appendix B, SHA-1: the last six of its eight digits.
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("moment", "digits"), [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (20000000000, "353130")]
)
def test_code_is_that_of_the_standard(moment, digits):
    assert code_at(RFC_SECRET, moment) == digits


def test_code_is_the_one_the_portal_expects():
    import time_machine

    with time_machine.travel("2026-11-21T10:00:00Z", tick=False):
        assert code_at(RFC_SECRET, time.time()) == code(RFC_SECRET)


def shown(**query: str) -> str:
    request = Request("GET", "/authenticator/", {name: [value] for name, value in query.items()}, {}, b"")
    with ThreadPoolExecutor(1) as apart:  # the loop of the browser's tests may run in this thread
        return apart.submit(asyncio.run, AuthenticatorPages("JBSWY3DPEHPK3PXP")(request)).result().body.decode()


def test_another_phone_shows_the_codes_of_its_secret():
    assert "Play the phone of somebody else" in shown()
    assert "<form" in shown(other="")

    page = shown(secret=f"{RFC_SECRET[:4].lower()} {RFC_SECRET[4:]}")

    assert any(code_at(RFC_SECRET, time.time() - past) in page for past in (0, 1))
    assert "staff@" not in page


@pytest.mark.parametrize("typed", ["not base32!", "18", "ä", "<script>"])
def test_what_is_no_secret_is_asked_for_once_more(typed):
    page = shown(secret=typed)

    assert "This is no secret" in page
    assert f">{typed}" not in page
