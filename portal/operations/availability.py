"""May a person do this now, and if not, why: one answer for the button and for the request behind it."""

from django.utils.translation import gettext as _

from portal.operations.models import Operation
from portal.operations.registry import KINDS
from portal.operations.states import OperationState


class NotAllowed(Exception):
    """An action was refused. `reason` is the sentence for the person who asked."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def refuse_if(reason: str) -> None:
    """Raise NotAllowed when there is a reason."""
    if reason:
        raise NotAllowed(reason)


def why_not_retry(operation: Operation) -> str:
    """Empty when "Retry this step" is possible, else the reason in the reader's language."""
    if operation.state != OperationState.FAILED:
        return _("Only a failed operation can be retried.")
    kind = KINDS.get(operation.kind)
    if kind is None:
        return _("This portal no longer knows this kind of operation.")
    return kind.why_not_retry(operation)


def why_not_cancel(operation: Operation) -> str:
    """Empty when the operation can be cancelled, else the reason in the reader's language."""
    if not operation.is_live:
        return _("The operation has ended. There is nothing to cancel.")
    kind = KINDS.get(operation.kind)
    if kind is not None and not kind.is_cancellable:
        return _("This kind of operation cannot be cancelled once it has started.")
    if operation.cancel_requested_at is not None:
        return _("The operation is being cancelled.")
    return ""


def why_not_check(operation: Operation) -> str:
    """Empty when "Check again" makes sense, else the reason in the reader's language."""
    if operation.state != OperationState.WAITING:
        return _("The operation is not waiting for anything.")
    return ""
