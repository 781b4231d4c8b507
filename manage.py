#!/usr/bin/env python3
"""The one entry. `demo` and `test` prepare what they need by themselves; every other command is plain Django."""

import os
import sys

SELF_SUFFICIENT = ("demo", "test")

if __name__ == "__main__":
    os.chdir(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120  the next lines must be understood by any Python
    if sys.version_info < (3, 11):  # noqa: UP036  says in words what would fail as a puzzle
        found = "{}.{}".format(*sys.version_info[:2])
        sys.exit("This is Python " + found + "; the portal needs 3.11 or newer. Try `python3.13 manage.py demo`, or 3.12, or 3.11.")
    if len(sys.argv) > 1 and sys.argv[1] in SELF_SUFFICIENT:
        from portal.embedded.environment import ensure

        ensure(sys.argv)
        if sys.argv[1] == "demo":  # starts without Django: the supervisor stays small
            from portal.embedded.demo import main

            sys.exit(main(sys.argv[2:]))
        from portal.embedded.suite import run_tests

        sys.exit(run_tests(sys.argv[2:]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
