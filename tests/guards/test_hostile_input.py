"""Whatever stands in a query or a form, no page answers with an error of ours: what no column can hold is just not found."""

from http import HTTPStatus
from urllib.parse import urlencode

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.cache import cache

from accounts.access import Role
from tests.factories import make_membership, make_user
from tests.guards.url_tree import Url, address, organisation_urls, other_urls
from tests.portal.test_admin_site import make_staff, sign_in

# Every name that a view or filter reads, in a query or a form.
NAMES = (
    *(
        "after",
        "before",
        "by",
        "cloud",
        "code",
        "email",
        "evidence",
        "external_id",
        "generation",
        "group",
        "kind",
        "login",
        "name",
        "next",
        "object",
        "only",
    ),
    *("account", "confirm", "drift", "health", "link", "plan", "release", "resource", "sort"),
    *("password", "purpose", "q", "reason", "region", "role", "since", "size", "slug", "state", "theme", "time_zone", "until"),
    *("v", "via", "what", "who"),
    *("credential", "customer", "minutes", "mode", "offer", "opens", "profile", "scope", "text", "zone"),
)
VALUES = {"nul": "\0", "nul inside": "a\0b", "5,000 digits": "9" * 5000, "superscript": "\u00b2", "long": "x" * 5000, "surrogate": "\ud800"}


def hostile(value: str) -> str:
    return urlencode(dict.fromkeys(NAMES, value), errors="surrogatepass")


def errors(browser, there):
    """What GET and POST answer to each of the values, where it is an error of ours."""
    for name, value in VALUES.items():
        words = hostile(value)
        got = browser.get(f"{there}?{words}").status_code
        posted = browser.post(f"{there}?{words}", words, content_type="application/x-www-form-urlencoded").status_code
        if max(got, posted) >= HTTPStatus.INTERNAL_SERVER_ERROR:
            yield name, got, posted


@pytest.mark.parametrize("url", organisation_urls(), ids=str)
def test_page_of_an_organisation_bears_anything(url: Url, client, alice, acme):
    client.force_login(alice)

    assert list(errors(client, address(url, acme, alice))) == []


@pytest.mark.parametrize("url", other_urls(), ids=str)
def test_page_outside_of_organisations_bears_anything(url: Url, client, db):
    cache.clear()
    signed_in = type(client)()
    signed_in.force_login(make_membership(user=make_user(), role=Role.OWNER).user)

    for browser in (client, signed_in):
        assert list(errors(browser, address(url, None, None))) == []


def test_switch_to_an_organisation_that_no_name_can_have_is_not_found(client, alice):
    client.force_login(alice)

    assert client.post("/organisations/switch/", {"slug": "ac\0me"}).status_code == HTTPStatus.NOT_FOUND


@pytest.mark.django_db
@pytest.mark.parametrize("model", sorted(model._meta.label_lower for model in admin.site._registry))
def test_list_of_the_administration_bears_anything(client, model):
    sign_in(client, make_staff())
    filters = [entry for entry in admin.site.get_model_admin(apps.get_model(model)).list_filter if isinstance(entry, str)]

    for name in ("q", "o", "p", "state", *filters):
        for kind, value in VALUES.items():
            words = urlencode({name: value}, errors="surrogatepass")
            assert client.get(f"/admin/{model.replace('.', '/')}/?{words}").status_code < HTTPStatus.INTERNAL_SERVER_ERROR, (name, kind)
