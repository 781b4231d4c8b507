"""The portal's own pages: errors that help, theme, brand, health, gallery, frame."""

import logging
import re

import pytest
from django.core.cache import cache
from django.core.exceptions import SuspiciousOperation
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import include, path

from accounts.access import MissingPermission, Permission, Role
from portal import views
from tests.factories import make_membership, make_organisation, make_user


def raising(error: type[Exception]) -> HttpResponse:
    def view(request: HttpRequest) -> HttpResponse:
        raise error("secret detail of the code")

    return view


urlpatterns = [
    path("broken/", raising(ValueError)),
    path("database-away/", raising(OperationalError)),
    path("suspicious/", raising(SuspiciousOperation)),
    path("", include("portal.urls")),
]
handler400 = "portal.views.bad_request"
handler403 = "portal.views.permission_denied"
handler404 = "portal.views.page_not_found"
handler500 = "portal.views.server_error"


def heading(response: HttpResponse) -> str:
    return re.search(r"<h1>\s*(.*?)\s*</h1>", response.content.decode(), re.DOTALL)[1]


def title(response: HttpResponse) -> str:
    return re.search(r"<title>\s*(.*?)\s*</title>", response.content.decode(), re.DOTALL)[1]


@pytest.fixture
def alice(client):
    user = make_user(name="Alice", email="alice@acme.example")
    make_membership(user=user, organisation=make_organisation(name="Acme", slug="acme"), role=Role.OWNER)
    client.force_login(user)
    return user


# --- Error pages -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.urls("tests.portal.test_views")
@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("/no/such/page/", 404, "This page does not exist"),
        ("/suspicious/", 400, "The request could not be read"),
        ("/broken/", 500, "Something broke on our side"),
        ("/database-away/", 503, "The portal is unavailable for a moment"),
    ],
)
def test_error_page_is_plain_and_has_a_reference(alice, client, address, status, words):
    client.raise_request_exception = False

    response = client.get(address)
    html = response.content.decode()

    assert (response.status_code, heading(response), title(response)) == (status, words, f"{words} – Fernhill")
    assert re.search(r'Reference <span class="mono">[0-9a-f-]{36}</span>', html)
    assert 'href="mailto:support@fernhill.example"' in html
    assert "secret detail" not in html


@pytest.mark.django_db
def test_refusal_is_one_line_in_the_log(alice, client, caplog):
    caplog.set_level(logging.INFO)

    assert client.get("/gallery/").status_code == 403

    refusals = [line.msg for line in caplog.records if "refused" in str(line.msg) or "Forbidden" in line.getMessage()]
    assert [{key: line[key] for key in ("event", "path", "user_id")} for line in refusals] == [
        {"event": "request_refused", "path": "/gallery/", "user_id": str(alice.pk)}
    ]
    assert [line for line in caplog.records if line.exc_info] == []


@pytest.mark.django_db
@pytest.mark.urls("tests.portal.test_views")
def test_fault_is_in_the_log_with_its_traceback(alice, client, caplog):
    client.raise_request_exception = False

    client.get("/broken/")

    assert [line.getMessage() for line in caplog.records if line.exc_info and line.name == "django.request"] == [
        "Internal Server Error: /broken/"
    ]


@pytest.mark.django_db
@pytest.mark.urls("tests.portal.test_views")
def test_503_says_when_to_come_back(alice, client):
    client.raise_request_exception = False

    assert client.get("/database-away/")["Retry-After"] == "60"


