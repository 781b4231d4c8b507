"""A placement in words: what is reused, or what is made first, how long that takes and who pays."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import kits
from accounts.models import CloudAccount
from cells import stacks
from cells.availability import why_no_place
from cells.models import Cell
from cells.placement import Bootstrap, NoPlace, Placement, Reuse
from cells.stacks.base import PlannedPart
from portal.operations.durations import usual_durations

MINUTES = 30  # until there is a history of our own


@dataclass(frozen=True)
class PlaceWords:
    """What the pages of creating an instance say of its place. `parts` only where a cell is made first."""

    kind: str  # of the notice: ok | progress | attention
    sentence: str
    parts: Sequence[PlannedPart] = ()


def place_words(placement: Placement, cloud: str, region: str, account: CloudAccount | None) -> PlaceWords:
    """Where the provider hosts, nothing is said of its cells: they are nobody's to see."""
    if isinstance(placement, NoPlace):
        return PlaceWords("attention", why_no_place(placement.why, account))
    if account is None:
        where = {"region": region, "provider": settings.PROVIDER_NAME}
        return PlaceWords("ok", _("Runs in region %(region)s, in an account of %(provider)s.") % where)
    if isinstance(placement, Bootstrap):
        minutes = usual_minutes()
        sentence = ngettext(
            "First creates a deployment cell in region %(region)s of %(account)s. This adds about %(minutes)s minute and the resources "
            "below. Later instances in that region and account run in the same cell.",
            "First creates a deployment cell in region %(region)s of %(account)s. This adds about %(minutes)s minutes and the resources "
            "below. Later instances in that region and account run in the same cell.",
            minutes,
        )
        made = {"account": account, "region": region, "minutes": minutes}
        return PlaceWords("progress", sentence % made, stacks.load(cloud).parts())
    cell = Cell.objects.get(pk=placement.cell)
    if isinstance(placement, Reuse):
        return PlaceWords("ok", _("Runs in the deployment cell “%(cell)s”, which is there already.") % {"cell": cell})
    return PlaceWords("progress", _("Waits until the deployment cell “%(cell)s” has been created, and then runs in it.") % {"cell": cell})


def usual_minutes() -> int:
    """How long a cell takes: from our own history where there is enough of it."""
    seconds = sum(usual.high for usual in usual_durations("bootstrap_cell").values())
    return round(seconds / 60) or MINUTES


def region_name(cloud: str, region: str) -> str:
    """The region's own name beside its code, where the kit knows it."""
    found = next((one for one in kits.load(cloud).regions if one.code == region), None) if cloud in kits.KITS else None
    return f"{region} · {found.name}" if found else region
