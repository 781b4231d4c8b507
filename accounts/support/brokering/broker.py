"""The broker: what an engineer asks is written first, then done through the grant's door, then its redacted result is written.

    intend (row and event, one transaction)  ->  carry_out (a worker)  ->  the result (row and event, one transaction)

Nothing is started once the grant is ending, and what was running then is cut short: whatever it still answers is dropped.
An act by a cell's agent is handed over when it is asked; its answer comes by `finish` and `fail`.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.clouds.base import CloudError
from accounts.clouds.support import ActResult
from accounts.issuer.seal import SealBroken
from accounts.models import User
from accounts.support.brokering.doors import cloud_for, open_door, opened, standing_door
from accounts.support.clouds import granted, has_support
from accounts.support.models import AccessRequest, Act, Door
from accounts.support.models.sessions import ACTS_UNDER_WAY, ActState, Via
from accounts.support.proof.documents import parse
from accounts.support.rules import acts
from accounts.support.rules.gate import why_closed, why_not_in_time
from accounts.support.states import AccessState
from accounts.support.transitions import record_on
from portal.audit import Actor
from portal.operations.availability import refuse_if
from portal.redaction import REMOVED, without_secrets

BROKER = Actor.worker("support broker")
MOST_OUTPUT, MOST_ERROR = 60_000, 2_000
# An act answers within a minute; a worker that has not written its result after this long is gone.
LONGEST_ACT = timedelta(minutes=3)
REFUSALS = frozenset({"gate_closed", "access_denied", "support_switched_off", "grant_is_over"})
# Who hands an act to a cell's agent, inside the transaction that writes it: the product hangs in here. None: no such act is offered.
TO_AGENT: list[Callable[[Act], None]] = []


# --- Asking ----------------------------------------------------------------------------------------------------------


def offered(request: AccessRequest) -> list[acts.ActKind]:
    """What can be asked for under this grant: allowed by its profile and scope, named in the very text that was approved, and with
    somebody who does it and something to do it to."""
    agreed = frozenset(parse(request.document)["acts"]) if request.document else frozenset()
    kinds = [kind for kind in acts.allowed(request.profile, request.scope_kind) if kind.name in agreed and _can_be_done(request, kind)]
    return [fitted for kind in kinds if (fitted := kind.fitted(request)) is not None]


def _can_be_done(request: AccessRequest, kind: acts.ActKind) -> bool:
    if kind.via == Via.AGENT:
        return bool(TO_AGENT)
    # Reading is about one cell's stack.
    return bool(request.stack) and has_support(request.account.cloud)


def why_not_ask(request: AccessRequest, user: User) -> str:
    if user.pk != request.engineer_id:
        return _("This is the access of another engineer.")
    if request.state != AccessState.ACTIVE:
        return _("This access is not active. Nothing can be done under it.")
    return _("The grant does not allow anything at this moment.") if why_closed(request, timezone.now()) else ""


def intend(row: AccessRequest, name: str, raw: Mapping[str, str], *, by: User) -> Act:
    """Write what is asked for, under the lock of its grant. Raises NotAllowed, BadArgument."""
    refuse_if(why_not_ask(row, by))
    kind = next((one for one in offered(row) if one.name == name), None)
    if kind is None:
        refuse_if(_("This grant does not allow that."))
    assert kind is not None
    act = Act.objects.create(request=row, name=kind.name, arguments=kind.clean(raw), via=kind.via, by=by)
    if kind.via == Via.AGENT:
        for hand_over in TO_AGENT:
            hand_over(act)
    # The log comes last: whoever holds its end waits for nobody.
    _record(act, "support.act_asked", by=Actor.user(by))
    return act


# --- Doing -----------------------------------------------------------------------------------------------------------


def carry_out(pk: UUID) -> bool:
    """Do one act of reading the cloud, unless somebody else does or its grant is ending. True when it was this call's."""
    if not Act.objects.filter(pk=pk, state=ActState.ASKED, via=Via.CLOUD).update(state=ActState.RUNNING, started_at=timezone.now()):
        return False
    act = Act.objects.select_related("request__organisation", "request__account", "request__engineer").get(pk=pk)
    try:
        door, result = _read(act)
    except CloudError as error:
        fail(act, error.code, error.raw)
    except SealBroken:
        fail(act, "seal_broken")
    else:
        finish(act, result, door=door)
    return True


