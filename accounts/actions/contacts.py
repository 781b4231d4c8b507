"""Add, confirm and remove contacts: people who are told, whether or not they sign in."""

from django.db import transaction
from django.utils import timezone

from accounts.availability_people import (
    why_no_more_contact_mails,
    why_not_add_contact,
    why_not_remove_contact,
    why_not_resend_confirmation,
)
from accounts.holds import hold_open
from accounts.mail import absolute_url, queue_mail
from accounts.models import Contact, Organisation, User
from accounts.models.people import new_token, token_hash
from portal.audit import Actor, Subject, record
from portal.operations.availability import refuse_if


def add_contact(*, organisation: Organisation, name: str, email: str, purpose: str, by: User) -> Contact:
    """Add a contact and ask the address to confirm. Raises NotAllowed for a double."""
    token = new_token()
    with transaction.atomic():
        hold_open(organisation.pk)
        refuse_if(why_not_add_contact(organisation, email=email, purpose=purpose))
        contact = Contact.objects.create(organisation=organisation, name=name, email=email, purpose=purpose, token_hash=token_hash(token))
        _record(contact, "contact.added", Actor.user(by))
        _mail(contact, token)
    return contact


def resend_confirmation(*, contact: Contact, by: User) -> None:
    """Send a new confirmation link; the old one dies. Raises NotAllowed."""
    token = new_token()
    with transaction.atomic():
        organisation = hold_open(contact.organisation_id)
        locked = _lock(contact)
        refuse_if(why_not_resend_confirmation(locked) or why_no_more_contact_mails(organisation))
        locked.token_hash, locked.sent_at = token_hash(token), timezone.now()
        locked.save(update_fields=["token_hash", "sent_at"])
        _record(locked, "contact.confirmation_resent", Actor.user(by))
        _mail(locked, token)


def confirm_contact(*, contact: Contact) -> None:
    """The person behind the address agreed, by the secret mailed to it. Recorded as done by the contact, who may have no account."""
    with transaction.atomic():
        locked = _lock(contact)
        if locked.confirmed_at:
            return
        locked.confirmed_at, locked.token_hash = timezone.now(), ""
        locked.save(update_fields=["confirmed_at", "token_hash"])
        _record(locked, "contact.confirmed", Actor.guest(locked.email, locked.name))


def remove_contact(*, contact: Contact, by: User) -> None:
    """Raises NotAllowed for the last operational contact while cloud accounts are connected."""
    with transaction.atomic():
        organisation = Organisation.objects.select_for_update().get(pk=contact.organisation_id)
        locked = _lock(contact)
        refuse_if(
            why_not_remove_contact(
                locked,
                operational_count=organisation.contacts.operational().count(),
                has_proven_accounts=organisation.cloud_accounts.proven().exists(),
            )
        )
        locked.delete()
        _record(contact, "contact.removed", Actor.user(by))


def _lock(contact: Contact) -> Contact:
    return Contact.objects.select_related("organisation").select_for_update(of=("self",)).get(pk=contact.pk)


def _record(contact: Contact, action: str, actor: Actor) -> None:
    subject = Subject(kind="contact", id=str(contact.pk), label=contact.name)
    details = {"email": contact.email, "purpose": contact.purpose}
    record(organisation_id=contact.organisation_id, action=action, actor=actor, subject=subject, details=details)


def _mail(contact: Contact, token: str) -> None:
    context = {
        "contact": contact,
        "organisation": contact.organisation,
        "purpose": contact.get_purpose_display(),
        "url": absolute_url("accounts:contact_confirm", token),
    }
    queue_mail(to=contact.email, template="contact_confirm", context=context)
