"""State machine of support access, from the request to the proven end of the grant: words, allowed moves, sets. Pure Python."""

from django.db.models import TextChoices
from django.utils.translation import pgettext_lazy


class AccessState(TextChoices):
    CHECKING = "checking", pgettext_lazy("support access", "Being checked")  # by a second person of the provider; the customer sees nothing
    RETURNED = "returned", pgettext_lazy("support access", "Returned")  # to the engineer, with a question of that second person
    REQUESTED = "requested", pgettext_lazy("support access", "Requested")
    MORE_INFO = "more_info", pgettext_lazy("support access", "More information asked")
    APPROVED = "approved", pgettext_lazy("support access", "Approved once")  # one approver of two
    SCHEDULED = "scheduled", pgettext_lazy("support access", "Scheduled")
    ACTIVATING = "activating", pgettext_lazy("support access", "Activating")
    ACTIVE = "active", pgettext_lazy("support access", "Active")
    ENDING = "ending", pgettext_lazy("support access", "Ending")
    EXPIRED = "expired", pgettext_lazy("support access", "Expired")
    REVOKED = "revoked", pgettext_lazy("support access", "Ended early")
    COMPLETED = "completed", pgettext_lazy("support access", "Completed")
    DECLINED = "declined", pgettext_lazy("support access", "Declined")
    WITHDRAWN = "withdrawn", pgettext_lazy("support access", "Withdrawn")
    LAPSED = "lapsed", pgettext_lazy("support access", "Not decided in time")
    ACTIVATION_FAILED = "activation_failed", pgettext_lazy("support access", "Could not be opened")
    CLOSE_FAILED = "close_failed", pgettext_lazy("support access", "End not confirmed")


_A = AccessState
ACCESS_MOVES: dict[AccessState, frozenset[AccessState]] = {
    _A.CHECKING: frozenset({_A.RETURNED, _A.REQUESTED, _A.WITHDRAWN, _A.LAPSED}),
    _A.RETURNED: frozenset({_A.CHECKING, _A.WITHDRAWN, _A.LAPSED}),
    _A.REQUESTED: frozenset({_A.MORE_INFO, _A.APPROVED, _A.SCHEDULED, _A.DECLINED, _A.WITHDRAWN, _A.LAPSED}),
    # What the engineer adds is checked by a second person once more.
    _A.MORE_INFO: frozenset({_A.CHECKING, _A.DECLINED, _A.WITHDRAWN, _A.LAPSED}),
    _A.APPROVED: frozenset({_A.REQUESTED, _A.SCHEDULED, _A.MORE_INFO, _A.DECLINED, _A.WITHDRAWN, _A.LAPSED}),
    # From here on it is a grant. One that starts now is scheduled for now.
    _A.SCHEDULED: frozenset({_A.ACTIVATING, _A.REVOKED, _A.COMPLETED, _A.EXPIRED}),
    # Whatever was begun in the cloud is shut in the cloud: only ENDING leads to an end.
    _A.ACTIVATING: frozenset({_A.ACTIVE, _A.ENDING, _A.ACTIVATION_FAILED}),
    _A.ACTIVE: frozenset({_A.ENDING}),
    _A.ENDING: frozenset({_A.EXPIRED, _A.REVOKED, _A.COMPLETED, _A.ACTIVATION_FAILED, _A.CLOSE_FAILED}),
    _A.CLOSE_FAILED: frozenset({_A.ENDING}),
    _A.EXPIRED: frozenset(),
    _A.REVOKED: frozenset(),
    _A.COMPLETED: frozenset(),
    _A.DECLINED: frozenset(),
    _A.WITHDRAWN: frozenset(),
    _A.LAPSED: frozenset(),
    _A.ACTIVATION_FAILED: frozenset(),
}
# The customer may know of it.
SHOWN_TO_CUSTOMER = frozenset(set(AccessState) - {_A.CHECKING, _A.RETURNED})
WAITS_FOR_CUSTOMER = frozenset({_A.REQUESTED, _A.APPROVED})
# Silence turns these into LAPSED.
LAPSING = frozenset({_A.CHECKING, _A.RETURNED, _A.REQUESTED, _A.MORE_INFO, _A.APPROVED})
# Somebody of the provider may reach the customer's cloud, or may still: the shield says so on every page.
OPEN = frozenset({_A.ACTIVATING, _A.ACTIVE, _A.ENDING, _A.CLOSE_FAILED})
GRANTED = OPEN | {_A.SCHEDULED}
OVER = frozenset({_A.EXPIRED, _A.REVOKED, _A.COMPLETED, _A.DECLINED, _A.WITHDRAWN, _A.LAPSED, _A.ACTIVATION_FAILED})
WITH_RECEIPT = frozenset({_A.EXPIRED, _A.REVOKED, _A.COMPLETED})


class Profile(TextChoices):
    """From least to most."""

    DIAGNOSE = "diagnose", pgettext_lazy("support profile", "Diagnose")
    LOGS = "logs", pgettext_lazy("support profile", "Logs")
    OPERATE = "operate", pgettext_lazy("support profile", "Operate")
    REPAIR = "repair", pgettext_lazy("support profile", "Repair")


# Two different approvers, unless the organisation's own policy is stricter still.
WRITING_PROFILES = frozenset({Profile.OPERATE, Profile.REPAIR})

PROFILE_ORDER = tuple(Profile)
ENDED_AS = frozenset({_A.EXPIRED, _A.REVOKED, _A.COMPLETED, _A.ACTIVATION_FAILED})


class BundleState(TextChoices):
    REQUESTED = "requested", pgettext_lazy("diagnostic bundle", "Requested")  # by an engineer; the customer has not agreed yet
    COLLECTING = "collecting", pgettext_lazy("diagnostic bundle", "Being collected")
    COLLECTED = "collected", pgettext_lazy("diagnostic bundle", "Ready for you to look through")
    RELEASED = "released", pgettext_lazy("diagnostic bundle", "Released")
    DECLINED = "declined", pgettext_lazy("diagnostic bundle", "Declined")
    FAILED = "failed", pgettext_lazy("diagnostic bundle", "Failed")
    EXPIRED = "expired", pgettext_lazy("diagnostic bundle", "Expired")
    DELETED = "deleted", pgettext_lazy("diagnostic bundle", "Deleted")


_B = BundleState
BUNDLE_MOVES: dict[BundleState, frozenset[BundleState]] = {
    _B.REQUESTED: frozenset({_B.COLLECTING, _B.DECLINED, _B.EXPIRED, _B.DELETED}),
    _B.COLLECTING: frozenset({_B.COLLECTED, _B.FAILED, _B.DELETED}),
    _B.COLLECTED: frozenset({_B.RELEASED, _B.DECLINED, _B.EXPIRED, _B.DELETED}),
    _B.RELEASED: frozenset({_B.EXPIRED, _B.DELETED}),
    _B.DECLINED: frozenset(),
    _B.FAILED: frozenset(),
    _B.EXPIRED: frozenset(),
    _B.DELETED: frozenset(),
}
BUNDLES_UNDER_WAY = frozenset({_B.REQUESTED, _B.COLLECTING, _B.COLLECTED})
