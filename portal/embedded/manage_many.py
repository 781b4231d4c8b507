"""Run several management commands in one Django process: `python -m portal.embedded.manage_many COMMAND… -- COMMAND…`.

Loading Django costs more than most commands. A word `@FILE` in place of a command waits until that file is there, so that the
loading overlaps with whatever makes it.
"""

import os
import sys
import time
from itertools import groupby
from pathlib import Path


def main(words: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    import django  # noqa: PLC0415  after the environment is complete
    from django.core.management import call_command  # noqa: PLC0415

    django.setup()
    for is_separator, group in groupby(words, lambda word: word == "--"):
        if is_separator:
            continue
        command = list(group)
        if command[0].startswith("@"):
            wait_for(Path(command[0][1:]))
        else:
            call_command(*command)  # without the system checks, which would load every view


def wait_for(gate: Path) -> None:
    """Return when the file exists; it is never long: whoever makes it ends this process when that fails."""
    while not gate.exists():
        time.sleep(0.02)


if __name__ == "__main__":
    main(sys.argv[1:])
