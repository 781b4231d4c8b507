"""Who may enter the administration, and that it stays what the portal is: same sign-in, same policy, same look."""

import re
from datetime import timedelta

import pytest
import time_machine
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.contrib import admin
from django.utils import timezone

from portal.admin import SECOND_FACTOR_MAX_AGE
from tests.factories import PASSWORD, make_membership, make_user

SECRET = "JBSWY3DPEHPK3PXP"


def make_staff(**fields):
    user = make_user(is_staff=True, is_superuser=True, **fields)
    TOTP.activate(user, SECRET)
    return user


def code() -> str:
    return format_hotp_value(hotp_value(SECRET, next(yield_hotp_counters_from_time())))


def sign_in(client, user):
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
    client.force_login(make_staff())

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

    assert groups == ["Customers", "Fleet", "Delivery", "Audit"]


@pytest.mark.django_db
@pytest.mark.parametrize(("is_https", "label"), [(True, "Production"), (False, "Demo")])
def test_admin_says_which_environment_it_is(client, settings, is_https, label):
    sign_in(client, make_staff())
    settings.IS_HTTPS = is_https

    assert re.search(r'class="environment[^"]*">(\w+)<', client.get("/admin/").content.decode())[1] == label


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
