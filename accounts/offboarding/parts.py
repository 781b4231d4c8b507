"""What an offboarding counts, is blocked by and takes away: each part registers itself at start-up, so that tenancy knows no product.

    register(Part(name="cells", order=20, title=_("Deployment cells"), count=..., request_removal=..., look=...))

The order is that of removal: what stands on something else goes first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from accounts.models import CloudAccount, User
from portal.operations.catalogue import Text
from portal.operations.states import Party


@dataclass(frozen=True)
class Counted:
    """How many of one thing are there, and the page that lists them."""

    label: str
    number: int
    url: str = ""
    detail: str = ""  # codes
    note: str = ""  # words


@dataclass(frozen=True)
class Blocker:
    """One thing in the way of a start, and the page that mends it."""

    sentence: str
    fix: str
    url: str


@dataclass(frozen=True)
class Cost:
    """What stops costing. `amount` is words; empty where nobody knows."""

    label: str
    amount: str = ""


@dataclass(frozen=True)
class Obstruction:
    """Something that removal has stopped at: what it is, why, and where it is looked into. `url` is a page of ours, `link` the cloud's."""

    name: str
    why: str
    region: str = ""
    made: str = ""  # the cloud's own id
    link: str = ""
    url: str = ""
    act: str = ""  # words of the link to our page
    keep_url: str = ""


# Why a region was not looked at.
ACCESS_ENDED, NOTHING_BUILT = "access_ended", "nothing_built"


@dataclass(frozen=True)
class Look:
    """How far the removal of a part is. With obstructions somebody has to act; `why` is a code of the wait catalogue."""

    is_gone: bool
    on: Party = Party.CLOUD
    why: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    obstructions: Sequence[Obstruction] = ()
    code: str = ""  # of the failure catalogue, for what is stuck
    # Region -> empty where the cloud was asked there, else why it was not.
    swept: Mapping[str, str] = field(default_factory=dict)


GONE = Look(is_gone=True)


@dataclass(frozen=True)
class Remnant:
    """One resource of the cloud and what became of it: `found` (still there), `removed`, `kept`."""

    region: str
    kind: str
    name: str
    made: str
    outcome: str
    link: str = ""
    at: datetime | None = None
    evidence: str = ""
    kept_by: str = ""
    kept_why: str = ""


@dataclass(frozen=True)
class KeptBackup:
    """A backup that stays in the customer's cloud when everything of ours has gone."""

    region: str
    of: str
    location: str
    bytes: int
    sha256: str
    taken_at: datetime


@dataclass(frozen=True)
class OpenedAccess:
    """A support access that was opened in this account, how it ended, and when the cloud refused it; None where no refusal is known."""

    case: str
    engineer: str
    opened_at: datetime
    ended_as: str
    ended_at: datetime | None
    refused_at: datetime | None


def _none(account: CloudAccount) -> Sequence[Any]:
    return ()


@dataclass(frozen=True)
class Part:
    """Every function takes the account; none but `look` asks a cloud, and that only where `asks_cloud` says so."""

    name: str
    order: int
    title: Text
    count: Callable[[CloudAccount], Sequence[Counted]] = _none
    blockers: Callable[[CloudAccount], Sequence[Blocker]] = _none
    costs: Callable[[CloudAccount], Sequence[Cost]] = _none
    # Seconds, low and high, from history; None where nobody has measured it.
    usual: Callable[[CloudAccount], tuple[float, float] | None] = lambda _account: None
    # What it is set up as, for the file that a customer keeps.
    configuration: Callable[[CloudAccount], Sequence[Any]] = _none
    # Idempotent: asked at every look, of what is not asked for yet.
    request_removal: Callable[[CloudAccount, User], None] = lambda _account, _by: None
    look: Callable[[CloudAccount], Look] = lambda _account: GONE
    remainder: Callable[[CloudAccount], Sequence[Remnant]] = _none
    backups: Callable[[CloudAccount], Sequence[KeptBackup]] = _none
    accesses: Callable[[CloudAccount], Sequence[OpenedAccess]] = _none
    # Every region in which something of it ever was.
    regions: Callable[[CloudAccount], Sequence[str]] = _none
    # Looked for in the cloud itself once everything else is gone; its `look` raises CloudError.
    asks_cloud: bool = False
    # Whether something of it is there that only we can take away: then the trust has to hold.
    needs_trust: Callable[[CloudAccount], bool] = lambda _account: False


_PARTS: list[Part] = []


def register(part: Part) -> None:
    _PARTS.append(part)
    _PARTS.sort(key=lambda one: one.order)


def parts() -> Sequence[Part]:
    return tuple(_PARTS)
