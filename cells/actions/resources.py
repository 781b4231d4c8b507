"""What a person decides about a resource that a deletion could not remove: to keep it on purpose, or to have it removed after all."""

from collections.abc import Collection
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.availability import why_not_as_staff
from accounts.models import CloudAccount, User
from accounts.states import AccountState
from accounts.transitions import subject_of
from cells.availability import why_not_keep
from cells.models import Cell, CellResource
from cells.models.resources import Outcome
from cells.transitions import subject_of_cell
from portal.audit import Actor, record
from portal.operations.availability import refuse_if


def keep_resources(cell: Cell, *, ids: Collection[str], why: str, by: User) -> list[CellResource]:
    """Leave these in the cloud on purpose: the next try of the deletion goes around them. Raises NotAllowed."""
    with transaction.atomic():
        cell = _locked(cell)
        refuse_if(why_not_as_staff(by) or why_not_keep(cell))
        rows = list(cell.resources.remaining().filter(pk__in=ids))
        refuse_if("" if rows else _("None of these is there any more. This is the list as it stands now."))
        for row in rows:
            row.outcome, row.outcome_at = Outcome.KEPT, timezone.now()
            row.kept_by, row.kept_why = by, why
            row.save()
        names = ", ".join(f"{row.name} ({row.made})" for row in rows)
        _record(cell, "cell.resources_kept", by, names=names, reason=why)
    return rows


def keep_leftovers(account: CloudAccount, *, ids: Collection[str], why: str, by: User) -> list[CellResource]:
    """Of an account that leaves: what no cell knows of, and is to stay. Raises NotAllowed."""
    refuse_if(why_not_as_staff(by))
    with transaction.atomic():
        account = CloudAccount.objects.select_for_update().get(pk=account.pk)
        refuse_if("" if account.state == AccountState.OFFBOARDING else _("Only while an account is emptied is there anything to keep."))
        rows = list(CellResource.objects.remaining().filter(account=account, pk__in=ids))
        refuse_if("" if rows else _("None of these is there any more. This is the list as it stands now."))
        for row in rows:
            row.outcome, row.outcome_at = Outcome.KEPT, timezone.now()
            row.kept_by, row.kept_why = by, why
            row.save()
        names = ", ".join(f"{row.name} ({row.made})" for row in rows)
        record(
            organisation_id=account.organisation_id,
            action="cell.resources_kept",
            actor=Actor.user(by),
            subject=subject_of(account),
            details={"names": names[:2000], "reason": why},
        )
    return rows


def release_resource(cell: Cell, *, pk: UUID | None, by: User) -> None:
    """Have a resource that was kept removed after all, by the next try of the deletion. Raises NotAllowed."""
    with transaction.atomic():
        cell = _locked(cell)
        refuse_if(why_not_as_staff(by) or why_not_keep(cell))
        row = cell.resources.kept().filter(pk=pk).first() if pk else None
        if row is None:
            return
        row.outcome, row.outcome_at = Outcome.FOUND, None
        row.save()
        _record(cell, "cell.resource_released", by, names=f"{row.name} ({row.made})")


def _locked(cell: Cell) -> Cell:
    """As a worker does that writes what it has seen."""
    return Cell.objects.select_for_update().get(pk=cell.pk)


def _record(cell: Cell, action: str, by: User, **details: object) -> None:
    record(organisation_id=cell.organisation_id, action=action, actor=Actor.user(by), subject=subject_of_cell(cell), details=details)
