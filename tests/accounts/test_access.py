"""The gate: strangers find nothing, members without the right are told whom to ask; roles as an auditor reads them."""

from http import HTTPStatus

import pytest
from django.http import Http404, HttpResponse
from django.test import RequestFactory

from accounts.access import PERMISSION_WORDS, ROLE_PERMISSIONS, MissingPermission, Permission, Role, requires, roles_with
from tests.factories import make_membership

OW, OP, AP, AU = Role.OWNER, Role.OPERATOR, Role.APPROVER, Role.AUDITOR
# Read this table, not the code: who may do what. A change here is a change of policy.
TABLE = {
    Permission.VIEW: {OW, OP, AP, AU},
    Permission.MANAGE_ORGANISATION: {OW},
    Permission.MANAGE_CONTACTS: {OW, OP},
    Permission.CONNECT_ACCOUNTS: {OW, OP},
    Permission.RUN_OPERATIONS: {OW, OP},
    Permission.MANAGE_INSTANCES: {OW, OP},
    Permission.DECIDE_SUPPORT_ACCESS: {OW, AP},
    Permission.EXPORT_ACTIVITY: {OW, AU},
}


def test_table_names_every_permission_and_every_role():
    assert set(TABLE) == set(Permission) == set(PERMISSION_WORDS)
    assert set(ROLE_PERMISSIONS) == set(Role)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_gate_opens_exactly_for_the_roles_of_the_table(acme, permission, role):
    membership = make_membership(organisation=acme, role=role)
    seen = []

    @requires(permission)
    def page(request, number):
        seen.append((request.organisation, request.membership, number))
        return HttpResponse("open")

    request = RequestFactory().get("/o/acme/page/")
    request.user = membership.user

    if role in TABLE[permission]:
        assert page(request, slug="acme", number=7).content == b"open"
        assert seen == [(acme, membership, 7)]
    else:
        with pytest.raises(MissingPermission) as refusal:
            page(request, slug="acme", number=7)
        assert (refusal.value.permission, refusal.value.organisation, seen) == (permission, acme, [])


def test_gate_is_404_for_a_stranger_and_for_an_organisation_that_does_not_exist(acme, charlie):
    page = requires(Permission.VIEW)(lambda request: HttpResponse())
    request = RequestFactory().get("/")
    request.user = charlie

    for slug in ("acme", "no-such-organisation"):
        with pytest.raises(Http404):
            page(request, slug=slug)


@pytest.mark.parametrize(("method", "allowed"), [("get", True), ("post", False)])
def test_gate_asks_another_right_to_change(acme, bob, method, allowed):
    page = requires(Permission.VIEW, to_change=Permission.MANAGE_ORGANISATION)(lambda request: HttpResponse("open"))
    request = getattr(RequestFactory(), method)("/")
    request.user = bob

    if allowed:
        assert page(request, slug="acme").content == b"open"
    else:
        with pytest.raises(MissingPermission):
            page(request, slug="acme")


def test_roles_with_names_whom_to_ask():
    assert roles_with(Permission.DECIDE_SUPPORT_ACCESS) == [Role.OWNER, Role.APPROVER]


def test_member_without_the_right_reads_who_can_grant_it(client, alice, bob):
    client.force_login(bob)

    page = client.get("/o/acme/settings/invitations/new/")

    assert page.status_code == HTTPStatus.FORBIDDEN
    assert "Owner" in page.text
    assert "Alice" in page.text
