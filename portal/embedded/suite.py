"""`manage.py test`: pytest, all tests unless told otherwise, with the browser they need."""

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NoReturn

from portal.embedded import chromium


def run_tests(arguments: Sequence[str]) -> NoReturn:
    """Become pytest, so that its exit code is ours."""
    if find_spec("pytest") is None:
        sys.exit(
            "This environment has Django but not the test packages. Run `python3 manage.py test` outside of it: that makes .venv itself."
        )
    wants_browser = not any(word.startswith("tests") for word in arguments) or any("browser" in word for word in arguments)
    if wants_browser and (browser := chromium.ensure()):
        os.environ["PORTAL_CHROMIUM"] = str(browser)
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *arguments])  # noqa: S606
