"""The environment variables that settings read and those that the README explains are the same; required ones name themselves."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READ = re.compile(r'(?:env\.\w+|required|env)\(\s*"([A-Z_]+)"')
NAMED = re.compile(r"^\| `([A-Z_]+)` \| (yes|no) \|", re.MULTILINE)


def test_readme_names_every_variable_that_settings_read_and_no_other():
    read = set(READ.findall((ROOT / "portal/settings.py").read_text()))

    assert read == {name for name, _needed in NAMED.findall((ROOT / "README.md").read_text())}


def test_readme_marks_the_required_ones():
    required = set(re.findall(r'required\("([A-Z_]+)"\)', (ROOT / "portal/settings.py").read_text()))

    assert required == {name for name, needed in NAMED.findall((ROOT / "README.md").read_text()) if needed == "yes"}


@pytest.mark.parametrize(
    "name", ["PORTAL_URL", "PORTAL_SECRET_KEY", "PORTAL_SEAL_KEYS", "DATABASE_URL", "CACHE_URL", "BROKER_URL", "EMAIL_URL"]
)
def test_missing_variable_is_named_with_where_it_is_described(name):
    environment = {key: value for key, value in os.environ.items() if key != name}

    done = subprocess.run(
        [sys.executable, "-c", "import portal.settings"], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert f"ImproperlyConfigured: Set {name}: README.md, section 'Configuration'" in done.stderr
