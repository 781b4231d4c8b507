"""Every reason that an agent can give for a backup that was not taken has a sentence."""

import re
from pathlib import Path

from cells.agent.commands import CODES
from cells.backup_words import REASONS, reason

CELLS = Path(__file__).parent.parent.parent / "cells"
CODE = re.compile(r'"(backup_[a-z_]+|nothing_to_back_up)"')


def test_every_reason_has_words_and_no_words_are_stale():
    raised = [CELLS / f"agent/backups/{name}.py" for name in ("archive", "forms", "job")]
    said = {code for path in [*raised, CELLS / "protocol/backups.py"] for code in CODE.findall(path.read_text(encoding="utf-8"))}
    of_kubectl = {code for code, _marks in CODES} | {"apply_failed"}

    assert said - {"backup_unknown"} | of_kubectl - {"chart_not_found", "values_refused"} == set(REASONS)


def test_unknown_reason_says_that_it_is_unknown():
    assert "does not know" in reason("of_a_newer_agent")
