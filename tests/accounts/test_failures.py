"""Every code that an adapter or a step can give has its words, and the words fit what is given with it."""

import re
from pathlib import Path

import pytest

from accounts import failures
from accounts.clouds.aws_errors import ONCE_TRUSTED, ROWS
from portal.operations.catalogue import failure_text, wait_text

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [*(ROOT / "accounts/clouds").glob("*.py"), *(ROOT / "accounts/steps").glob("*.py")]
# Refusals of a kit that never let us in: the step waits on them, so they never end an operation.
ONLY_WAITED_FOR = {"kit_not_run", "trust_not_ready"}
PARAMS = {
    "account_id": "111122223333",
    "count": "3",
    "days": "7",
    "expected": "eu-west-1",
    "found": "us-east-1",
    "found_generation": "1",
    "found_version": "1.0.0",
    "generation": "2",
    "names": "wrong_subject",
    "permissions": "ec2:CreateVpc",
    "version": "1.1.0",
}


def written(pattern: str) -> set[str]:
    return {code for path in SOURCES for code in re.findall(pattern, path.read_text(encoding="utf-8"))}


def codes_that_end_an_operation() -> set[str]:
    raised = written(r'(?:CloudError|Fail|Retry)\(\s*"([a-z_]+)"')
    assert len(raised) > 15
    return (raised | {row.code for row in ROWS} | set(ONCE_TRUSTED.values()) | {"unknown_cloud_error"}) - ONLY_WAITED_FOR


def test_failures_name_every_code_and_no_other():
    assert set(failures.FAILURES) == codes_that_end_an_operation()


def test_failures_waits_name_every_code_and_no_other():
    named = written(r'why="([a-z_]+)"')
    assert named >= ONLY_WAITED_FOR

    # `why=error.code` for these two: a kit that is not open yet is looked at again.
    assert set(failures.WAITS) == named | {"throttled", "cloud_unavailable"}


@pytest.mark.parametrize("code", sorted(failures.FAILURES))
def test_failures_have_all_parts_as_whole_sentences(code):
    text = failure_text(code, PARAMS)

    for part in (text.happened, text.means, text.act):
        assert part.endswith(".")
        assert part[0].isupper() or part[0].isdigit()
        assert "%" not in part
        assert "  " not in part
        assert not re.search(r"\b(oops|simply|please|sorry|unfortunately)\b|!", part, re.IGNORECASE)
    # The middle part says what it means for what the customer has.
    assert text.means != text.act


@pytest.mark.parametrize("code", sorted(failures.FAILURES))
def test_failures_use_only_params_that_exist(code):
    text = failures.FAILURES[code]

    used = {name for part in (text.happened, text.means, text.act) for name in re.findall(r"%\((\w+)\)s", str(part))}

    assert used - {"provider"} <= set(PARAMS)


@pytest.mark.parametrize("code", sorted(failures.WAITS))
def test_failures_waits_are_whole_sentences(code):
    text = wait_text(code, PARAMS)

    assert text.sentence.endswith(".")
    assert "%" not in text.sentence + text.act
    assert text.act == "" or text.act.endswith(".")


def test_failures_of_a_wrong_account_name_both():
    text = failure_text("wrong_account", {"found": "999900001111", "expected": "111122223333"})

    assert text.happened == "The kit was run in AWS account 999900001111. It was made for account 111122223333."


def test_failures_unknown_code_still_says_what_to_do():
    text = failure_text("nobody_wrote_this", {})

    assert text.happened == "A step could not be finished."
    assert text.act == "Retry this step. If it fails again, contact Fernhill with the reference."
