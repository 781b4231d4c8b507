"""The pages of an account's way out, in each state that they have something of their own to show."""

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import CloudAccount, Organisation, User
from accounts.states import AccountState
from portal.audit.verify_certificate import canonical
from tests.browser.offboarding import LOOKED_AT
from tests.browser.steps import confirm_password, sign_in
from tests.browser.test_support import look_at
from tests.factories import make_cloud_account
from tests.offboarding import guards
from tests.offboarding.test_certificate import CERTIFICATE
from tests.offboarding.test_recovery import make_gone

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def make_offboarded(organisation: Organisation, by: User):
    account = make_cloud_account(organisation=organisation, created_by=by, name="Main", state=AccountState.OFFBOARDED)
    now = timezone.now()
    done = {"certificate": canonical(CERTIFICATE), "sha256": "0" * 64, "completed_at": now, "irreversible_at": now}
    guards.make_offboarding(account=account, by=by, state="complete", **done)
    return account


def make_kit_gone(organisation: Organisation, by: User):
    """With the recovery kit, the lines before it, and what it can do and what not."""
    return make_gone("gcp", organisation, by)


# What is looked at, by the account that it is about.
PAGES = {
    guards.make_with_instance: ("offboarding:offboarding_plan", "offboarding:offboarding_start", "cells:account_instances_delete"),
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
