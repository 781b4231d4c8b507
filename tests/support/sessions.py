"""A grant on an account that stands in a local cloud, AWS unless one is named; the engine driven by hand: opening, acts, end, receipt."""

from typing import Any

import pytest
from django.utils import timezone

from accounts import kits
from accounts.clouds import open_stacks
from accounts.clouds.base import Target
from accounts.clouds.gcp import plans
from accounts.clouds.gcp.publish import Publisher
from accounts.clouds.stacks import StackOrder
from accounts.issuer.tokens import token_source
from accounts.models import CloudAccount, Organisation
from accounts.support.clouds import current_kit
from accounts.support.models import AccessRequest, Door
from accounts.support.rules.scopes import KINDS, Scope, ScopeKind
from accounts.support.tasks import close_ending_grants, open_due_grants
from accounts.targets import target_of
from portal.operations.driver import advance
from portal.operations.models import Operation
from tests.clouds.aws.cells import STACK, cell_input
from tests.clouds.azure.cells import STACK as AZURE_STACK
from tests.clouds.azure.cells import cell_input as azure_input
from tests.clouds.gcp import cells as gcp_cells
from tests.factories import make_contact
from tests.hands import process
from tests.kill import lose_lease
from tests.standing import Standing
from tests.support.factories import make_granted


def make_standing(*, organisation: Organisation, cloud: str = "aws", **fields: Any) -> Standing:
    """An account in the local cloud, connected by its kit."""
    make_contact(organisation=organisation, email="night@acme.example", confirmed_at=timezone.now())
    return Standing(cloud, organisation=organisation, **fields)


def make_standing_grant(standing: Standing, **fields: Any) -> AccessRequest:
    """Approved, for now, on the account itself."""
    account = standing.account
    return make_granted(organisation=account.organisation, account=account, **fields)


def newest(kind: str) -> Operation:
    return Operation.objects.filter(kind=kind).newest_first()[0]


def drive(kind: str, *, rounds: int = 20) -> Operation:
    """The newest operation of this kind to its end, with its waits over."""
    operation = newest(kind)
    for _round in range(rounds):
        if not operation.is_live:
            return operation
        lose_lease(operation.pk)
        advance(operation.pk)
        operation.refresh_from_db()
    raise AssertionError((operation.state, operation.waiting_why, operation.failure_code))


def open_access(request: AccessRequest) -> Door:
    """As the schedule and a worker do it."""
    assert open_due_grants() == 1
    operation = drive("open_support_access")
    assert operation.state == "succeeded", (operation.failure_code, operation.failure_evidence)
    request.refresh_from_db()
    assert request.state == "active"
    return request.doors.get(shut_at=None)


def close_access(request: AccessRequest) -> Operation:
    close_ending_grants()
    operation = drive("close_support_access")
    request.refresh_from_db()
    return operation


# --- A cell's stack, which acts are about ----------------------------------------------------------------------------


def build_stack(standing: Standing, monkeypatch: pytest.MonkeyPatch) -> Scope:
    """A cell's stack in the account, and a scope that names it."""
    account = standing.account
    kit = current_kit(account)
    assert kit is not None
    target = target_of(account, kit, was_trusted=True)
    if account.cloud == "gcp":
        order = _order_on_google(standing, target, monkeypatch)
    else:
        stack, given = {"aws": (STACK, cell_input), "azure": (AZURE_STACK, azure_input)}[account.cloud]
        order = stack.order(target, given(account.home_region, token="order-1", machines=2))
    stacks = open_stacks(account.cloud, target, token_source(kit), kits.load(account.cloud).shipped(target))
    stacks.apply(order)
    return offer_stack(account, order.name, monkeypatch)


def _order_on_google(standing: Standing, target: Target, monkeypatch: pytest.MonkeyPatch) -> StackOrder:
    """With the plan published, which Google's own builder fetches."""
    for name, value in gcp_cells.addresses(process(standing.sandbox)).items():
        monkeypatch.setenv(name, value)
    Publisher(plans.bucket(), gcp_cells.PROVIDERS).publish(gcp_cells.published())
    return gcp_cells.STACK.order(target, gcp_cells.cell_input(token="order-1"))


def offer_stack(account: CloudAccount, stack: str, monkeypatch: pytest.MonkeyPatch) -> Scope:
    """A scope about one stack of the account, as the product registers its cells."""
    scope = Scope("stack", str(account.pk), "Main cell", account.pk, account.home_region, stack, inside=(f"account:{account.pk}",))
    found = ScopeKind("stack", "Cell", rank=1, all_of=lambda organisation: [scope] if organisation.pk == account.organisation_id else [])
    monkeypatch.setitem(KINDS, "stack", found)
    return scope
