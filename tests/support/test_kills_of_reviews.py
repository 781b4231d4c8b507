"""kill -9 of the worker that looks back on an access that has ended: the log is compared once, and what the end had put there goes."""

from datetime import timedelta

import pytest
from django.db.models import F

from accounts.support.actions.endings import revoke
from accounts.support.brokering.correlation import COMPARE
from accounts.support.models import AccessRequest
from accounts.support.steps.reviewing import TIDY
from accounts.support.tasks import open_due_grants, review_ended_grants
from portal.operations.models import Operation
from tests.cells.conftest import killer
from tests.kill import POINTS
from tests.support.factories import make_approver
from tests.support.sessions import drive
from tests.support.test_kills import CLOSE, LEFT, OPEN, die_at_each_step, left, let_tries_run_out, request_, standing

__all__ = ["killer", "request_", "standing"]

DAY, LATER = timedelta(days=1), timedelta(minutes=25)
# On Azure the leased identity rests for as long as a token of it may live.
TIDIED = {"aws": [], "azure": ["support-lease"], "gcp": []}
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("point", [POINTS[0], POINTS[-1]])
def test_support_worker_killed_at_every_step_of_looking_back_does_it_once(request_, standing, acme, killer, point):
    open_due_grants()
    drive(OPEN)
    let_tries_run_out()
    revoke(request_, by=make_approver(acme))
    drive(CLOSE)

    assert left(standing) == LEFT[standing.account.cloud]

    # In the rows, so that the workers that die know of it.
    over = {"granted_until": F("granted_until") - DAY, "granted_from": F("granted_from") - DAY, "ended_at": F("ended_at") - LATER}
    AccessRequest.objects.filter(pk=request_.pk).update(**over)
    for kind in (COMPARE, TIDY):
        review_ended_grants()
        die_at_each_step(killer, kind, point)
    review_ended_grants()

    request_.refresh_from_db()
    assert request_.compared_at
    assert left(standing) == TIDIED[standing.account.cloud]
    reviews = Operation.objects.filter(kind__in=[COMPARE, TIDY])
    assert sorted(reviews.values_list("kind", "state", "attempt")) == [(COMPARE, "succeeded", 1), (TIDY, "succeeded", 1)]
