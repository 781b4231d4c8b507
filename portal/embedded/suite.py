"""`manage.py test`: pytest, all tests unless told otherwise, with the browser they need."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from portal.embedded import chromium

MOST_CORES = 4


def run_tests(arguments: Sequence[str]) -> NoReturn:
    """Become pytest, so that its exit code is ours."""
    wants_browser = not any(word.startswith("tests") for word in arguments) or any("browser" in word for word in arguments)
    if wants_browser and (browser := chromium.ensure()):
        os.environ["PORTAL_CHROMIUM"] = str(browser)
    # All tests: on several cores, those that share something expensive together. A chosen few are quicker on one.
    cores = min(os.cpu_count() or 1, MOST_CORES)
    spread = [f"--numprocesses={cores}", "--dist=loadgroup"] if not arguments and cores > 1 else []
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *spread, *arguments])  # noqa: S606
