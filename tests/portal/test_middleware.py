"""Our own middleware: sign-in for htmx, the reader's time zone."""

import zoneinfo

import pytest
from django.utils import timezone

from portal.middleware import TimeZoneMiddleware, known_zone


@pytest.mark.django_db
def test_htmx_request_without_a_session_is_sent_to_sign_in_as_a_whole_page(client):
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/o/acme/accounts/?q=prod"}

    response = client.get("/o/acme/accounts/", headers=headers)

    assert response.status_code == 200
    assert response.headers["HX-Redirect"] == "/auth/login/?next=/o/acme/accounts/%3Fq%3Dprod"


@pytest.mark.django_db
def test_plain_request_without_a_session_is_redirected_to_sign_in(client):
    response = client.get("/o/acme/accounts/")

    assert response.status_code == 302
    assert response.headers["Location"] == "/auth/login/?next=/o/acme/accounts/"


@pytest.mark.parametrize("name", ["", "Nowhere/Land", "../../etc/passwd", "\x00", "a" * 5000, "Europe"])
def test_unknown_zone_is_utc(name):
    assert known_zone(name) == zoneinfo.ZoneInfo("UTC")


def test_zone_comes_from_the_profile_before_the_browser(rf):
    request = rf.get("/")
    request.COOKIES["timezone"] = "Asia/Tokyo"
    request.user = type("Person", (), {"time_zone": "Europe/Berlin"})()

    assert TimeZoneMiddleware(lambda request: timezone.get_current_timezone_name())(request) == "Europe/Berlin"


def test_zone_of_the_browser_serves_who_chose_none(rf):
    request = rf.get("/")
    request.COOKIES["timezone"] = "Asia/Tokyo"
    request.user = type("Person", (), {"time_zone": ""})()

    assert TimeZoneMiddleware(lambda request: timezone.get_current_timezone_name())(request) == "Asia/Tokyo"


def test_page_of_a_signed_in_person_stays_in_no_cache(client, alice):
    client.force_login(alice)

    for address in ("/o/acme/", "/profile/", "/o/acme/activity/", "/no/such/page/"):
        assert client.get(address).headers["Cache-Control"] == "private, no-store"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "said"), [("/trust/jwks.json", "public, max-age=300"), ("/brand.css", "public, max-age=300"), ("/healthz", "no-store")]
)
def test_view_that_says_how_it_is_cached_keeps_its_word(client, alice, address, said):
    client.force_login(alice)

    assert {*client.get(address).headers["Cache-Control"].split(", ")} == {*said.split(", ")}


@pytest.mark.django_db
def test_features_no_page_uses_are_off_and_passkeys_and_copying_are_not(client):
    policy = client.get("/auth/login/").headers["Permissions-Policy"]

    assert {"camera=()", "geolocation=()", "publickey-credentials-get=(self)", "clipboard-write=(self)"} <= {*policy.split(", ")}
