"""The pages of closing an organisation, in each state that they have something of their own to show; and the way there and back."""

import pytest
from django.urls import reverse

from accounts.closing.models import Closing
from accounts.models import Organisation, User
from tests.browser.steps import confirm_password, sign_in
from tests.browser.test_support import look_at
from tests.closing.guards import LOOKED_AT, make_closed, make_closing
from tests.factories import make_cloud_account, make_invitation

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def make_nothing(organisation, by):
    """Nothing is in the way."""


def make_blocked(organisation, by):
    make_cloud_account(organisation=organisation, created_by=by, name="Main", state="connected")
    make_invitation(organisation=organisation, invited_by=by)


# What is looked at, in the order in which the states follow each other.
PAGES = (
    (make_nothing, ("closing:closing_home", "closing:closing_start", "closing:closing_cancel")),
    (make_blocked, ("closing:closing_home", "closing:closing_start")),
    (make_closing, ("closing:closing_home", "closing:closing_cancel")),
)


def test_every_page_of_closing_is_looked_at():
    assert {name for _make, names in PAGES for name in names} | {"closing:closing_done"} == set(LOOKED_AT)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_pages_of_closing_are_accessible(theme, width, portal, page, violations):
    acme, owner = Organisation.objects.get(slug="acme"), User.objects.get(email="owner@acme.example")
    sign_in(page, portal, owner.email)
    confirm_password(page, portal)
    page.context.add_cookies([{"name": "theme", "value": theme, "url": portal}])
    page.set_viewport_size({"width": width, "height": 800})
    for make, names in PAGES:
        make(acme, owner)
        look_at(page, portal, {name: reverse(name, args=["acme"]) for name in names}, violations)
    Closing.objects.all().delete()
    make_closed(acme, owner)
    look_at(page, portal, {"closing:closing_done": reverse("closing:closing_done", args=["acme"])}, violations)


def plan(page):
    page.get_by_role("link", name="Plan the closing").click()
    page.get_by_label("Type Acme to confirm").fill("Acme")
    page.get_by_role("button", name="Plan the closing").click()
    page.get_by_text("The closing is planned. All members are told by mail.").wait_for()


def test_owner_plans_a_closing_calls_it_off_and_plans_it_again(portal, page):
    sign_in(page, portal, "owner@acme.example")
    confirm_password(page, portal)
    page.goto(f"{portal}/o/acme/settings/")
    page.get_by_role("link", name="Closing").click()
    plan(page)
    assert Closing.objects.get().state == "planned"

    page.get_by_role("link", name="Call off the closing").click()
    page.get_by_role("button", name="Call off the closing").click()

    page.get_by_text("The closing is called off.").first.wait_for()
    assert Closing.objects.get().state == "cancelled"

    plan(page)
    assert sorted(Closing.objects.values_list("state", flat=True)) == ["cancelled", "planned"]
