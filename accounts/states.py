"""State machines of a cloud account and its kit: the words, the allowed moves, the sets. Pure Python."""

from django.db.models import TextChoices
from django.utils.translation import pgettext_lazy


class AccountState(TextChoices):
    DRAFT = "draft", pgettext_lazy("cloud account state", "Draft")
    WAITING_FOR_KIT = "waiting_for_kit", pgettext_lazy("cloud account state", "Waiting for kit")
    VERIFYING = "verifying", pgettext_lazy("cloud account state", "Verifying")
    FAILED = "failed", pgettext_lazy("cloud account state", "Failed")
    CONNECTED = "connected", pgettext_lazy("cloud account state", "Connected")
    NEEDS_ATTENTION = "needs_attention", pgettext_lazy("cloud account state", "Needs attention")
    DISCONNECTED = "disconnected", pgettext_lazy("cloud account state", "Disconnected")
    OFFBOARDING = "offboarding", pgettext_lazy("cloud account state", "Offboarding")
    READY_TO_OFFBOARD = "ready_to_offboard", pgettext_lazy("cloud account state", "Ready to offboard")
    OFFBOARDED = "offboarded", pgettext_lazy("cloud account state", "Offboarded")


_S = AccountState
ACCOUNT_MOVES: dict[AccountState, frozenset[AccountState]] = {
    _S.DRAFT: frozenset({_S.WAITING_FOR_KIT}),
    _S.WAITING_FOR_KIT: frozenset({_S.VERIFYING, _S.FAILED, _S.DRAFT}),
    _S.VERIFYING: frozenset({_S.CONNECTED, _S.FAILED, _S.DRAFT}),
    _S.FAILED: frozenset({_S.WAITING_FOR_KIT, _S.VERIFYING, _S.DRAFT}),
    _S.CONNECTED: frozenset({_S.NEEDS_ATTENTION, _S.DISCONNECTED, _S.OFFBOARDING}),
    _S.NEEDS_ATTENTION: frozenset({_S.CONNECTED, _S.DISCONNECTED, _S.OFFBOARDING}),
    _S.DISCONNECTED: frozenset({_S.WAITING_FOR_KIT, _S.OFFBOARDING}),
    _S.OFFBOARDING: frozenset({_S.READY_TO_OFFBOARD}),
    _S.READY_TO_OFFBOARD: frozenset({_S.OFFBOARDED}),
    _S.OFFBOARDED: frozenset(),
}

# Trust was proven at least once and the customer has not left: only these claim the cloud's own id for one organisation.
PROVEN_STATES = frozenset({_S.CONNECTED, _S.NEEDS_ATTENTION, _S.DISCONNECTED, _S.OFFBOARDING, _S.READY_TO_OFFBOARD})
CONNECTING_STATES = frozenset({_S.DRAFT, _S.WAITING_FOR_KIT, _S.VERIFYING, _S.FAILED})
TERMINAL_STATES = frozenset({_S.OFFBOARDED})


class KitState(TextChoices):
    CURRENT = "current", pgettext_lazy("kit state", "Current")
    OUTDATED = "outdated", pgettext_lazy("kit state", "Replaced")
    EXPIRED = "expired", pgettext_lazy("kit state", "Expired")


KIT_MOVES: dict[KitState, frozenset[KitState]] = {
    KitState.CURRENT: frozenset({KitState.OUTDATED, KitState.EXPIRED}),
    KitState.OUTDATED: frozenset(),
    KitState.EXPIRED: frozenset({KitState.OUTDATED}),
}
