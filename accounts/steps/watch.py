"""The watch over connected accounts: one look at one account's trust, and what it changes.

    claim -> look (outside any transaction) -> judge and write, guarded by the fence

A loss counts once a second look some minutes later finds it again, and so does a recovery. What is the provider's or the cloud's fault
(throttling, a fault of theirs, our issuer out of reach) changes nothing for the customer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from accounts import kits
from accounts.clouds.base import (
    ALLOW_CREATION,
    CloudAdapter,
    CloudError,
    KitReport,
    KitStatus,
    PermissionResult,
    RefusalResult,
    is_off,
    require_current_kit,
)
from accounts.issuer.tokens import KitReplaced
from accounts.kits.recovery import RecoveryKit, is_recovery, recovery_of
from accounts.mail import absolute_url, queue_mail
from accounts.models import CloudAccount, Kit, TrustChange, TrustWatch
from accounts.models.cloud_accounts import SwitchedOff
from accounts.models.trust import AFTER_DELETION, REFUSALS_EVERY, spread
from accounts.states import LOOKED_AT_STATES, TRUST_VERDICTS, UNCONFIRMED, AccountState, KitState, Sight, TrustVerdict
from accounts.steps.adapters import adapter_for, recovering_adapter
from accounts.steps.endings import told_of_trust
from accounts.steps.places import keep_places, places_now
from accounts.steps.promises import require_promises, require_refused
from accounts.steps.trust_checks import keep_permissions, keep_refusals, what_is_missing
from accounts.targets import cloud_names, probes_of, target_of
from accounts.transitions import move_account, subject_of
from portal.audit import Actor, record
from portal.operations.catalogue import failure_text
from portal.redaction import without_secrets

log = structlog.get_logger()
WATCHER = Actor.worker("trust watch")
# Longer than a look can take: its task is stopped before.
LEASE = timedelta(minutes=6)
RING_AGAIN_AFTER = timedelta(minutes=2)
RING_BATCH = 200
# While something is wrong, or switched off, the customer is at work on it.
LOOK_AGAIN_SOON = timedelta(minutes=10)
LOOK_AGAIN_UNCLEAR = timedelta(minutes=2)
RECOVERY_AFTER = timedelta(minutes=1)
A_MOMENT = timedelta(seconds=2)
# A stack that is being updated answers "not finished"; one that stays so has been left half done.
UNFINISHED_FOR = timedelta(hours=2)
MAX_EVIDENCE = 10_000
# The customer's cloud answered, and the answer is that the trust is not what was verified. Any other code is nobody's loss.
LOSSES = frozenset({
    "access_denied", "account_deleted", "account_disabled", "account_recreated", "api_disabled", "boundary_removed", "conditional_access",
    "denied_by_organisation", "identity_disabled", "key_found", "kit_deleting", "kit_failed", "kit_generation_wrong", "kit_not_finished",
    "kit_not_found", "kit_of_another_account", "kit_version_wrong", "perimeter_denied", "permission_missing", "policy_edited",
    "provider_deleted", "provider_not_registered", "region_disabled", "role_deleted", "token_refused", "too_much_granted",
    "trust_policy_edited", "trust_refused", "trust_too_wide", "wrong_account", "wrong_region", "wrong_tenant",
})  # fmt: skip
# What only the slower part of a look finds: looked for at every look while it is so.
TOO_WIDE = frozenset({"too_much_granted", "trust_too_wide"})
# Hear each verdict on an account that is being emptied, in the transaction that writes it: the seam for offboarding.
WHILE_LEAVING: list[Callable[[TrustWatch], None]] = []


@dataclass(frozen=True)
class Look:
    """What one look found. `permissions` and `refusals` are None where it did not get that far."""

    sight: Sight
    code: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    evidence: str = ""
    switches: Mapping[str, str] | None = None
    places: Sequence[str] | None = None
    begun: Sequence[str] = ()
    permissions: Sequence[PermissionResult] | None = None
    refusals: Sequence[RefusalResult] | None = None


# --- Whose turn it is ------------------------------------------------------------------------------------------------


def take_due() -> list[UUID]:
    """Ids of accounts to look at now, each for one bell. Two rounds at once take different ones; a lost bell rings again."""
    with transaction.atomic():
        due = TrustWatch.objects.due().select_for_update(skip_locked=True).order_by("next_at")
        found = list(due.values_list("pk", flat=True)[:RING_BATCH])
        TrustWatch.objects.filter(pk__in=found).update(next_at=Now() + RING_AGAIN_AFTER)
    return found


def claim(watch_id: UUID) -> TrustWatch | None:
    """The watch with its account, held for one look; None while somebody else looks, or when it is watched no more."""
    with transaction.atomic():
        free = TrustWatch.objects.free().filter(pk=watch_id, next_at__isnull=False)
        watch = free.select_for_update(skip_locked=True).first()
        if watch is None:
            return None
        TrustWatch.objects.filter(pk=watch.pk).update(lease_until=Now() + LEASE, next_at=Now() + LEASE, fence=F("fence") + 1)
        return TrustWatch.objects.select_related("account__organisation").get(pk=watch.pk)


def watch_once(watch_id: UUID) -> None:
    """One look at one account. Safe to ask for twice: the second finds it held, and what a lost worker still answers is ignored."""
    watch = claim(watch_id)
    if watch is None:
        return
    kit = watch.account.kits.filter(state=KitState.CURRENT).first()
    if kit is None or watch.account.state not in LOOKED_AT_STATES:
        TrustWatch.objects.stop(watch.account)
        return
    started_at = timezone.now()
    found = look(watch, kit)
    if found is not None:
        _write(watch, kit, found, started_at=started_at)


# --- Looking ---------------------------------------------------------------------------------------------------------


def look(watch: TrustWatch, kit: Kit) -> Look | None:
    """Ask the cloud, changing nothing. None when the kit was replaced meanwhile: there is nothing to say about it."""
    try:
        return _ask(watch, kit, adapter_for(watch.account, kit, was_trusted=True))
    except KitReplaced:
        return None
    except CloudError as error:
        return _of_error(watch, error)


def _ask(watch: TrustWatch, kit: Kit, adapter: CloudAdapter) -> Look:
    target = target_of(watch.account, kit)
    adapter.probe_trust()
    report = adapter.describe_kit()
    if report.status == KitStatus.DELETING:
        return Look(Sight.OFF, SwitchedOff.KIT, evidence=report.detail, switches=report.switches)
    places = places_now(watch.account, kit, report)
    if places != kit.places:
        kit.places = places
        target, adapter = target_of(watch.account, kit), adapter_for(watch.account, kit, was_trusted=True)
    small = _recovery_kit(watch.account, report)
    if small is not None:
        target, adapter = recovering_adapter(watch.account, kit, small)
    try:
        require_current_kit(report, target)
    except CloudError as error:
        if error.code != "changes_switched_off":
            raise
        _compare(watch, kit, adapter, small)
        return Look(Sight.OFF, SwitchedOff.CHANGES, switches=report.switches, places=places, begun=report.begun)
    asked = small.probes(target) if small else probes_of(watch.account, kit, report.switches)
    permissions = adapter.check_permissions(asked)
    seen = Look(Sight.GOOD, switches=report.switches, places=places, begun=report.begun, permissions=permissions)
    if missing := what_is_missing(permissions):
        return replace(seen, sight=Sight.BAD, code=missing.code, params=missing.params, evidence=missing.raw)
    _compare(watch, kit, adapter, small)
    is_new = small is not None and not is_off(watch.switches, ALLOW_CREATION)
    if is_new or watch.refusals_at is None or watch.refusals_at <= timezone.now() - REFUSALS_EVERY or watch.code in TOO_WIDE:
        if small is not None:
            require_refused(adapter, small.forbidden_probes(target))
        else:
            require_promises(watch.account, kit, adapter)
        seen = replace(seen, refusals=adapter.check_refusals())
    return replace(seen, **_accepted(seen.refusals or ()))


def _recovery_kit(account: CloudAccount, report: KitReport) -> RecoveryKit | None:
    """In the place of the issued kit it is good for one thing, the removal: under an account that stays it is a wrong version."""
    return recovery_of(account.cloud) if account.state == AccountState.OFFBOARDING and is_recovery(report) else None


def _compare(watch: TrustWatch, kit: Kit, adapter: CloudAdapter, small: RecoveryKit | None) -> None:
    """The trust is as its own version shipped it. Of a version that nobody kept only the permissions are compared."""
    if small is not None or kits.load(watch.account.cloud).keeps(kit.version):
        adapter.check_trust_unedited()


def _accepted(refusals: Sequence[RefusalResult]) -> dict[str, Any]:
    names = [result.name for result in refusals if not result.is_refused]
    return {"sight": Sight.BAD, "code": "trust_too_wide", "params": {"names": ", ".join(names)}} if names else {}


def _of_error(watch: TrustWatch, error: CloudError) -> Look:
    if watch.account.switched_off == SwitchedOff.KIT and error.code in AFTER_DELETION:
        return Look(Sight.OFF, SwitchedOff.KIT, evidence=error.raw)
    is_loss = error.code in LOSSES
    if error.code == "kit_not_finished":
        is_loss = watch.unclear_code == error.code and _is_past(watch.unclear_since, UNFINISHED_FOR)
    if error.code == "token_refused":
        is_loss = not _is_refused_everywhere(watch)
    return Look(Sight.BAD if is_loss else Sight.UNCLEAR, error.code, dict(error.params), error.raw)


def _is_past(moment: datetime | None, after: timedelta) -> bool:
    return moment is not None and timezone.now() - moment >= after


def _is_refused_everywhere(watch: TrustWatch) -> bool:
    """Our token was not accepted here. If it is accepted in no other account of this cloud either, the fault is ours."""
    others = TrustWatch.objects.exclude(pk=watch.pk).filter(account__cloud=watch.account.cloud, next_at__isnull=False)
    if watch.verdict == TrustVerdict.DOUBTED and others.exists():
        # What they answered before the doubt says nothing about our tokens of now.
        since = others.filter(last_try_at__gt=watch.since)
        return not since.filter(unclear_since=None).exclude(code="token_refused").exists()
    lately = others.filter(last_try_at__gt=timezone.now() - 2 * settings.TRUST_LOOK_EVERY)
    return lately.exists() and not lately.filter(unclear_since=None).exclude(code="token_refused").exists()


# --- What it changes -------------------------------------------------------------------------------------------------


def _write(watch: TrustWatch, kit: Kit, found: Look, *, started_at: datetime) -> None:
    """Verdict, history, the account's state, event and mail in one transaction. Locks go account, watch, log."""
    with transaction.atomic():
        account = CloudAccount.objects.select_for_update(of=("self",)).select_related("organisation").get(pk=watch.account_id)
        held = TrustWatch.objects.select_for_update().filter(pk=watch.pk, fence=watch.fence).first()
        if held is None or account.state not in LOOKED_AT_STATES or not account.kits.filter(pk=kit.pk, state=KitState.CURRENT).exists():
            return
        held.account = account
        _keep(held, found, started_at)
        if found.places is not None and found.sight != Sight.BAD:
            keep_places(account, kit, found.places, found.begun, by=WATCHER)
        held.lease_until = None
        held.last_try_at = started_at
        # Asked for while this look was under way: the answer may be older than what was mended, so look once more.
        is_asked_again = held.asked_at is not None and held.asked_at > started_at
        held.next_at = timezone.now() + (timedelta() if is_asked_again else _pause(held))
        held.save()


