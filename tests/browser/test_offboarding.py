"""The pages of an account's way out, in each state that they have something of their own to show."""

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import CloudAccount, Organisation, User
from accounts.states import AccountState
from cells.models import Instance
from tests.browser.offboarding import LOOKED_AT
from tests.browser.steps import confirm_password, sign_in
from tests.browser.test_support import look_at
from tests.cells.factories import make_cell, make_instance, make_plan
from tests.factories import make_cloud_account
from tests.offboarding import guards
from tests.offboarding.test_certificate import with_backup
from tests.offboarding.test_recovery import make_gone

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def make_offboarded(organisation: Organisation, by: User):
    account = make_cloud_account(organisation=organisation, created_by=by, name="Main", state=AccountState.OFFBOARDED)
    now = timezone.now()
    done = {"certificate": with_backup(), "sha256": "0" * 64, "completed_at": now, "irreversible_at": now}
    guards.make_offboarding(account=account, by=by, state="complete", **done)
    return account


def make_kit_gone(organisation: Organisation, by: User):
    """With the recovery kit, the lines before it, and what it can do and what not."""
    return make_gone("gcp", organisation, by)


def make_with_backups(organisation: Organisation, by: User):
    """Instances of which a final backup can be taken, and one of which none can."""
    account = guards.make_connected(organisation, by)
    cell, plan = make_cell(account=account), make_plan(has_backups=True, name="Orders")
    for number, name in enumerate(("shop-prod", "shop-test", "shop-new")):
        make_instance(cell=cell, plan=plan, name=name, created_by=by, applied_revision=int(number < 2))
    return account


# What is looked at, by the account that it is about.
PAGES = {
    guards.make_with_instance: ("offboarding:offboarding_plan", "offboarding:offboarding_start", "cells:account_instances_delete"),
    make_with_backups: ("offboarding:offboarding_plan", "cells:account_instances_delete"),
    guards.make_connected: ("offboarding:offboarding_plan", "offboarding:offboarding_start"),
    guards.make_planned: ("offboarding:offboarding_plan", "offboarding:offboarding_cancel"),
    guards.make_asked_to_consent: ("offboarding:offboarding_plan", "offboarding:offboarding_consent"),
    guards.make_untold: ("offboarding:offboarding_plan", "offboarding:offboarding_never_run"),
    guards.make_stuck: ("offboarding:offboarding_plan",),
    make_kit_gone: ("offboarding:offboarding_plan",),
    guards.make_with_leftover: ("offboarding:offboarding_plan", "cells:account_leftovers_keep"),
    make_offboarded: ("offboarding:offboarding_plan", "offboarding:certificate_detail"),
}


def test_every_page_of_offboarding_is_looked_at():
    assert {name for names in PAGES.values() for name in names} == set(LOOKED_AT)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_pages_of_offboarding_are_accessible(theme, width, portal, page, violations):
    acme, owner = Organisation.objects.get(slug="acme"), User.objects.get(email="owner@acme.example")
    sign_in(page, portal, owner.email)
    confirm_password(page, portal)
    page.context.add_cookies([{"name": "theme", "value": theme, "url": portal}])
    page.set_viewport_size({"width": width, "height": 800})
    for make, names in PAGES.items():
        account = make(acme, owner)
        look_at(page, portal, {name: reverse(name, args=["acme", account.pk]) for name in names}, violations)
        CloudAccount.objects.filter(pk=account.pk).update(name=f"{account} {make.__name__}")  # each of them makes one of this name


def test_all_instances_are_deleted_after_their_final_backups(portal, page):
    acme, owner = Organisation.objects.get(slug="acme"), User.objects.get(email="owner@acme.example")
    account = make_with_backups(acme, owner)
    sign_in(page, portal, owner.email)
    confirm_password(page, portal)

    page.goto(portal + reverse("cells:account_instances_delete", args=["acme", account.pk]))
    assert page.get_by_role("radio", name="Take a final backup of 2 instances first.").is_checked()
    page.get_by_label("Type Main to confirm").fill("Main")
    page.get_by_role("button", name="Delete all instances").click()

    page.get_by_text("If one fails, that instance stays and says so.").wait_for()
    states = dict(Instance.objects.filter(account=account).values_list("name", "state"))
    assert (states["shop-prod"], states["shop-test"], states["shop-new"]) == ("backing_up", "backing_up", "deleting")
