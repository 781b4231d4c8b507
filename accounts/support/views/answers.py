"""How the support pages answer a button: do it, say it, lead back; a refusal and a lost race in plain words."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from portal.operations.availability import NotAllowed
from portal.operations.transitions import IllegalMove, LostRace


def do_and_return(request: HttpRequest, act: Callable[[], None], *, done: str, to: str) -> HttpResponse:
    """Act and go to `to`, an address or the name of one."""
    try:
        act()
    except NotAllowed as refusal:
        return refused(request, refusal.reason, to)
    except (LostRace, IllegalMove):
        return refused(request, overtaken(), to)
    messages.success(request, done)
    return redirect(to)


def refused(request: HttpRequest, reason: str, to: str) -> HttpResponse:
    messages.error(request, reason)
    return redirect(to)


def overtaken() -> str:
    return _("Somebody else was quicker: this request has changed since you opened the page. Nothing was done twice. Read it as it is now.")
