"""State machines of a cloud account, its kit and its trust: the words, the allowed moves, the sets. Pure Python."""

from enum import StrEnum

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
    # One that was connected before goes back to DISCONNECTED, not to DRAFT, when reconnecting is stopped.
    # And one that is half connected may leave: its kit may have made something already.
    _S.WAITING_FOR_KIT: frozenset({_S.VERIFYING, _S.FAILED, _S.DRAFT, _S.DISCONNECTED, _S.OFFBOARDING}),
    _S.VERIFYING: frozenset({_S.CONNECTED, _S.FAILED, _S.DRAFT, _S.DISCONNECTED, _S.OFFBOARDING}),
    _S.FAILED: frozenset({_S.WAITING_FOR_KIT, _S.VERIFYING, _S.DRAFT, _S.DISCONNECTED, _S.OFFBOARDING}),
    _S.CONNECTED: frozenset({_S.NEEDS_ATTENTION, _S.DISCONNECTED, _S.OFFBOARDING}),
    _S.NEEDS_ATTENTION: frozenset({_S.CONNECTED, _S.DISCONNECTED, _S.OFFBOARDING}),
    _S.DISCONNECTED: frozenset({_S.WAITING_FOR_KIT, _S.OFFBOARDING}),
    # Straight to its end only when it is closed with leftovers.
    _S.OFFBOARDING: frozenset({_S.READY_TO_OFFBOARD, _S.OFFBOARDED}),
    _S.READY_TO_OFFBOARD: frozenset({_S.OFFBOARDED}),
    _S.OFFBOARDED: frozenset(),
}

# Connecting is over and the customer has not left.
PROVEN_STATES = frozenset({_S.CONNECTED, _S.NEEDS_ATTENTION, _S.DISCONNECTED, _S.OFFBOARDING, _S.READY_TO_OFFBOARD})
# Trust was proven at least once: only these claim the cloud's own id for one organisation. One that leaves may never have been connected;
# `connected_at` tells.
CLAIMING_STATES = PROVEN_STATES - {_S.OFFBOARDING, _S.READY_TO_OFFBOARD}
CONNECTING_STATES = frozenset({_S.DRAFT, _S.WAITING_FOR_KIT, _S.VERIFYING, _S.FAILED})
TERMINAL_STATES = frozenset({_S.OFFBOARDED})
LEAVING_STATES = frozenset({_S.OFFBOARDING, _S.READY_TO_OFFBOARD, _S.OFFBOARDED})
# Connected: the trust of these is looked at again and again.
WATCHED_STATES = frozenset({_S.CONNECTED, _S.NEEDS_ATTENTION})
# And of one that is being emptied: without the trust nothing more could be removed there.
LOOKED_AT_STATES = WATCHED_STATES | {_S.OFFBOARDING}


class Use(StrEnum):
    """What our access to the cloud of an account is used for."""

    BUILD = "build"  # something is made or changed
    COMPARE = "compare"  # what stands is read and compared with what was ordered
    CHECK = "check"  # the environment is looked at
    SUPPORT = "support"  # an engineer does what the customer has granted
    REMOVE = "remove"  # what we have made is taken away
    PROVE = "prove"  # whether the cloud lets us in, or refuses us as it should


_U = Use
# The one table: what our access may be used for in each state. Connecting asks with its own kit, before there is an access to use.
ALLOWED_USES: dict[AccountState, frozenset[Use]] = {
    _S.DRAFT: frozenset(),
    _S.WAITING_FOR_KIT: frozenset(),
    _S.VERIFYING: frozenset(),
    _S.FAILED: frozenset(),
    _S.CONNECTED: frozenset(Use),
    # Until the trust is restored, only the cloud's answers are of use.
    _S.NEEDS_ATTENTION: frozenset({_U.CHECK, _U.SUPPORT, _U.PROVE}),
    _S.DISCONNECTED: frozenset(),
    _S.OFFBOARDING: frozenset({_U.REMOVE, _U.PROVE}),
    # Nothing of ours is left: only the end of our access is still to be seen.
    _S.READY_TO_OFFBOARD: frozenset({_U.PROVE}),
    _S.OFFBOARDED: frozenset(),
}
# The customer has switched us off: we change nothing there, whatever the state says.
SWITCHABLE_USES = frozenset({_U.BUILD, _U.REMOVE})


class Obstacle(StrEnum):
    """Why our access to an account is not used."""

    NOT_CONNECTED = "not_connected"
    TRUST_LOST = "trust_lost"
    SWITCHED_OFF = "switched_off"
    DISCONNECTED = "disconnected"
    LEAVING = "leaving"
    OFFBOARDED = "offboarded"