def _keep(watch: TrustWatch, found: Look, at: datetime) -> None:
    if found.sight == Sight.UNCLEAR:
        watch.unclear_since = watch.unclear_since if watch.unclear_code == found.code and watch.unclear_since else at
        watch.unclear_code, watch.unclear_evidence = found.code, _evidence(found)
        log.warning("trust_look_unclear", account=str(watch.account_id), code=found.code)
        return
    watch.unclear_since, watch.unclear_code, watch.unclear_evidence = None, "", ""
    watch.looked_at = at
    watch.switches = dict(found.switches) if found.switches is not None else watch.switches
    if found.refusals is not None:
        watch.refusals_at = at
    verdict = judge(watch, found, at)
    if verdict == TrustVerdict.LOST and watch.lost_since is None:
        watch.lost_since = watch.since  # the first of the two looks
    if verdict in {TrustVerdict.HOLDS, TrustVerdict.LOST}:
        _keep_checks(watch.account, found, watch.lost_since or at)
    _settle(watch, found, verdict, watch.lost_since if verdict == TrustVerdict.LOST and watch.lost_since else at)
    if verdict in {TrustVerdict.HOLDS, TrustVerdict.SWITCHED_OFF}:
        watch.lost_since = None
    _carry_over(watch)
    if found.sight == Sight.GOOD:
        CloudAccount.objects.filter(pk=watch.account_id).update(last_contact_at=at)


