"""How the tests sign in, and what they look for in the log."""

import re
import time

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core.cache import cache
from django.urls import reverse

from portal.audit.models import Event
from tests.factories import PASSWORD

# Mail leaves after the commit: these tests really commit.
needs_commits = pytest.mark.django_db(transaction=True)
LINK = re.compile(r"http://\S+?(/auth/\S+)")


@pytest.fixture(autouse=True)
def fresh_limits():
    """Rate limits live in the shared cache, beyond a test's transaction."""
    cache.clear()


def sign_in(client, email, password=PASSWORD, **extra):
    return client.post(reverse("account_login"), {"login": email, "password": password}, **extra)


def code(secret):
    return format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))


def events():
    return list(Event.objects.order_by("sequence").values_list("action", "organisation_id", "details"))


def let_proof_grow_old(client):
    """As if the person had shown who they are an hour ago."""
    session = client.session
    session["account_authentication_methods"] = [{"method": "mfa", "at": time.time() - 3600}]
    session.save()


def prove(client):
    """Pass the page that asks for the password once more."""
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
