"""For which further regions a customer has run the kit, where one run reaches one region: what a look at the cloud says about it."""

from collections.abc import Sequence

from django.db import transaction

from accounts import kits
from accounts.clouds.base import KitReport, KitStatus
from accounts.environment.needs import STANDING
from accounts.issuer.tokens import KitReplaced
from accounts.models import CloudAccount, Kit, TrustWatch
from accounts.states import KitState, TrustVerdict
from accounts.steps.adapters import adapter_for
from accounts.transitions import subject_of
from portal.audit import Actor, record


def places_now(account: CloudAccount, kit: Kit, report: KitReport) -> list[str]:
    """Further regions of the kit: those it was run for, less those that the customer has given back. Where a cell still stands nothing
    is given back: what is missing there is a loss."""
    standing = {name for tell in STANDING for name in tell(account)}
    given_back = {place for place in report.gone if not any(name.endswith(f"-{place}") for name in standing)}
    return sorted({*kit.places, *report.places} - given_back)


def look_at_places(account: CloudAccount, *, by: Actor) -> None:
    """Ask once more where the kit was run: whoever leaves removes it from all of these regions. Raises CloudError.

    Where the trust does not hold, or access has ended meanwhile, nothing can be asked, and what is known counts.
    """
    kit = account.kits.filter(state=KitState.CURRENT).first()
    holds = TrustWatch.objects.filter(account=account, verdict=TrustVerdict.HOLDS).exists()
    if kit is None or not holds or not kits.load(account.cloud).places_since:
        return
    try:
        report = adapter_for(account, kit, was_trusted=True).describe_kit()
    except KitReplaced:
        return
    if report.status is KitStatus.COMPLETE:
        with transaction.atomic():
            held = CloudAccount.objects.select_for_update(of=("self",)).select_related("organisation").get(pk=account.pk)
            keep_places(held, kit, places_now(held, kit, report), report.begun, by=by)


def keep_places(account: CloudAccount, kit: Kit, places: Sequence[str], begun: Sequence[str], *, by: Actor) -> None:
    """Write down where it stands and where it was begun: one event for each region that was added or given back."""
    was, now = set(Kit.objects.select_for_update().get(pk=kit.pk).places), set(places)
    Kit.objects.filter(pk=kit.pk).update(begun=sorted(set(begun) - now))
    for row in account.kits.all() if was != now else ():  # what is given back is gone for earlier kits too
        Kit.objects.filter(pk=row.pk).update(places=sorted(now if row.pk == kit.pk else set(row.places) - (was - now)))
    for action, changed in (("region_added", now - was), ("region_given_back", was - now)):
        for place in sorted(changed):
            named, about, details = f"cloud_account.{action}", subject_of(account), {"region": place}
            record(organisation_id=account.organisation_id, action=named, actor=by, subject=about, details=details)
