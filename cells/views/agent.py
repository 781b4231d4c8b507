"""`/agent/v1/`: what agents call. No session, no cookie, no form of a browser: who speaks is proven by signature or token."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from uuid import UUID

import msgspec
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from cells.models import AgentKey, AgentPackage
from cells.protocol.access import Grant, bearer, denied, verify
from cells.protocol.backup_documents import BackupResult
from cells.protocol.backups import take_backup
from cells.protocol.desired import desired_state, etag, version_of
from cells.protocol.documents import EnrolmentRequest, KeyRequest, ReportsAnswer
from cells.protocol.enrolment import add_key, check_served, enrol
from cells.protocol.limits import Buckets, Gate, too_many
from cells.protocol.openapi import description
from cells.protocol.order_documents import OrderResult, Orders, OrdersRequest
from cells.protocol.package import agent_package, package_sha256
from cells.protocol.parsing import MOST_BYTES, check_leap, check_media, parse, parse_form, parse_reports
from cells.protocol.problems import Problem
from cells.protocol.tokens import grant_token
from cells.support.handing import hand_out
from cells.support.results import take_result
from cells.telemetry.ingest import Received, store
from portal.audit.origin import client_ip

View = Callable[..., HttpResponse]
JSON = "application/json"
SHA256 = re.compile("[0-9a-f]{64}")
FORM = "application/x-www-form-urlencoded"
LONGEST_WAIT_S = 30
LOOK_EVERY_S = 0.5
# Where no line is free to hold: come again then.
UNHELD_PAUSE_S = 5
# Of one process. An agent reports twice a minute and on change; after an absence it catches up.
of_cells = Buckets(burst=60, each_second=2)
# Before anything is proven, by address: nobody keeps the others from their tokens.
of_strangers = Buckets(burst=200, each_second=50)
storing = Gate(settings.AGENT_STORING)
holding = Gate(settings.AGENT_HELD_LINES)


def _answers_agents(view: View) -> View:
    """Problems are answered in their own form. No browser sends these requests: there is no cookie that another site could borrow."""

    @csrf_exempt
    @login_not_required
    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        try:
            return view(request)
        except Problem as problem:
            return HttpResponse(problem.body(), status=problem.status, headers=problem.headers)

    return answer


@_answers_agents
@require_POST
def enrolment_create(request: HttpRequest) -> HttpResponse:
    of_strangers.take(client_ip(request), time.monotonic())
    return _document(enrol(parse(_body(request, JSON), EnrolmentRequest), time.time()), 201)


@_answers_agents
@require_POST
def token_create(request: HttpRequest) -> HttpResponse:
    of_strangers.take(client_ip(request), time.monotonic())
    return _document(grant_token(parse_form(_body(request, FORM)), time.time()))


@_answers_agents
@require_POST
def key_create(request: HttpRequest) -> HttpResponse:
    grant = _grant(request)
    current = _key(grant)
    return _document(add_key(parse(_body(request, JSON), KeyRequest), current, time.time()), 201)


@_answers_agents
@require_POST
def report_create(request: HttpRequest) -> HttpResponse:
    grant = _grant(request)
    batch = parse_reports(_body(request, JSON), grant, time.time())
    with storing.entered() as has_room:
        if not has_room:
            raise too_many(2)
        stored = store([Received(batch, datetime.now(UTC))])
    check_leap(stored[batch.cell])
    return _document(ReportsAnswer(last_seq=stored[batch.cell]))


@_answers_agents
@require_GET
def desired_detail(request: HttpRequest) -> HttpResponse:
    """With `If-None-Match` and `wait`, the answer comes when something changes; 304 when nothing did."""
    grant = _grant(request)
    known, wait = request.headers.get("If-None-Match", ""), _wait(request)
    version = _version(grant)
    if etag(version) != known:
        return _desired(grant)
    headers = {}
    if wait:
        with holding.entered(grant.cell) as has_room:
            if has_room and _is_changed_within(wait, grant, known):
                return _desired(grant)
            if not has_room:
                headers["Retry-After"] = str(min(wait, UNHELD_PAUSE_S))
    return HttpResponse(status=304, headers={"ETag": known, **headers})


@_answers_agents
@require_POST
def order_list(request: HttpRequest) -> HttpResponse:
    """Orders for this agent: handed out one by one, each only while its grant still allows it."""
    grant = _grant(request)
    _check_cell(parse(_body(request, JSON), OrdersRequest).cell, grant)
    orders = hand_out(_key(grant))
    return _document(Orders(cell=grant.cell, server_time=time.time(), orders=orders))


@_answers_agents
@require_POST
def order_result(request: HttpRequest) -> HttpResponse:
    grant = _grant(request)
    result = parse(_body(request, JSON), OrderResult)
    _check_cell(result.cell, grant)
    return _document(take_result(result, _key(grant)))


@_answers_agents
@require_POST
def backup_result(request: HttpRequest) -> HttpResponse:
    """What came of a last backup: its place, size and hash, or why there is none."""
    grant = _grant(request)
    result = parse(_body(request, JSON), BackupResult)
    _check_cell(result.cell, grant)
    return _document(take_backup(result, _key(grant)))


@_answers_agents
@require_GET
def openapi_detail(request: HttpRequest) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(description()), content_type=JSON, headers={"Cache-Control": "public, max-age=300"})


@_answers_agents
@require_GET
def package_detail(request: HttpRequest) -> HttpResponse:
    """The agent itself: the same for everybody, and no secret. By its hash also one that an earlier portal ordered a machine with."""
    wanted = request.GET.get("sha256", package_sha256())
    content = agent_package() if wanted == package_sha256() else _earlier_package(request, wanted)
    return HttpResponse(content, content_type="application/octet-stream", headers={"Cache-Control": "public, max-age=300"})


def _earlier_package(request: HttpRequest, wanted: str) -> bytes:
    of_strangers.take(client_ip(request), time.monotonic())
    kept = AgentPackage.objects.filter(pk=wanted).first() if SHA256.fullmatch(wanted) else None
    if kept is None:
        raise Problem("package_unknown", "Order the cell again: its machine is then told of an agent that is here.")
    return bytes(kept.content)


def _grant(request: HttpRequest) -> Grant:
    grant = verify(bearer(request.headers.get("Authorization", "")), time.time())
    of_cells.take(grant.cell, time.monotonic())
    return grant


def _key(grant: Grant) -> AgentKey:
    """The key behind the token, if it still counts: what acts or reads for support is never given to one that was thrown out."""
    key = AgentKey.objects.valid().select_related("cell").filter(pk=grant.key).first()
    if key is None:
        raise Problem("agent_revoked", "This agent's access was ended in the portal. What it has deployed goes on.")
    check_served(key.cell)
    return key


def _check_cell(named: UUID, grant: Grant) -> None:
    if named != grant.cell:
        raise Problem("wrong_cell", "An agent takes the orders of its own cell only.")


def _body(request: HttpRequest, media_type: str) -> bytes:
    check_media(request.headers.get("Content-Type", ""), request.headers.get("Content-Encoding", "identity"), media_type)
    # One more than is taken, so that what is too large shows without being read whole.
    return request.read(MOST_BYTES + 1)


def _document(document: msgspec.Struct, status: int = 200) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(document), status=status, content_type=JSON, headers={"Cache-Control": "no-store"})


def _desired(grant: Grant) -> HttpResponse:
    document = desired_state(grant.cell)
    answer = _document(document)
    answer["ETag"] = etag(document.version)
    return answer


def _wait(request: HttpRequest) -> int:
    text = request.GET.get("wait", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and int(text) <= LONGEST_WAIT_S):  # noqa: PLR2004
        raise Problem("malformed", f"`wait` is a number of seconds from 0 to {LONGEST_WAIT_S}.", more={"field": "wait"})
    return int(text)


def _version(grant: Grant) -> int:
    version = version_of(grant.cell)
    if version is None:
        raise Problem("agent_revoked", "This cell has ended. What runs in it is no longer looked after.")
    return version


def _is_changed_within(seconds: int, grant: Grant, known: str) -> bool:
    """Looks now and then, holding a thread but no connection of the database. A waiting line ends also when its agent is thrown out."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not connection.in_atomic_block:
            connection.close()
        time.sleep(LOOK_EVERY_S)
        if grant.key in denied:
            raise Problem("agent_revoked", "This agent's access was ended in the portal. What it has deployed goes on.")
        if etag(_version(grant)) != known:
            return True
    return False
