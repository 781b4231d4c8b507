"""The known ways in which leaving goes wrong elsewhere, and where each is provoked here and ends in the right state and words."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
PROVOKED = {
    "trust removed too early, and the account hangs in its deletion": {
        "offboarding/test_offboarding.py": ["test_account_leaves_from_the_browser_to_its_certificate"],  # no command before its time
        "offboarding/test_orders_and_faults.py": ["test_kit_removed_before_cleanup_is_seen_told_and_mended_by_the_recovery_kit"],
        "offboarding/test_whole.py": ["test_kit_removed_too_early_is_seen_in_every_cloud"],
    },
    "something hangs on what is deleted, and success is said": {
        "offboarding/test_stuck.py": [
            "test_what_the_customer_attached_is_named_and_the_way_out_goes_on_once_it_is_let_go",
            "test_what_is_held_is_kept_on_purpose_and_certified_as_kept",
            "test_leftover_of_a_cell_stops_the_way_out_until_it_is_taken_away",
        ],
        "offboarding/test_orders_and_faults.py": [
            "test_cell_that_cannot_be_removed_is_shown_with_what_holds_it_and_goes_on_after_a_retry",
            "test_leftover_that_no_cell_knows_of_is_listed_kept_on_purpose_and_certified",
        ],
    },
    "said to be deleted, and the customer still pays": {
        "offboarding/test_orders_and_faults.py": [
            "test_no_network_fault_and_no_single_refusal_is_taken_for_the_end",
            "test_a_role_that_only_says_no_is_no_end",
        ],
        "offboarding/test_proofs.py": ["test_what_is_known_to_be_left_is_not_gone_because_nobody_can_look"],
        "offboarding/test_leftovers.py": [
            "test_look_lists_what_is_left_and_says_when_nothing_is",
            "test_look_that_was_refused_somewhere_does_not_say_that_nothing_is_left",
        ],
    },
    "names that collide with what was, and dead stacks": {
        "offboarding/test_removal_command.py": ["test_same_cloud_account_is_connected_afresh_while_the_cloud_keeps_the_old_names"],
        "offboarding/test_orders_and_faults.py": ["test_account_that_never_connected_has_a_short_way_out"],
    },
    "it failed, and nobody says what, why and what next": {
        "offboarding/test_stuck_pages.py": ["test_stuck_offboarding_shows_reason_id_console_link_keeping_and_hand_over"],
        "offboarding/test_stuck.py": [
            "test_lock_on_azure_is_named_and_the_way_out_goes_on_once_it_is_lifted",
            "test_what_google_refuses_to_delete_is_told_in_its_words",
        ],
    },
}  # fmt: skip


@pytest.mark.parametrize("pitfall", PROVOKED)
def test_pitfall_is_provoked_by_tests_that_exist(pitfall):
    missing = [f"{file}::{name}" for file, names in PROVOKED[pitfall].items() for name in names if name not in names_in(TESTS / file)]

    assert missing == []


def names_in(file: Path) -> set[str]:
    return {node.name for node in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)}
