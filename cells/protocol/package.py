"""The agent's own file: `cells/agent` as one zip that Python runs. The same source gives the same bytes, wherever it is made. No Django."""

import hashlib
import io
import zipfile
from functools import cache
from pathlib import Path

AGENT = Path(__file__).resolve().parent.parent / "agent"
SHEBANG = b"#!/usr/bin/env python3\n"
MAIN = "import sys\n\nfrom cells.agent.__main__ import main\n\nsys.exit(main())\n"
# The earliest that a zip can say.
LONG_AGO = (1980, 1, 1, 0, 0, 0)


@cache
def agent_package() -> bytes:
    """Stored, not compressed: what a compressor makes differs between its versions, and with it the hash that machines were given."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(_files().items()):
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, content)
    return SHEBANG + package.getvalue()


@cache
def package_sha256() -> str:
    return hashlib.sha256(agent_package()).hexdigest()


def _files() -> dict[str, bytes]:
    sources = {f"cells/agent/{path.relative_to(AGENT).as_posix()}": path.read_bytes() for path in AGENT.rglob("*.py")}
    return {"__main__.py": MAIN.encode(), "cells/__init__.py": b"", **sources}
