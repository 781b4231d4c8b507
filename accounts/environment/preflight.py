"""What can be known before the kit runs: each check passes, warns or blocks, and names one fix. Reads rows only."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts import kits
from accounts.kit_links import publication
from accounts.models import CloudAccount

Result = Literal["pass", "warn", "block"]


@dataclass(frozen=True)
class Check:
    """One line of the preflight page. `fix_url` leads to where it is mended; empty when there is nothing to mend."""

    title: str
    result: Result
    detail: str
    fix_label: str = ""
    fix_url: str = ""
    command: str = ""


def preflight(account: CloudAccount) -> list[Check]:
    return [check(account) for check in CHECKS]


def is_blocked(checks: list[Check]) -> bool:
    return any(check.result == "block" for check in checks)


def _number(account: CloudAccount) -> Check:
    title = str(kits.load(account.cloud).identity_fields[0].label)
    others = account.organisation.cloud_accounts.live().filter(cloud=account.cloud, external_id=account.external_id).exclude(pk=account.pk)
    other = others.first()
    if other:
        detail = _("%(number)s is already here as “%(name)s”.") % {"number": account.external_id, "name": other.name}
        return Check(
            title, "block", detail, _("Open that account"), reverse("accounts:account_detail", args=[account.organisation.slug, other.pk])
        )
    detail = _("%(number)s is not connected in this organisation yet.") % {"number": account.external_id}
    command = kits.load(account.cloud).identity_command
    return Check(title, "pass", detail + " " + _("This prints what you are signed in to:"), command=command)


def _region(account: CloudAccount) -> Check:
    kit = kits.load(account.cloud)
    region = kit.region(account.home_region)
    title, names = _("Region"), {"region": region.code, "cloud": kit.words.cloud}
    if region.is_opt_in:
        detail = _("%(region)s is an opt-in region. If it is not enabled in this account, %(cloud)s refuses the kit.")
        fix = _("Choose another region")
        url = reverse("accounts:connect_place", args=[account.organisation.slug, account.pk])
        return Check(title, "warn", detail % names, fix, url)
    return Check(title, "pass", _("%(region)s needs no opt-in at %(cloud)s.") % names)


def _names(account: CloudAccount) -> Check:
    detail = _("Every name the kit creates carries a suffix of its own, so nothing you have can be in its way.")
    return Check(_("Names"), "pass", detail)


def _template(account: CloudAccount) -> Check:
    title = _("Kit published")
    if publication(account.cloud).is_published:
        return Check(
            title, "pass", _("Kit %(version)s can be fetched from where it is run.") % {"version": kits.load(account.cloud).version}
        )
    detail = _("%(provider)s has not published the kit. Take its files from the page that runs it.")
    return Check(title, "warn", detail % {"provider": settings.PROVIDER_NAME})


def _contact(account: CloudAccount) -> Check:
    title = _("Operational contact")
    url = reverse("accounts:contacts", args=[account.organisation.slug])
    if account.organisation.has_operational_contact():
        return Check(title, "pass", _("Somebody is named whom to tell when this account needs attention."))
    return Check(title, "warn", _("Nobody is named yet. You need one operational contact to finish."), _("Add a contact"), url)


CHECKS: tuple[Callable[[CloudAccount], Check], ...] = (_number, _region, _names, _template, _contact)
