"""What of support access an offboarding counts and waits for: grants end at once with the account, and each end is seen in the cloud."""

from django.db.models import Exists, OuterRef, Subquery
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import CloudAccount
from accounts.offboarding.parts import GONE, Counted, Look, Obstruction, OpenedAccess, Part, register
from accounts.support.models import AccessRequest, Door, EndProof
from accounts.support.states import GRANTED, LAPSING, AccessState
from portal.operations.states import Party


def _count(account: CloudAccount) -> list[Counted]:
    rows = AccessRequest.objects.filter(account=account)
    url = reverse("support:access_home", args=[account.organisation.slug])
    return [
        Counted(_("Support access grants"), rows.filter(state__in=sorted(GRANTED)).count(), url),
        Counted(_("Support access requests that wait"), rows.filter(state__in=sorted(LAPSING), shown_at__isnull=False).count(), url),
    ]


def _accesses(account: CloudAccount) -> list[OpenedAccess]:
    """Those with a session. A refusal counts once every session was refused: the last one is told."""
    doors = Door.objects.filter(request=OuterRef("pk")).order_by("opened_at")
    refused = EndProof.objects.filter(request=OuterRef("pk"), is_refused=True).order_by("-asked_at")
    rows = AccessRequest.objects.filter(account=account).annotate(
        first=Subquery(doors.values("opened_at")[:1]), last=Subquery(refused.values("asked_at")[:1]), stands=Exists(doors.standing())
    )
    found = rows.exclude(first=None).order_by("first", "pk")
    return [
        OpenedAccess(case, engineer, first, state, ended_at, None if stands else last)
        for case, engineer, first, state, ended_at, stands, last in found.values_list(
            "case", "engineer__email", "first", "state", "ended_at", "stands", "last"
        )
    ]


def _look(account: CloudAccount) -> Look:
    """Grants were ended when the account began to leave; here their ends are waited for. One that cannot be seen needs somebody."""
    rows = list(AccessRequest.objects.filter(account=account, state__in=sorted(GRANTED)).select_related("organisation").order_by("pk"))
    failed = [row for row in rows if row.state == AccessState.CLOSE_FAILED]
    if failed:
        why, act = _("Your cloud has not refused the old session yet."), _("See what to do")
        stuck = [Obstruction(str(row), why, row.region, url=row.get_absolute_url(), act=act) for row in failed]
        return Look(False, Party.YOU, obstructions=stuck)
    return Look(False, Party.PROVIDER, why="offboarding_access_ending") if rows else GONE


register(Part(name="support", order=30, title=gettext_lazy("Support access"), count=_count, look=_look, accesses=_accesses))
