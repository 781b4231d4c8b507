"""What of ours an account holds is taken away and looked for, in order; what is in the way is said, and taken back when it is gone."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.clouds.base import CloudError
from accounts.issuer.tokens import KitReplaced
from accounts.models import CloudAccount, TrustWatch
from accounts.offboarding import proofs
from accounts.offboarding.models import Offboarding
from accounts.offboarding.notices import tell
from accounts.offboarding.parts import ACCESS_ENDED, NOTHING_BUILT, Look, Part, parts
from accounts.offboarding.states import OffboardingState
from accounts.offboarding.transitions import move_offboarding
from accounts.states import ALLOWED_USES, AccountState, Use
from accounts.steps.places import look_at_places
from accounts.targets import cloud_names
from portal.audit import Actor
from portal.audit.details import moment
from portal.operations.engine import StepContext
from portal.operations.models import Operation
from portal.operations.outcomes import Done, Fail, Outcome, Retry, Wait
from portal.operations.states import Party
from portal.redaction import without_secrets

WORKER = Actor.worker("offboarding")
LOOK_EVERY_SECONDS = 10
LOOK_AT_BLOCKED_SECONDS = 30
FADING = timedelta(minutes=3)
# Written by the watch over the trust, and taken back by it alone.
KIT_GONE = "offboarding_kit_gone"
TRUST_CODES = frozenset({KIT_GONE, "offboarding_trust_lost", "offboarding_switched_off"})


def offboarding_of(ctx: StepContext) -> Offboarding:
    return Offboarding.objects.select_related("account__organisation", "organisation", "requested_by").get(pk=ctx.operation.subject_id)


def lock_both(ctx: StepContext) -> tuple[CloudAccount, Offboarding]:
    """The account first, as whoever places an instance there or disconnects it."""
    pk = Offboarding.objects.values_list("account", flat=True).get(pk=ctx.operation.subject_id)
    account = CloudAccount.objects.select_for_update(of=("self",)).select_related("organisation").get(pk=pk)
    row = (
        Offboarding.objects.select_for_update(of=("self",)).select_related("organisation", "requested_by").get(pk=ctx.operation.subject_id)
    )
    row.account = account
    return account, row


def is_ours(ctx: StepContext) -> bool:
    """A worker that lost its lease decides nothing any more."""
    return Operation.objects.live().filter(pk=ctx.operation.pk, fence=ctx.operation.fence).exists()


def remove(ctx: StepContext) -> Outcome:
    """Have each part taken away, in order: each by its own operation, which this one waits on."""
    row = offboarding_of(ctx)
    for part in parts():
        if part.asks_cloud:
            continue
        # What is under way, or was asked for by somebody else a moment ago, is not asked for twice.
        part.request_removal(row.account, row.requested_by)
        look = part.look(row.account)
        if not look.is_gone:
            return _not_gone(ctx, row, part, look)
    _go_on(ctx)
    return Done()


def sweep(ctx: StepContext) -> Outcome:
    """Look by tag in every region that was ever used: what nobody knows of is listed, and never deleted on a guess."""
    row = offboarding_of(ctx)
    if Use.REMOVE not in ALLOWED_USES[AccountState(row.account.state)]:
        return Done()  # ended meanwhile: closed with leftovers
    try:
        look_at_places(row.account, by=WORKER)
    except CloudError as error:
        # Where the cloud does not let us look, what is known counts: nobody is kept from leaving by that.
        if error.retryable and error.code != "trust_refused":
            return _refused(ctx, row, error)
    for part in (part for part in parts() if part.asks_cloud):
        try:
            look = part.look(row.account)
        except CloudError as error:
            return _refused(ctx, row, error)
        except KitReplaced:
            return Retry("access_ended_offboarding")
        _keep_coverage(row, look)
        if not look.is_gone:
            return _left(ctx, row, part, look)
    _go_on(ctx)
    return Done()


def _keep_coverage(row: Offboarding, look: Look) -> None:
    """Where the cloud was asked last, and when. A later look that could not ask takes nothing back."""
    if not look.swept:
        return
    now = moment(timezone.now())
    told = {region: why for region, why in look.swept.items() if why}
    seen = {region: at for region, at in row.swept.items() if at not in {ACCESS_ENDED, NOTHING_BUILT}}
    row.swept = told | seen | {region: now for region, why in look.swept.items() if not why}
    row.save(update_fields=["swept"])


def _left(ctx: StepContext, row: Offboarding, part: Part, look: Look) -> Wait:
    """Clouds go on listing what is gone for a while; after that somebody has to decide about it."""
    if row.state != OffboardingState.STUCK and ctx.waited_for("offboarding_fading") < FADING:
        return Wait(15, on=Party.CLOUD, why="offboarding_fading", params={"count": look.params.get("count", "")})
    return _not_gone(ctx, row, part, look)


def _refused(ctx: StepContext, row: Offboarding, error: CloudError) -> Outcome:
    """A passing refusal is tried again; one that says that our access has ended is the customer's to restore."""
    evidence = without_secrets(error.raw)[: proofs.MOST_EVIDENCE]
    if error.retryable and error.code != "trust_refused":
        return Retry("offboarding_refused", params={"code": error.code}, evidence=evidence)
    if error.code in proofs.IDENTITY_GONE | {"trust_refused", "kit_not_found", "token_refused"}:
        _have_trust_looked_at(row.account)  # which alone decides whether it is lost
        return Wait(LOOK_AT_BLOCKED_SECONDS, on=Party.YOU, why="offboarding_stuck", params={"what": error.code})
    return Fail("offboarding_refused", params={"code": error.code}, evidence=evidence)


