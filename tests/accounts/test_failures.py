"""Every code that an adapter or a step can give has its words, and the words fit what is given with it."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from accounts import failures, failures_trust, kits
from accounts.clouds.stacks import STACK_CODES
from accounts.clouds.support import SUPPORT_CODES
from portal.operations.catalogue import failure_text, wait_text

ROOT = Path(__file__).resolve().parents[2]
CLOUDS = sorted(kits.KITS)
# Refusals of a kit that never let us in: the step waits on them, so they never end an operation.
ONLY_WAITED_FOR = {"kit_not_run", "trust_not_ready"}
PARAMS = {
    "account": "portal-operator@acme.example",
    "account_id": "111122223333",
    "client_id": "605aaa51-8c1a-4699-a3ba-9ada7b28db45",
    "cloud": "AWS",
    "count": "3",
    "days": "7",
    "expected": "eu-west-1",
    "found": "us-east-1",
    "found_generation": "1",
    "found_version": "1.0.0",
    "generation": "2",
    "kind": "AWS account",
    "names": "wrong_subject",
    "namespace": "Microsoft.Network",
    "permissions": "ec2:CreateVpc",
    "service": "compute.googleapis.com",
    "state": "Disabled",
    "support_client_id": "705aaa51-8c1a-4699-a3ba-9ada7b28db45",
    "version": "1.1.0",
}


def params_for(cloud: str) -> dict[str, str]:
    words = kits.load(cloud).words
    return PARAMS | {"variant": cloud, "cloud": words.cloud, "kind": str(words.account)}


def own(cloud: str, table: str) -> dict:
    """What one cloud words by itself."""
    return getattr(import_module(f"accounts.kits.{cloud}.failures"), table)


def sources(cloud: str = "") -> list[Path]:
    clouds, steps = ROOT / "accounts/clouds", ROOT / "accounts/steps"
    return [clouds / "base.py", *(clouds / cloud).rglob("*.py"), *steps.glob("*.py")]


def written(pattern: str, cloud: str = "") -> set[str]:
    return {code for path in sources(cloud) for code in re.findall(pattern, path.read_text(encoding="utf-8"))}


def codes_that_end_an_operation(cloud: str) -> set[str]:
    raised = written(r'(?:CloudError|Fail|Retry)\(\s*"([a-z_]+)"', cloud)
    assert len(raised) > 15
    table = import_module(f"accounts.clouds.{cloud}.errors")
    once = {*getattr(table, "ONCE_TRUSTED", {}).values(), *(row.once for row in table.ROWS if getattr(row, "once", ""))}
    return (raised | {row.code for row in table.ROWS} | once | {"unknown_cloud_error"}) - ONLY_WAITED_FOR - STACK_CODES - SUPPORT_CODES


@pytest.mark.parametrize("cloud", CLOUDS)
def test_failures_name_every_code_of_a_cloud(cloud):
    assert codes_that_end_an_operation(cloud) - set(failures.FAILURES) - set(own(cloud, "FAILURES")) == set()


def test_failures_name_no_code_that_nobody_gives():
    given = set().union(*(codes_that_end_an_operation(cloud) for cloud in CLOUDS))

    assert set(failures.FAILURES).union(*(own(cloud, "FAILURES") for cloud in CLOUDS)) - given == set()


def test_failures_waits_name_every_code_and_no_other():
    named = written(r'why="([a-z_]+)"')
    assert named >= ONLY_WAITED_FOR

    # `why=error.code` for these: a kit that is not open yet is looked at again.
    assert set(failures.WAITS) == named | {"throttled", "cloud_unavailable", "issuer_unreachable", "token_expired"}
    assert set().union(*(own(cloud, "WAITS") for cloud in CLOUDS)) <= set(failures.WAITS)


def everything_said() -> list[tuple[str, str]]:
    return [(cloud, code) for cloud in CLOUDS for code in sorted({*failures.FAILURES, *own(cloud, "FAILURES")})]


@pytest.mark.parametrize(("cloud", "code"), everything_said())
def test_failures_have_all_parts_as_whole_sentences(cloud, code):
    text = failure_text(code, params_for(cloud))

    for part in (text.happened, text.means, text.act):
        assert part.endswith(".")
        assert part[0].isupper() or part[0].isdigit()
        assert "%" not in part
        assert "  " not in part
        assert not re.search(r"\b(oops|simply|please|sorry|unfortunately)\b|!", part, re.IGNORECASE)
        others = {kits.load(other).words.cloud for other in CLOUDS} - {kits.load(cloud).words.cloud}
        assert not any(re.search(rf"\b{other}\b", part) for other in others)
    # The middle part says what it means for what the customer has.
    assert text.means != text.act


@pytest.mark.parametrize(("cloud", "code"), everything_said())
def test_failures_use_only_params_that_exist(cloud, code):
    text = own(cloud, "FAILURES").get(code) or failures.FAILURES[code]

    used = {name for part in (text.happened, text.means, text.act) for name in re.findall(r"%\((\w+)\)s", str(part))}

    assert used - {"provider"} <= set(PARAMS)


def everything_said_of_trust() -> list[tuple[str, str]]:
    """What each cloud can say of a trust that stood: in its own words, or in the general ones."""
    general = {code: code.removeprefix("lost_") for code in failures_trust.LOST}
    said = [(cloud, lost) for cloud in CLOUDS for lost, code in general.items() if code in codes_that_end_an_operation(cloud)]
    return [*said, *((cloud, off) for cloud in CLOUDS for off in failures_trust.OFF)]


@pytest.mark.parametrize(("cloud", "code"), everything_said_of_trust())
def test_failures_of_trust_are_whole_sentences_about_this_cloud(cloud, code):
    text = failure_text(code, params_for(cloud))

    for part in (text.happened, text.means, text.act):
        assert part.endswith(".")
        assert "%" not in part
        assert "  " not in part
        others = {kits.load(other).words.cloud for other in CLOUDS} - {kits.load(cloud).words.cloud}
        assert not any(re.search(rf"\b{other}\b", part) for other in others)
    # "Press Retry" and "Run again" are buttons of connecting; a connected account has others.
    assert not re.search(r"Retry this step|Run again", text.act)


@pytest.mark.parametrize(("cloud", "code"), everything_said_of_trust())
def test_failures_of_trust_name_what_the_same_code_names_while_connecting(cloud, code):
    """An adapter gives one set of params with a code, whoever asks."""
    words = own(cloud, "TRUST").get(code) or (failures_trust.LOST | failures_trust.OFF)[code]
    before = code.removeprefix("lost_")
    connecting = own(cloud, "FAILURES").get(before) or failures.FAILURES.get(before)

    known = named_in(connecting) if connecting else set()
    assert named_in(words) - {"provider", "cloud", "kind"} <= known | {"permissions", "count"}


def named_in(text) -> set[str]:
    return {name for part in (text.happened, text.means, text.act) for name in re.findall(r"%\((\w+)\)s", str(part))}


def test_failures_of_trust_word_no_code_that_their_cloud_never_gives():
    for cloud in CLOUDS:
        known = {f"lost_{code}" for code in codes_that_end_an_operation(cloud)} | set(failures_trust.OFF)
        assert set(own(cloud, "TRUST")) - known == set()


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("code", sorted(failures.WAITS))
def test_failures_waits_are_whole_sentences(code, cloud):
    text = wait_text(code, params_for(cloud))

    assert text.sentence.endswith(".")
    assert "%" not in text.sentence + text.act
    assert text.act == "" or text.act.endswith(".")


def test_failures_of_a_wrong_account_name_both():
    text = failure_text("wrong_account", params_for("aws") | {"found": "999900001111", "expected": "111122223333"})

    assert text.happened == "The kit was run in AWS account 999900001111. It was made for account 111122223333."


def test_failures_unknown_code_still_says_what_to_do():
    text = failure_text("nobody_wrote_this", {})

    assert text.happened == "A step could not be finished."
    assert text.act == "Retry this step. If it fails again, contact Fernhill with the reference."
