"""Change roles, remove members, leave; a person's own profile."""

from collections.abc import Callable
from uuid import UUID

from django.db import transaction

from accounts.access import Role
from accounts.availability_people import why_not_change_role, why_not_remove, why_not_set_active
from accounts.models import Membership, Organisation, User
from portal.audit import Actor, Subject, record
from portal.operations.availability import refuse_if

# Whose word counted for an organisation by a role that they have no more, and by whose act. Called in its transaction, before its event.
LOST_WITH: list[Callable[[UUID, User, User], None]] = []


def change_role(*, membership: Membership, role: Role, by: User) -> None:
    """Raises NotAllowed for the last owner, also when two owners demote each other at once."""
    with transaction.atomic():
        locked, owner_count = _lock(membership)
        if locked.role == role:
            return
        refuse_if(why_not_change_role(locked, owner_count=owner_count))
        before, locked.role = locked.role, role
        locked.save(update_fields=["role"])
        _lose(locked.organisation_id, locked.user, by)
        _record(locked, "member.role_changed", by, {"role": [before, str(role)]})
    membership.role = role


def remove_member(*, membership: Membership, by: User) -> None:
    """End a membership; by the member itself it is recorded as leaving. Raises NotAllowed for the last owner."""
    with transaction.atomic():
        locked, owner_count = _lock(membership)
        refuse_if(why_not_remove(locked, owner_count=owner_count))
        action = "member.left" if by.pk == locked.user_id else "member.removed"
        locked.delete()
        User.objects.filter(pk=locked.user_id, current_organisation=locked.organisation_id).update(current_organisation=None)
        _lose(locked.organisation_id, locked.user, by)
        _record(locked, action, by, {"role": locked.role, "email": locked.user.email})


def update_profile(*, user: User, name: str, time_zone: str) -> None:
    """Save the profile. The log keeps which fields changed, not their values: it cannot be erased."""
    with transaction.atomic():
        new = {"name": name, "time_zone": time_zone}
        changed = [field for field, value in new.items() if getattr(user, field) != value]
        if not changed:
            return
        for field in changed:
            setattr(user, field, new[field])
        user.save(update_fields=changed)
        subject = Subject(kind="person", id=str(user.pk), label=user.email)
        details = {"fields": ", ".join(changed)}
        record(organisation_id=None, action="person.profile_changed", actor=Actor.user(user), subject=subject, details=details)


def set_person_active(*, user: User, is_active: bool, reason: str, by: User) -> None:
    """By provider staff. A deactivated person is signed out at the next request and keeps memberships, for a way back.

    Every organisation of the person reads it in its activity; without any, it stands in the platform's. Raises NotAllowed.
    """
    with transaction.atomic():
        locked = User.objects.select_for_update().get(pk=user.pk)
        refuse_if(why_not_set_active(locked, is_active=is_active, by=by))
        if locked.is_active == is_active:
            return
        locked.is_active = is_active
        locked.save(update_fields=["is_active"])
        # In the order of their ids, so that two such acts never wait for each other's chains.
        organisations: list[UUID | None] = [*sorted(locked.memberships.values_list("organisation_id", flat=True))] or [None]
        if not is_active:
            for membership in locked.memberships.order_by("organisation_id"):
                _lose(membership.organisation_id, locked, by)
        for organisation_id in organisations:
            record(
                organisation_id=organisation_id,
                action="person.reactivated" if is_active else "person.deactivated",
                actor=Actor.user(by),
                subject=Subject(kind="person", id=str(locked.pk), label=locked.email),
                details={"reason": reason},
            )
    user.is_active = is_active


def _lose(organisation_id: UUID, person: User, by: User) -> None:
    for lose in LOST_WITH:
        lose(organisation_id, person, by)


def _lock(membership: Membership) -> tuple[Membership, int]:
    """The membership as it is now, and how many owners there are, with the organisation's row held: one change of owners at a time."""
    Organisation.objects.select_for_update().get(pk=membership.organisation_id)
    locked = Membership.objects.select_related("user").get(pk=membership.pk)
    return locked, Membership.objects.filter(organisation=membership.organisation_id).owners().count()


def _record(membership: Membership, action: str, by: User, details: dict[str, str | list[str]]) -> None:
    subject = Subject(kind="member", id=str(membership.user_id), label=str(membership.user))
    record(organisation_id=membership.organisation_id, action=action, actor=Actor.user(by), subject=subject, details=details)
