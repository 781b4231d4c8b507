"""`manage.py test`: pytest, all tests unless told otherwise, with the browser they need."""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import NoReturn

from portal.embedded import chromium

MOST_CORES = 4
TESTS_FAILED = 1  # pytest's exit code; any other is not about single tests


def run_tests(arguments: Sequence[str]) -> NoReturn:
    """Become pytest, so that its exit code is ours."""
    wants_browser = not any(word.startswith("tests") for word in arguments) or any("browser" in word for word in arguments)
    if wants_browser and (browser := chromium.ensure()):
        os.environ["PORTAL_CHROMIUM"] = str(browser)
    if not arguments:
        arguments = _after_all_together()
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *arguments])  # noqa: S606


def _after_all_together() -> Sequence[str]:
    """All tests on several cores, those that share something expensive together. What failed runs once more, alone, and decides.

    Real servers, browsers and killed workers side by side make a busy machine miss a moment; a test that is broken fails alone as well.
    """
    cores = min(os.cpu_count() or 1, MOST_CORES)
    together = [f"--numprocesses={cores}", "--dist=loadgroup"] if cores > 1 else []
    code = subprocess.call([sys.executable, "-m", "pytest", *together])  # noqa: S603
    if code != TESTS_FAILED:
        sys.exit(code)
    sys.stdout.write("\nTests failed side by side. Each of them runs once more, alone; what fails alone is broken.\n\n")
    sys.stdout.flush()
    return ["--last-failed", "--last-failed-no-failures=none", "--verbosity=1"]
