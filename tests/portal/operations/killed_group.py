"""Many operations in one process, which kills itself while it writes a group of them: see `test_group.py`.

    python -m tests.portal.operations.killed_group PLACE POINT OPERATION...

PLACE is the group (claims, steps_done, ends), POINT before or after the statement of its first group of several.
"""

import sys
from collections.abc import Sequence
from typing import Any

from tests.kill import die


def arm(place: str, point: str) -> None:
    from portal.operations import recorder

    group = getattr(recorder, f"_{place}")
    write = group._write

    def write_and_die(items: Sequence[Any]) -> Sequence[Any]:
        if len(items) == 1:
            return write(items)
        if point == "after":
            write(items)
        die()
        return []

    group._write = write_and_die


def main(place: str, point: str, *operation_ids: str) -> None:
    import django

    django.setup()
    from portal.operations.registry import register
    from portal.operations.tasks import advance_all
    from tests.portal.operations.killed_many_kind import KIND

    register(KIND)
    arm(place, point)
    advance_all(list(operation_ids))


if __name__ == "__main__":
    main(*sys.argv[1:])
