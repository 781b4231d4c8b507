"""No page of an organisation opens to a stranger, whoever adds it; no page outside is open without a reason."""

from http import HTTPStatus

import pytest
from django.contrib import admin
from django.urls import reverse

from accounts.access import ROLE_PERMISSIONS, Permission, Role
from portal.audit.models import Event
from tests.factories import make_membership, make_user
from tests.guards.url_tree import Url, address, all_urls, organisation_urls, other_urls
from tests.support import guards as support

METHODS = ("get", "post")

# Pages that answer people who have not signed in, each with the reason. Nothing else may.
PUBLIC = {
    **support.PUBLIC,
    "account_login": "signing in",
    "account_signup": "signing up",
    "account_inactive": "tells a deactivated person why",
    "account_logout": "signing out twice is no error",
    "account_email_verification_sent": "shown between sign-up and confirmation",
    "account_confirm_email": "opened from a mail, on any device; the key is the proof",
    "account_reset_password": "for people who cannot sign in",
    "account_reset_password_done": "for people who cannot sign in",
    "account_reset_password_from_key": "opened from a mail, on any device; the key is the proof",
    "account_reset_password_from_key_done": "for people who cannot sign in",
    "account_confirm_login_code": "second step of signing in",
    "mfa_authenticate": "second step of signing in",
    "mfa_login_webauthn": "signing in with a passkey",
    "accounts:confirmation_resend": "between sign-up and confirmation",
    "accounts:invitation": "the invited may have no account yet; the secret in the address is the key",
    "accounts:invitation_sign_up": "the first step of somebody who has no account yet",
    "accounts:contact_confirm": "contacts need no account; the secret in the address is the key",
    "accounts:step_link": "a colleague with rights in the cloud needs no account; the secret in the address is the key",
    "accounts:step_link_status": "a fragment of that page",
    "accounts:step_link_file": "a file of the kit, for the same link",
    "accounts:step_link_report": "what the kit printed, pasted on that page; nothing it says is believed",
    "accounts:kit_report": "said by a kit in the customer's shell; the address is signed and nothing it says is believed",
    "offboarding:leftovers_script": "the same for everybody, without a secret; the command on the page checks its hash",
    "portal:theme": "a person may prefer dark before signing in",
    "portal:brand": "the sign-in page wears the brand too",
    "portal:healthz": "asked by load balancers",
    "cells:agent_openapi": "the description of the agent protocol holds no secret",
    "cells:agent_package": "the agent's program is the same for everybody; machines check its hash",
    "cells:agent_enrolment": "agents have no session: a signed token, used once, is the proof",
    "cells:agent_token": "agents have no session: a statement signed with the agent's own key is the proof",
    "cells:agent_key": "agents have no session: the access token is the proof",
    "cells:agent_desired": "agents have no session: the access token is the proof",
    "cells:agent_orders": "agents have no session: the access token is the proof",
    "cells:agent_order_results": "agents have no session: the access token is the proof",
    "cells:agent_backups": "agents have no session: the access token is the proof",
    "cells:agent_reports": "agents have no session: the access token is the proof",
    "issuer_jwks": "customers' clouds fetch the keys",
    "issuer_discovery": "customers' clouds fetch the issuer's address",
}

# Arguments that name nothing of an organisation: the slug itself, one of the three clouds, the kind of a file.
NO_OBJECT = {"slug", "cloud", "kind"}

# Pages of an organisation that answer its own owner with 404 on GET, with the reason.
NOT_FOUND_FOR_THE_OWNER: dict[str, str] = {}


@pytest.fixture
def stranger(client, charlie):
    client.force_login(charlie)
    return client


# --- Pages of an organisation ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", organisation_urls(), ids=str)
def test_organisation_url_bears_the_mark_of_the_gate(url: Url):
    assert isinstance(getattr(url.callback, "required_permission", None), Permission), f"{url.name}: wrap it in accounts.access.requires"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("url", organisation_urls(), ids=str)
def test_organisation_url_does_not_exist_for_a_stranger(url: Url, method, stranger, alice, acme):
    there = address(url, acme, alice)
    before = Event.objects.count()

    response = getattr(stranger, method)(there)

    assert response.status_code == HTTPStatus.NOT_FOUND
    assert "Acme" not in response.text
    assert Event.objects.count() == before


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("url", [url for url in organisation_urls() if url.arguments - NO_OBJECT], ids=str)
def test_object_of_another_organisation_does_not_exist_under_ones_own_address(url: Url, method, stranger, alice, acme):
    borrowed = address(url, acme, alice, slug="globex")
    before = Event.objects.count()

    response = getattr(stranger, method)(borrowed)

    # A page that takes no such method says so before it looks anything up: that tells nothing.
    assert response.status_code in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}
    assert Event.objects.count() == before


@pytest.mark.parametrize("url", organisation_urls(), ids=str)
def test_organisation_url_exists_for_its_owner(url: Url, client, alice, acme):
    """Else the 404 of the tests above would prove nothing."""
    client.force_login(alice)

    response = client.get(address(url, acme, alice))

    assert (response.status_code == HTTPStatus.NOT_FOUND) == (url.name in NOT_FOUND_FOR_THE_OWNER)
    assert response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR


@pytest.mark.parametrize("url", organisation_urls(), ids=str)
def test_organisation_url_sends_a_visitor_to_the_sign_in(url: Url, client, alice, acme):
    there = address(url, acme, alice)

    response = client.post(there)

    assert (response.status_code, response["Location"]) == (HTTPStatus.FOUND, f"{reverse('account_login')}?next={there}")


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.APPROVER, Role.AUDITOR])
@pytest.mark.parametrize("url", organisation_urls(), ids=str)
def test_organisation_url_is_forbidden_to_a_role_without_its_permission(url: Url, role, client, alice, acme):
    there = address(url, acme, alice)
    client.force_login(make_membership(organisation=acme, role=role).user)

    response = client.get(there)

    assert (response.status_code == HTTPStatus.FORBIDDEN) == (url.callback.required_permission not in ROLE_PERMISSIONS[role])


# --- Pages outside ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", other_urls(), ids=str)
def test_other_url_asks_to_sign_in_unless_it_is_public(url: Url, client, db):
    response = client.get(address(url, None, None))

    asks = response.status_code == HTTPStatus.FOUND and response["Location"].startswith(reverse("account_login") + "?next=")
    assert asks == (url.name not in PUBLIC)


def test_public_list_is_not_stale():
    assert set(PUBLIC) - {url.name for url in other_urls()} == set()


def test_exceptions_are_not_stale():
    assert set(NOT_FOUND_FOR_THE_OWNER) - {url.name for url in organisation_urls()} == set()


def test_admin_is_closed_to_customers_and_to_staff_without_a_second_factor(client, alice):
    pages = [reverse("admin:index"), *(reverse(f"admin:{m._meta.app_label}_{m._meta.model_name}_changelist") for m in admin.site._registry)]
    for person in (alice, make_user(is_staff=True, is_superuser=True), make_user(is_support_engineer=True)):
        client.force_login(person)
        assert {client.get(page).status_code for page in pages} <= {HTTPStatus.FOUND, HTTPStatus.FORBIDDEN}


def test_every_url_has_a_name():
    assert [url.route for url in all_urls() if not url.route.startswith("admin/") and url.name == url.route] == []
