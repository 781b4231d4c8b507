"""Where an issued kit says that it has run. Said by anybody who holds the kit's command, so it is a hint and nothing more."""

from allauth.core.internal.ratelimit import consume
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from accounts import kits
from accounts.actions.connect import report_kit_itself
from accounts.kit_links import ReportOver, kit_of_report

REPORT_BYTES = 4000
# By kit: a script sends one, a person who runs it again a few. What floods fills a log that nobody can empty.
LIMITS = {"kit_report": "20/h/key"}


@csrf_exempt  # the kit's own last line in a shell of the customer's; there is no session to misuse
@login_not_required  # its address is signed
@require_POST
def kit_report(request: HttpRequest, token: str) -> HttpResponse:
    """Keeps what the kit says it made, and has the cloud asked at once. Answers in plain text, for a terminal."""
    try:
        kit = kit_of_report(token)
    except ReportOver:
        return _told(410, _("This kit is over, or the link that it came from is. Nothing was kept. Ask for a new kit in the portal."))
    if kit is None:
        return _told(404, _("No kit reports here. The address was cut off or changed."))
    if not consume(request, app="accounts", action="kit_report", config=LIMITS, key=str(kit.pk)):
        return _told(429, _("This kit has reported often. Paste its last lines into the portal instead, or wait an hour."))
    report = kits.load(kit.account.cloud).read_report(request.body.decode(errors="replace")[:REPORT_BYTES])
    if report is None:
        return _told(400, _("This is not what a kit reports. Nothing was kept. Paste the kit's last lines into the portal instead."))
    return _told(200, _("The portal looks now.") if report_kit_itself(kit, report=report) else _("The portal knows already."))


def _told(status: int, sentence: str) -> HttpResponse:
    return HttpResponse(f"{sentence}\n", content_type="text/plain; charset=utf-8", status=status)
