"""State machine of an offboarding: the words, the allowed moves, the sets. Pure Python."""

from django.db.models import TextChoices
from django.utils.translation import pgettext_lazy


class OffboardingState(TextChoices):
    PLANNED = "planned", pgettext_lazy("offboarding state", "Planned")
    BLOCKED = "blocked", pgettext_lazy("offboarding state", "Blocked")
    IN_PROGRESS = "in_progress", pgettext_lazy("offboarding state", "In progress")
    WAITING_FOR_YOU = "waiting_for_you", pgettext_lazy("offboarding state", "Waiting for you")
    STUCK = "stuck", pgettext_lazy("offboarding state", "Stuck")
    COMPLETE = "complete", pgettext_lazy("offboarding state", "Complete")
    CANCELLED = "cancelled", pgettext_lazy("offboarding state", "Cancelled")


_S = OffboardingState
OFFBOARDING_MOVES: dict[OffboardingState, frozenset[OffboardingState]] = {
    _S.PLANNED: frozenset({_S.BLOCKED, _S.IN_PROGRESS, _S.CANCELLED}),
    _S.BLOCKED: frozenset({_S.IN_PROGRESS, _S.CANCELLED}),
    # Complete without having waited: closed with leftovers by two people of the provider.
    _S.IN_PROGRESS: frozenset({_S.WAITING_FOR_YOU, _S.STUCK, _S.COMPLETE}),
    # The kit is to be removed: nothing else of ours is left.
    _S.WAITING_FOR_YOU: frozenset({_S.STUCK, _S.COMPLETE}),
    _S.STUCK: frozenset({_S.IN_PROGRESS, _S.WAITING_FOR_YOU, _S.COMPLETE}),
    _S.COMPLETE: frozenset(),
    _S.CANCELLED: frozenset(),
}
# Nothing was touched yet, so that it can be called off.
CANCELLABLE = frozenset({_S.PLANNED, _S.BLOCKED})
ENDED = frozenset({_S.COMPLETE, _S.CANCELLED})
OPEN = frozenset(set(_S) - ENDED)
# From the first removal on.
BEGUN = frozenset({_S.IN_PROGRESS, _S.WAITING_FOR_YOU, _S.STUCK})
# What is waited for where no identity of the kit was ever told, so that there is none to ask the cloud about.
KIT_UNTOLD = "offboarding_kit_untold"
