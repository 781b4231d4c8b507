"""The only code that writes the state of a cloud account or a kit: compare-and-set and its event, in one transaction."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import CloudAccount, Kit
from accounts.states import ACCOUNT_MOVES, KIT_MOVES, WATCHED_STATES, AccountState, KitState
from portal.audit import Actor, Subject, record
from portal.operations.transitions import IllegalMove, LostRace


def subject_of(account: CloudAccount) -> Subject:
    return Subject(kind="cloud_account", id=str(account.pk), label=str(account))


def renewal_of(account: CloudAccount) -> Subject:
    """The account as the subject of renewing its kit: that may wait for days, and other work on the account goes on meanwhile."""
    return Subject(kind="kit_renewal", id=str(account.pk), label=str(account))


def move_account(
    account: CloudAccount,
    to: AccountState,
    *,
    by: Actor,
    action: str = "",
    code: str = "",
    details: Mapping[str, Any] | None = None,
    is_recorded: bool = True,
) -> None:
    """Write the state and one event, named `action` (default `cloud_account.<state>`). Raises IllegalMove, LostRace.

    `code` is the failure code when moving to FAILED or NEEDS_ATTENTION. `is_recorded=False` is for the endings of an operation: the
    operation's own event, in the same transaction, tells the story once.
    """
    was = AccountState(account.state)
    if to not in ACCOUNT_MOVES[was]:
        raise IllegalMove(account.pk, was, to)
    fields: dict[str, Any] = {"state": to, "state_at": timezone.now(), "failure_code": code}
    if to == AccountState.CONNECTED and was not in WATCHED_STATES:
        fields["connected_at"] = fields["state_at"]
    if to == AccountState.DISCONNECTED and was in WATCHED_STATES:
        fields["disconnected_at"] = fields["state_at"]
    if to not in WATCHED_STATES or to == AccountState.NEEDS_ATTENTION:
        fields["switched_off"] = ""
    with transaction.atomic():
        if not CloudAccount.objects.filter(pk=account.pk, state=was).update(**fields):
            raise LostRace(account.pk)
        if is_recorded:
            record(
                organisation_id=account.organisation_id,
                action=action or f"cloud_account.{to.value}",
                actor=by,
                subject=subject_of(account),
                details={"state": [was.value, to.value], **(details or {})},
            )
    for name, value in fields.items():
        setattr(account, name, value)


def move_kit(kit: Kit, to: KitState) -> None:
    """Write a kit's state. Its event is the account's own: a kit never moves by itself. Raises IllegalMove, LostRace."""
    was = KitState(kit.state)
    if to not in KIT_MOVES[was]:
        raise IllegalMove(kit.pk, was, to)
    now = timezone.now()
    if not Kit.objects.filter(pk=kit.pk, state=was).update(state=to, state_at=now):
        raise LostRace(kit.pk)
    kit.state, kit.state_at = to, now


def retire_kits(account: CloudAccount) -> None:
    """End every kit issued so far: its issuer address answers 410 and no token is made for it."""
    for kit in account.kits.exclude(state=KitState.OUTDATED):
        move_kit(kit, KitState.OUTDATED)