@pytest.mark.django_db
def test_429_of_a_tripped_limit_is_our_page(client, settings):
    settings.ACCOUNT_RATE_LIMITS = {"login": "1/h/ip"}
    cache.clear()

    answers = [client.post("/auth/login/", {"login": "nobody@people.example", "password": "wrong"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 429]
    assert (heading(answers[1]), title(answers[1])) == ("Too many attempts", "Too many attempts – Fernhill")
    assert re.search(r'Reference <span class="mono">[0-9a-f-]{36}</span>', answers[1].content.decode())


@pytest.mark.urls("tests.portal.test_views")
@pytest.mark.parametrize("handler", [views.server_error, views.unavailable, views.bad_request])
def test_error_page_needs_no_database_session_or_user(handler):
    # No django_db mark: a query would fail this test.
    request = RequestFactory().get("/", headers={"cookie": "theme=dark"})

    response = handler(request)

    assert '<html lang="en" dir="ltr" data-theme="dark">' in response.content.decode()


@pytest.mark.django_db
def test_403_names_the_permission_the_roles_and_who_can_grant_it():
    organisation = make_organisation(name="Acme", slug="acme")
    make_membership(organisation=organisation, user=make_user(name="Olga", email="olga@acme.example"), role=Role.OWNER)
    auditor = make_membership(organisation=organisation, role=Role.AUDITOR)
    request = RequestFactory().get("/o/acme/")
    request.user, request.session = auditor.user, {}

    response = views.permission_denied(request, MissingPermission(Permission.RUN_OPERATIONS, organisation))
    html = " ".join(response.content.decode().split())

    assert (response.status_code, heading(response)) == (403, "Your role does not allow this")
    assert "This needs the permission <strong>Retry, cancel and check operations</strong>. Nothing was changed." in html
    assert "<dd>Owner, Operator</dd>" in html
    assert '<a href="mailto:olga@acme.example">Olga</a>' in html


@pytest.mark.django_db
def test_refused_form_says_that_nothing_was_saved(alice):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)

    response = strict.post("/theme/", {"theme": "dark"})

    assert (response.status_code, heading(response)) == (403, "This form was open for too long")
    assert "What you sent was not saved." in response.content.decode()


# --- Theme and brand -------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
def test_theme_is_kept_and_drawn_from_the_first_byte(client, theme):
    response = client.post("/theme/", {"theme": theme, "next": "/auth/login/"})

    assert (response.status_code, response["Location"]) == (302, "/auth/login/")
    assert f'data-theme="{theme}"' in client.get("/auth/login/").content.decode()


@pytest.mark.django_db
def test_theme_that_does_not_exist_is_not_kept(client):
    assert "theme" not in client.post("/theme/", {"theme": "<script>"}).cookies

    client.cookies["theme"] = "<script>"
    assert 'data-theme="auto"' in client.get("/auth/login/").content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", ""])
def test_theme_sends_nobody_elsewhere(client, target):
    assert client.post("/theme/", {"theme": "dark", "next": target})["Location"] == "/"


def test_brand_is_a_stylesheet_anybody_may_load(client, settings):
    settings.BRAND_ACCENT = "#0F6B4F"

    response = client.get("/brand.css")

    assert response["Content-Type"] == "text/css; charset=utf-8"
    assert response["Cache-Control"] == "public, max-age=300"
    assert "--brand-accent: light-dark(#0F6B4F, #3F9072);" in response.content.decode()


# --- Health, gallery -------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_healthz_answers_load_balancers(client):
    response = client.get("/healthz")

    assert (response.status_code, response.json(), response["Cache-Control"]) == (200, {"status": "ok"}, "no-store")


@pytest.mark.django_db
def test_gallery_is_for_provider_staff(client):
    client.force_login(make_user())
    assert client.get("/gallery/").status_code == 403

    client.force_login(make_user(is_staff=True))
    assert heading(client.get("/gallery/")) == "Component gallery"


# --- Frame -----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_frame_shows_where_one_is_and_who_can_reach_in(alice, client):
    html = " ".join(client.get("/o/acme/accounts/").content.decode().split())

    assert re.findall(r'<a href="([^"]+)" aria-current="page">', html) == ["/o/acme/accounts/", "/o/acme/accounts/"]  # drawer and rail
    assert "<span>No support access active</span>" in html
    assert html.count("<main") == 1
    assert html.count('id="announcer" role="status"') == 1
    assert html.index("<title>") < html.index("<link")


@pytest.mark.django_db
def test_frame_costs_the_same_for_one_and_for_three_organisations(alice, client, django_assert_num_queries):
    client.get("/no/such/page/")  # the first request of a session writes it

    with CaptureQueriesContext(connection) as one:
        client.get("/no/such/page/")
    for slug in ("globex", "initech"):
        make_membership(user=alice, organisation=make_organisation(name=slug.title(), slug=slug))

    with django_assert_num_queries(len(one)):
        html = client.get("/no/such/page/").content.decode()
    assert re.findall(r'name="slug" value="(\w+)"', html) == ["acme", "globex", "initech"]


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/auth/login/", "/o/acme/", "/profile/", "/auth/2fa/", "/gallery/"])
def test_page_keeps_the_strict_policy(alice, client, address):
    alice.is_staff = True
    alice.save()

    response = client.get(address)
    html = response.content.decode()

    policy = response["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert not re.search(r"\sstyle=|\son\w+=|javascript:", html)
    assert [tag for tag in re.findall(r"<script[^>]*>", html) if "src=" not in tag and 'type="application/json"' not in tag] == []
    assert "<style" not in html
