"""The way out where the straight one ends: handed to the provider and closed with what is left, by three people; and the way in again."""

import re

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import CloudAccount, Organisation, OutgoingMail, User
from accounts.offboarding.models import Offboarding
from accounts.sign_in import has_second_factor
from cells.models import CellResource
from portal.audit.verify_certificate import check
from portal.operations.driver import advance
from portal.operations.models import Operation
from tests.browser.steps import DEMO_SECRET, answer_until_kit, confirm_password, sign_in, start_connecting
from tests.browser.test_connect import NUMBER, create_stack
from tests.browser.test_offboarding import make_offboarded
from tests.factories import make_kit, make_user
from tests.offboarding import guards

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WHY = "The customer gives the account back to AWS tomorrow."


def make_stuck_on_a_network(organisation: Organisation, by: User) -> CloudAccount:
    account = guards.make_leaving(organisation, by)
    left = {"kind": "AWS::EC2::VPC", "name": "Network", "made": "vpc-77", "origin": "tag", "region": "eu-west-1"}
    CellResource.objects.create(account=account, **left)
    way = {"url": "", "act": "", "link": "https://console.example/vpc-77", "keep_url": ""}
    listed = {"name": "Network (AWS::EC2::VPC)", "why": "Held by eni-7", "region": "eu-west-1", "made": "vpc-77", **way}
    stuck = {"state": "stuck", "code": "offboarding_leftovers", "params": {"count": "1"}, "obstructions": [listed]}
    guards.make_offboarding(account=account, by=by, **stuck)
    return account


@pytest.fixture
def staff(visit):
    """Somebody of the provider at the administration, with a second factor."""

    def at_work(person: User):
        if not has_second_factor(person):
            TOTP.activate(person, DEMO_SECRET)
        return visit(person.email)

    return at_work


def test_stuck_offboarding_is_handed_over_and_closed_with_its_leftovers_by_three_people(portal, page, staff, settings):
    settings.PORTAL_URL = portal
    acme, owner = Organisation.objects.get(slug="acme"), User.objects.get(email="owner@acme.example")
    sam = User.objects.get(email="staff@fernhill.example")
    pat = make_user(name="Pat Fern", email="pat@fernhill.example", is_staff=True, is_superuser=True)
    account = make_stuck_on_a_network(acme, owner)
    plan = f"{portal}{reverse('offboarding:offboarding_plan', args=['acme', account.pk])}"

    sign_in(page, portal, owner.email)
    confirm_password(page, portal)
    page.goto(plan)
    expect(page.get_by_role("main")).to_contain_text("Held by eni-7")
    page.get_by_role("button", name="Hand it to Fernhill").click()
    expect(page.get_by_text("Olga Brandt has handed it to Fernhill.")).to_be_visible()
    expect(page.get_by_role("button", name="Hand it to Fernhill")).to_have_count(0)
    assert OutgoingMail.objects.filter(to=settings.PROVIDER_SUPPORT_EMAIL, subject__contains="Main").exists()

    close = reverse("admin:offboarding_offboarding_close", args=[Offboarding.objects.get().pk])
    first = staff(sam)
    first.goto(portal + close)
    expect(first.get_by_text("eu-west-1 · AWS::EC2::VPC · Network · vpc-77")).to_be_visible()
    first.get_by_label("Why is it closed with leftovers?").fill(WHY)
    first.get_by_role("button", name="Ask the customer to consent").click()
    expect(first.get_by_text("The customer is asked to consent to the list.")).to_be_visible()
    expect(first.get_by_role("button", name="Close with leftovers")).to_have_count(0)

    second = staff(pat)
    second.goto(portal + close)
    expect(second.get_by_text("The customer has not consented yet.")).to_be_visible()
    expect(second.get_by_role("button", name="Close with leftovers")).to_have_count(0)

    page.goto(plan)
    page.get_by_role("link", name="Read the list and decide").click()
    for words in (WHY, "1 resource is left", "vpc-77"):
        expect(page.get_by_role("main")).to_contain_text(words)
    page.get_by_label("Type Main to confirm").fill("Main")
    page.get_by_role("button", name="Consent to these leftovers").click()
    expect(page.get_by_text("Your consent is kept.")).to_be_visible()

    first.reload()
    expect(first.get_by_text("Two people close it: somebody else than the one who asked.")).to_be_visible()
    second.reload()
    second.get_by_role("button", name="Close with leftovers").click()
    expect(second.get_by_text("The offboarding is closed with leftovers.")).to_be_visible()

    page.goto(plan)
    page.get_by_role("link", name="See the certificate").click()
    expect(page.get_by_role("row", name=re.compile("vpc-77"))).to_contain_text("Still there")
    for words in (WHY, sam.email, pat.email, owner.email, "was not proven"):
        expect(page.get_by_role("main")).to_contain_text(words)
    document = check(Offboarding.objects.get().certificate)
    assert [one["id"] for one in document["closed_with_leftovers"]["listed"]] == ["vpc-77"]


def test_account_that_has_left_is_connected_again_as_a_fresh_one_and_keeps_its_record(portal, page, settings):
    settings.PORTAL_URL = portal
    acme, owner = Organisation.objects.get(slug="acme"), User.objects.get(email="owner@acme.example")
    left = make_offboarded(acme, owner)
    CloudAccount.objects.filter(pk=left.pk).update(external_id=NUMBER, connected_at=timezone.now())
    old_kit = make_kit(account=left, ran_at=timezone.now(), removed_at=timezone.now())

    sign_in(page, portal, owner.email)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Cloud accounts").click()
    start_connecting(page)
    page.get_by_label("What does your team call this account?").fill("Main again")
    page.get_by_label("AWS account number", exact=True).fill(NUMBER)
    page.get_by_role("button", name="Continue").click()
    answer_until_kit(page)
    with page.expect_popup() as opened:
        page.get_by_role("link", name=re.compile("^Launch stack in AWS")).click()
    create_stack(opened.value)
    page.get_by_role("link", name=re.compile("^I have started it")).click()
    advance(Operation.objects.get(kind="connect_cloud_account").pk)
    page.wait_for_url("**/connect/done/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Main again is connected")

    fresh = CloudAccount.objects.exclude(pk=left.pk).get()
    kit = fresh.kits.get()
    assert (fresh.external_id, fresh.state) == (NUMBER, "connected")
    assert (kit.generation, kit.suffix == old_kit.suffix) == (1, False)
    left.refresh_from_db()
    assert left.state == "offboarded"

    page.get_by_role("navigation", name="Main").get_by_role("link", name="Cloud accounts").click()
    expect(page.get_by_role("row", name=re.compile("^Main again"))).to_contain_text("Connected")
    page.get_by_role("link", name="Main", exact=True).click()
    expect(page.get_by_text("Offboarded. Fernhill has no access to this account any more.")).to_be_visible()
    page.get_by_role("link", name="See the certificate").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Offboarding certificate")