def judge(watch: TrustWatch, found: Look, at: datetime) -> TrustVerdict:
    """The verdict after this look: a doubt and a hope wait for a look that comes late enough to be a second one."""
    was = TrustVerdict(watch.verdict)
    pause = RECOVERY_AFTER if was == TrustVerdict.RECOVERING else settings.TRUST_CONFIRM_AFTER
    # A little early is on time: the clocks of a database and a worker differ.
    if (was, found.sight) in UNCONFIRMED and at - watch.since < min(pause, settings.TRUST_CONFIRM_AFTER) * 0.9:
        return was
    return TRUST_VERDICTS[was][found.sight]


def _settle(watch: TrustWatch, found: Look, verdict: TrustVerdict, at: datetime) -> None:
    """The watch's own columns, and a line of history for a verdict that counts."""
    code = found.code or ("" if verdict == TrustVerdict.HOLDS else watch.code)
    counts = {TrustVerdict.HOLDS, TrustVerdict.LOST, TrustVerdict.SWITCHED_OFF}
    is_new = verdict != watch.verdict or (verdict in counts and code != watch.code)
    if is_new and verdict in counts:
        # Only what is believed for good is history: a doubt that passes never was anything.
        TrustChange.objects.note(watch.account, verdict, code=code, params=found.params, at=at)
    if verdict != watch.verdict:
        watch.since = at
    watch.verdict, watch.code = verdict, code
    if found.sight != Sight.GOOD or verdict == TrustVerdict.HOLDS:
        watch.params, watch.evidence = dict(found.params), _evidence(found)


