"""Who hears of an offboarding: the owners, the operational and the security contacts, the one who asked while a member."""

from accounts.mail import absolute_url, queue_mail
from accounts.offboarding.models import Offboarding
from accounts.steps.endings import told_of_trust
from accounts.targets import cloud_names


def tell(offboarding: Offboarding, template: str, *, page: str = "offboarding_plan", **context: object) -> None:
    """Once to each, written in the transaction of what it tells."""
    account = offboarding.account
    url = absolute_url(f"offboarding:{page}", offboarding.organisation.slug, account.pk)
    known = {"offboarding": offboarding, "account": account, "url": url, **cloud_names(account.cloud), **context}
    asked = offboarding.organisation.memberships.filter(user=offboarding.requested_by).values_list("user__email", flat=True)
    for address in sorted(told_of_trust(offboarding.organisation) | {email.lower() for email in asked}):
        queue_mail(to=address, template=template, context=known)
