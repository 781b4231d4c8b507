"""Every URL of the portal, with arguments that exist. A URL with arguments unknown here fails the guards: add it to `kwargs_for`."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from accounts import kits
from accounts.actions.connect import CONNECT
from accounts.models import CloudAccount, Organisation, User
from accounts.states import AccountState
from accounts.transitions import subject_of
from portal.operations.engine import start
from portal.operations.models import Operation
from portal.operations.states import StepState
from tests.cells import guards as cells
from tests.factories import make_cloud_account, make_contact, make_invitation, make_kit, make_membership
from tests.offboarding import guards as offboarding
from tests.support import guards as support

UNKNOWN_UUID = "0a1b2c3d-0000-4000-8000-000000000000"
# Arguments of pages that belong to no organisation: nothing has to exist behind them.
SAMPLES = {
    "accounts:invitation": {"token": "no-such-link"},
    "accounts:invitation_sign_up": {"token": "no-such-link"},
    "accounts:invitation_accept": {"pk": UNKNOWN_UUID},
    "accounts:contact_confirm": {"token": "no-such-link"},
    "accounts:kit_report": {"token": "no-such-link"},
    "accounts:step_link": {"token": "no-such-link"},
    "accounts:step_link_status": {"token": "no-such-link"},
    "accounts:step_link_file": {"token": "no-such-link", "file": "any"},
    "accounts:step_link_report": {"token": "no-such-link"},
    "account_confirm_email": {"key": "no:such:link"},
    "account_reset_password_from_key": {"uidb36": "0", "key": "no-such-link"},
    "mfa_remove_webauthn": {"pk": 1},
    "mfa_edit_webauthn": {"pk": 1},
    "issuer_discovery": {"account": UNKNOWN_UUID, "generation": 1},
    **support.SAMPLES,
}


@dataclass(frozen=True)
class Url:
    name: str  # with namespace; the route itself for a URL without a name
    route: str
    callback: Any
    arguments: frozenset[str]

    @property
    def is_of_organisation(self) -> bool:
        return "slug" in self.arguments or self.route.startswith("o/")

    def __str__(self) -> str:
        return self.name


@cache
def all_urls() -> tuple[Url, ...]:
    return tuple(_walk(get_resolver(), "", ""))


def organisation_urls() -> list[Url]:
    return [url for url in all_urls() if url.is_of_organisation]


def other_urls() -> list[Url]:
    """Outside of organisations and of Django's admin, which guards itself (tests/portal/test_admin*.py)."""
    return [url for url in all_urls() if not url.is_of_organisation and not url.route.startswith("admin/")]


def _walk(resolver: URLResolver, prefix: str, namespace: str) -> Iterator[Url]:
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern, route, f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace)
        elif isinstance(pattern, URLPattern):
            arguments = {*pattern.pattern.converters, *getattr(pattern.pattern.regex, "groupindex", {})}
            outer = {name for name in ("slug", "account", "generation", "pk") if f":{name}>" in prefix}
            yield Url(f"{namespace}{pattern.name}" if pattern.name else route, route, pattern.callback, frozenset(arguments | outer))


# --- Arguments -------------------------------------------------------------------------------------------------------


class UnknownArgumentsError(AssertionError):
    """A URL takes arguments that no entry here knows."""


def address(url: Url, organisation: Organisation | None, by: User | None, *, slug: str = "") -> str:
    """The URL with arguments that exist in `organisation`; `slug` may name another one."""
    if not url.is_of_organisation:
        return reverse(url.name, kwargs=SAMPLES.get(url.name, {}))
    kwargs = kwargs_for(url, organisation, by)
    return reverse(url.name, kwargs=kwargs | {"slug": slug or organisation.slug})


def kwargs_for(url: Url, organisation: Organisation, by: User) -> dict[str, Any]:
    """Arguments beside the slug, made in the organisation."""
    resource = url.name.rpartition(":")[2].split("_")[0]
    kwargs: dict[str, Any] = {}
    if "pk" in url.arguments:
        if resource not in MAKERS:
            raise UnknownArgumentsError(f"{url.name}: what is `pk`? Say so in MAKERS.")
        make = next((make for prefix, make in NARROWER.items() if url.name.startswith(prefix)), MAKERS[resource])
        kwargs["pk"] = make(organisation, by).pk
    if "file" in url.arguments:
        kwargs["file"] = kits.load("aws").documents[0].file
    if "kind" in url.arguments:
        kwargs["kind"] = "csv"
    if "cloud" in url.arguments:
        kwargs["cloud"] = "aws"
    if "step" in url.arguments:
        kwargs["step"] = Operation.objects.get(pk=kwargs["pk"]).steps.first().name
    if unknown := url.arguments - {"slug", *kwargs}:
        raise UnknownArgumentsError(f"{url.name} takes {sorted(unknown)}. Say in kwargs_for what they are.")
    return kwargs


def make_waiting_account(organisation: Organisation, by: User) -> CloudAccount:
    """An account with a kit issued and its operation under way."""
    account = make_cloud_account(organisation=organisation, state=AccountState.WAITING_FOR_KIT, created_by=by, wizard_step="run")
    make_kit(account=account)
    return account


def make_operation(organisation: Organisation, by: User, **fields: Any) -> Operation:
    """A live operation on an account of the organisation, with its steps; `fields` put it into another state."""
    account = make_waiting_account(organisation, by)
    data = {"account": str(account.pk), "kit": str(account.kits.get().pk), "cloud": account.cloud}
    with transaction.atomic():
        operation = start(kind=CONNECT, subject=subject_of(account), organisation_id=organisation.pk, by=by, data=data, is_recorded=False)
    Operation.objects.filter(pk=operation.pk).update(**fields)
    operation.refresh_from_db()
    return operation


def make_failed_operation(organisation: Organisation, by: User) -> Operation:
    failed = {"state": "failed", "failure_code": "kit_expired", "ended_at": timezone.now(), "next_run_at": None}
    operation = make_operation(organisation, by, **failed)
    CloudAccount.objects.filter(pk=operation.subject_id).update(state=AccountState.FAILED, failure_code="kit_expired")
    first = operation.steps.order_by("position").first()
    operation.steps.filter(pk=first.pk).update(
        state=StepState.FAILED, started_at=timezone.now(), ended_at=timezone.now(), failure_code="kit_expired"
    )
    return operation


MAKERS = {
    "member": lambda organisation, by: make_membership(organisation=organisation),
    "invitation": lambda organisation, by: make_invitation(organisation=organisation, invited_by=by),
    "contact": lambda organisation, by: make_contact(organisation=organisation),
    "account": make_waiting_account,
    "connect": make_waiting_account,
    "operation": make_operation,
    **cells.MAKERS,
    **support.MAKERS,
    **offboarding.MAKERS,
}
# Where `pk` names something else than the first word of the URL's name says.
NARROWER = {**cells.NARROWER, **support.NARROWER}
