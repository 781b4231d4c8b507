"""A portal that dies while it answers an agent: killed after its first statement to the database, then after its second, until it lives.

    python -m tests.cells.odd_portal take KEY            # hands out orders
    python -m tests.cells.odd_portal tell KEY RESULT     # takes a result

Each life is a fork that does the whole call. Prints how many of them were killed.
"""

import itertools
import os
import signal
import sys


def live(number: int, what: str, key: str, document: str) -> None:
    """The call, up to its Nth statement."""
    from django.db import connection

    from cells.models import AgentKey
    from cells.protocol.order_documents import OrderResult
    from cells.protocol.parsing import parse
    from cells.support.handing import hand_out
    from cells.support.results import take_result

    statements = itertools.count(1)

    def until_killed(execute, sql, params, many, context):
        done = execute(sql, params, many, context)
        if next(statements) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    with connection.execute_wrapper(until_killed):
        row = AgentKey.objects.get(pk=key)
        if what == "take":
            assert hand_out(row)
        else:
            assert take_result(parse(document.encode(), OrderResult), row).outcome == "kept"


def main() -> int:
    import django

    django.setup()
    for number in itertools.count(1):
        child = os.fork()
        if child == 0:
            live(number, *[*sys.argv[1:], ""][:3])
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.stdout.write(f"{number - 1}\n")
            return os.WEXITSTATUS(status)
    return 1


if __name__ == "__main__":
    sys.exit(main())
