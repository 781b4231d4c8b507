"""Who may decide, who is told. Provider's people never count, not even as members."""

from collections.abc import Iterable
from uuid import UUID

from accounts.access import ROLE_PERMISSIONS, Permission, Role
from accounts.models import Contact, Membership, Organisation, User
from accounts.models.people import MembershipQuerySet
from accounts.support.models import AccessRequest, Decision

DECIDING_ROLES = sorted(role for role in Role if Permission.DECIDE_SUPPORT_ACCESS in ROLE_PERMISSIONS[role])


def approvers_of(organisation: Organisation | UUID) -> MembershipQuerySet:
    """Members who may decide: active, with the right, and nobody of the provider; with `has_second_factor`, without which they cannot."""
    deciding = Membership.objects.filter(organisation=organisation, role__in=DECIDING_ROLES, user__is_active=True)
    return deciding.filter(user__is_staff=False, user__is_support_engineer=False, user__is_superuser=False).with_user()


def approvers_gone(request: AccessRequest) -> list[User]:
    """Whose approval a grant stands on, and who may not decide any more."""
    given = Decision.objects.standing().filter(request=request).exclude(approver__in=approvers_of(request.organisation_id).values("user"))
    return list(User.objects.filter(pk__in=given.values("approver")).order_by("name", "pk"))


def told_of_access(organisation: Organisation) -> Iterable[str]:
    """Addresses that hear of every move: approvers, and confirmed security and operational contacts. Each once."""
    purposes = (Contact.Purpose.OPERATIONAL, Contact.Purpose.SECURITY)
    contacts = organisation.contacts.confirmed().filter(purpose__in=purposes).values_list("email", flat=True)
    people = approvers_of(organisation).values_list("user__email", flat=True)
    return sorted({address.lower() for address in [*contacts, *people]})
