"""What follows when a grant is made or is to end: whoever opens and closes doors hangs in here, at start-up.

Called inside the transaction that moved the request, with its row as it is now: start an operation there, and it exists if and only if the
move does.
"""

from collections.abc import Callable

from accounts.support.models import AccessRequest

Hook = Callable[[AccessRequest], None]
# SCHEDULED was reached.
ON_GRANTED: list[Hook] = []
# ENDING was reached; `ends_as` says what the end will be called.
ON_ENDING: list[Hook] = []
# An end was proven, or an ended grant was compared with the cloud's log: its receipt says more than before.
ON_TOLD: list[Hook] = []


def granted(request: AccessRequest) -> None:
    for hook in ON_GRANTED:
        hook(request)


def ending(request: AccessRequest) -> None:
    for hook in ON_ENDING:
        hook(request)


def told(request: AccessRequest) -> None:
    for hook in ON_TOLD:
        hook(request)
