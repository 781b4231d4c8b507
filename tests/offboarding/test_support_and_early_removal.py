"""The kit is removed while support access is open: the end of the access is proven by the cloud as far as it can be, and waited for."""

import pytest
from django.utils import timezone

from accounts.support.brokering.doors import opened
from accounts.support.rules.gate import Closed, why_closed
from accounts.support.tasks import close_ending_grants
from portal.audit.details import moment
from portal.audit.verify_certificate import check
from tests.cells.living import let_time_pass, newest, turn
from tests.offboarding import recovering
from tests.offboarding.leaving import Leaver
from tests.offboarding.test_orders_and_faults import see
from tests.offboarding.test_stuck import run_lines_before_the_kit
from tests.standing import SECOND
from tests.support.sessions import close_access, make_standing_grant, open_access
from tests.worker import flush_broker

pytestmark = pytest.mark.django_db(transaction=True)


def bring_back(leaver) -> None:
    assert (leaver.row.state, leaver.row.code) == ("stuck", "offboarding_kit_gone")
    run_lines_before_the_kit(leaver)
    leaver.run_recovery_kit()
    see(leaver)
    see(leaver, later=SECOND)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_open_access_ends_although_the_kit_is_gone(cloud, when, stand, acme, alice, client, sandbox):
    """Removed before its owner begins to leave, or just after that, when the cloud has not been told of the end yet."""
    flush_broker()
    leaver = Leaver(stand(cloud), acme, alice, client, sandbox)
    request = make_standing_grant(leaver.standing)
    door = open_access(request)
    assert opened(door)
    if when == "before":
        leaver.remove_kit()
        see(leaver)
        see(leaver, later=SECOND)
        assert leaver.account.state == "needs_attention"
        leaver.start()
        leaver.until(account="offboarding")
    else:
        leaver.start()
        leaver.until(account="offboarding")
        leaver.remove_kit()
    request.refresh_from_db()
    assert (request.state, why_closed(request, timezone.now())) == ("ending", Closed.NOT_ACTIVE)

    operation = close_access(request)

    proof = request.proofs.get(is_refused=True)
    door.refresh_from_db()
    assert (operation.state, request.state) == ("succeeded", "revoked"), (operation.failure_code, operation.failure_evidence)
    assert (door.sealed_secret, door.shut_at, bool(proof.evidence)) == ("", proof.asked_at, True)
    see(leaver)
    see(leaver, later=SECOND)
    bring_back(leaver)
    leaver.until_ready()
    recovering.remove(leaver)
    leaver.until_offboarded()

    (told,) = check(leaver.row.certificate)["support_access"]
    assert (told["ended_as"], told["refused_at"]) == ("revoked", moment(proof.asked_at))
    assert "Support access that was opened" in leaver.page("certificate_detail")


def test_azure_takes_no_session_back_with_its_identity_and_nobody_calls_that_an_end(stand, acme, alice, client, sandbox):
    """The session reads on until its time is over: the grant is not ended, the offboarding is not ready, and the page says why."""
    flush_broker()
    leaver = Leaver(stand("azure"), acme, alice, client, sandbox)
    request = make_standing_grant(leaver.standing)
    open_access(request)
    leaver.start()
    leaver.until(account="offboarding")
    leaver.remove_kit()

    close_ending_grants()
    turn("close_support_access")
    assert newest("close_support_access").waiting_why == "session_not_refused_yet"
    let_time_pass(newest("close_support_access"), 21)
    turn("close_support_access")

    request.refresh_from_db()
    assert (request.state, request.failure_code) == ("close_failed", "end_not_refused")
    assert not request.proofs.filter(is_refused=True).exists()
    assert leaver.account.state == "offboarding"
