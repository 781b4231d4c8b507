"""State machine of an operation and of its steps; who holds the ball. Pure Python."""

from django.db.models import TextChoices
from django.utils.translation import pgettext_lazy


class OperationState(TextChoices):
    QUEUED = "queued", pgettext_lazy("operation state", "Queued")
    RUNNING = "running", pgettext_lazy("operation state", "Running")
    WAITING = "waiting", pgettext_lazy("operation state", "Waiting")
    FAILED = "failed", pgettext_lazy("operation state", "Failed")
    CANCELLED = "cancelled", pgettext_lazy("operation state", "Cancelled")
    SUCCEEDED = "succeeded", pgettext_lazy("operation state", "Succeeded")


_S = OperationState
# The lease is not a state: a waiting operation stays `waiting` while a worker looks again, so a page does not flicker
# at every look. Hence waiting -> waiting, and every end straight from there.
OPERATION_MOVES: dict[OperationState, frozenset[OperationState]] = {
    _S.QUEUED: frozenset({_S.RUNNING, _S.CANCELLED}),
    _S.RUNNING: frozenset({_S.RUNNING, _S.WAITING, _S.FAILED, _S.SUCCEEDED, _S.CANCELLED}),
    _S.WAITING: frozenset({_S.RUNNING, _S.WAITING, _S.FAILED, _S.SUCCEEDED, _S.CANCELLED}),
    _S.FAILED: frozenset({_S.QUEUED}),  # "Retry this step": a new attempt row, the old one is kept
    _S.CANCELLED: frozenset(),
    _S.SUCCEEDED: frozenset(),
}
LIVE_STATES = frozenset({_S.QUEUED, _S.RUNNING, _S.WAITING})
ENDED_STATES = frozenset({_S.FAILED, _S.CANCELLED, _S.SUCCEEDED})


class StepState(TextChoices):
    PENDING = "pending", pgettext_lazy("step state", "Not yet started")
    RUNNING = "running", pgettext_lazy("step state", "Running")
    WAITING = "waiting", pgettext_lazy("step state", "Waiting")
    DONE = "done", pgettext_lazy("step state", "Done")
    FAILED = "failed", pgettext_lazy("step state", "Failed")
    CANCELLED = "cancelled", pgettext_lazy("step state", "Cancelled")


ENDED_STEP_STATES = frozenset({StepState.DONE, StepState.FAILED, StepState.CANCELLED})


class Party(TextChoices):
    """Who acts next."""

    YOU = "you", pgettext_lazy("who acts next", "you")
    PROVIDER = "provider", pgettext_lazy("who acts next", "the provider")
    CLOUD = "cloud", pgettext_lazy("who acts next", "the cloud")
