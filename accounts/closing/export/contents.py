"""People, cloud accounts, operations, support access and certificates in the export. Columns by name: no secret is among them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.closing.parts import File, Section, register_section, table
from accounts.models import CloudAccount, Contact, Invitation, Kit, Membership, Organisation, TrustChange, TrustCheck
from accounts.models.environment import EnvironmentFinding
from accounts.offboarding.models import Offboarding
from accounts.offboarding.states import OffboardingState
from accounts.support.models import AccessPolicy, AccessRequest, Bundle, Decision, PolicyChange, Receipt
from accounts.support.proof.evidence import VERIFIER, archive_of, verifier
from accounts.support.states import SHOWN_TO_CUSTOMER
from portal.audit import verify_certificate
from portal.offline import source_of
from portal.operations.models import Operation

BATCH = 500


def plain_table(path: str, rows: QuerySet[Any], columns: Sequence[str]) -> Iterator[File]:
    """Columns as they are stored; `__` in a name is a point in the file."""
    found = rows.values_list(*columns)
    return table(path, lambda: found.iterator(chunk_size=BATCH), [name.replace("__", ".") for name in columns])


def _people(organisation: Organisation) -> Iterator[File]:
    person = ("user__name", "user__email")
    yield from plain_table("people/members", Membership.objects.filter(organisation=organisation), ("id", *person, "role", "created_at"))
    contacts = Contact.objects.filter(organisation=organisation)
    yield from plain_table("people/contacts", contacts, ("id", "name", "email", "purpose", "created_at", "confirmed_at"))
    invitations = Invitation.objects.filter(organisation=organisation)
    columns = ("id", "email", "role", "invited_by__email", "created_at", "expires_at", "accepted_at", "accepted_by__email", "revoked_at")
    yield from plain_table("people/invitations", invitations, columns)


def _accounts(organisation: Organisation) -> Iterator[File]:
    accounts = CloudAccount.objects.filter(organisation=organisation).order_by("created_at", "id")
    columns = (
        *("id", "cloud", "name", "external_id", "identity", "home_region", "state", "state_at", "created_by__email", "created_at"),
        *("connected_at", "disconnected_at", "last_contact_at", "failure_code", "switched_off"),
    )
    yield from plain_table("cloud-accounts/accounts", accounts, columns)
    kits = Kit.objects.filter(account__organisation=organisation).order_by("created_at", "id")
    of_kits = ("id", "account_id", "generation", "version", "content_hash", "region", "state", "created_at", "ran_at", "removed_at")
    yield from plain_table("cloud-accounts/kits", kits, of_kits)
    yield from _checks(organisation)


def _checks(organisation: Organisation) -> Iterator[File]:
    permissions = TrustCheck.objects.filter(account__organisation=organisation).order_by("id")
    of_permissions = ("account_id", "kind", "name", "is_ok", "since", "checked_at")
    yield from plain_table("cloud-accounts/trust-as-last-checked", permissions, of_permissions)
    changes = TrustChange.objects.filter(account__organisation=organisation).order_by("at", "id")
    yield from plain_table("cloud-accounts/trust-changes", changes, ("account_id", "at", "kind", "name", "was", "now", "code"))
    findings = EnvironmentFinding.objects.filter(assessment__account__organisation=organisation).order_by("checked_at", "id")
    of_findings = ("assessment__account_id", "assessment__region", "checked_at", "name", "verdict", "evidence")
    yield from plain_table("cloud-accounts/environment-checks", findings, of_findings)


def _operations(organisation: Organisation) -> Iterator[File]:
    operations = Operation.objects.filter(organisation=organisation).order_by("created_at", "id")
    columns = (
        *("id", "reference", "kind", "subject_kind", "subject_id", "subject_label", "state", "state_at", "failure_code"),
        *("requested_by__email", "created_at", "started_at", "ended_at"),
    )
    yield from plain_table("operations/operations", operations, columns)


def _support(organisation: Organisation) -> Iterator[File]:
    shown = AccessRequest.objects.filter(organisation=organisation, state__in=sorted(SHOWN_TO_CUSTOMER)).order_by("created_at", "id")
    columns = (
        *("id", "state", "case", "engineer__name", "engineer__email", "account_id", "scope_kind", "scope_id", "scope_label", "region"),
        *(
            "profile",
            "length",
            "reason",
            "created_at",
            "shown_at",
            "granted_from",
            "granted_until",
            "ended_at",
            "ended_by__email",
            "sha256",
        ),
    )
    yield from plain_table("support-access/requests", shown, columns)
    decisions = Decision.objects.filter(request__in=shown).order_by("at", "id")
    of_decisions = ("id", "request_id", "verb", "approver__name", "approver__email", "at", "reason", "method", "sha256")
    yield from plain_table("support-access/decisions", decisions, of_decisions)
    yield from _support_rules(organisation)
    for receipt in Receipt.objects.filter(request__in=shown).select_related("request").iterator(chunk_size=BATCH):
        yield File(f"support-access/{receipt.request_id}-{receipt.number}.zip", _lazily(archive_of, receipt))
    yield File(f"support-access/{VERIFIER}", [verifier()])


def _support_rules(organisation: Organisation) -> Iterator[File]:
    rules = AccessPolicy.objects.filter(organisation=organisation)
    columns = (
        *("mode", "longest_minutes", "decide_hours", "days", "opens", "closes", "zone", "outside", "allows_direct"),
        *("changed_by__email", "changed_at"),
    )
    yield from plain_table("support-access/policy", rules, columns)
    changes = PolicyChange.objects.filter(organisation=organisation).order_by("asked_at", "id")
    of_changes = ("values", "asked_by__email", "asked_at", "state", "decided_by__email", "decided_at")
    yield from plain_table("support-access/policy-changes", changes, of_changes)
    bundles = Bundle.objects.filter(organisation=organisation).order_by("asked_at", "id")
    of_bundles = (
        *("id", "account_id", "scope_kind", "scope_id", "scope_label", "region", "asked_by__email", "asked_at", "case", "reason"),
        *("state", "collected_at", "released_by__email", "released_at", "ended_at", "sha256"),
    )
    yield from plain_table("support-access/diagnostic-bundles", bundles, of_bundles)


def _certificates(organisation: Organisation) -> Iterator[File]:
    rows = Offboarding.objects.filter(organisation=organisation, state=OffboardingState.COMPLETE).order_by("completed_at", "id")
    for row in rows.iterator(chunk_size=BATCH):
        yield File(f"certificates/offboarding-certificate-{row.pk}.json", [row.certificate.encode()])
    yield File("certificates/verify_certificate.py", [source_of(verify_certificate)])


def _lazily(make: Callable[[Any], bytes], of: Any) -> Iterable[bytes]:
    yield make(of)


register_section(Section("people/", 10, _("Members with their roles, contacts, and every invitation."), _people))
register_section(
    Section(
        "cloud-accounts/",
        20,
        _("Cloud accounts, the kits that were issued for each, and what each check of the trust and of the environment found."),
        _accounts,
    )
)
register_section(Section("operations/", 50, _("What was done, who asked for it, when it began and how it ended."), _operations))
register_section(
    Section(
        "support-access/",
        60,
        _(
            "The rules and their changes, requests and decisions, which diagnostic bundles there were, and for each access that has ended "
            "its evidence as an archive of its own."
        ),
        _support,
    )
)
register_section(Section("certificates/", 70, _("The offboarding certificate of each account that has left."), _certificates))
