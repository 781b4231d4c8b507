"""Where an event comes from: request id, client address, and who acts when nobody is named."""

from types import SimpleNamespace

import pytest
import structlog
from celery import shared_task
from django.http import HttpResponse
from django.test import RequestFactory

from portal.audit.middleware import ActivityMiddleware
from portal.audit.origin import Origin, client_ip, current_actor, current_origin, originating


def request_from(address, forwarded=None):
    headers = {"x-forwarded-for": forwarded} if forwarded is not None else None
    return RequestFactory().get("/", REMOTE_ADDR=address, headers=headers)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("", ""),
        ("unix:", ""),
        ("<script>", ""),
    ],
)
def test_client_ip_without_a_proxy_is_the_connection(settings, address, expected):
    settings.BEHIND_PROXY = False
    assert client_ip(request_from(address, "203.0.113.66")) == expected


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9", "203.0.113.9"),  # what stands before the last was sent by the client
        ("1.1.1.1,  203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::9]:443", "2001:db8::9"),
        ("2001:db8::9", "2001:db8::9"),
        ("203.0.113.9, nonsense", ""),
        (None, "10.0.0.1"),
    ],
)
def test_client_ip_behind_our_proxy_is_what_the_proxy_added(settings, forwarded, expected):
    settings.BEHIND_PROXY = True
    assert client_ip(request_from("10.0.0.1", forwarded)) == expected


def test_middleware_gives_the_request_an_origin_and_takes_it_back():
    seen = []

    def view(request):
        seen.append((current_origin(), current_actor()))
        return HttpResponse()

    request = request_from("192.0.2.7")
    request.user = SimpleNamespace(pk="u-1", name="Anna", email="anna@acme.example", is_authenticated=True)
    with structlog.contextvars.bound_contextvars(request_id="req-7"):
        ActivityMiddleware(view)(request)
    [(origin, actor)] = seen
    assert (origin.request_id, origin.ip, actor.kind, actor.email) == ("req-7", "192.0.2.7", "user", "anna@acme.example")
    assert current_origin() == Origin()


def test_actor_of_a_request_without_sign_in_is_the_system():
    request = request_from("192.0.2.7")
    request.user = SimpleNamespace(is_authenticated=False)
    with originating(Origin(request=request)):
        assert current_actor().kind == "system"


def test_actor_of_a_task_is_its_worker():
    seen = []

    @shared_task(name="tests.look_around")
    def look_around():
        seen.append((current_actor(), current_origin().request_id))

    look_around.apply(task_id="task-1")
    [(actor, request_id)] = seen
    assert (actor.kind, actor.name, request_id) == ("worker", "tests.look_around", "task-1")
    assert current_actor().kind == "system"
