"""What a person asks for on the way to a connected account. Each: check, write rows and one event, queue after commit."""

from collections.abc import Callable, Mapping
from contextlib import suppress

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import kits
from accounts.actions.trust import look_now
from accounts.availability import (
    same_account,
    why_not_as_staff,
    why_not_discard,
    why_not_edit,
    why_not_issue_kit,
    why_not_name,
    why_not_stop,
)
from accounts.holds import hold_open
from accounts.kits.base import Report
from accounts.kits.recovery import recovery_of
from accounts.models import CloudAccount, Kit, Organisation, TrustWatch, User
from accounts.models.cloud_accounts import KIT_LIFETIME, Cloud
from accounts.states import TRUSTED_KIT_STATES, AccountState, KitState
from accounts.transitions import move_account, renewal_of, retire_kits, subject_of
from portal.audit import Actor, Subject, record
from portal.operations.actions import cancel_live, request_check, request_retry
from portal.operations.availability import NotAllowed, refuse_if, why_not_check, why_not_retry
from portal.operations.engine import start
from portal.operations.models import Operation
from portal.operations.transitions import LostRace

CONNECT = "connect_cloud_account"
REPORTED_CHARACTERS = 300


class DuplicateAccount(Exception):
    """This organisation already has the account: `existing` is it."""

    def __init__(self, existing: CloudAccount) -> None:
        super().__init__(existing.pk)
        self.existing = existing


class DraftChanged(Exception):
    """Somebody has changed the draft since the page was opened. Nothing was saved."""


def start_draft(*, organisation: Organisation, cloud: Cloud, by: User) -> CloudAccount:
    """Raises NotAllowed in an organisation that has closed."""
    with transaction.atomic():
        hold_open(organisation.pk)
        account = CloudAccount.objects.create(organisation=organisation, cloud=cloud, created_by=by)
        _record(account, "draft_started", by=by, cloud=cloud.value)
    return account


def choose_cloud(account: CloudAccount, *, cloud: Cloud, by: User) -> None:
    """Another cloud for a draft. What was said of the account belongs to the cloud of before; its name stays. Raises NotAllowed."""
    with transaction.atomic():
        locked = _lock(account, why_not_edit)
        if locked.cloud == cloud:
            return
        changes = {"cloud": [locked.cloud, cloud.value], "account_number": [locked.external_id, ""], "region": [locked.home_region, ""]}
        locked.cloud, locked.external_id, locked.identity, locked.home_region = cloud, "", {}, ""
        locked.wizard_step = "account"
        locked.save(update_fields=["cloud", "external_id", "identity", "home_region", "wizard_step"])
        _record(locked, "details_saved", by=by, **changes)


def save_identity(
    account: CloudAccount, *, name: str, external_id: str, identity: Mapping[str, str] | None = None, by: User, seen: str = ""
) -> None:
    """Name and id of the account, and what else tells it apart. Raises NotAllowed, DuplicateAccount, DraftChanged.

    `seen` is the mark of the answers that the page showed, where there was a page.
    """
    try:
        with transaction.atomic():
            locked = _lock(account, why_not_edit)
            _require_unchanged(locked, seen)
            changes = {"name": [locked.name, name], "account_number": [locked.external_id, external_id]}
            changes |= {key: [locked.identity.get(key, ""), value] for key, value in (identity or {}).items()}
            locked.name, locked.external_id, locked.identity = name, external_id, dict(identity or {})
            _save_draft(locked, "place", "name", "external_id", "identity")
            _record(locked, "details_saved", by=by, **changes)
    except IntegrityError as error:
        existing = same_account(account, external_id)
        if existing is None:
            refuse_if(why_not_name(account.organisation, name, but=account))
            raise
        raise DuplicateAccount(existing) from error


def save_place(account: CloudAccount, *, region: str, by: User, seen: str = "") -> None:
    """The region the kit runs in; `seen` as for `save_identity`. Raises NotAllowed, DraftChanged."""
    with transaction.atomic():
        locked = _lock(account, why_not_edit)
        _require_unchanged(locked, seen)
        changes = {"region": [locked.home_region, region]}
        locked.home_region = region
        _save_draft(locked, "review", "home_region")
        _record(locked, "details_saved", by=by, **changes)


def accept_review(account: CloudAccount, *, by: User) -> None:
    """The customer has read what the kit makes and may do. Raises NotAllowed."""
    refuse_if(why_not_as_staff(by))
    kit = kits.load(account.cloud)
    with transaction.atomic():
        locked = _lock(account, why_not_edit)
        _save_draft(locked, "preflight")
        _record(locked, "kit_reviewed", by=by, kit_version=kit.version, kit_hash=kit.content_hash)


