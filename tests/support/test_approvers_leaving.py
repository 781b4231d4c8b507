"""An approver who is removed, gets another role or is deactivated: what has not begun by their word does not begin."""

import pytest
from django.utils import timezone

from accounts.access import Role
from accounts.actions.people import change_role, remove_member, set_person_active
from accounts.models import User
from accounts.support.models import Decision
from accounts.support.rules.gate import why_closed
from accounts.support.states import AccessState
from accounts.support.tasks import open_due_grants
from accounts.support.transitions import move_request
from portal.audit import Actor
from portal.audit.models import Event
from tests.factories import make_user
from tests.support.factories import approve_by_code, make_active, make_approver, make_granted, make_requested

pytestmark = pytest.mark.django_db

WAYS = {
    "removed": lambda membership, alice: remove_member(membership=membership, by=alice),
    "another role": lambda membership, alice: change_role(membership=membership, role=Role.AUDITOR, by=alice),
    "deactivated": lambda membership, alice: set_person_active(
        user=membership.user, is_active=False, reason="Left", by=make_user(is_staff=True, is_superuser=True)
    ),
}


@pytest.fixture(params=sorted(WAYS))
def leave(request, alice):
    return lambda membership: WAYS[request.param](membership, alice)


def test_first_approval_of_two_is_set_aside_with_its_approver(acme, client, leave):
    first, second, third = (make_approver(acme) for _ in range(3))
    request = make_requested(organisation=acme, profile="operate")
    approve_by_code(request, first)

    leave(first)

    request.refresh_from_db()
    assert (request.state, request.document, request.decisions.standing().count()) == ("requested", "", 0)
    dropped = Event.objects.for_chain(acme.pk).get(action="support.approval_dropped")
    assert dropped.details["approver"] == str(first.user)
    client.force_login(second.user)
    assert "the person does not decide any more" in client.get(request.get_absolute_url()).text
    approve_by_code(request, second)
    request.refresh_from_db()
    assert request.state == "approved"
    approve_by_code(request, third)
    assert request.state == "scheduled"


def test_approval_is_not_counted_whatever_way_its_approver_went(acme):
    """Past the actions that set it aside, too."""
    first, second = make_approver(acme), make_approver(acme)
    request = make_requested(organisation=acme, profile="operate")
    approve_by_code(request, first)
    first.delete()

    approve_by_code(request, second)

    request.refresh_from_db()
    assert request.state == "approved"


def test_grant_that_has_not_begun_ends_with_its_approver(acme, leave):
    approver, other = make_approver(acme), make_approver(acme)
    request = make_granted(organisation=acme, approvers=[approver])
    kept = make_granted(organisation=acme, approvers=[other])

    leave(approver)

    request.refresh_from_db()
    kept.refresh_from_db()
    assert (request.state, kept.state) == ("revoked", "scheduled")
    assert "does not decide about support access any more" in request.end_reason
    assert open_due_grants() == 1


def test_gate_is_closed_to_a_grant_whose_approver_left_before_it_was_open(acme, leave):
    approver = make_approver(acme)
    request = make_granted(organisation=acme, approvers=[approver])
    move_request(request, AccessState.ACTIVATING, by=Actor.worker("test"))
    assert why_closed(request, timezone.now()) == ""

    leave(approver)

    assert why_closed(request, timezone.now()) == "too_few_decisions"


def test_open_access_goes_on_when_its_approver_leaves_and_the_page_says_so(acme, alice, client, leave):
    approver = make_approver(acme)
    request = make_active(organisation=acme, approvers=[approver])
    client.force_login(alice)
    said = f"{approver.user} approved this and does not decide any more"
    assert said not in client.get(request.get_absolute_url()).text

    leave(approver)

    assert why_closed(request, timezone.now()) == ""
    assert said in client.get(request.get_absolute_url()).text


def test_approver_who_goes_on_deciding_with_another_role_still_counts(acme, alice):
    approver = make_approver(acme)
    request = make_granted(organisation=acme, approvers=[approver])

    change_role(membership=approver, role=Role.OWNER, by=alice)

    request.refresh_from_db()
    assert (request.state, Decision.objects.standing().filter(request=request).count()) == ("scheduled", 1)


@pytest.mark.parametrize("lost", [{"is_active": False}, {"is_support_engineer": False}])
def test_gate_is_closed_to_a_grant_whose_checker_left_before_it_was_open(acme, lost):
    request = make_granted(organisation=acme)
    move_request(request, AccessState.ACTIVATING, by=Actor.worker("test"))
    User.objects.filter(pk=request.checked_by_id).update(**lost)

    assert why_closed(request, timezone.now()) == "checker_gone"
    move_request(request, AccessState.ACTIVE, by=Actor.worker("test"))
    assert why_closed(request, timezone.now()) == ""
