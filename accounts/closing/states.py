"""State machine of a closing: planned, then called off or carried out. Pure Python."""

from django.db.models import TextChoices
from django.utils.translation import pgettext_lazy


class ClosingState(TextChoices):
    PLANNED = "planned", pgettext_lazy("closing of an organisation", "Planned")
    CANCELLED = "cancelled", pgettext_lazy("closing of an organisation", "Called off")
    CLOSED = "closed", pgettext_lazy("closing of an organisation", "Closed")


_S = ClosingState
CLOSING_MOVES: dict[ClosingState, frozenset[ClosingState]] = {
    _S.PLANNED: frozenset({_S.CANCELLED, _S.CLOSED}),
    _S.CANCELLED: frozenset(),
    _S.CLOSED: frozenset(),
}
