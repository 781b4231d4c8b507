"""Who of the provider works in the administration, and with which rights. To be staff is to enter; each change there takes a right."""

from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.auth import get_permission_codename
from django.contrib.auth.models import Group, Permission
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts.models import User
from portal.audit import Actor, Subject, record

# What may be chosen, and the permissions of Django it holds.
RIGHTS = {
    "customers": ("accounts.add_organisation", "accounts.add_preparation", "accounts.change_user"),
    "offers": tuple(f"cells.{verb}_{model}" for model in ("plan", "plansize", "release", "hostingaccount") for verb in ("add", "change")),
    "leaving": ("offboarding.change_offboarding",),
}
READING = "look"  # every list of the administration


class Command(BaseCommand):
    help = (
        "Make a person who has signed up provider staff, with rights. Everybody reads the whole administration; --may customers sets up "
        "organisations, starts connections and (de)activates customers' people, --may offers changes plans, releases and hosting "
        "accounts, --may leaving closes an offboarding with leftovers. Rights given before and not named now are taken. People of the "
        "provider are changed by superusers alone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="The address the person signed up with.")
        parser.add_argument("--may", action="append", choices=sorted(RIGHTS), default=[], help="A right; may be given several times.")
        parser.add_argument("--revoke", action="store_true", help="Take every right, and the administration with them.")

    def handle(self, *, email: str, may: list[str], revoke: bool, **options: Any) -> None:
        names = [] if revoke else [READING, *sorted(set(may))]
        with transaction.atomic():
            user = User.objects.select_for_update().filter(email__iexact=email).first()
            if user is None:
                raise CommandError(f"Nobody has signed up as {email}.")
            user.is_staff = not revoke
            user.save(update_fields=["is_staff"])
            user.groups.set([_group(name) for name in names])
            record(
                organisation_id=None,
                action="person.staff_rights_set",
                actor=Actor.system("grant_staff"),
                subject=Subject(kind="person", id=str(user.pk), label=user.email),
                details={"rights": names},
            )
        self.stdout.write(f"{user.email}: {', '.join(names) or 'no staff any more'}")


def _group(name: str) -> Group:
    """As this version of the portal knows it."""
    group, _ = Group.objects.get_or_create(name=f"Provider staff: {name}")
    group.permissions.set(_permissions(_reading() if name == READING else RIGHTS[name]))
    return group


def _reading() -> list[str]:
    return [f"{model._meta.app_label}.{get_permission_codename('view', model._meta)}" for model in admin.site._registry]


def _permissions(names: Iterable[str]) -> list[Permission]:
    return [Permission.objects.get(content_type__app_label=label, codename=code) for label, code in (name.split(".") for name in names)]
