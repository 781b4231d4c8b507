"""Who hears of a closing: every member, owners with the way to call it off; and the provider."""

from django.conf import settings

from accounts.access import Role
from accounts.closing.models import Closing
from accounts.closing.terms import TERMS, backups
from accounts.mail import absolute_url, queue_mail


def tell(closing: Closing, template: str, **context: object) -> None:
    """Once to each, written in the transaction of what it tells."""
    organisation = closing.organisation
    url = absolute_url("closing:closing_home", organisation.slug)
    known = {"closing": closing, "organisation": organisation, "url": url, "terms": TERMS, "backups": backups(), **context}
    members = organisation.memberships.filter(user__is_active=True).order_by("user__email")
    told = {user_email.lower(): role == Role.OWNER for user_email, role in members.values_list("user__email", "role")}
    for address, is_owner in told.items():
        queue_mail(to=address, template=template, context=known | {"is_owner": is_owner, "is_member": True})
    if (provider := settings.PROVIDER_SUPPORT_EMAIL.lower()) not in told:
        page = absolute_url("admin:closing_closing_change", closing.pk)
        queue_mail(to=provider, template=template, context=known | {"is_owner": False, "is_member": False, "url": page})