def issue_kit(account: CloudAccount, *, after_generation: int, by: User, identity: Mapping[str, str] | None = None) -> None:
    """Make a kit, the next generation, and start watching for it. An earlier kit and its trust end here. Raises NotAllowed.

    `identity` tells where a disconnected account belongs now, when it was made anew.
    `after_generation` is the newest generation the page showed (0 for none): a second click finds it overtaken and changes nothing.
    """
    refuse_if(why_not_as_staff(by))
    with transaction.atomic():
        account = _lock(account, why_not_issue_kit)
        if newest_generation(account) != after_generation:
            return
        cancel_live(subject_of(account), by=by, is_recorded=False)
        account.refresh_from_db()
        if identity is not None and account.state == AccountState.DISCONNECTED:
            account.identity = dict(identity)
            account.save(update_fields=["identity"])
        retire_kits(account)
        kit = next_kit(account, by=by)
        details = {"generation": kit.generation, "kit_version": kit.version, "kit_hash": kit.content_hash}
        _account_waits(account, by=by, details=details)
        start(
            kind=CONNECT,
            subject=subject_of(account),
            organisation_id=account.organisation_id,
            by=by,
            idempotency_key=f"{CONNECT}:{kit.pk}",
            data={"account": str(account.pk), "kit": str(kit.pk), "cloud": account.cloud},
            is_recorded=False,
        )


def report_kit(account: CloudAccount, *, report: Report, by: Actor) -> None:
    """The customer says what its kit made, or a colleague with a link does: looked at now. Raises NotAllowed."""
    kit = _awaited(account)
    if kit is None:
        raise NotAllowed(_("This account is not waiting for a kit."))
    _keep_report(kit, {**report.values, "external_id": report.external_id, "region": report.region}, by=by)


def take_up(subject: Subject, *, by: User) -> None:
    """What was pasted for an attempt that has failed is looked at now: the failed step is tried again with it."""
    operation = Operation.objects.for_subject(subject.kind, subject.id).newest_first().first()
    if operation and not why_not_retry(operation):
        with suppress(LostRace):  # somebody else has just pressed Retry, which does the same
            request_retry(operation, by=by)


def report_kit_itself(kit: Kit, *, report: Report) -> bool:
    """The kit's own last line says what it made. False when nobody waits for it any more, or it said so before.

    Where it says it stands is not kept: anybody who has seen its command can send this, and a person's attempt must not end by it.
    """
    is_awaited = kit.state == KitState.CANDIDATE or kit.account.state in {AccountState.WAITING_FOR_KIT, AccountState.FAILED}
    said = dict(report.values)
    if not is_awaited and _is_of_recovery(kit, report):
        is_awaited, said = True, {**kit.reported, **said}
    if not is_awaited and _may_be_of_another_region(kit):
        return look_now(kit.account)
    if not is_awaited or kit.reported == _plain(said):
        return False
    _keep_report(kit, said, by=Actor.system("kit"))
    return True


def _may_be_of_another_region(kit: Kit) -> bool:
    """A kit that stands is run again to add a region: nothing that is said is kept, the cloud alone tells."""
    return (kit.state, kit.account.state) == (KitState.CURRENT, AccountState.CONNECTED) and bool(kits.load(kit.account.cloud).places_since)


def _is_of_recovery(kit: Kit, report: Report) -> bool:
    """The kit was removed while its account leaves, and somebody brings it back in the very same place.

    Only while it is gone: nothing that is said after the cloud has let us in again leads the last proof to another identity.
    """
    account = kit.account
    if account.state != AccountState.OFFBOARDING or recovery_of(account.cloud) is None:
        return False
    watch = TrustWatch.objects.filter(account=account).first()
    is_gone = watch is not None and watch.is_kit_gone
    tenants = {"", account.identity.get("tenant_id", "")}
    is_here = report.external_id in {"", account.external_id} and report.values.get("tenant_id", "") in tenants
    return is_gone and is_here


def _awaited(account: CloudAccount) -> Kit | None:
    """The kit that somebody may be running at this moment: the one that is to replace another, or the first."""
    candidate = account.kits.filter(state=KitState.CANDIDATE).first()
    if candidate or account.state not in {AccountState.WAITING_FOR_KIT, AccountState.VERIFYING, AccountState.FAILED}:
        return candidate
    return account.kits.filter(state=KitState.CURRENT).first()


