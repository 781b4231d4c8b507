"""What the guards must know of the URLs of offboarding: what their `pk` is, and which event their POST writes."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import CloudAccount, Organisation, User
from accounts.offboarding.models import Offboarding, mark_of_listing
from accounts.offboarding.states import KIT_UNTOLD
from accounts.offboarding.steps.leaving import OFFBOARD
from accounts.offboarding.transitions import subject_of
from accounts.states import AccountState
from cells.actions.instances import mark_of_instances
from cells.models import CellResource, Instance, Plan
from portal.operations.engine import start
from portal.operations.models import Operation
from tests.cells.factories import make_cell, make_instance
from tests.factories import make_cloud_account, make_kit, make_user, make_watched_account

Make = Callable[[Organisation, User], Any]
ASKED = "The account is closed."
LEFTOVER = "0a1b2c3d-0000-4000-8000-000000000088"
INSTANCE = "0a1b2c3d-0000-4000-8000-000000000089"
INSTANCES = mark_of_instances([Instance(pk=INSTANCE, plan=Plan())])


def make_connected(organisation: Organisation, by: User, **fields: Any) -> CloudAccount:
    return make_watched_account(organisation=organisation, created_by=by, **{"name": "Main", **fields})


def make_offboarding(*, account: CloudAccount, by: User, **fields: Any) -> Offboarding:
    """Its row alone, without an event; begun unless `fields` say otherwise."""
    begun = {"state": "in_progress", "irreversible_at": timezone.now(), "scheduled_for": timezone.now()}
    return Offboarding.objects.create(account=account, organisation=account.organisation, requested_by=by, **begun | fields)


def make_planned(organisation: Organisation, by: User) -> CloudAccount:
    account = make_connected(organisation, by)
    row = make_offboarding(account=account, by=by, state="planned", irreversible_at=None)
    data = {"account": str(account.pk), "cloud": account.cloud}
    with transaction.atomic():
        start(kind=OFFBOARD, subject=subject_of(row), organisation_id=organisation.pk, by=by, data=data, is_recorded=False)
    return account


def make_leaving(organisation: Organisation, by: User) -> CloudAccount:
    account = make_cloud_account(
        organisation=organisation, created_by=by, name="Main", state=AccountState.OFFBOARDING, connected_at=timezone.now()
    )
    make_kit(account=account, ran_at=timezone.now())
    return account


def make_asked_to_consent(organisation: Organisation, by: User) -> CloudAccount:
    account = make_leaving(organisation, by)
    asked = {"closing_asked_by": make_user(is_staff=True), "closing_asked_at": timezone.now(), "closing_reason": ASKED}
    make_offboarding(account=account, by=by, **asked)
    return account


def make_untold(organisation: Organisation, by: User) -> CloudAccount:
    """On Azure, with a kit of which nobody has told an identity."""
    named = {"cloud": "azure", "name": "Main", "state": AccountState.READY_TO_OFFBOARD}
    account = make_cloud_account(organisation=organisation, created_by=by, **named)
    make_kit(account=account)
    row = make_offboarding(account=account, by=by, state="waiting_for_you")
    data = {"account": str(account.pk), "cloud": account.cloud}
    with transaction.atomic():
        operation = start(kind=OFFBOARD, subject=subject_of(row), organisation_id=organisation.pk, by=by, data=data, is_recorded=False)
    waits = {"state": "waiting", "waiting_on": "you", "waiting_why": KIT_UNTOLD}
    Operation.objects.filter(pk=operation.pk).update(**waits, next_run_at=timezone.now() + timedelta(minutes=5))
    return account


def make_stuck(organisation: Organisation, by: User) -> CloudAccount:
    account = make_leaving(organisation, by)
    make_offboarding(account=account, by=by, state="stuck", code="offboarding_took_too_long")
    return account


def make_with_leftover(organisation: Organisation, by: User) -> CloudAccount:
    account = make_leaving(organisation, by)
    named = {"kind": "AWS::EC2::VPC", "name": "vpc-1", "made": "vpc-1", "origin": "tag", "region": "eu-west-1"}
    CellResource.objects.create(pk=LEFTOVER, account=account, **named)
    return account


def make_with_instance(organisation: Organisation, by: User) -> CloudAccount:
    account = make_connected(organisation, by)
    make_instance(pk=INSTANCE, cell=make_cell(account=account), created_by=by)
    return account


MAKERS: dict[str, Make] = {"offboarding": make_connected, "certificate": make_connected}
ONE_EVENT: dict[str, tuple[Make | None, dict[str, Any], str]] = {
    "offboarding:offboarding_start": (make_connected, {"when": "day", "name": "Main"}, "offboarding.planned"),
    "offboarding:offboarding_cancel": (make_planned, {}, "offboarding.cancelled"),
    "offboarding:offboarding_consent": (
        make_asked_to_consent,
        {"name": "Main", "listed": mark_of_listing([], ASKED)},
        "offboarding.consented",
    ),
    "offboarding:offboarding_never_run": (make_untold, {"name": "Main"}, "offboarding.never_run_confirmed"),
    "offboarding:offboarding_hand_over": (make_stuck, {}, "offboarding.handed_over"),
    "cells:account_instances_delete": (make_with_instance, {"name": "Main", "listed": INSTANCES}, "instance.deletion_started"),
    "cells:account_leftovers_keep": (
        make_with_leftover,
        {"resource": LEFTOVER, "why": "Another team's", "name": "Main"},
        "cell.resources_kept",
    ),
}
NO_EVENT = {"offboarding:offboarding_check": "looks sooner at what is looked at anyway: nothing is decided and no state is written"}
TENANCY_PATHS = {"offboarding.Offboarding": "organisation", "offboarding.SignIn": "offboarding__organisation"}
COUNTED = {"offboarding.SignIn"}
