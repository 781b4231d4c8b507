"""An issued kit as the customer meets it: the ways to run it, its files, what it makes under which name."""

from dataclasses import dataclass

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from accounts import kits
from accounts.availability import why_keep_kit
from accounts.issuer.addresses import issuer_url
from accounts.kits.base import Publication, Route, mark_of_place
from accounts.kits.manifest import KitResource
from accounts.models import CloudAccount, Kit, StepLink
from accounts.targets import target_of
from portal.operations.catalogue import Text

REPORT_SIGNER = Signer(salt="accounts.kit-report")
HEX = 32  # digits of an id


@dataclass(frozen=True)
class KitLinks:
    """What the pages show of one issued kit."""

    routes: dict[str, Route]
    made_name: str
    removal_command: str
    newer_version: str  # what the routes would bring instead of this kit's own version; empty while they are the same


@dataclass(frozen=True)
class StandingKit:
    """A kit that is over and was run: how what it made is removed, or why it has to stay a while."""

    kit: Kit
    made_name: str
    removal_command: str  # empty while there is a reason to keep it
    keep_reason: str


def standing_kits(account: CloudAccount) -> list[StandingKit]:
    """Every kit that may still stand in the customer's cloud beside the one in use, the newest first."""
    shipped = kits.load(account.cloud)
    found = []
    for kit in account.kits.standing().select_related("account"):
        reason = why_keep_kit(kit)
        command = "" if reason else shipped.removal_command(target_of(account, kit))
        found.append(StandingKit(kit, shipped.made_name(kit.suffix), command, reason))
    return found


def kit_links(kit: Kit, *, link: StepLink | None = None) -> KitLinks:
    """As its owner sees it, or as the holder of a `link` to it does."""
    shipped = kits.load(kit.account.cloud)
    target = target_of(kit.account, kit)
    place = publication(kit.account.cloud, report_url=report_url(kit, link=link))
    routes = shipped.routes(target, place)
    newer = shipped.version if shipped.version != kit.version else ""
    return KitLinks({route.code: route for route in routes}, shipped.made_name(kit.suffix), shipped.removal_command(target), newer)


def publication(cloud: str, *, report_url: str = "") -> Publication:
    return Publication(settings.KITS_BUCKET, settings.KITS_REGION, settings.KITS_URL, settings.CONSOLE_URLS[cloud], report_url)


def installer_rights(cloud: str) -> str:
    """Rights of the person who runs the current kit, for the page. Empty where there is nothing narrower than an administrator."""
    return kits.load(cloud).installer_rights(publication(cloud), settings.ISSUER_URL)


def named_resources(account: CloudAccount, generation: int) -> list[tuple[str, KitResource]]:
    """What this kit creates, each with the name it will have in the customer's cloud."""
    kit = Kit(account=account, generation=generation)
    names = {
        "account": str(account.pk),
        "suffix": kit.suffix,
        "short": kit.suffix.partition("-")[0],
        "region": account.home_region,
        "mark": mark_of_place(account.external_id, account.home_region),
        "issuer_path": issuer_url(kit).removeprefix("https://"),
    }
    return [(resource.name.format(**names), resource) for resource in kits.load(account.cloud).resources]


def identity_answers(account: CloudAccount) -> list[tuple[Text, str]]:
    """What the customer said the account is: each question of the Account step with its answer."""
    answers = {"external_id": account.external_id, **account.identity}
    return [(question.label, answers.get(question.name, "")) for question in kits.load(account.cloud).identity_fields]


class ReportOver(Exception):
    """The address was good once: its kit was replaced or has expired, or the link that its command came from was withdrawn or replaced."""


def report_url(kit: Kit, *, link: StepLink | None = None) -> str:
    """Where a kit says that it has run: an address of its own, so that nobody else's command can speak for it.

    What the holder of a link copies has the link's address, which ends with the link.
    """
    token = REPORT_SIGNER.sign(kit.pk.hex + (link.pk.hex if link else ""))
    return settings.PORTAL_URL + reverse("accounts:kit_report", args=[token])


def kit_of_report(token: str) -> Kit | None:
    """The kit, current or being verified, whose address this is; None for what is no address. Raises ReportOver."""
    try:
        named = REPORT_SIGNER.unsign(token)
    except BadSignature:
        return None
    kit = Kit.objects.trusted().select_related("account__organisation").filter(pk=named[:HEX]).first()
    link = named[HEX:]
    if kit is None or (link and not StepLink.objects.unended().filter(pk=link, kit=kit).exists()):
        raise ReportOver
    return kit
