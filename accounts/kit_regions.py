"""For which regions a kit stands, what adds one, and how one is given back: only where a kit is run for one region at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from accounts import kits
from accounts.availability import why_not_look
from accounts.clouds.base import Target
from accounts.environment.needs import STANDING
from accounts.kit_links import publication, report_url
from accounts.kits.base import CloudKit
from accounts.kits.history import number
from accounts.kits.manifest import Region
from accounts.models import CloudAccount, Kit, TrustWatch
from accounts.states import KitState
from accounts.targets import target_of


@dataclass(frozen=True)
class RegionRow:
    """One region that the kit stands for."""

    region: Region
    is_home: bool
    holds_a_cell: bool
    removal_command: str  # of what the kit made there; empty while it is needed
    is_begun: bool = False  # not all that a cell needs stands there


def has_kit_regions(account: CloudAccount) -> bool:
    """Whether regions are added one by one. Elsewhere one run of the kit reaches all of them."""
    return not kits.load(account.cloud).cell_regions_are_free and account.is_watched


@dataclass
class KitRegions:
    """For the page of one account. `asked` is the region that somebody wants to add, empty before that."""

    account: CloudAccount
    can_connect: bool
    asked: str = ""

    @cached_property
    def kit(self) -> Kit | None:
        return self.account.kits.filter(state=KitState.CURRENT).first()

    @cached_property
    def shipped(self) -> CloudKit:
        return kits.load(self.account.cloud)

    @cached_property
    def watch(self) -> TrustWatch | None:
        return TrustWatch.objects.filter(account=self.account).first()

    @property
    def is_looking(self) -> bool:
        return self.watch is not None and self.watch.is_looking

    @property
    def is_live(self) -> bool:
        """Somebody is running the kit, or a look is under way: the page looks again by itself."""
        return self.is_looking or bool(self.command)

    @cached_property
    def rows(self) -> list[RegionRow]:
        if self.kit is None:
            return []
        standing = [name for tell in STANDING for name in tell(self.account)]
        target = target_of(self.account, self.kit)
        rows = []
        for code in (self.kit.region, *self.kit.places):
            holds = any(name.endswith(f"-{code}") for name in standing)
            is_home = code == self.kit.region
            removal = "" if is_home or holds or not self.can_connect else self.shipped.place_removal_command(target, code)
            rows.append(RegionRow(self._region(code), is_home, holds, removal))
        return [*rows, *(self._begun(target, code) for code in self.kit.begun)]

    def _begun(self, target: Target, code: str) -> RegionRow:
        removal = self.shipped.place_removal_command(target, code) if self.can_connect else ""
        return RegionRow(self._region(code), is_home=False, holds_a_cell=False, removal_command=removal, is_begun=True)

    def _region(self, code: str) -> Region:
        return next((one for one in self.shipped.regions if one.code == code), Region(code, code, False))

    @cached_property
    def others(self) -> Sequence[Region]:
        """What can still be added."""
        taken = {row.region.code for row in self.rows if not row.is_begun}
        return [one for one in self.shipped.regions if one.code not in taken]

    @property
    def why_not(self) -> str:
        """Empty when a region can be added."""
        if self.kit is None:
            return _("This account has no kit in use. Connect it again first.")
        if number(self.kit.version) < number(self.shipped.places_since):
            return _("The kit in use is version %(version)s, which knows one location. Update the kit first.") % {
                "version": self.kit.version
            }
        if self.kit.version != self.shipped.version:
            return _("There is a newer kit than the one in use, %(version)s. Update the kit first.") % {"version": self.kit.version}
        return why_not_look(self.account)

    @property
    def needs_update(self) -> bool:
        return self.kit is not None and self.kit.version != self.shipped.version

    @cached_property
    def wanted(self) -> Region | None:
        """The region that is asked for, while the kit does not stand there."""
        return next((one for one in self.others if one.code == self.asked), None)

    @property
    def is_there(self) -> bool:
        """What was asked for has been found."""
        return any(row.region.code == self.asked and not row.is_begun for row in self.rows)

    @property
    def is_begun(self) -> bool:
        """What was asked for has been found, but not whole."""
        return any(row.region.code == self.asked and row.is_begun for row in self.rows)

    @cached_property
    def command(self) -> str:
        if self.wanted is None or self.kit is None or self.why_not or not self.can_connect:
            return ""
        place = publication(self.account.cloud, report_url=report_url(self.kit))
        return self.shipped.place_command(target_of(self.account, self.kit), place, self.wanted.code)

    @property
    def shell_link(self) -> str:
        return self.shipped.shell_link(target_of(self.account, self.kit), publication(self.account.cloud)) if self.kit else ""

    @property
    def url(self) -> str:
        return regions_url(self.account)


def regions_url(account: CloudAccount) -> str:
    return reverse("accounts:account_kit_regions", args=[account.organisation.slug, account.pk])