def _keep_report(kit: Kit, said: Mapping[str, str], *, by: Actor) -> None:
    """What was said is kept with the kit, and looked at now."""
    account, reported = kit.account, _plain(said)
    subject = renewal_of(account) if kit.state == KitState.CANDIDATE else subject_of(account)
    with transaction.atomic():
        if not Kit.objects.filter(pk=kit.pk, state__in=sorted(TRUSTED_KIT_STATES)).update(reported=reported):
            return
        kit.reported = reported
        if not kit.differing:
            Kit.objects.filter(pk=kit.pk, ran_at=None).update(ran_at=timezone.now())
        record(
            organisation_id=account.organisation_id,
            action="cloud_account.kit_reported",
            actor=by,
            subject=subject_of(account),
            details=reported,
        )
        operation = Operation.objects.live().for_subject(subject.kind, subject.id).first()
        if operation and not why_not_check(operation):
            request_check(operation)
        elif account.state == AccountState.OFFBOARDING:
            TrustWatch.objects.filter(account=account, next_at__gt=timezone.now()).update(next_at=timezone.now())


def _plain(said: Mapping[str, str]) -> dict[str, str]:
    """As the database can hold it: no NUL, no half characters, no more than a line."""
    return {key: text.replace("\0", "").encode(errors="ignore").decode()[:REPORTED_CHARACTERS] for key, text in said.items()}


def stop_connecting(account: CloudAccount, *, by: User) -> None:
    """Back to a draft, or to disconnected: nothing is watched any more and the kit's trust is dead on our side. Raises NotAllowed."""
    with transaction.atomic():
        account = _lock(account, why_not_stop)
        cancel_live(subject_of(account), by=by, is_recorded=False)
        account.refresh_from_db()
        retire_kits(account)
        if not account.was_connected:
            CloudAccount.objects.filter(pk=account.pk).update(wizard_step="review")
        if account.state == account.rests_as:
            _record(account, "connecting_stopped", by=by)
        else:
            move_account(account, account.rests_as, by=Actor.user(by), action="cloud_account.connecting_stopped")


def discard_draft(account: CloudAccount, *, by: User) -> None:
    """Throw a draft away. What it was stays in the activity log. Raises NotAllowed."""
    with transaction.atomic():
        account = _lock(account, why_not_discard)
        _record(account, "draft_discarded", by=by, account_number=account.external_id)
        account.kits.all().delete()
        account.delete()


def newest_generation(account: CloudAccount) -> int:
    """Of the kits issued so far; 0 before the first."""
    newest = account.kits.first()
    return newest.generation if newest else 0


def next_kit(account: CloudAccount, *, by: User, state: KitState = KitState.CURRENT) -> Kit:
    """The next generation, in the version that is shipped now."""
    shipped, current = kits.load(account.cloud), account.kits.filter(state=KitState.CURRENT).first()
    return Kit.objects.create(
        account=account,
        generation=newest_generation(account) + 1,
        places=current.places if current and state == KitState.CANDIDATE else [],
        version=shipped.version,
        content_hash=shipped.content_hash,
        region=account.home_region,
        state=state,
        created_by=by,
        expires_at=timezone.now() + KIT_LIFETIME,
    )


def _account_waits(account: CloudAccount, *, by: User, details: dict[str, object]) -> None:
    CloudAccount.objects.filter(pk=account.pk).update(wizard_step="run")
    account.wizard_step = "run"
    if account.state == AccountState.WAITING_FOR_KIT:
        _record(account, "kit_issued", by=by, **details)
    else:
        move_account(account, AccountState.WAITING_FOR_KIT, by=Actor.user(by), action="cloud_account.kit_issued", details=details)


def _require_unchanged(locked: CloudAccount, seen: str) -> None:
    if seen and seen != locked.answers_mark:
        raise DraftChanged(locked.pk)


def _save_draft(account: CloudAccount, next_step: str, *fields: str) -> None:
    """Save, and remember the furthest step: going back to correct a name does not lose the way."""
    account.wizard_step = furthest(account.wizard_step, next_step)
    account.save(update_fields=[*fields, "wizard_step"])


STEPS = ("terms", "account", "place", "review", "preflight", "run")


def furthest(one: str, other: str) -> str:
    return max(one, other, key=STEPS.index)


def _lock(account: CloudAccount, why_not: Callable[[CloudAccount], str]) -> CloudAccount:
    """The row as it is now: one lock orders a double click, two tabs and a colleague. Raises NotAllowed."""
    locked = CloudAccount.objects.select_for_update().get(pk=account.pk)
    refuse_if(why_not(locked))
    return locked


def _record(account: CloudAccount, what: str, *, by: User, **details: object) -> None:
    record(
        organisation_id=account.organisation_id,
        action=f"cloud_account.{what}",
        actor=Actor.user(by),
        subject=subject_of(account),
        details=details,
    )