def _read(act: Act) -> tuple[Door, ActResult]:
    """The gate is asked here, and once more where a token is signed."""
    request = act.request
    if reason := why_closed(request, timezone.now()):
        raise CloudError("gate_closed", raw=reason)
    door = _door_of(request)
    cloud = cloud_for(request)
    if act.name not in cloud.acts(request.profile):
        raise CloudError("access_denied", raw=act.name)
    return door, cloud.act(opened(door), granted(request), act.name, act.arguments)


def _door_of(request: AccessRequest) -> Door:
    """The standing door; one that ran out before its grant is opened again."""
    return standing_door(request, timezone.now()) or open_door(request)


# --- The result ------------------------------------------------------------------------------------------------------


def finish(act: Act, result: ActResult, *, door: Door | None = None, redactions: Mapping[str, int] | None = None) -> bool:
    """Keep the redacted result, if the act still stands. False: it was cut short, and nothing of the result is kept."""
    text, struck = _redacted(result.text)
    fields: dict[str, Any] = {
        "door": door,
        "output": text,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "bytes": len(text.encode()),
        "is_cut": result.is_cut or len(result.text) > MOST_OUTPUT,
        "redactions": {**(redactions or {}), **struck},
        "traces": list(result.traces),
    }
    return _write(act, ActState.DONE, "support.act_done", {"sha256": fields["sha256"], "bytes": fields["bytes"]}, **fields)


def fail(act: Act, code: str, raw: str = "") -> bool:
    """The act came to nothing; what refused it says so."""
    state = ActState.REFUSED if code in REFUSALS else ActState.FAILED
    error = without_secrets(raw)[:MOST_ERROR]
    return _write(act, state, f"support.act_{state.value}", {"code": code}, code=code, raw_error=error)


def _redacted(text: str) -> tuple[str, dict[str, int]]:
    """By the portal's own rules, and how often they struck."""
    clean = without_secrets(text)
    struck = clean.count(REMOVED) - text.count(REMOVED)
    return clean[:MOST_OUTPUT], {"secrets": struck} if struck > 0 else {}


def _write(act: Act, state: ActState, action: str, details: Mapping[str, Any], **fields: Any) -> bool:
    """The end of an act and its one event, under the grant's lock: an end that was committed before wins."""
    with transaction.atomic():
        row = AccessRequest.objects.select_for_update().get(pk=act.request_id)
        if row.state != AccessState.ACTIVE or why_not_in_time(row, timezone.now()):
            state, action, details, fields = ActState.CUT_SHORT, "support.act_cut_short", {}, {}
        standing = Act.objects.filter(pk=act.pk, state__in=sorted(ACTS_UNDER_WAY))
        if not standing.update(state=state, finished_at=timezone.now(), **fields):
            return False
        _record(act, action, by=BROKER, **details)
    act.refresh_from_db()
    return state == ActState.DONE


# --- Cutting short ---------------------------------------------------------------------------------------------------


def cut_short(row: AccessRequest) -> None:
    """In the transaction that ends a grant: nothing of it is started any more, and what runs is worth nothing."""
    for act in row.acts.filter(state__in=sorted(ACTS_UNDER_WAY)).select_for_update():
        Act.objects.filter(pk=act.pk).update(state=ActState.CUT_SHORT, finished_at=timezone.now())
        _record(act, "support.act_cut_short", by=BROKER)


def waiting(since: datetime) -> Sequence[UUID]:
    """Acts that were asked for before this moment and not begun: their worker may never have been told."""
    return list(
        Act.objects.filter(state=ActState.ASKED, via=Via.CLOUD, asked_at__lt=since).order_by("asked_at").values_list("pk", flat=True)[:100]
    )


def give_up_lost() -> int:
    """Acts whose worker is gone: never done twice, so they have failed. Returns how many."""
    lost = Act.objects.filter(state=ActState.RUNNING, via=Via.CLOUD, started_at__lt=timezone.now() - LONGEST_ACT)
    acts_lost = list(lost.select_related("request")[:100])
    for act in acts_lost:
        fail(act, "worker_lost")
    return len(acts_lost)


def _record(act: Act, action: str, *, by: Actor, **details: Any) -> None:
    told = {"act": act.name, "act_id": str(act.pk), "via": str(act.via), **details}
    if act.arguments:
        told["arguments"] = dict(act.arguments)
    record_on(act.request, action, by=by, details=told)
