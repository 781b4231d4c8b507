"""Programs that a customer runs offline are sent as the very files that the portal itself uses."""

from pathlib import Path
from types import ModuleType


def source_of(module: ModuleType) -> bytes:
    return Path(str(module.__file__)).read_bytes()
