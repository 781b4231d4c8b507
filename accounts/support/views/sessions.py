"""Sessions under a grant: the engineer asks for acts and reads what they gave; the customer reads the very same while it happens."""

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_POST

from accounts.access import OrganisationRequest, Permission, requires
from accounts.support.access import EngineerRequest, engineers_only
from accounts.support.actions.acts import ask_for_act
from accounts.support.brokering import broker, handouts
from accounts.support.models import AccessRequest, Device
from accounts.support.models.sessions import ActState
from accounts.support.rules.acts import ActKind, BadArgument, act_title, failure_words
from accounts.support.rules.availability import why_not_complete, why_not_end
from accounts.support.states import AccessState
from accounts.support.views.answers import refused
from accounts.support.views.cases import desk_tabs
from accounts.support.views.customer import crumbs, request_or_404
from portal.operations.availability import NotAllowed

SHOWN = 100
BADGES = {
    ActState.ASKED: "progress",
    ActState.RUNNING: "progress",
    ActState.DONE: "ok",
    ActState.FAILED: "critical",
    ActState.REFUSED: "critical",
    ActState.CUT_SHORT: "neutral",
}
# How often the transcript asks for news: the engineer waits for an answer, the customer looks on.
ENGINEER_EVERY, CUSTOMER_EVERY = "2s", "5s"


def transcript_of(asked: AccessRequest) -> dict[str, Any]:
    """What both sides see, and a mark that changes with anything of it."""
    done = list(asked.acts.select_related("by").order_by("-asked_at")[:SHOWN])
    lines = [(act, act_title(act), BADGES[ActState(act.state)], sum(act.redactions.values()), failure_words(act.code)) for act in done]
    facts = [asked.state, *(f"{act.pk}{act.state}" for act in done)]
    return {
        "asked": asked,
        "lines": lines,
        "version": hashlib.sha256("".join(facts).encode()).hexdigest()[:16],
        "is_live": not asked.is_over,
    }


def _news(request: HttpRequest, asked: AccessRequest, url: str, every: str) -> HttpResponse:
    """The transcript alone; 204 while it is as the page knows it."""
    context = transcript_of(asked)
    if request.GET.get("v") == context["version"]:
        return HttpResponse(status=204)
    return render(request, "support/sessions/_transcript.html", context | {"live_url": url, "every": every})


# --- The engineer ----------------------------------------------------------------------------------------------------


def own_session_or_404(request: EngineerRequest, pk: UUID) -> AccessRequest:
    """What was read under a grant is for its engineer and the customer, for no other engineer."""
    return get_object_or_404(AccessRequest.objects.with_people().exclude(granted_from=None), pk=pk, engineer=request.user)


def groups_of(offered: Sequence[ActKind]) -> list[dict[str, Any]]:
    """What only looks, apart from what leaves something changed."""
    groups = (
        ("reading", False, _("Look"), _("None of these changes anything.")),
        ("changing", True, _("Change"), _("Each of these changes what runs. The receipt names it under “What changed”.")),
    )
    named = [
        {"id": name, "title": title, "explained": explained, "acts": [kind for kind in offered if kind.is_writing == is_writing]}
        for name, is_writing, title, explained in groups
    ]
    return [group for group in named if group["acts"]]


@engineers_only
@require_GET
def session(request: EngineerRequest, pk: UUID) -> HttpResponse:
    asked = own_session_or_404(request, pk)
    why_not = broker.why_not_ask(asked, request.user)
    context = {
        "why_not": why_not,
        "groups": [] if why_not else groups_of(broker.offered(asked)),
        "can_end": not why_not_complete(asked, request.user),
        "can_fetch": asked.is_direct and not handouts.why_not_hand_out(asked),
        "device": Device.objects.standing().filter(request=asked).exclude(bound_at=None).first(),
        "live_url": reverse("support:session_transcript", args=[pk]),
        "every": ENGINEER_EVERY,
        "title": pgettext("support session", "Session %(case)s") % {"case": asked.case},
        "tabs": desk_tabs(request),
    }
    return render(request, "support/sessions/session.html", context | transcript_of(asked))


@engineers_only
@require_GET
def session_transcript(request: EngineerRequest, pk: UUID) -> HttpResponse:
    return _news(request, own_session_or_404(request, pk), reverse("support:session_transcript", args=[pk]), ENGINEER_EVERY)


@engineers_only
@require_POST
def session_act(request: EngineerRequest, pk: UUID) -> HttpResponse:
    """One typed act. What is not on the list is refused, and so is an argument that does not fit."""
    asked = own_session_or_404(request, pk)
    back = reverse("support:session", args=[pk])
    given = {name.removeprefix("arg-"): str(value) for name, value in request.POST.items() if name.startswith("arg-")}
    try:
        ask_for_act(asked, str(request.POST.get("act", "")), given, by=request.user)
    except NotAllowed as refusal:
        return refused(request, refusal.reason, back)
    except BadArgument as error:
        return refused(request, str(error), back)
    messages.success(request, _("Asked. The result appears below."))
    return redirect(back)


# --- The customer ----------------------------------------------------------------------------------------------------


@requires(Permission.VIEW)
@require_GET
def access_transcript(request: OrganisationRequest, pk: UUID) -> HttpResponse:
    """Everything that is done under the grant, as it happens, with the button that ends it."""
    asked = request_or_404(request, pk)
    context = {
        "can_end": not why_not_end(asked, request.membership),
        "is_failed": asked.state == AccessState.CLOSE_FAILED,
        "live_url": _customer_live(request, asked),
        "every": CUSTOMER_EVERY,
        "crumbs": crumbs(request, asked, _("What is done")),
    }
    return render(request, "support/sessions/access_transcript.html", context | transcript_of(asked))


@requires(Permission.VIEW)
@require_GET
def access_transcript_live(request: OrganisationRequest, pk: UUID) -> HttpResponse:
    asked = request_or_404(request, pk)
    return _news(request, asked, _customer_live(request, asked), CUSTOMER_EVERY)


def _customer_live(request: OrganisationRequest, asked: AccessRequest) -> str:
    return reverse("support:access_transcript_live", args=[request.organisation.slug, asked.pk])
