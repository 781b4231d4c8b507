"""Whether a newer kit is there for an account, what it would change, and until when the one in use is supported. Reads rows and files."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

from django.conf import settings
from django.utils import timezone

from accounts import kits
from accounts.kits import history
from accounts.kits.history import Difference
from accounts.models import CloudAccount, Kit
from accounts.states import WATCHED_STATES, KitState


@dataclass
class KitOffer:
    """The kit in use beside the one that is shipped now. `candidate` is the one being tried, if any."""

    account: CloudAccount
    current: Kit | None
    candidate: Kit | None

    @property
    def version(self) -> str:
        return kits.load(self.account.cloud).version

    @property
    def is_outdated(self) -> bool:
        return self.current is not None and history.is_outdated(self.account.cloud, self.current.version)

    @property
    def is_declined(self) -> bool:
        return self.account.stays_on_kit_until == self.version

    @cached_property
    def difference(self) -> Difference | None:
        """None where the version in use was not kept: then all of the new one is there to read."""
        return history.difference(self.account.cloud, self.current.version, self.version) if self.current else None

    @cached_property
    def supported_until(self) -> date | None:
        if self.current is None:
            return None
        return history.supported_until(self.account.cloud, self.current.version, settings.KIT_SUPPORT)

    @property
    def is_support_over(self) -> bool:
        return self.supported_until is not None and self.supported_until < timezone.now().date()

    @property
    def kind(self) -> str:
        return "attention" if self.is_support_over else "neutral"

    @property
    def restores(self) -> bool:
        """The new kit is there to restore a trust, not only to bring news."""
        return self.account.needs_restoring


def kit_offer(account: CloudAccount) -> KitOffer | None:
    """None for an account whose kit cannot be renewed."""
    if account.state not in WATCHED_STATES:
        return None
    found = {kit.state: kit for kit in account.kits.filter(state__in=[KitState.CURRENT, KitState.CANDIDATE])}
    return KitOffer(account, found.get(KitState.CURRENT), found.get(KitState.CANDIDATE))
