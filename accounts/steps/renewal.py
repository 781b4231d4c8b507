"""Steps of renewing a kit: those of connecting, on a candidate beside the kit in use, and one that puts it in its place.

run_kit -> check_kit -> check_permissions -> check_trust -> check_refusals -> take_over

The account stays connected meanwhile, with the kit that it has. Only `take_over` changes anything, in one transaction.
"""

from dataclasses import replace
from datetime import timedelta

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.availability import why_not_retry_renewing
from accounts.clouds.base import CloudAdapter
from accounts.models import CloudAccount, Kit, TrustChange, TrustCheck, TrustWatch
from accounts.states import WATCHED_STATES, AccountState, KitState, TrustVerdict
from accounts.steps.connect import (
    PARTS,
    VERIFYING_STEPS,
    WORKER,
    names,
    on_account,
    run_kit,
    your_part,
)
from accounts.steps.endings import forget_reported_place, tell, told_of_trust
from accounts.steps.trust_checks import keep_checks
from accounts.targets import probes_of
from accounts.transitions import move_account, move_kit, subject_of
from portal.audit import record
from portal.operations.engine import StepContext
from portal.operations.models import Operation
from portal.operations.outcomes import Done, Fail, Outcome
from portal.operations.registry import Kind, StepSpec, register
from portal.operations.states import Party

RENEWED = "cloud_account.kit_renewed"
# The pages of renewing that stand for those of connecting.
PAGES = {"connect_waiting": "account_kit_waiting"}


@on_account
def take_over(ctx: StepContext, account: CloudAccount, kit: Kit, adapter: CloudAdapter) -> Outcome:
    """The new kit is the current one and the old one's trust ends: both at once. The trust is proven once more, just now."""
    adapter.probe_trust()
    adapter.check_trust_unedited()
    return Done() if _take_over(ctx, account, kit) else Fail("kit_replaced")


def _take_over(ctx: StepContext, account: CloudAccount, kit: Kit) -> bool:
    """The change, unless an earlier run of the step has made it. False: somebody has given this kit up, or disconnected the account."""
    with transaction.atomic():
        account = CloudAccount.objects.select_for_update().get(pk=account.pk)
        kit = account.kits.get(pk=kit.pk)
        if kit.state == KitState.CURRENT:
            return True
        if kit.state != KitState.CANDIDATE or account.state not in WATCHED_STATES:
            return False
        old = account.kits.filter(state=KitState.CURRENT).first()
        if old is not None:
            move_kit(old, KitState.OUTDATED)
        move_kit(kit, KitState.CURRENT)
        _keep_what_was_found(ctx, account, kit)
        TrustWatch.objects.start(account)
        _mark(account, old, kit)
    return True


def _keep_what_was_found(ctx: StepContext, account: CloudAccount, kit: Kit) -> None:
    """Every permission was held and every wrong sign-in refused, or the steps before would have failed."""
    held = dict.fromkeys(probe.key for probe in probes_of(account, kit, ctx.data.get("switches")))
    keep_checks(account, TrustCheck.Kind.PERMISSION, ((key, True, "") for key in held))
    keep_checks(account, TrustCheck.Kind.REFUSAL, ((name, True, evidence) for name, evidence in ctx.data["refused"].items()))


def _mark(account: CloudAccount, old: Kit | None, kit: Kit) -> None:
    """The account's own state and flag, and the one event of the change."""
    details = {"kit_version": [old.version if old else "", kit.version], "generation": [old.generation if old else 0, kit.generation]}
    if account.state == AccountState.NEEDS_ATTENTION:
        move_account(account, AccountState.CONNECTED, by=WORKER, action=RENEWED, details=details)
    else:
        record(organisation_id=account.organisation_id, action=RENEWED, actor=WORKER, subject=subject_of(account), details=details)
    CloudAccount.objects.filter(pk=account.pk).update(switched_off="", stays_on_kit_until="")


# --- Endings ---------------------------------------------------------------------------------------------------------


def _failed(operation: Operation) -> None:
    account = CloudAccount.objects.select_for_update().get(pk=operation.subject_id)
    if operation.failure_code == "kit_expired":
        for kit in account.kits.filter(state=KitState.CANDIDATE):
            move_kit(kit, KitState.EXPIRED)
    kit = account.kits.get(pk=operation.data["kit"])
    tell(account, operation, "renewal_failed", "accounts:account_kit_waiting", account.pk, kit=kit)


def _succeeded(operation: Operation) -> None:
    account = CloudAccount.objects.select_related("organisation").get(pk=operation.subject_id)
    kit = account.kits.get(pk=operation.data["kit"])
    # The line of history that the watch began with when this kit took over.
    back = account.trust_changes.filter(kind=TrustChange.Kind.TRUST, now=TrustVerdict.HOLDS, at__gte=kit.state_at)
    is_restored = back.filter(was__in=[TrustVerdict.LOST, TrustVerdict.SWITCHED_OFF]).exists()
    also = told_of_trust(account.organisation) if is_restored else set()
    tell(account, operation, "kit_renewed", "accounts:account_kit", account.pk, also=also, kit=kit, is_restored=is_restored)


def _cancelled(operation: Operation) -> None:
    account = CloudAccount.objects.select_for_update().get(pk=operation.subject_id)
    for kit in account.kits.filter(state=KitState.CANDIDATE):
        move_kit(kit, KitState.OUTDATED)


def _retried(operation: Operation) -> None:
    for kit in Kit.objects.filter(pk=operation.data["kit"], state=KitState.CANDIDATE):
        forget_reported_place(kit)


def renewal_names(operation: Operation) -> dict[str, object]:
    """As of connecting, in the wording of a kit that is tried beside one that goes on working."""
    known = names(operation)
    return {**known, "variant": f"{known['variant']}-renewal"}


def your_part_url(operation: Operation) -> str:
    """The page of the new kit, or where its client ids are pasted again. Its number of a project is the account's and stands."""
    page = PARTS.get(operation.waiting_why, ("", "connect_run"))[1]
    url = reverse(f"accounts:{PAGES.get(page, 'account_kit_run')}", args=[operation.organisation.slug, operation.subject_id])
    return f"{url}#report" if page == "connect_waiting" else url


def kits_url(operation: Operation) -> str:
    """The account's kits: what an attempt that is over has left in the cloud is named there."""
    return reverse("accounts:account_kit", args=[operation.organisation.slug, operation.subject_id])


UPDATE = Kind(
    name="renew_kit",
    title=_("Update the kit"),
    steps=(
        StepSpec("run_kit", _("You run the new kit"), run_kit, actor=Party.YOU, budget=timedelta(days=8), patience=timedelta(days=8)),
        *VERIFYING_STEPS,
        StepSpec("take_over", _("The new kit takes over"), take_over, retry_from="check_kit"),
    ),
    on_failed=_failed,
    on_succeeded=_succeeded,
    on_cancelled=_cancelled,
    on_retried=_retried,
    why_not_retry=why_not_retry_renewing,
    subject_url=kits_url,
    your_part=your_part,
    your_part_url=your_part_url,
    names=renewal_names,
    retry_note=_("The new kit is kept, and so is the one in use. Every check is made again."),
    cancel_note=_("The new kit's trust ends at once. The account stays connected with the kit in use."),
)
register(UPDATE)
# The same for a trust that was lost: one act, by the name of its button.
register(replace(UPDATE, name="restore_trust", title=_("Restore the trust")))
