"""Direct credentials: a code on the session's page, one computer that it binds, and what that computer is given."""

import json
from typing import Any

from allauth.core.internal.ratelimit import consume
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from accounts.issuer.seal import SealBroken
from accounts.mail import absolute_url
from accounts.sign_in import step_up
from accounts.support.access import EngineerRequest, engineers_only
from accounts.support.actions.handouts import HELPER, answer_computer, code_for, helper
from accounts.support.brokering import handouts
from accounts.support.brokering.handouts import DoorNotOpen, NotKnown
from accounts.support.views.answers import refused
from accounts.support.views.cases import desk_tabs
from accounts.support.views.sessions import own_session_or_404
from portal.operations.availability import NotAllowed

MOST_BYTES, MOST_TEXT = 4096, 200
LIMITS = {"support_device": "60/m/ip"}
UNKNOWN = "This code or key is not known here, or was used already. Make another code on the session page."


# --- The engineer's browser ------------------------------------------------------------------------------------------


@engineers_only
@step_up
@require_POST
def session_code(request: EngineerRequest, pk: Any) -> HttpResponse:
    """The code is shown once, in this very answer: nothing keeps it."""
    asked = own_session_or_404(request, pk)
    try:
        code = code_for(asked, by=request.user)
    except NotAllowed as refusal:
        return refused(request, refusal.reason, request.path.removesuffix("code/"))
    command = f"python3 {HELPER} bind {absolute_url('support:case_list').removesuffix('/support/')} {code}"
    context = {"asked": asked, "code": code, "command": command, "title": _("Code for your computer"), "tabs": desk_tabs(request)}
    response = render(request, "support/sessions/session_code.html", context)
    response["Cache-Control"] = "no-store"
    return response


@engineers_only
@require_GET
def credential_helper(_request: EngineerRequest) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{HELPER}"'}
    return HttpResponse(helper(), content_type="text/x-python; charset=utf-8", headers=headers)


# --- The engineer's computer: no session and no cookie; who asks is proven by a code, then by a key ------------------


@csrf_exempt
@login_not_required
@require_POST
def device_bind(request: HttpRequest) -> JsonResponse:
    given = _given(request, "code", "key", "name")
    if isinstance(given, JsonResponse):
        return given
    try:
        device = handouts.bind(given["code"], given["key"], given["name"])
    except NotKnown:
        return _problem(404, UNKNOWN)
    except NotAllowed as refusal:
        return _problem(403, refusal.reason)
    asked = device.request
    return JsonResponse({"device": str(device.pk), "profile": f"byoc-{asked.case}", "region": asked.region or asked.account.home_region})


@csrf_exempt
@login_not_required
@require_POST
def device_credentials(request: HttpRequest) -> JsonResponse:
    """The credentials, or 202 while the session is being opened again."""
    given = _given(request, "device", "key")
    if isinstance(given, JsonResponse):
        return given
    try:
        answer = answer_computer(given["device"], given["key"])
    except (NotKnown, ValidationError):
        return _problem(404, UNKNOWN)
    except NotAllowed as refusal:
        return _problem(403, refusal.reason)
    except SealBroken:
        return _problem(503, _("The portal cannot open what it has sealed."))
    except DoorNotOpen:
        return JsonResponse({}, status=202, headers={"Retry-After": "2", "Cache-Control": "no-store"})
    return JsonResponse(answer, headers={"Cache-Control": "no-store"})


def _given(request: HttpRequest, *names: str) -> dict[str, str] | JsonResponse:
    """Exactly these texts, or what is wrong."""
    if not consume(request, app="accounts", action="support_device", config=LIMITS):
        return _problem(429, _("Too many tries. Wait a minute."))
    try:
        body = json.loads(request.body[: MOST_BYTES + 1])
    except (ValueError, RecursionError):
        body = None
    is_whole = isinstance(body, dict) and set(body) == set(names) and len(request.body) <= MOST_BYTES
    if not is_whole or not all(isinstance(value, str) and 0 < len(value) <= MOST_TEXT and value.isprintable() for value in body.values()):
        return _problem(400, _("This is not what the helper sends."))
    return dict(body)


def _problem(status: int, detail: str) -> JsonResponse:
    return JsonResponse({"detail": str(detail)}, status=status, headers={"Cache-Control": "no-store"})