def _have_trust_looked_at(account: CloudAccount) -> None:
    now = timezone.now()
    TrustWatch.objects.filter(account=account, next_at__gt=now).update(next_at=now)


def _not_gone(ctx: StepContext, row: Offboarding, part: Part, look: Look) -> Wait:
    if look.obstructions:
        what = ", ".join(one.name for one in look.obstructions[:5])
        code = look.code or "offboarding_stuck"
        be_stuck(ctx, row, code, {**look.params, "what": what}, [asdict(one) for one in look.obstructions])
        return Wait(LOOK_AT_BLOCKED_SECONDS, on=Party.YOU, why="offboarding_stuck", params={"what": what})
    _go_on(ctx)
    params = {"what": str(part.title), **look.params}
    return Wait(LOOK_EVERY_SECONDS, on=look.on, why=look.why or "offboarding_removing", params=params)


def be_stuck(
    ctx: StepContext | None, row: Offboarding, code: str, params: Mapping[str, str], obstructions: Sequence[Mapping[str, object]]
) -> None:
    """Say so once, and keep the list of what is in the way up to date."""
    with transaction.atomic():
        held = Offboarding.objects.select_for_update(of=("self",)).select_related("account", "organisation", "requested_by").get(pk=row.pk)
        if ctx is not None and not is_ours(ctx):
            return
        told: dict[str, Any] = {"params": dict(params), "obstructions": [dict(one) for one in obstructions]}
        if held.state == OffboardingState.STUCK:
            if ctx is not None and held.code in TRUST_CODES:
                return  # what fails for want of the trust is no reason of its own: the way back has to stay on the page
            if (held.code, held.params, held.obstructions) != (code, told["params"], told["obstructions"]):
                Offboarding.objects.filter(pk=held.pk).update(code=code, **told)
            return
        if held.has_begun:
            named = {"code": code, "params": {**_plain_names(held.account), **params}}
            move_offboarding(held, OffboardingState.STUCK, by=WORKER, details=named, code=code, **told)
            tell(held, "offboarding_stuck")


def _plain_names(account: CloudAccount) -> dict[str, str]:
    return {name: str(value) for name, value in cloud_names(account.cloud).items()}


def _go_on(ctx: StepContext) -> None:
    """What was in the way is not any more. Where the trust is what is missing, the watch over it decides."""
    with transaction.atomic():
        _account, row = lock_both(ctx)
        if row.state == OffboardingState.STUCK and row.code not in TRUST_CODES and is_ours(ctx):
            move_offboarding(row, OffboardingState.IN_PROGRESS, by=WORKER)
