"""The browser of the browser tests: found on this machine, or fetched with its package manager."""

import os
import shutil
import subprocess
from pathlib import Path

from portal.embedded.environment import say

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> Path | None:
    """PORTAL_CHROMIUM, Chromium or Chrome on PATH, then one that Playwright fetched."""
    if named := os.environ.get("PORTAL_CHROMIUM"):
        return Path(named)
    if found := next(filter(None, map(shutil.which, NAMES)), None):
        return Path(found)
    downloads = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    return max(downloads.glob("chromium-*/chrome-linux*/chrome"), default=None)


def ensure() -> Path | None:
    """The browser; fetched where that needs no question (root on Debian or Ubuntu). None: the browser tests will skip and say so."""
    if found := find():
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say("Installing Chromium for the browser tests (apt-get, about a minute).")
        settings = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium", "fonts-liberation"]):
            answer = subprocess.run(  # noqa: S603
                ["apt-get", "-qq", *command],  # noqa: S607
                check=False,
                env=settings,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            if answer.returncode != 0:
                say("\n".join(answer.stdout.splitlines()[-5:]))
                break
        if found := find():
            return found
    say("No Chromium: the browser tests will be skipped. Install it (apt-get install chromium), or set PORTAL_CHROMIUM to its program.")
    return None
