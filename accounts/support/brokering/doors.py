"""Doors of a grant: opening one in the cloud, keeping its secret sealed, and the one source of tokens that may open it."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from accounts import kits
from accounts.clouds import open_support
from accounts.clouds.base import CloudError, TokenSource
from accounts.clouds.support import OpenDoor, SupportCloud
from accounts.issuer.seal import seal, unseal
from accounts.issuer.tokens import KitReplaced, token_source
from accounts.models import Kit
from accounts.support.clouds import current_kit, granted, has_support
from accounts.support.models import AccessRequest, Door, Opening
from accounts.support.rules.gate import ALLOWING, why_closed
from accounts.support.states import OPEN
from accounts.targets import target_of
from portal.operations.tasks import HARD_LIMIT_SECONDS

log = structlog.get_logger()
# No worker's task lives longer, whoever opens: after that a try that nobody has heard of does nothing more.
LONGEST_OPENING = timedelta(seconds=HARD_LIMIT_SECONDS) + timedelta(minutes=1)
# A door that shuts within so short a time is opened again, not used.
SHORTEST_USE = timedelta(seconds=20)


def ask_gate(request: AccessRequest) -> None:
    """Raises CloudError `gate_closed` unless a token may be signed for this grant at this very moment."""
    if reason := why_closed(request, timezone.now()):
        raise CloudError("gate_closed", raw=reason, params={"reason": reason})


def cloud_for(request: AccessRequest) -> SupportCloud:
    """The cloud's side of support access, under the kit in use; of an account that has left, under its newest, which signs nothing more.

    A session that is still open there can be asked with all the same. Raises CloudError where there never was a kit.
    """
    account = request.account
    if not has_support(account.cloud):
        raise CloudError("support_not_offered")
    kit = current_kit(account) or account.kits.order_by("-generation").first()
    if kit is None:
        raise CloudError("kit_missing")
    target = target_of(account, kit, was_trusted=True)
    return open_support(account.cloud, target, tokens_of(request, kit), kits.load(account.cloud).shipped(target))


def tokens_of(request: AccessRequest, kit: Kit) -> TokenSource:
    """Tokens of the operator identity as ever; of the support identity only while the gate is open."""
    source = token_source(kit, before_support=partial(ask_gate, request))

    def mint(*, subject: str, audience: str, claims: Mapping[str, Any] | None = None) -> str:
        try:
            return source(subject=subject, audience=audience, claims=claims)
        except KitReplaced as error:
            # Another kit is in use by now and will be found; or the account has left, and no kit comes.
            raise CloudError("kit_replaced_meanwhile", retryable=current_kit(request.account) is not None) from error

    return mint


def open_door(request: AccessRequest) -> Door:
    """Open the grant's door, or open it again for what is left. Raises CloudError."""
    ask_gate(request)
    cloud = cloud_for(request)
    opening, code = begin_try(request), ""
    try:
        return keep_door(request, cloud.open(granted(request)))
    except CloudError as error:
        code = error.code
        raise
    finally:
        report_try(opening, code, cloud)


def begin_try(request: AccessRequest) -> Opening:
    """Written down before the first call: no end gets its name while this worker may still be on its way. Raises CloudError."""
    with transaction.atomic(durable=True):
        row = AccessRequest.objects.select_for_update().get(pk=request.pk)
        if row.state not in ALLOWING:
            raise CloudError("gate_closed", params={"reason": "not_active"})
        now = timezone.now()
        return Opening.objects.create(request=row, begun_at=now, until=now + LONGEST_OPENING)


def report_try(opening: Opening, code: str, cloud: SupportCloud) -> None:
    """This worker asks for nothing more. What it was given after an end is taken away first; who closes waits for this, and closes too."""
    row = AccessRequest.objects.get(pk=opening.request_id)
    if row.state not in ALLOWING:
        try:
            cloud.close(granted(row))
        except CloudError as error:
            log.warning("support_late_opening_not_closed", request=str(row.pk), state=row.state, code=error.code)
    Opening.objects.filter(pk=opening.pk).update(reported_at=timezone.now(), code=code[:60])


def keep_door(request: AccessRequest, opened: OpenDoor) -> Door:
    """Under the row's lock: an end that came meanwhile finds this door and proves it shut, or nothing of it is kept."""
    with transaction.atomic():
        row = AccessRequest.objects.select_for_update().get(pk=request.pk)
        if row.state not in OPEN:
            raise CloudError("gate_closed", params={"reason": "not_active"})
        now = timezone.now()
        if door := standing_door(row, now):  # somebody was quicker: one session is enough
            return door
        row.doors.standing().update(shut_at=now, sealed_secret="")
        return Door.objects.create(
            request=row,
            handle=opened.handle[:200],
            policy=opened.policy,
            sealed_secret=seal(json.dumps(dict(opened.secret)).encode()),
            opened_at=now,
            expires_at=opened.expires_at,
        )


def standing_door(request: AccessRequest, now: datetime) -> Door | None:
    """The door that can be gone through now."""
    return request.doors.standing().filter(expires_at__gt=now + SHORTEST_USE).first()


def opened(door: Door) -> OpenDoor:
    """With its secret. Raises SealBroken."""
    secret = json.loads(unseal(door.sealed_secret))
    return OpenDoor(door.handle, door.policy, door.expires_at, secret)
