"""Who may decide, who is told. Provider's people never count, not even as members."""

from collections.abc import Iterable

from accounts.access import ROLE_PERMISSIONS, Permission, Role
from accounts.models import Contact, Membership, Organisation
from accounts.models.people import MembershipQuerySet

DECIDING_ROLES = sorted(role for role in Role if Permission.DECIDE_SUPPORT_ACCESS in ROLE_PERMISSIONS[role])


def approvers_of(organisation: Organisation) -> MembershipQuerySet:
    """Members who may decide: active, with the right, and nobody of the provider; with `has_second_factor`, without which they cannot."""
    deciding = Membership.objects.filter(organisation=organisation, role__in=DECIDING_ROLES, user__is_active=True)
    return deciding.filter(user__is_staff=False, user__is_support_engineer=False, user__is_superuser=False).with_user()


def told_of_access(organisation: Organisation) -> Iterable[str]:
    """Addresses that hear of every move: approvers, and confirmed security and operational contacts. Each once."""
    purposes = (Contact.Purpose.OPERATIONAL, Contact.Purpose.SECURITY)
    contacts = organisation.contacts.confirmed().filter(purpose__in=purposes).values_list("email", flat=True)
    people = approvers_of(organisation).values_list("user__email", flat=True)
    return sorted({address.lower() for address in [*contacts, *people]})
