"""The played phone of the demo's staff."""

import base64

import pytest

from portal.sandbox.console.authenticator import code_at
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
        import time

        assert code_at(RFC_SECRET, time.time()) == code(RFC_SECRET)
