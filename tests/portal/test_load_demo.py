"""The demo's people: everybody the launcher prints can do what their role says, however often it is loaded."""

from http import HTTPStatus

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.auth import hashers
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.urls import reverse

from accounts.models import Membership, Organisation, User
from cells.forms.parameters import schema_problem
from cells.models import Plan
from portal.audit.models import Event
from tests.accounts.signing_in import code

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # base32, of this test only
PASSWORD = "a-demo-pass-phrase"


@pytest.fixture
def load(db, monkeypatch, capsys):
    cache.clear()
    monkeypatch.setenv("PORTAL_DEMO_PASSWORD", PASSWORD)
    monkeypatch.delenv("PORTAL_DEMO_TOTP_SECRET", raising=False)

    def run(**options):
        call_command("load_demo", **options)
        return capsys.readouterr().out.split()

    return run


def test_load_demo_makes_both_organisations_with_every_role(load):
    addresses = load()

    found = Membership.objects.values_list("organisation__slug", "user__email", "role").order_by("organisation__slug", "user__email")
    roles = ["approver", "auditor", "operator", "owner"]
    assert list(found) == [
        *(("acme", f"{role}@acme.example", role) for role in roles),
        ("fernhill-hosting", "hosting@fernhill.example", "owner"),
        *(("globex", f"{role}@globex.example", role) for role in roles),
    ]
    assert sorted(addresses) == sorted(User.objects.values_list("email", flat=True))
    assert EmailAddress.objects.filter(verified=True, primary=True).count() == 12
    customers = Organisation.objects.exclude(slug="fernhill-hosting")
    assert [organisation.has_operational_contact() for organisation in customers] == [True, True]
    assert list(User.objects.filter(is_staff=True).values_list("email", flat=True)) == ["staff@fernhill.example"]
    engineers = User.objects.filter(is_support_engineer=True).order_by("email")
    assert [user.email for user in engineers] == ["checker@fernhill.example", "support@fernhill.example"]


def test_load_demo_again_changes_nothing(load):
    load()
    User.objects.filter(email="owner@acme.example").update(name="Renamed by the visitor")
    before = (list(User.objects.order_by("email").values()), Event.objects.count())

    load()

    assert (list(User.objects.order_by("email").values()), Event.objects.count()) == before


def test_load_demo_offers_three_plans_that_a_form_can_show(load):
    load()
    Plan.objects.filter(code="orders").update(summary="Changed by the visitor")
    load()

    found = [(plan.code, plan.hosting, plan.tenancy, plan.sizes.count()) for plan in Plan.objects.order_by("code")]
    assert found == [
        ("orders", "customer", "dedicated", 3),
        ("orders-cloud", "provider", "shared", 3),
        ("orders-team", "platform", "multi_tenant", 1),
    ]
    assert [schema_problem(plan.parameters) for plan in Plan.objects.all()] == ["", "", ""]
    assert {tuple(plan.releases.values_list("version", flat=True)) for plan in Plan.objects.all()} == {("1.5.0", "1.4.2")}
    assert Plan.objects.get(code="orders").summary == "Changed by the visitor"


def test_load_demo_hashes_the_password_once(load, monkeypatch):
    hashed = []
    real = hashers.make_password
    monkeypatch.setattr("portal.management.commands.load_demo.make_password", lambda text: hashed.append(text) or real(text))

    load()
    load()

    assert hashed == [PASSWORD]


def test_load_demo_without_password_says_what_to_set(load, monkeypatch):
    monkeypatch.delenv("PORTAL_DEMO_PASSWORD")

    with pytest.raises(CommandError, match="Set PORTAL_DEMO_PASSWORD"):
        load()
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("email", "place"),
    [("owner@acme.example", "/o/acme/"), ("auditor@globex.example", "/o/globex/")],
)
def test_demo_people_arrive_where_they_belong(load, client, email, place):
    load()

    page = client.post(reverse("account_login"), {"login": email, "password": PASSWORD}, follow=True)

    assert page.redirect_chain[-1] == (place, HTTPStatus.FOUND)
    assert page.status_code == HTTPStatus.OK


@pytest.mark.parametrize(("who", "place"), [("staff", "/admin/"), ("support", "/support/"), ("checker", "/support/")])
def test_demo_people_of_the_provider_enter_their_pages_with_the_printed_secret(load, client, monkeypatch, who, place):
    monkeypatch.setenv("PORTAL_DEMO_TOTP_SECRET", SECRET)
    load()
    asked = client.post(reverse("account_login"), {"login": f"{who}@fernhill.example", "password": PASSWORD})

    page = client.post(reverse("mfa_authenticate"), {"code": code(SECRET)}, follow=True)

    assert asked["Location"] == reverse("mfa_authenticate")
    assert (page.redirect_chain[-1][0], page.status_code) == (place, HTTPStatus.OK)
    assert [SECRET in str(one.data) for one in Authenticator.objects.all()] == [False, False, False]


@pytest.mark.parametrize(
    ("who", "words"), [("staff", "Administration needs a second factor."), ("support", "The support desk needs a second")]
)
def test_demo_people_of_the_provider_without_secret_are_led_to_set_up_a_second_factor(load, client, who, words):
    load()

    page = client.post(reverse("account_login"), {"login": f"{who}@fernhill.example", "password": PASSWORD}, follow=True)

    assert page.redirect_chain[-1][0] == reverse("mfa_index")
    assert words in page.text
