"""The pages of offboarding, for the tests that look at every page: which are looked at in test_offboarding, and what is none."""

LOOKED_AT = (
    *(f"offboarding:{name}" for name in ("offboarding_plan", "offboarding_start", "offboarding_cancel", "offboarding_consent")),
    *("offboarding:offboarding_never_run", "offboarding:certificate_detail"),
    *("cells:account_instances_delete", "cells:account_leftovers_keep"),
)
NO_PAGE = {
    **dict.fromkeys(LOOKED_AT, "visited by tests/browser/test_offboarding.py"),
    "offboarding:offboarding_status": "a fragment",
    "offboarding:offboarding_file": "a file",
    "offboarding:certificate_file": "a file",
    "offboarding:certificate_verifier": "a file",
    "offboarding:leftovers_script": "a file",
    "offboarding:offboarding_check": "POST",
    "offboarding:offboarding_hand_over": "POST",
}
