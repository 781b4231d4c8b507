"""A new second factor of somebody who may decide: the others who may are told, for it may be in a thief's hands.

A signal, because it is the only hook allauth offers for it. The person themselves gets allauth's own mail.
"""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added
from django.db import transaction
from django.dispatch import receiver

from accounts.mail import absolute_url, queue_mail
from accounts.models import User
from accounts.sign_in import SECOND_FACTORS
from accounts.support.rules.people import DECIDING_ROLES, approvers_of


@receiver(authenticator_added)
def tell_of_new_factor(user: User, authenticator: Authenticator, **_: Any) -> None:
    if authenticator.type not in SECOND_FACTORS or user.is_provider:
        return
    deciding = user.memberships.filter(role__in=DECIDING_ROLES, organisation__closed_at=None).select_related("organisation")
    with transaction.atomic():
        for membership in deciding:
            organisation = membership.organisation
            context = {"person": user, "organisation": organisation, "url": absolute_url("accounts:members", organisation.slug)}
            for address in approvers_of(organisation).exclude(user=user).values_list("user__email", flat=True):
                queue_mail(to=address, template="support_factor_added", context=context)
