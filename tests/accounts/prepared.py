"""What the tests of prepared connections share."""

import pytest
from django.urls import reverse

from accounts.actions.preparations import accept_terms
from accounts.terms import terms_of
from tests.factories import make_prepared_account, make_user


@pytest.fixture
def sam(db):
    return make_user(is_staff=True, name="Sam Fern", email="sam.f@fernhill.example")


@pytest.fixture
def account(acme, alice, sam):
    return make_prepared_account(acme, alice, staff=sam, note="As discussed on the phone.")


def url(account, name="connect_terms"):
    return reverse(f"accounts:{name}", args=["acme", account.pk])


def accept(account, by, **changed):
    values = {"name": account.name, "external_id": account.external_id, "identity": {}, "region": account.home_region} | changed
    accept_terms(account, **{"terms_hash": terms_of(account.cloud).sha256} | values, by=by)
