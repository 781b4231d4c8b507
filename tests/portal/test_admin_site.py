"""Who may enter the administration, and that it stays what the portal is: same sign-in, same policy, same look."""

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.apps import apps
from django.contrib import admin
from django.core.cache import cache
from django.test import RequestFactory
from django.utils import timezone

from accounts.models import Organisation, User
from accounts.sign_in import SECOND_FACTOR_MAX_AGE
from tests.factories import PASSWORD, make_membership, make_user

SECRET = "JBSWY3DPEHPK3PXP"


def make_staff(**fields):
    user = make_user(is_staff=True, is_superuser=True, **fields)
    TOTP.activate(user, SECRET)
    return user


def code() -> str:
    return format_hotp_value(hotp_value(SECRET, next(yield_hotp_counters_from_time())))


def sign_in(client, user):
    cache.clear()  # thirty sign-ins a minute from one address, else
    client.post("/auth/login/", {"login": user.email, "password": PASSWORD})
    return client.post("/auth/2fa/authenticate/", {"code": code()})


@pytest.mark.django_db
def test_admin_sends_strangers_to_the_portals_sign_in(client):
    assert client.get("/admin/accounts/user/")["Location"] == "/auth/login/?next=/admin/accounts/user/"
    assert client.get("/admin/login/?next=/admin/accounts/user/")["Location"] == "/auth/login/?next=%2Fadmin%2Faccounts%2Fuser%2F"


@pytest.mark.django_db
def test_admin_takes_no_password_itself(client):
    staff = make_staff()

    response = client.post("/admin/login/", {"username": staff.email, "password": PASSWORD})

    assert response["Location"] == "/auth/login/?next=%2Fadmin%2F"
    assert "_auth_user_id" not in client.session


@pytest.mark.django_db
def test_admin_refuses_customers(client):
    client.force_login(make_membership().user)

    response = client.get("/admin/", follow=True)

    assert response.status_code == 403
    assert "this page is not for your account" in response.content.decode()


@pytest.mark.django_db
def test_admin_leads_staff_without_a_second_factor_to_set_one_up(client):
    client.force_login(make_user(is_staff=True, is_superuser=True))

    response = client.get("/admin/", follow=True)

    assert response.redirect_chain == [("/admin/login/?next=/admin/", 302), ("/auth/2fa/", 302)]
    assert "Administration needs a second factor. Set one up, then open it again." in response.content.decode()


@pytest.mark.django_db
def test_admin_asks_for_a_second_factor_that_this_session_has_not_given(client):
    staff = make_user(is_staff=True, is_superuser=True)
    client.force_login(staff)
    TOTP.activate(staff, SECRET)

    response = client.get("/admin/accounts/user/", follow=True)

    assert response.redirect_chain[-1] == ("/auth/2fa/reauthenticate/?next=%2Fadmin%2Faccounts%2Fuser%2F", 302)


@pytest.mark.django_db
def test_admin_opens_after_sign_in_with_a_second_factor(client):
    sign_in(client, make_staff())

    assert client.get("/admin/").status_code == 200


@pytest.mark.django_db
def test_admin_closes_when_the_second_factor_is_older_than_a_working_day(client):
    sign_in(client, make_staff())

    with time_machine.travel(timezone.now() + SECOND_FACTOR_MAX_AGE + timedelta(seconds=1)):
        response = client.get("/admin/")

    assert response["Location"] == "/admin/login/?next=/admin/"


@pytest.mark.django_db
@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/"])
def test_admin_sends_nobody_elsewhere(client, target):
    sign_in(client, make_staff())

    assert client.get("/admin/login/", {"next": target})["Location"] == "/admin/"


@pytest.mark.django_db
def test_admin_leaves_password_and_sign_out_to_the_portal(client):
    sign_in(client, make_staff())

    assert client.get("/admin/password_change/")["Location"] == "/auth/password/change/"
    assert client.post("/admin/logout/")["Location"] == "/auth/logout/"


@pytest.mark.django_db
def test_admin_groups_by_what_staff_look_for(client):
    sign_in(client, make_staff())

    groups = re.findall(r"<caption>(.*?)</caption>", client.get("/admin/").content.decode())

    assert groups == ["Customers", "Fleet", "Access", "Delivery", "Audit"]


