"""Renewing the kit of a connected account: a new generation is run and verified beside the one in use, which stays trusted until then."""

from django.db import transaction

from accounts.actions.connect import newest_generation, next_kit
from accounts.availability import why_not_as_staff, why_not_renew
from accounts.models import CloudAccount, User
from accounts.states import KitState
from accounts.transitions import move_kit, renewal_of, subject_of
from portal.audit import Actor, record
from portal.operations.actions import cancel_live
from portal.operations.availability import refuse_if
from portal.operations.engine import start

RENEW, RESTORE = "renew_kit", "restore_trust"


def start_renewal(account: CloudAccount, *, after_generation: int, by: User) -> None:
    """Make the next kit and start watching for it. An earlier attempt to renew ends here; the kit in use does not. Raises NotAllowed.

    `after_generation` as for `issue_kit`: a second click finds it overtaken and changes nothing.
    """
    refuse_if(why_not_as_staff(by))
    with transaction.atomic():
        account = _lock(account)
        if newest_generation(account) != after_generation:
            return
        _give_up(account, by=by)
        kit = next_kit(account, by=by, state=KitState.CANDIDATE)
        start(
            kind=RESTORE if account.needs_restoring else RENEW,
            subject=renewal_of(account),
            organisation_id=account.organisation_id,
            by=by,
            idempotency_key=f"{RENEW}:{kit.pk}",
            data={"account": str(account.pk), "kit": str(kit.pk), "cloud": account.cloud},
            is_recorded=False,
        )
        _record(account, "renewal_started", by=by, generation=kit.generation, kit_version=kit.version, kit_hash=kit.content_hash)


def stop_renewal(account: CloudAccount, *, by: User) -> None:
    """Keep the kit in use and give the new one up: its trust ends at once. Nothing to give up changes nothing."""
    with transaction.atomic():
        account = CloudAccount.objects.select_for_update().get(pk=account.pk)
        if _give_up(account, by=by):
            _record(account, "renewal_stopped", by=by)


def stay_on_kit(account: CloudAccount, *, version: str, by: User) -> None:
    """Do not offer this version again; a newer one is. Raises NotAllowed."""
    with transaction.atomic():
        account = _lock(account)
        if account.stays_on_kit_until == version:
            return
        account.stays_on_kit_until = version
        account.save(update_fields=["stays_on_kit_until"])
        _record(account, "stayed_on_kit", by=by, declined=version)


def _give_up(account: CloudAccount, *, by: User) -> bool:
    tried = account.kits.filter(state__in=[KitState.CANDIDATE, KitState.EXPIRED])
    is_anything = tried.exists()
    cancel_live(renewal_of(account), by=by, is_recorded=False)
    for kit in tried:
        move_kit(kit, KitState.OUTDATED)
    return is_anything


def _lock(account: CloudAccount) -> CloudAccount:
    locked = CloudAccount.objects.select_for_update().get(pk=account.pk)
    refuse_if(why_not_renew(locked))
    return locked


def _record(account: CloudAccount, what: str, *, by: User, **details: object) -> None:
    record(
        organisation_id=account.organisation_id,
        action=f"cloud_account.{what}",
        actor=Actor.user(by),
        subject=subject_of(account),
        details=details,
    )
