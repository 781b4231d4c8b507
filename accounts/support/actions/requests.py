"""What the provider's people do with a request: ask, check, answer, withdraw."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.holds import hold_open
from accounts.models import CloudAccount, Organisation, User
from accounts.support.brokering.bundles import ASKED_FOR, why_not_another, why_not_of
from accounts.support.models import AccessRequest, Bundle, Decision, RequestNote
from accounts.support.rules.availability import (
    is_engineer,
    why_not_ask,
    why_not_check,
    why_not_direct,
    why_not_in_account,
    why_not_revise,
    why_not_withdraw,
)
from accounts.support.rules.policy import decide_by, policy_of
from accounts.support.rules.scopes import Scope
from accounts.support.states import AccessState
from accounts.support.transitions import bundle_subject, move_request, record_on
from accounts.support.wording import notices
from portal.audit import Actor, record
from portal.operations.availability import NotAllowed, refuse_if


@dataclass(frozen=True)
class Wish:
    """What an engineer asks for."""

    scope: Scope
    case: str
    case_url: str
    reason_type: str
    reason: str
    profile: str
    minutes: int
    starts_at: datetime | None
    place: str
    is_direct: bool = False

    def fields(self) -> dict[str, Any]:
        return {
            "account_id": self.scope.account,
            "scope_kind": self.scope.kind,
            "scope_id": self.scope.id,
            "scope_label": self.scope.label,
            "region": self.scope.region,
            "stack": self.scope.stack,
            "case": self.case,
            "case_url": self.case_url,
            "reason_type": self.reason_type,
            "reason": self.reason,
            "profile": self.profile,
            "length": timedelta(minutes=self.minutes),
            "starts_at": self.starts_at,
            "engineer_place": self.place,
            "is_direct": self.is_direct,
        }

    def said(self) -> dict[str, Any]:
        """For the record."""
        return {"case": self.case, "profile": str(self.profile), "minutes": self.minutes, "scope": self.scope.label}


def ask_for_access(*, organisation: Organisation, wish: Wish, by: User) -> AccessRequest:
    """A request that a second person of the provider checks next. Raises NotAllowed for what the customer's rules refuse."""
    policy = policy_of(organisation)
    refuse_if("" if is_engineer(by) else why_not_check(AccessRequest(engineer=by), by))
    refuse_if(_why_not(wish, policy))
    with transaction.atomic():
        hold_open(organisation.pk)
        request = AccessRequest.objects.create(organisation=organisation, engineer=by, decide_by=decide_by(policy), **wish.fields())
        record_on(request, "support.asked", by=Actor.user(by), details={**wish.said(), "organisation": str(organisation)})
    return request


def _why_not(wish: Wish, policy: Any) -> str:
    wished = wish.starts_at or timezone.now()
    if reason := why_not_in_account(wish.scope.account) or (why_not_direct(wish.scope.cloud) if wish.is_direct else ""):
        return reason
    return why_not_ask(policy, minutes=wish.minutes, wished=wished, is_direct=wish.is_direct)


def revise_request(request: AccessRequest, *, wish: Wish, answer: str, by: User) -> None:
    """Answer a question, with changes or without: a second person checks it once more. Approvals so far count no more."""
    with transaction.atomic():
        row = lock(request)
        refuse_if(why_not_revise(row, by) or _why_not(wish, policy_of(row.organisation)))
        is_internal = row.state == AccessState.RETURNED
        changed = _changed(row, wish.fields())
        move_request(
            row,
            AccessState.CHECKING,
            by=Actor.user(by),
            action="support.answered",
            details={"changed": ", ".join(changed)} if changed else {},
            **wish.fields(),
            checked_by=None,
            checked_at=None,
            document="",
            sha256="",
            edition=F("edition") + 1,
        )
        Decision.objects.standing().filter(request=row).update(set_aside_at=timezone.now())
        RequestNote.objects.create(request=row, by=by, text=answer, is_internal=is_internal)
    request.refresh_from_db()


def _changed(row: AccessRequest, fields: Mapping[str, Any]) -> list[str]:
    return [name for name, value in fields.items() if getattr(row, name) != value]


def send_to_customer(request: AccessRequest, *, by: User) -> None:
    """The second pair of eyes agrees: from now on the customer knows of it. Raises NotAllowed, LostRace."""
    with transaction.atomic():
        hold_open(request.organisation_id)
        row = lock(request)
        refuse_if(why_not_check(row, by))
        now = timezone.now()
        policy = policy_of(row.organisation)
        refuse_if(why_not_ask(policy, minutes=row.minutes, wished=row.starts_at or now, is_direct=row.is_direct))
        move_request(
            row,
            AccessState.REQUESTED,
            by=Actor.user(by),
            details={"case": row.case, "profile": row.profile, "minutes": row.minutes, "engineer": str(row.engineer)},
            checked_by=by,
            checked_at=now,
            shown_at=row.shown_at or now,
            decide_by=decide_by(policy),
            policy_version=policy.version,
        )
        notices.tell(row)
    request.refresh_from_db()


def return_to_engineer(request: AccessRequest, *, question: str, by: User) -> None:
    """The second pair of eyes has a question. Raises NotAllowed, LostRace."""
    with transaction.atomic():
        row = lock(request)
        refuse_if(why_not_check(row, by))
        move_request(row, AccessState.RETURNED, by=Actor.user(by))
        RequestNote.objects.create(request=row, by=by, text=question, is_internal=True)
        notices.tell_engineer(row)
    request.refresh_from_db()


def withdraw_request(request: AccessRequest, *, by: User) -> None:
    with transaction.atomic():
        row = lock(request)
        refuse_if(why_not_withdraw(row, by))
        move_request(row, AccessState.WITHDRAWN, by=Actor.user(by))
        notices.tell_customer(row)
    request.refresh_from_db()


def ask_for_bundle(*, organisation: Organisation, scope: Scope, case: str, reason: str, by: User) -> Bundle:
    """A diagnostic bundle instead of access: the customer agrees, looks it through and releases it. Raises NotAllowed."""
    if not is_engineer(by):
        raise NotAllowed(why_not_check(AccessRequest(engineer=by), by))
    refuse_if(why_not_of(scope) or why_not_another(organisation, scope))
    with transaction.atomic():
        hold_open(organisation.pk)
        bundle = Bundle.objects.create(
            organisation=organisation,
            account=CloudAccount.objects.get(pk=scope.account, organisation=organisation),
            scope_kind=scope.kind,
            scope_id=scope.id,
            scope_label=scope.label,
            region=scope.region,
            asked_by=by,
            case=case,
            reason=reason,
            expires_at=timezone.now() + ASKED_FOR,
        )
        notices.tell_bundle(bundle)
        record(
            organisation_id=organisation.pk,
            action="support.bundle_requested",
            actor=Actor.user(by),
            subject=bundle_subject(bundle),
            details={"case": case, "reason": reason},
        )
    return bundle


def lock(request: AccessRequest) -> AccessRequest:
    """The row as it is now, held until the transaction ends."""
    rows = AccessRequest.objects.select_related("organisation", "account", "engineer", "checked_by")
    return rows.select_for_update(of=("self",)).get(pk=request.pk)
