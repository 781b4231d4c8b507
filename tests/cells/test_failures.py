"""Every code and every wait that the steps of cells and instances can give has its words, and the words fit what is given with it."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from accounts import kits
from accounts.clouds.stacks import STACK_CODES
from accounts.steps.watch import LOSSES
from cells import failures
from cells.steps.stacks import BUSY, OF_CELLS, OF_ONE_CALL, code_of
from portal.operations.catalogue import FAILURES, failure_text, wait_text
from portal.operations.registry import KINDS
from tests.accounts.test_failures import codes_that_end_an_operation, params_for

ROOT = Path(__file__).resolve().parents[2]
CLOUDS = sorted(kits.KITS)
TEXTS = failures.FAILURES | failures.STACKS
# Lists of reasons for which the cloud itself gave a stack up, by the module that reads them.
REASONS = {"aws": ("errors", "REASONS"), "azure": ("errors", "REASONS"), "gcp": ("stack_errors", "ROWS")}
PARAMS = {
    "part": "Network (AWS::EC2::VPC)",
    "ready": "12",
    "total": "30",
    "left": "3",
    "region": "eu-west-1",
    "listed": "AWS::EC2::Volume vol-1",
}
PARAMS |= {"version": "1.3.0", "only": "eu-west-1"}
PARAMS |= {"count": "2", "names": "ingress", "instance": "orders", "code": "throttled"}
# These are asked for while an account is connected, never for a cell.
NEVER_OF_STACKS = {"changes_switched_off", "environment_not_asked", "duplicate_account", "kit_expired", "kit_replaced"}


def steps() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "cells/steps").glob("*.py"))


def given_by_steps() -> set[str]:
    """In the code, as a kind's own late code, and as the reason of a cancelled one."""
    late = {spec.late_code for kind in KINDS.values() if kind.name.endswith(("_cell", "_instance")) for spec in kind.steps}
    said = re.findall(r'(?:Fail|Retry|gave_up)\(\s*"([a-z_]+)"(?: if [\w. ]+ else "([a-z_]+)")?', steps())
    return {code for pair in said for code in pair if code} | late | {"stopped"}


def given_by_stacks(cloud: str) -> set[str]:
    """Of a refused call, but for those that wait for the trust; and of a stack that the cloud gave up."""
    module, table = REASONS[cloud]
    rows = getattr(import_module(f"accounts.clouds.{cloud}.{module}"), table)
    reasons = {row.code if hasattr(row, "code") else row[0] for row in rows} | {"stack_failed", "unknown_cloud_error"}
    calls = codes_that_end_an_operation(cloud) - NEVER_OF_STACKS - only_while_connecting(cloud)
    waited = LOSSES - OF_ONE_CALL - {"trust_refused", "kit_not_found"}
    return {code_of(code) for code in (reasons | calls | STACK_CODES) - waited - {BUSY}}


def only_while_connecting(cloud: str) -> set[str]:
    """Said by the steps of connecting alone, and by no adapter."""
    written = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "accounts/steps").glob("*.py"))
    said = set(re.findall(r'(?:CloudError|Fail|Retry)\(\s*"([a-z_]+)"', written))
    adapters = [path.read_text(encoding="utf-8") for path in (ROOT / "accounts/clouds" / cloud).rglob("*.py")]
    return {code for code in said if not any(f'"{code}"' in text for text in adapters)}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_failures_name_every_code_that_a_stack_can_end_with(cloud):
    assert len(given_by_stacks(cloud)) > 10
    assert given_by_stacks(cloud) - set(TEXTS) == set()


def test_failures_name_every_code_of_a_step():
    assert len(given_by_steps()) > 15
    assert given_by_steps() - set(TEXTS) - {"step_took_too_long"} == set()
    assert "step_took_too_long" in FAILURES


def test_failures_name_no_code_that_nobody_gives():
    given = given_by_steps().union(*(given_by_stacks(cloud) for cloud in CLOUDS))

    assert set(TEXTS) - given == set()


def test_failures_of_cells_are_no_other_code_s_words():
    """One catalogue: what connecting says of a code would else be said of a cell, or the other way round."""
    assert {code_of(code) for code in OF_CELLS} == OF_CELLS
    assert {code for code in TEXTS if f"lost_{code}" in FAILURES} == set()
    assert set(TEXTS) & set(import_module("accounts.failures").FAILURES) == set()


def test_waits_name_every_reason_of_a_step_and_no_other():
    named = {why for pair in re.findall(r'why="([a-z_]+)"(?: if \w+ else "([a-z_]+)")?', steps()) for why in pair if why}
    named |= set(re.findall(r'_(?:waiting|await)\([^"\n]*"([a-z_]+)"', steps())) | set(
        re.findall(r'"(stack_[a-z]+)"(?= if| else)', steps())
    )
    named |= set(re.findall(r'else "(stack_[a-z]+)"', steps()))

    assert len(named) > 12
    assert set(failures.WAITS) == named


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("code", sorted(TEXTS))
def test_failures_have_all_parts_as_whole_sentences(cloud, code):
    text = failure_text(code, params_for(cloud) | PARAMS)

    for part in (text.happened, text.means, text.act):
        assert part.endswith(".")
        assert part[0].isupper() or part[0].isdigit()
        assert not re.search(r"%|  |\(\)|\b(oops|simply|please|sorry|unfortunately)\b|!", part, re.IGNORECASE)
        others = {kits.load(other).words.cloud for other in CLOUDS} - {kits.load(cloud).words.cloud}
        assert not any(re.search(rf"\b{other}\b", re.sub(r"AWS::\S+", "", part)) for other in others)
    assert text.means != text.act


@pytest.mark.parametrize("code", sorted(TEXTS))
def test_failures_use_only_params_that_are_given(code):
    """`kind` is what the cloud calls an account, so no step may give a param of that name."""
    text = TEXTS[code]
    used = {name for part in (text.happened, text.means, text.act) for name in re.findall(r"%\((\w+)\)s", str(part))}

    assert used <= {"provider", "cloud", "kind", "part", "ready", "region", "count", "listed", "version", "only"}
    assert not re.search(r'"kind":', steps())


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("code", sorted(failures.WAITS))
def test_waits_are_whole_sentences(code, cloud):
    text = wait_text(code, params_for(cloud) | PARAMS)

    assert text.sentence.endswith(".")
    assert "%" not in text.sentence + text.act
    assert text.act == "" or text.act.endswith(".")
