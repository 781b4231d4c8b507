"""Every kind of operation dies at each of its steps in some test: a new kind needs one, and no test names the steps by hand."""

import ast
from pathlib import Path

import pytest

from portal.operations.registry import KINDS

TESTS = Path(__file__).resolve().parent.parent
# kind -> the file that kills its workers at every step, and how that names the kind.
KILLED = {
    "back_up_and_delete_instance": ("cells/test_kills_of_backups.py", "back_up_and_delete_instance"),
    "bootstrap_cell": ("cells/test_kills.py", "bootstrap_cell"),
    "check_environment": ("accounts/test_environment_operation.py", "CHECK_ENVIRONMENT"),
    "close_support_access": ("support/test_kills.py", "CLOSE"),
    "connect_cloud_account": ("accounts/test_connect_kill.py", "connect_cloud_account"),
    "create_instance": ("cells/test_kills.py", "create_instance"),
    "delete_cell": ("cells/test_kills.py", "delete_cell"),
    "delete_instance": ("cells/test_kills.py", "delete_instance"),
    "keep_instance": ("cells/test_kills_of_backups.py", "keep_instance"),
    "modify_instance": ("cells/test_kills_of_acts.py", "modify_instance"),
    "offboard_account": ("offboarding/test_kills.py", "OFFBOARD"),
    "open_support_access": ("support/test_kills.py", "OPEN"),
    "renew_kit": ("accounts/test_renewal.py", "renew_kit"),
    "replace_agent": ("cells/test_kills_of_cells.py", "replace_agent"),
    "restart_instance": ("cells/test_kills_of_acts.py", "restart_instance"),
    "start_instance": ("cells/test_kills_of_acts.py", "start_instance"),
    "stop_instance": ("cells/test_kills_of_acts.py", "stop_instance"),
    "update_cell": ("cells/test_kills_of_cells.py", "update_cell"),
    "upgrade_instance": ("cells/test_kills_of_acts.py", "upgrade_instance"),
    "compare_support_log": ("support/test_kills_of_reviews.py", "COMPARE"),
    "tidy_support_access": ("support/test_kills_of_reviews.py", "TIDY"),
}
# The very steps of another kind, in the same order.
SAME_STEPS = {"restore_trust": "renew_kit", "downgrade_instance": "upgrade_instance"}
# What goes through the steps as the registry has them.
BY_REGISTRY = ("KINDS[", "Deaths(", "die_at_each_step(")


def of_the_product() -> set[str]:
    """Tests register kinds of their own."""
    return {name for name, kind in KINDS.items() if not kind.steps[0].run.__module__.startswith("tests.")}


def test_every_kind_is_killed_somewhere():
    assert of_the_product() == {*KILLED, *SAME_STEPS}


@pytest.mark.parametrize("kind", SAME_STEPS)
def test_kind_that_is_not_killed_itself_has_the_steps_of_one_that_is(kind):
    assert [step.run for step in KINDS[kind].steps] == [step.run for step in KINDS[SAME_STEPS[kind]].steps]
    assert SAME_STEPS[kind] in KILLED


@pytest.mark.parametrize("kind", KILLED)
def test_kill_test_names_the_kind_and_takes_its_steps_from_the_registry(kind):
    file, name = KILLED[kind]
    source = (TESTS / file).read_text(encoding="utf-8")

    assert name in source
    assert any(one in source for one in BY_REGISTRY)
    assert listed_by_hand(source, {step.name for step in KINDS[kind].steps}) == []


def listed_by_hand(source: str, steps: set[str]) -> list[list[str]]:
    """Where a test that kills names two steps or more of this kind itself, instead of asking the registry."""
    tests = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and "killed" in node.name]
    found = []
    for node in (node for test in tests for node in ast.walk(test)):
        parts = node.args if isinstance(node, ast.Call) else getattr(node, "elts", [])
        words = [one.value for one in parts if isinstance(one, ast.Constant) and one.value in steps]
        found += [words] if len(words) > 1 else []
    return found