@pytest.mark.django_db
@pytest.mark.parametrize(("is_https", "label"), [(True, "Production"), (False, "Demo")])
def test_admin_says_which_environment_it_is(client, settings, is_https, label):
    sign_in(client, make_staff())
    settings.IS_HTTPS = is_https

    assert re.search(r'class="environment[^"]*">(\w+)<', client.get("/admin/").content.decode())[1] == label


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("zone", "words", "shown"),
    [("", "Times in UTC", "July 1, 2026, 9 a.m."), ("Asia/Tokyo", "Times in Asia/Tokyo (UTC+9)", "July 1, 2026, 6 p.m.")],
)
def test_admin_list_says_in_which_zone_its_times_are(client, zone, words, shown):
    Organisation.objects.create(name="Acme", slug="acme", created_at=datetime(2026, 7, 1, 9, tzinfo=UTC))
    sign_in(client, make_staff(time_zone=zone))

    page = client.get("/admin/accounts/organisation/").content.decode()

    assert f"<span>{words}</span>" in page
    assert shown in page


def test_admin_never_deletes_in_bulk_and_leaves_out_what_skips_the_log():
    names = {model._meta.label_lower for model in admin.site._registry}

    assert "delete_selected" not in dict(admin.site.actions)
    assert names & {"account.emailaddress", "mfa.authenticator", "usersessions.usersession", "auth.group"} == set()


@pytest.mark.django_db
@pytest.mark.parametrize("model", sorted(model._meta.label_lower for model in admin.site._registry))
def test_admin_list_keeps_the_strict_policy_and_can_be_searched(client, model):
    sign_in(client, make_staff())

    response = client.get(f"/admin/{model.replace('.', '/')}/")
    html = response.content.decode()

    assert response.status_code == 200
    assert "unsafe" not in response["Content-Security-Policy"]
    assert not re.search(r"\sstyle=|\son\w+=\"", html)
    assert [tag for tag in re.findall(r"<script[^>]*>", html) if "src=" not in tag and "application/json" not in tag] == []
    assert 'id="searchbar"' in html


# --- Lists filter by what they offer ---------------------------------------------------------------------------------

SECRET_LOOKUPS = (
    "password",
    "token_hash",
    "sealed_private_key",
    "sealed_body",
    "memberships__user__password",
    "user__password",
    "invited_by__password",
)


@pytest.mark.parametrize("column", SECRET_LOOKUPS)
@pytest.mark.parametrize("model", sorted(model._meta.label_lower for model in admin.site._registry))
def test_list_cannot_be_asked_for_a_secret_letter_by_letter(model, column):
    model_admin = admin.site.get_model_admin(apps.get_model(model))
    request = RequestFactory().get("/")
    request.user = User(is_staff=True, is_superuser=True)

    for lookup in ("", "__startswith", "__regex", "__exact", "__gte"):
        assert not model_admin.lookup_allowed(column + lookup, "a", request)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    [
        "accounts/user/?password__startswith=md5",
        "accounts/user/?password__gte=m",
        "accounts/invitation/?token_hash__startswith=a",
        "accounts/invitation/?invited_by__password__startswith=a",
        "accounts/contact/?token_hash__contains=a",
        "accounts/signingkey/?sealed_private_key__startswith=a",
        "accounts/membership/?user__password__startswith=md5",
        "accounts/user/?is_staff__exact=%00",
    ],
)
def test_list_refuses_a_filter_it_does_not_offer(client, address):
    sign_in(client, make_staff())

    assert client.get(f"/admin/{address}").status_code == 400


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    [
        "accounts/user/?is_staff__exact=1&memberships__role__exact=owner&created_at__year=2026",
        "accounts/user/?created_at__gte=2026-01-01+00%3A00%3A00%2B00%3A00&created_at__lt=2027-01-01+00%3A00%3A00%2B00%3A00",
        "accounts/invitation/?state=open&role__exact=owner",
        "accounts/contact/?confirmed_at__isempty=1&purpose__exact=billing",
        "accounts/organisation/?cloud_accounts__state__exact=draft",
        "audit_event",
        "operations/operation/?state__exact=failed&kind=connect_aws&created_at__month=1&created_at__year=2026",
        "accounts/kit/?version=1&state__exact=current",
        "accounts/membership/?user__is_active__exact=1",
    ],
)
def test_list_takes_the_filters_it_offers(client, address):
    sign_in(client, make_staff())
    address = address.replace("audit_event", "audit/event/?actor_kind=user&at__year=2026&at__month=11&at__day=21")

    assert client.get(f"/admin/{address}").status_code == 200


@pytest.mark.django_db
def test_every_link_a_list_offers_as_a_filter_works(client, acme):
    sign_in(client, make_staff())

    for model in admin.site._registry:
        place = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        page = client.get(place, {"_facets": "True"}).content.decode()
        for query in set(re.findall(r'href="(\?[^"]+)"', page)):
            assert client.get(place + html.unescape(query)).status_code == 200, query
