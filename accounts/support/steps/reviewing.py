"""After the end: the cloud's own log is read and held against our record, and what ending had to put into the cloud is taken away.

Two small operations, each found due by the schedule: the log some minutes after the end, since a cloud writes it late; the tidying once
the granted time is over, when nothing could use the session any more.
"""

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, TextField
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.clouds.base import CloudError
from accounts.models import CloudAccount
from accounts.states import Use
from accounts.support import hooks
from accounts.support.brokering import correlation
from accounts.support.brokering.correlation import COMPARE
from accounts.support.brokering.doors import cloud_for
from accounts.support.clouds import granted
from accounts.support.models import AccessRequest, Door, Opening
from accounts.support.models.requests import AccessRequestQuerySet
from accounts.support.states import ENDED_AS
from accounts.support.steps.wording import locked, of_grant, operation_names, outcome_of, request_url
from accounts.support.transitions import subject_of
from portal.operations.engine import StepContext, start
from portal.operations.models import Operation
from portal.operations.outcomes import Done, Outcome
from portal.operations.registry import Kind, StepSpec, register
from portal.operations.states import Party

TIDY = "tidy_support_access"
LATE, SPARE = timedelta(minutes=20), timedelta(minutes=5)
# What was missed for so long is left to a person.
FOR = timedelta(days=7)


def due_for(kind: str, now: datetime) -> AccessRequestQuerySet:
    """Ended grants that had a door, or may have had one, and whose time for this kind has come, without any operation of the kind yet."""
    done = Operation.objects.filter(kind=kind, subject_kind="support_request", subject_id=Cast(OuterRef("pk"), TextField()))
    busy = Operation.objects.live().filter(subject_kind="support_request", subject_id=Cast(OuterRef("pk"), TextField()))
    was_open = Exists(Door.objects.filter(request=OuterRef("pk"))) | Exists(Opening.objects.that_may_stand().filter(request=OuterRef("pk")))
    # Of an account that has left, or is disconnected, nobody can ask the cloud.
    accounts = CloudAccount.objects.usable_for(Use.PROVE)
    ended = AccessRequest.objects.filter(~Exists(done), ~Exists(busy), was_open, state__in=sorted(ENDED_AS), account__in=accounts)
    if kind == TIDY:
        return ended.filter(granted_until__range=(now - FOR, now - SPARE))
    return ended.filter(ended_at__range=(now - FOR, now - LATE))


def begin(row: AccessRequest, kind: str) -> Operation:
    """Raises OperationInProgress."""
    return start(kind=kind, subject=subject_of(row), organisation_id=row.organisation_id, by=None, is_recorded=False)


def read_log(ctx: StepContext) -> Outcome:
    request = of_grant(ctx)
    since, until = correlation.span_of(request)
    try:
        traces = cloud_for(request).find_traces(granted(request), since, until)
    except CloudError as error:
        return outcome_of(error)
    correlation.keep(request, traces)
    strange, missing = len(correlation.strange(request)), len(correlation.missing(request))
    ctx.log(f"{len(traces)} lines, {strange} unexplained, {missing} acts not shown in full")
    return Done({"lines": len(traces), "strange": strange, "missing": missing})


def tidy(ctx: StepContext) -> Outcome:
    request = of_grant(ctx)
    try:
        cloud_for(request).tidy(granted(request))
    except CloudError as error:
        return outcome_of(error)
    return Done()


def _compared(operation: Operation) -> None:
    """The receipt says from now on what the cloud's log says."""
    row = locked(operation.subject_id)
    row.compared_at = timezone.now()
    row.save(update_fields=["compared_at"])
    hooks.told(row)


register(
    Kind(
        name=COMPARE,
        title=_("Compare support access with the cloud's log"),
        steps=(StepSpec("read_log", _("Your cloud's log is read"), read_log),),
        on_succeeded=_compared,
        is_cancellable=False,
        subject_url=request_url,
        names=operation_names,
    )
)
register(
    Kind(
        name=TIDY,
        title=_("Tidy up after support access"),
        steps=(StepSpec("tidy", _("The denial of the old session is taken away"), tidy, actor=Party.CLOUD),),
        is_cancellable=False,
        subject_url=request_url,
        names=operation_names,
    )
)
