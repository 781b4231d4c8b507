"""Found, rename and switch organisations."""

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from accounts.access import Role
from accounts.actions.invitations import create_invitation
from accounts.availability_people import why_not_found
from accounts.holds import hold_active
from accounts.models import Membership, Organisation, User
from portal.audit import Actor, Subject, record
from portal.operations.availability import refuse_if

SLUG_LENGTH = 50
# Words that would read like a page of the portal in an address.
RESERVED_SLUGS = frozenset(
    {"admin", "api", "auth", "help", "invitations", "new", "o", "organisation", "profile", "settings", "static", "support"}
)


def create_organisation(*, name: str, by: User) -> Organisation:
    """Create an organisation with `by` as its owner, and switch to it. Raises NotAllowed beyond a day's number of them."""
    with transaction.atomic():
        by = hold_active(by.pk)
        refuse_if(why_not_found(by))
        organisation = _insert_with_free_slug(name)
        Membership.objects.create(organisation=organisation, user=by, role=Role.OWNER)
        User.objects.filter(pk=by.pk).update(current_organisation=organisation)
        _record(organisation, "organisation.created", by, {"name": name})
    return organisation


def found_for_customer(*, name: str, owner_email: str, reason: str, by: User) -> Organisation:
    """Set up an organisation without members and invite its first owner: for provider staff, who do not become members."""
    with transaction.atomic():
        organisation = _insert_with_free_slug(name)
        _record(organisation, "organisation.created", by, {"name": name, "reason": reason})
        create_invitation(organisation=organisation, email=owner_email, role=Role.OWNER, by=by)
    return organisation


def rename_organisation(*, organisation: Organisation, name: str, by: User) -> None:
    """The address (slug) stays: links in mails, tickets and bookmarks keep working."""
    with transaction.atomic():
        locked = Organisation.objects.select_for_update().get(pk=organisation.pk)
        if locked.name == name:
            return
        before, locked.name = locked.name, name
        locked.save(update_fields=["name"])
        _record(locked, "organisation.renamed", by, {"name": [before, name]})
    organisation.name = name


def switch_organisation(*, membership: Membership) -> None:
    """Remember where `/` leads. A person's own preference: no activity."""
    User.objects.filter(pk=membership.user_id).update(current_organisation=membership.organisation_id)


def _insert_with_free_slug(name: str) -> Organisation:
    """Two people may choose one name at the same moment: the unique constraint decides, the loser takes the next number."""
    base = slugify(name)[:SLUG_LENGTH].strip("-") or "organisation"
    first = 2 if base in RESERVED_SLUGS else 1
    for number in range(first, first + 1000):
        slug = base if number == 1 else f"{base}-{number}"
        if Organisation.objects.filter(slug=slug).exists():
            continue
        try:
            with transaction.atomic():
                return Organisation.objects.create(name=name, slug=slug)
        except IntegrityError:
            continue
    raise IntegrityError(base)


def _record(organisation: Organisation, action: str, by: User, details: dict[str, str | list[str]]) -> None:
    subject = Subject(kind="organisation", id=str(organisation.pk), label=organisation.name)
    record(organisation_id=organisation.pk, action=action, actor=Actor.user(by), subject=subject, details=details)