def _keep_checks(account: CloudAccount, found: Look, at: datetime) -> None:
    if found.permissions is not None:
        keep_permissions(account, found.permissions, at=at, has_news_only=True)
    if found.refusals is not None:
        keep_refusals(account, found.refusals, at=at)


def _carry_over(watch: TrustWatch) -> None:
    """The account's own state, flag, one event and the mails, where the verdict changes them."""
    account, verdict = watch.account, TrustVerdict(watch.verdict)
    if verdict == TrustVerdict.LOST and account.state == AccountState.CONNECTED:
        details = {"code": watch.reason, "params": _named(watch)}
        move_account(
            account, AccountState.NEEDS_ATTENTION, by=WATCHER, action="cloud_account.trust_lost", code=watch.reason, details=details
        )
        _tell(watch, "trust_lost")
    elif verdict == TrustVerdict.LOST and account.failure_code != watch.reason:
        CloudAccount.objects.filter(pk=account.pk).update(failure_code=watch.reason)
    elif verdict == TrustVerdict.HOLDS and account.state == AccountState.NEEDS_ATTENTION:
        move_account(account, AccountState.CONNECTED, by=WATCHER, action="cloud_account.trust_restored")
        _tell(watch, "trust_restored")
    elif verdict == TrustVerdict.HOLDS and account.switched_off:
        _flag(watch, "", action="cloud_account.switched_on")
        _tell(watch, "switched_on")
    elif verdict == TrustVerdict.SWITCHED_OFF and account.state == AccountState.NEEDS_ATTENTION:
        details = {"code": watch.reason, "params": _named(watch)}
        move_account(account, AccountState.CONNECTED, by=WATCHER, action="cloud_account.switched_off", details=details)
        CloudAccount.objects.filter(pk=account.pk).update(switched_off=watch.code)
        _tell(watch, "switched_off")
    elif verdict == TrustVerdict.SWITCHED_OFF and account.switched_off != watch.code:
        _flag(watch, watch.code, action="cloud_account.switched_off", details={"code": watch.reason, "params": _named(watch)})
        _tell(watch, "switched_off")
    if account.state == AccountState.OFFBOARDING:
        for hear in WHILE_LEAVING:
            hear(watch)


def _flag(watch: TrustWatch, code: str, *, action: str, details: Mapping[str, object] = MappingProxyType({})) -> None:
    account = watch.account
    CloudAccount.objects.filter(pk=account.pk).update(switched_off=code)
    record(organisation_id=account.organisation_id, action=action, actor=WATCHER, subject=subject_of(account), details=details)
    account.switched_off = code


def _named(watch: TrustWatch) -> dict[str, str]:
    """What the sentence about the reason may name, as plain values."""
    return {name: str(value) for name, value in {**cloud_names(watch.account.cloud), **watch.params}.items()}


def _tell(watch: TrustWatch, template: str) -> None:
    """Once to each who hears of it, written in the transaction of what it tells."""
    account = watch.account
    context = {
        "account": account,
        "url": absolute_url("accounts:account_trust", account.organisation.slug, account.pk),
        "failure": failure_text(watch.reason, {**cloud_names(account.cloud), **watch.params}) if watch.code else None,
    }
    for address in sorted(told_of_trust(account.organisation)):
        queue_mail(to=address, template=template, context=context)


def _pause(watch: TrustWatch) -> timedelta:
    """Until the next look: soon while something is open, else one round."""
    every = spread(settings.TRUST_LOOK_EVERY)
    if watch.unclear_since is not None:
        return min(every, max(LOOK_AGAIN_UNCLEAR, timezone.now() - watch.unclear_since))
    match watch.verdict:
        case TrustVerdict.DOUBTED:
            return max(watch.since + settings.TRUST_CONFIRM_AFTER - timezone.now(), A_MOMENT)
        case TrustVerdict.RECOVERING:
            return max(watch.since + min(RECOVERY_AFTER, settings.TRUST_CONFIRM_AFTER) - timezone.now(), A_MOMENT)
        case TrustVerdict.LOST | TrustVerdict.SWITCHED_OFF:
            return min(every, spread(LOOK_AGAIN_SOON))
    return every


def _evidence(found: Look) -> str:
    return without_secrets(found.evidence)[:MAX_EVIDENCE]
