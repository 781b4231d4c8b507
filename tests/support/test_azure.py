"""What only Azure knows of support access, through the portal: the switch, and the janitor that ended it while the portal was down."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts.clouds.support import Trace
from accounts.support.brokering import correlation
from accounts.support.brokering.doors import cloud_for, opened
from accounts.support.clouds import granted
from accounts.support.models import AccessRequest
from accounts.support.tasks import end_due_grants, open_due_grants
from tests.support.factories import make_account
from tests.support.guards import make_ended
from tests.support.sessions import close_access, drive, make_standing, make_standing_grant, open_access

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def standing(acme, alice, sandbox, monkeypatch):
    return make_standing(organisation=acme, alice=alice, sandbox=sandbox, monkeypatch=monkeypatch, cloud="azure")


def test_azure_switched_off_in_the_kit_says_so(standing):
    request = make_standing_grant(standing)
    standing.hand.run_kit(allowSupport="no")

    open_due_grants()
    operation = drive("open_support_access")
    close_access(request)

    assert (operation.failure_code, request.state) == ("support_switched_off", "activation_failed")


def test_azure_janitor_ends_it_while_the_portal_is_down(standing):
    """Nothing of the portal runs between the opening and the end: Azure's clock goes on, and its janitor with it."""
    request = make_standing_grant(standing)
    door = open_access(request)
    held = opened(door)
    left = (request.granted_until - timezone.now()).total_seconds()

    standing.hand.account.control("POST", "clock", {"seconds": left + 60})

    # The portal is back: it finds the access over, and keeps Azure's refusal as the proof.
    assert cloud_for(request).probe(held, granted(request)).is_refused
    with time_machine.travel(request.granted_until + timedelta(seconds=61)):
        assert end_due_grants() == 1
    close_access(request)
    proof = request.proofs.get(is_refused=True)
    assert (request.state, proof.evidence.split(":")[0]) == ("expired", "AuthorizationFailed")
    assert proof.cloud_request


@pytest.mark.parametrize("after", [timedelta(seconds=40), timedelta(hours=3)])
def test_azure_taking_access_away_needs_no_explanation_whenever_it_was(acme, alice, after):
    """By the janitor before the portal was back, or by the customer's own command."""
    request = make_ended(acme, alice)
    AccessRequest.objects.filter(pk=request.pk).update(account=make_account(acme, cloud="azure", name="In Azure"))
    request.refresh_from_db()
    trace = Trace("1", request.granted_until + after, "Microsoft.Authorization/roleAssignments/delete", False, "janitor", "{}")

    correlation.keep(request, [trace])

    assert correlation.strange(request) == []


def test_azure_line_of_the_support_identity_itself_is_flagged(acme, alice):
    """It only reads, and readings leave no line: whatever it wrote is nobody's."""
    request = make_ended(acme, alice)
    AccessRequest.objects.filter(pk=request.pk).update(account=make_account(acme, cloud="azure", name="In Azure"))
    request.refresh_from_db()
    trace = Trace("1", request.granted_from, "Microsoft.Compute/virtualMachines/write", True, "the identity", "{}")

    correlation.keep(request, [trace])

    assert [found.call for found in correlation.strange(request)] == ["Microsoft.Compute/virtualMachines/write"]
