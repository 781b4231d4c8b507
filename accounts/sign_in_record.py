"""Security-relevant acts of a person on their own account, on the record.

Signals, because they are the only hook allauth offers for them; nothing but the record hangs on them.

They go to the platform's own chain, never to an organisation's: a person may belong to two customers, and when and from where
they sign in for the one is no business of the other. What an organisation needs to know of its members (second factor on or off)
stands on its members page.

Failures are on record too, only when they are somebody's: never a password, nor an address that belongs to nobody. allauth's rate limits
stand in front of them, so a flood of guesses ends at the limit and not in the log.
"""

from collections.abc import Mapping
from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.signals import email_changed, password_changed, password_reset, password_set, user_logged_in, user_signed_up
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authentication_failed, authenticator_added, authenticator_removed, authenticator_reset
from django.contrib.auth.signals import user_logged_out
from django.db import transaction
from django.dispatch import receiver

from accounts.models import User
from portal.audit import Actor, Subject, record


def record_of_person(action: str, user: User, details: Mapping[str, Any] | None = None) -> None:
    with transaction.atomic():
        subject = Subject(kind="person", id=str(user.pk), label=user.email)
        record(organisation_id=None, action=action, actor=Actor.user(user), subject=subject, details=details or {})


@receiver(user_signed_up)
def _signed_up(user: User, **_: Any) -> None:
    record_of_person("person.signed_up", user)


@receiver(user_logged_in)
def _signed_in(user: User, **_: Any) -> None:
    record_of_person("person.signed_in", user)


@receiver(user_logged_out)
def _signed_out(user: User | None, **_: Any) -> None:
    if user is not None:
        record_of_person("person.signed_out", user)


@receiver([password_changed, password_set])
def _password_changed(user: User, **_: Any) -> None:
    record_of_person("person.password_changed", user)


@receiver(password_reset)
def _password_reset(user: User, **_: Any) -> None:
    record_of_person("person.password_reset", user)


@receiver(email_changed)
def _email_changed(user: User, from_email_address: EmailAddress | None, to_email_address: EmailAddress, **_: Any) -> None:
    if from_email_address is not None:  # None: the first address, confirmed after signing up
        record_of_person("person.email_changed", user, {"email": [from_email_address.email, to_email_address.email]})


# --- What failed: done by somebody who has not proven to be the person ---


def record_failed_password(email: str) -> None:
    """A wrong password for this address. An address of nobody costs the same time and leaves nothing."""
    user = User.objects.filter(email__iexact=email).first()
    with transaction.atomic():
        _record_failure("person.sign_in_failed", user or User(email=email), "password")
        if user is None:
            transaction.set_rollback(True)


@receiver(authentication_failed)
def _second_factor_failed(user: User, authenticator: Authenticator, **_: Any) -> None:
    with transaction.atomic():
        _record_failure("person.second_factor_failed", user, authenticator.type)


def _record_failure(action: str, user: User, kind: str) -> None:
    subject = Subject(kind="person", id=str(user.pk), label=user.email)
    record(organisation_id=None, action=action, actor=Actor.system("sign-in"), subject=subject, details={"kind": kind})


# Recovery codes come and go with the factor they stand in for: only their renewal is an act of its own.


@receiver(authenticator_added)
def _factor_added(user: User, authenticator: Authenticator, **_: Any) -> None:
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:
        record_of_person("person.second_factor_added", user, {"kind": authenticator.type})


@receiver(authenticator_removed)
def _factor_removed(user: User, authenticator: Authenticator, **_: Any) -> None:
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:
        record_of_person("person.second_factor_removed", user, {"kind": authenticator.type})


@receiver(authenticator_reset)
def _codes_renewed(user: User, **_: Any) -> None:
    record_of_person("person.recovery_codes_renewed", user)
