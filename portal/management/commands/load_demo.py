"""Demo people and plans: two customer organisations with every role, provider staff, a support engineer, who hosts, what is offered.

Safe to run again.
"""

import os
from argparse import ArgumentParser
from collections.abc import Callable
from functools import cache
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from accounts.access import Role
from accounts.actions.organisations import create_organisation
from accounts.models import Contact, Membership, Organisation, User
from cells.demo_plans import load_plans
from portal.audit import Actor, record

# Name, then who is there by role. Names differ from roles, so that the activity reads like life.
ORGANISATIONS = {
    "Acme": {Role.OWNER: "Olga Brandt", Role.OPERATOR: "Pavel Novak", Role.APPROVER: "Aisha Rahman", Role.AUDITOR: "Tom Sears"},
    "Globex": {Role.OWNER: "Gina Rossi", Role.OPERATOR: "Hugo Lind", Role.APPROVER: "Mei Tanaka", Role.AUDITOR: "Ivan Petrov"},
}
STAFF: dict[str, Any] = {"email": "staff@fernhill.example", "name": "Sam Fern", "is_staff": True, "is_superuser": True}
SUPPORT_ENGINEER: dict[str, Any] = {"email": "support@fernhill.example", "name": "Mia Köhler", "is_support_engineer": True}
# Nobody checks a request of their own.
CHECKER: dict[str, Any] = {"email": "checker@fernhill.example", "name": "Jonas Weiss", "is_support_engineer": True}


# Its cloud accounts hold the cells of plans that the provider hosts; connected in the portal like any other.
HOSTING = "Fernhill Hosting"
HOSTING_OWNER: dict[str, Any] = {"email": "hosting@fernhill.example", "name": "Hanna Fern"}


class Command(BaseCommand):
    help = (
        "Create the demo's people unless they exist: Acme and Globex with owner, operator, approver and auditor, and staff and two "
        "support engineers of Fernhill. Environment: PORTAL_DEMO_PASSWORD (required) is the password of all of them. "
        "PORTAL_DEMO_TOTP_SECRET (base32, optional) becomes the authenticator secret of staff and engineers, whom /admin/ and "
        "/support/ ask for a code; without it they set up an authenticator at first sign-in. Also the plans that are offered, and the "
        "organisation whose cloud accounts host the provider's."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--quiet", action="store_true", help="Print nothing.")

    def handle(self, **options: Any) -> None:
        password = os.environ.get("PORTAL_DEMO_PASSWORD", "")
        if not password:
            raise CommandError("Set PORTAL_DEMO_PASSWORD: the password of all demo users.")
        # Hashing is slow on purpose: once for everybody, and not at all when nobody is new.
        hashed = cache(lambda: make_password(password))
        with transaction.atomic():
            emails = [email for name, people in ORGANISATIONS.items() for email in load_organisation(name, people, hashed)]
            emails += load_provider(hashed, os.environ.get("PORTAL_DEMO_TOTP_SECRET", ""))
            emails += load_hosting(hashed)
            load_plans()
        if not options["quiet"]:
            self.stdout.write("\n".join(emails))


def load_organisation(name: str, people: dict[Role, str], hashed: Callable[[], str]) -> list[str]:
    """Addresses of the organisation's people, created where they were missing."""
    domain = f"{name.lower()}.example"
    users = {role: load_user(hashed, email=f"{role}@{domain}", name=person) for role, person in people.items()}
    emails = [user.email for user in users.values()]
    if Organisation.objects.filter(memberships__user=users[Role.OWNER]).exists():
        return emails
    organisation = create_organisation(name=name, by=users[Role.OWNER])
    others = [(role, user) for role, user in users.items() if role != Role.OWNER]
    Membership.objects.bulk_create(Membership(organisation=organisation, user=user, role=role) for role, user in others)
    contact = {"name": f"{name} operations", "email": f"operations@{domain}", "purpose": Contact.Purpose.OPERATIONAL}
    Contact.objects.create(organisation=organisation, confirmed_at=timezone.now(), **contact)
    details = {"members": len(users), "contacts": 1}
    record(organisation_id=organisation.pk, action="organisation.demo_loaded", actor=Actor.system("load_demo"), details=details)
    return emails


def load_provider(hashed: Callable[[], str], totp_secret: str) -> list[str]:
    """One phone plays the authenticator app of all of them."""
    people = [load_user(hashed, **person) for person in (STAFF, SUPPORT_ENGINEER, CHECKER)]
    for person in people:
        if totp_secret and not Authenticator.objects.filter(user=person).exists():
            TOTP.activate(person, totp_secret)
    return [person.email for person in people]


def load_hosting(hashed: Callable[[], str]) -> list[str]:
    """Who runs the provider's own cloud accounts."""
    owner = load_user(hashed, **HOSTING_OWNER)
    if not Organisation.objects.filter(memberships__user=owner).exists():
        create_organisation(name=HOSTING, by=owner)
    return [owner.email]


def load_user(hashed: Callable[[], str], *, email: str, **fields: Any) -> User:
    """The user with this address; a new one has a confirmed address. Someone who exists keeps password and name."""
    user = User.objects.filter(email=email).first()
    if user is None:
        user = User.objects.create(email=email, password=hashed(), **fields)
        EmailAddress.objects.create(user=user, email=email, primary=True, verified=True)
    return user
