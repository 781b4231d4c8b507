"""Two customers on one cell that the provider hosts: neither sees the cell, the account it stands in, or the other."""

import pytest
from django.urls import reverse

from cells.actions.instances import delete_instance
from cells.models import Cell, HostingAccount, Instance
from cells.states import CellState, InstanceState
from portal.audit.models import Event
from portal.operations.driver import advance
from portal.operations.models import Operation
from tests.cells.factories import make_cell, make_instance, make_plan
from tests.cells.lists import exported, make_status
from tests.factories import make_cloud_account, make_organisation
from tests.guards.url_tree import organisation_urls

NUMBER = "424242424242"


@pytest.fixture
def host(db):
    hoster = make_organisation(name="Hostwerk", slug="hostwerk")
    account = make_cloud_account(organisation=hoster, state="connected", name="Hauptkonto", external_id=NUMBER)
    return HostingAccount.objects.create(account=account, hosting="platform")


@pytest.fixture
def plan(db):
    return make_plan(code="team", name="Team", hosting="platform", tenancy="multi_tenant")


def browser(client, user):
    fresh = type(client)()
    fresh.force_login(user)
    return fresh


def create(client, slug, name):
    """Through the pages, to the end."""
    there = lambda page, *args: reverse(f"cells:{page}", args=[slug, *args])  # noqa: E731
    place = client.post(there("instance_new"), {"plan": "team"})["Location"]
    seen = [client.get(place).text]
    settings = client.post(place, {"region": "aws:eu-west-1"})["Location"]
    seen.append(client.get(settings).text)
    check = client.post(settings, {"name": name, "size": "small", "release": "1.0.0"})["Location"]
    seen.append(client.get(check).text)
    seen.append(client.post(check, follow=True).text)
    return Instance.objects.get(name=name), "".join(seen)


@pytest.fixture
def both(client, alice, charlie, acme, host, plan):
    """Acme's and Globex's instances on one cell, made through the pages; with everything that each was shown on the way."""
    at_acme, at_globex = browser(client, alice), browser(client, charlie)
    ours, seen = create(at_acme, "acme", "alpha-orders")
    Cell.objects.update(state=CellState.READY, name="Hauptkonto in eu-west-1")
    theirs, seen_too = create(at_globex, "globex", "gamma-orders")
    return (at_acme, acme, ours, seen), (at_globex, theirs.organisation, theirs, seen_too)


def secrets_of(cell, other):
    return {
        "Hauptkonto",
        "Hostwerk",
        "hostwerk",
        NUMBER,
        str(cell.pk),
        str(cell.account_id),
        other.name,
        str(other.pk),
        other.organisation.name,
    }


def everything_shown(client, organisation, instance):
    """Every page, fragment and file that this customer can open, with the instance where a page wants one."""
    operation = Operation.objects.filter(subject_id=str(instance.pk)).first()
    known = {"instance": instance.pk, "operation": operation.pk}
    for url in organisation_urls():
        kind = url.name.partition(":")[2].split("_")[0]
        kwargs = {"slug": organisation.slug}
        if "pk" in url.arguments:
            if kind not in known or url.name.startswith("cells:instance_new_"):
                continue
            kwargs["pk"] = known[kind]
        if url.arguments - {"slug", "pk"}:
            continue
        response = client.get(reverse(url.name, kwargs=kwargs))
        yield url.name, exported(response) if response.streaming else response.text


def test_both_stand_on_one_cell(both):
    (_, _, ours, _), (_, _, theirs, _) = both

    assert ours.cell == theirs.cell
    assert (ours.account, theirs.account) == (None, None)


@pytest.mark.parametrize("state", [CellState.READY, CellState.FAILED, CellState.DELETING])
def test_neither_is_shown_anything_of_the_cell_or_of_the_other(state, both):
    cell = Cell.objects.get()
    make_status(cell, seconds=400)
    failed = {"failed_while": "updating", "failure_code": "stack_failed"} if state == CellState.FAILED else {}
    Cell.objects.update(state=state, **failed)
    for (client, organisation, instance, seen), (_, _, other, _) in (both, both[::-1]):
        advance(Operation.objects.get(kind="create_instance", subject_id=str(instance.pk)).pk)
        pages = dict(everything_shown(client, organisation, instance))
        assert {"cells:instance_detail", "accounts:operation_detail", "cells:instance_export_csv", "accounts:home"} <= set(pages)
        for name, text in {**pages, "on the way": seen}.items():
            found = {secret for secret in secrets_of(cell, other) if secret in text}
            assert found == set(), f"{name} shows {found}"


def test_hidden_words_would_be_found_on_the_hosts_own_pages(client, both, host):
    """Else the test above would prove nothing."""
    owner = browser(client, make_cloud_owner(host.account.organisation))
    there = [reverse("cells:cell_list", args=["hostwerk"]), Cell.objects.get().get_absolute_url()]

    text = "".join(owner.get(address).text for address in there)

    assert {"Hauptkonto", NUMBER} <= {secret for secret in secrets_of(Cell.objects.get(), both[0][2]) if secret in text}
    assert not any(name in text for name in ("alpha-orders", "gamma-orders"))


def make_cloud_owner(organisation):
    from tests.factories import make_membership

    return make_membership(organisation=organisation, role="owner").user


def test_a_customers_activity_holds_no_event_of_the_cell(both):
    for _client, organisation, _instance, _seen in both:
        events = Event.objects.for_chain(organisation.pk)
        assert {event.subject_kind for event in events} <= {"instance"}


def test_one_deletes_and_the_other_stays(both, alice):
    (_, _, ours, _), (at_globex, _, theirs, _) = both
    Instance.objects.update(state=InstanceState.RUNNING)

    delete_instance(Instance.objects.get(pk=ours.pk), by=alice)

    theirs.refresh_from_db()
    assert (theirs.state, at_globex.get(theirs.get_absolute_url()).status_code) == (InstanceState.RUNNING, 200)


def test_no_room_at_the_host_is_one_sentence_whatever_the_reason(client, alice, acme, host, plan):
    at_acme = browser(client, alice)
    place = at_acme.post(reverse("cells:instance_new", args=["acme"]), {"plan": "team"})["Location"]
    cell = make_cell(account=host.account, state=CellState.DELETING)
    make_instance(cell=cell)

    for fields in (
        {},
        {"state": CellState.READY, "most_instances": 1},
        {"state": "failed", "failed_while": "updating", "failure_code": "x"},
    ):
        Cell.objects.filter(pk=cell.pk).update(**fields)
        answer = at_acme.post(place, {"region": "aws:eu-west-1"}, follow=True)
        assert "There is no room for this plan in that region yet. Ask your provider." in answer.text
