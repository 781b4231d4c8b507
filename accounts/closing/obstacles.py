"""What of tenancy stands in the way of a closing: accounts that have not left, support access, operations, invitations.

And what ends with it: diagnostic bundles, which afterwards nobody of the customer could take back.
"""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.closing.models import Closing
from accounts.closing.parts import ENDINGS, Blocker, register_blockers
from accounts.closing.states import ClosingState
from accounts.models import CloudAccount, Organisation
from accounts.states import AccountState
from accounts.support.brokering.bundles import ENDED, discard
from accounts.support.models import AccessRequest, Bundle
from accounts.support.states import OVER, SHOWN_TO_CUSTOMER
from portal.audit import Actor
from portal.operations.models import Operation

# Of each kind; the rest is counted.
MOST_LISTED = 20


def _accounts(organisation: Organisation) -> Iterator[Blocker]:
    rows = CloudAccount.objects.filter(organisation=organisation).exclude(state=AccountState.OFFBOARDED).order_by("name", "created_at")
    for account in rows[:MOST_LISTED]:
        names, args = {"name": str(account)}, [organisation.slug, account.pk]
        if account.state == AccountState.DRAFT:
            sentence = _("The draft of %(name)s is not discarded.") % names
            yield Blocker(sentence, _("Discard the draft"), reverse("accounts:connect_discard", args=args))
        else:
            sentence = _("%(name)s is not offboarded.") % names
            yield Blocker(sentence, _("See its offboarding"), reverse("offboarding:offboarding_plan", args=args))
    yield from _more(rows.count(), _("See the cloud accounts"), reverse("accounts:account_list", args=[organisation.slug]))


def _support(organisation: Organisation) -> Iterator[Blocker]:
    states = sorted(SHOWN_TO_CUSTOMER - OVER)
    rows = AccessRequest.objects.filter(organisation=organisation, state__in=states).order_by("created_at")
    for request in rows[:MOST_LISTED]:
        sentence = _("Support access for case %(case)s is not over: %(state)s.") % {
            "case": request.case,
            "state": request.get_state_display(),
        }
        yield Blocker(sentence, _("Decide or end it"), reverse("support:access_request", args=[organisation.slug, request.pk]))
    yield from _more(rows.count(), _("See support access"), reverse("support:access_home", args=[organisation.slug]))


def _operations(organisation: Organisation) -> Iterator[Blocker]:
    rows = Operation.objects.filter(organisation=organisation).live().order_by("created_at")
    for operation in rows[:MOST_LISTED]:
        sentence = _("Operation %(reference)s is not finished: %(subject)s.") % {
            "reference": operation.reference, "subject": operation.subject_label,
        }  # fmt: skip
        yield Blocker(sentence, _("See what it waits for"), reverse("accounts:operation_detail", args=[organisation.slug, operation.pk]))
    yield from _more(rows.count(), _("See the operations"), reverse("accounts:operation_list", args=[organisation.slug]))


def _invitations(organisation: Organisation) -> Iterator[Blocker]:
    if count := organisation.invitations.open().count():
        sentence = ngettext("%(count)s invitation is open.", "%(count)s invitations are open.", count) % {"count": count}
        fix = _("See the invitations")
        yield Blocker(sentence, fix, reverse("accounts:members", args=[organisation.slug]), ends_by_closing=True)


def _planner(organisation: Organisation) -> Iterator[Blocker]:
    """Whoever has planned the closing must still be an owner: nobody decides about it whose role there has ended."""
    planned = Closing.objects.filter(organisation=organisation, state=ClosingState.PLANNED).select_related("requested_by").first()
    if planned is None or organisation.memberships.owners().filter(user=planned.requested_by).exists():
        return
    sentence = _("%(person)s, who planned the closing, is an owner no more.") % {"person": planned.requested_by}
    yield Blocker(sentence, _("Call it off and plan it anew"), reverse("closing:closing_cancel", args=[organisation.slug]))


def _more(count: int, fix: str, url: str) -> Iterator[Blocker]:
    if (left := count - MOST_LISTED) > 0:
        yield Blocker(_("And %(count)s more like these.") % {"count": left}, fix, url)


def _discard_bundles(organisation: Organisation) -> None:
    """Also what was released: from now on no engineer reads it. All are held before the first is recorded."""
    rows = Bundle.objects.filter(organisation=organisation).exclude(state__in=sorted(ENDED)).order_by("pk")
    for bundle in list(rows.select_related("organisation", "asked_by").select_for_update(of=("self",))):
        discard(bundle, by=Actor.worker("accounts.closing"))


register_blockers(_accounts, order=10)
register_blockers(_support, order=30)
register_blockers(_operations, order=40)
register_blockers(_invitations, order=50)
register_blockers(_planner, order=60)
ENDINGS.append(_discard_bundles)
