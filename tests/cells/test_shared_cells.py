"""Two customers in one cell that the provider hosts: each has its own, sees its own, and loses its own alone."""

import urllib.request

import pytest
from django.urls import reverse
from django.utils import timezone

from cells.actions.instances import create_instance, delete_instance
from cells.models import Cell, HostingAccount
from cells.protocol.desired import desired_state
from cells.states import CellState, InstanceState
from portal.audit.models import Event
from tests.cells.factories import make_plan
from tests.cells.living import drive_to_end, machines, wish, workloads
from tests.factories import make_contact, make_membership, make_organisation, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def two(stand, acme, alice, charlie):
    """Acme's and Globex's instance, both called the same, in the one cell of Fernhill's account."""

    def bring_up(tenancy):
        provider = make_organisation(name="Fernhill", slug="fernhill")
        staff = make_membership(organisation=provider, user=make_user(email="ops@fernhill.example"), role="owner").user
        make_contact(organisation=provider, email="night@fernhill.example", confirmed_at=timezone.now())
        account = stand("aws", organisation=provider, created_by=staff).account
        HostingAccount.objects.create(account=account, hosting="provider")
        plan = make_plan(hosting="provider", tenancy=tenancy)
        globex = charlie.memberships.get().organisation
        made = [create_instance(who, name="orders", wish=wish(account, plan), by=by) for who, by in ((acme, alice), (globex, charlie))]
        drive_to_end()
        for instance in made:
            instance.refresh_from_db()
        return provider, *made

    return bring_up


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


@pytest.mark.parametrize("tenancy", ["shared", "multi_tenant"])
def test_two_customers_have_one_cell_and_their_own_instances(tenancy, two, acme, alice, charlie, client, sandbox):
    provider, one, other = two(tenancy)
    cell = Cell.objects.get()
    assert (one.cell_id, other.cell_id, cell.organisation) == (cell.pk, cell.pk, provider)
    assert (len(machines(sandbox)), workloads(sandbox)) == (1, sorted([str(one.pk), str(other.pk)]))
    assert {one.endpoints[0]["url"], other.endpoints[0]["url"]} == {load["url"] for load in machines(sandbox)[0]["workloads"]}

    # Each sees its own; the other's and the cell do not exist.
    for user, own, foreign in ((alice, one, other), (charlie, other, one)):
        client.force_login(user)
        slug = own.organisation.slug
        assert client.get(own.get_absolute_url()).status_code == 200
        page = client.get(reverse("cells:instance_list", args=[slug])).content.decode()
        assert str(own.pk) in page
        assert str(foreign.pk) not in page
        assert foreign.endpoints[0]["url"] not in page + client.get(own.get_absolute_url()).content.decode()
        for where in (slug, foreign.organisation.slug):
            assert client.get(reverse("cells:instance_detail", args=[where, foreign.pk])).status_code == 404
            assert client.get(reverse("cells:cell_detail", args=[where, cell.pk])).status_code == 404
        assert cell.name not in client.get(reverse("cells:cell_list", args=[slug])).content.decode()
    # Neither's activity names the other, or the account that hosts both.
    for own, foreign in ((one, other), (other, one)):
        told = [str((e.subject_id, e.subject_label, e.details)) for e in Event.objects.filter(organisation_id=own.organisation_id)]
        assert not any(str(foreign.pk) in text or foreign.organisation.name in text or "Production" in text for text in told)
    # The agent is told ids, and no customer's name.
    assert "Acme" not in repr(desired_state(cell.pk))

    delete_instance(one, by=alice)
    drive_to_end()
    one.refresh_from_db()
    other.refresh_from_db()
    cell.refresh_from_db()
    assert (one.state, other.state, cell.state) == (InstanceState.DELETED, InstanceState.RUNNING, CellState.READY)
    assert workloads(sandbox) == [str(other.pk)]
    assert str(other.pk) in get(other.endpoints[0]["url"])
