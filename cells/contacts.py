"""Mail to those whom an organisation has named for operations."""

from collections.abc import Mapping
from typing import Any

from accounts.mail import queue_mail
from accounts.models import Organisation


def mail_contacts(organisation: Organisation, *, template: str, context: Mapping[str, Any]) -> None:
    """One mail to each confirmed operational contact, once the transaction commits."""
    contacts = organisation.contacts.operational().confirmed().values_list("email", flat=True)
    for address in sorted({address.lower() for address in contacts}):
        queue_mail(to=address, template=template, context=context)
