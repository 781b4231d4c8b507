"""Every code with which opening, ending or reviewing support access can end has words of its own."""

import re
from pathlib import Path

import pytest

from accounts.clouds.aws.errors import ONCE_TRUSTED, ROWS
from accounts.clouds.azure.errors import ROWS as AZURE_ROWS
from accounts.clouds.support import SUPPORT_CODES
from accounts.support.wording.failures import AT_SUPPORT, FAILURES, WAITS

ROOT = Path(__file__).parent.parent.parent / "accounts/support"
SOURCES = [ROOT / "brokering/doors.py", *(ROOT / "steps").glob("*.py")]
CODES = re.compile(r'(?:CloudError|Fail|Retry)\(\s*"([a-z_]+)"|late_code="([a-z_]+)"')


def raised() -> set[str]:
    return {code for path in SOURCES for found in CODES.findall(path.read_text(encoding="utf-8")) for code in found if code}


def test_own_codes_have_words_and_no_word_is_for_nothing():
    assert raised() | SUPPORT_CODES == set(FAILURES) | {"internal_error"}


def test_codes_of_the_clouds_have_words_of_support():
    aws = {row.code for row in ROWS} | set(ONCE_TRUSTED.values()) | {"unknown_cloud_error"}
    azure = {code for row in AZURE_ROWS for code in (row.code, row.once) if code} | {"policy_edited"}

    assert aws | azure == set(AT_SUPPORT) | (SUPPORT_CODES & azure)


@pytest.mark.parametrize("code", sorted(FAILURES | AT_SUPPORT))
def test_words_name_only_what_every_operation_gives(code):
    text = (FAILURES | AT_SUPPORT)[code]

    for part in (text.happened, text.means, text.act):
        assert str(part) % {"cloud": "AWS", "provider": "Fernhill"}


def test_waits_have_words():
    waits = {why for path in SOURCES for why in re.findall(r'(?:why=|WHY_[A-Z_]+ = )"([a-z_]+)"', path.read_text(encoding="utf-8"))}
    assert waits == set(WAITS)