# The customer can end these, and what waits then goes on. After any other one it never does.
PASSING_OBSTACLES = frozenset({Obstacle.TRUST_LOST, Obstacle.SWITCHED_OFF})
_OBSTACLES = {
    _S.NEEDS_ATTENTION: Obstacle.TRUST_LOST,
    _S.DISCONNECTED: Obstacle.DISCONNECTED,
    _S.OFFBOARDING: Obstacle.LEAVING,
    _S.READY_TO_OFFBOARD: Obstacle.LEAVING,
    _S.OFFBOARDED: Obstacle.OFFBOARDED,
}


def obstacle_to(use: Use, state: AccountState, *, is_switched_off: bool) -> Obstacle | None:
    """The one gate to the clouds: what is in the way of this use of an account, or nothing."""
    if use not in ALLOWED_USES[state]:
        return _OBSTACLES.get(state, Obstacle.NOT_CONNECTED)
    return Obstacle.SWITCHED_OFF if is_switched_off and use in SWITCHABLE_USES else None


class KitState(TextChoices):
    # A newer kit that is being verified beside the current one. Both are trusted, until the one takes the other's place or is given up.
    CANDIDATE = "candidate", pgettext_lazy("kit state", "Being verified")
    CURRENT = "current", pgettext_lazy("kit state", "Current")
    OUTDATED = "outdated", pgettext_lazy("kit state", "Replaced")
    EXPIRED = "expired", pgettext_lazy("kit state", "Expired")


KIT_MOVES: dict[KitState, frozenset[KitState]] = {
    KitState.CANDIDATE: frozenset({KitState.CURRENT, KitState.OUTDATED, KitState.EXPIRED}),
    KitState.CURRENT: frozenset({KitState.OUTDATED, KitState.EXPIRED}),
    KitState.OUTDATED: frozenset(),
    KitState.EXPIRED: frozenset({KitState.OUTDATED}),
}
# Tokens are made for these, and their issuer's address answers.
TRUSTED_KIT_STATES = frozenset({KitState.CURRENT, KitState.CANDIDATE})


class TrustVerdict(TextChoices):
    """What the watch over a connected account believes. Two looks apart in time decide: the first one only raises a doubt, or a hope."""

    HOLDS = "holds", pgettext_lazy("verdict on the trust", "Holds")
    DOUBTED = "doubted", pgettext_lazy("verdict on the trust", "In doubt")
    LOST = "lost", pgettext_lazy("verdict on the trust", "Lost")
    RECOVERING = "recovering", pgettext_lazy("verdict on the trust", "Recovering")
    SWITCHED_OFF = "switched_off", pgettext_lazy("verdict on the trust", "Disabled by the customer")


class Sight(StrEnum):
    """What one look found. UNCLEAR: no answer, for which the customer is not to blame; it changes nothing."""

    GOOD = "good"
    BAD = "bad"
    OFF = "off"
    UNCLEAR = "unclear"


_V = TrustVerdict
# verdict -> what a look found -> verdict. From DOUBTED and RECOVERING it goes on only when enough time has passed between the two looks.
TRUST_VERDICTS: dict[TrustVerdict, dict[Sight, TrustVerdict]] = {
    _V.HOLDS: {Sight.GOOD: _V.HOLDS, Sight.BAD: _V.DOUBTED, Sight.OFF: _V.SWITCHED_OFF, Sight.UNCLEAR: _V.HOLDS},
    _V.DOUBTED: {Sight.GOOD: _V.HOLDS, Sight.BAD: _V.LOST, Sight.OFF: _V.SWITCHED_OFF, Sight.UNCLEAR: _V.DOUBTED},
    _V.LOST: {Sight.GOOD: _V.RECOVERING, Sight.BAD: _V.LOST, Sight.OFF: _V.SWITCHED_OFF, Sight.UNCLEAR: _V.LOST},
    _V.RECOVERING: {Sight.GOOD: _V.HOLDS, Sight.BAD: _V.LOST, Sight.OFF: _V.SWITCHED_OFF, Sight.UNCLEAR: _V.RECOVERING},
    _V.SWITCHED_OFF: {Sight.GOOD: _V.HOLDS, Sight.BAD: _V.DOUBTED, Sight.OFF: _V.SWITCHED_OFF, Sight.UNCLEAR: _V.SWITCHED_OFF},
}
# What waits for its second look, and what that look would have to find again.
UNCONFIRMED = {(_V.DOUBTED, Sight.BAD), (_V.RECOVERING, Sight.GOOD)}
