"""Locations of an Azure account: the page that adds one, the watch that finds it, what follows where one is given back."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.access import Role
from accounts.actions.renewal import start_renewal
from accounts.models import TrustWatch
from cells.forms.instances import PlaceForm
from portal.audit.models import Event
from portal.operations.states import OperationState
from tests.cells.factories import make_cell, make_draft, make_plan
from tests.factories import make_cloud_account, make_contact, make_kit, make_membership
from tests.standing import Standing

HOME, AWAY = "westeurope", "northeurope"


@pytest.fixture
def standing(acme, alice, sandbox, monkeypatch, mailoutbox):
    make_contact(organisation=acme, email="night@acme.example", confirmed_at=timezone.now())
    return Standing("azure", organisation=acme, alice=alice, sandbox=sandbox, monkeypatch=monkeypatch)


def page_of(account, check=False):
    return reverse(f"accounts:account_kit_regions{'_check' if check else ''}", args=[account.organisation.slug, account.pk])


def read(client, url):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", client.get(url).text)).split())


def events(account, about="region"):
    found = Event.objects.filter(subject_id=str(account.pk), action__contains=f".{about}_").order_by("sequence")
    return [(event.action.partition(".")[2], event.details.get("region")) for event in found]


def places(standing):
    return standing.account.kits.get(state="current").places


# --- on the strict local Azure ---


@pytest.mark.django_db(transaction=True)
def test_location_is_added_from_the_page_to_the_form_of_an_instance(standing, client, alice):
    client.force_login(alice)
    account, plan = standing.account, make_plan(regions={"azure": []})

    def form():
        return PlaceForm({"account": account.pk, "region": f"azure:{AWAY}"}, organisation=account.organisation, plan=plan)

    assert f'href="{page_of(account)}?region={AWAY}"' in str(form()["region"].errors)
    asked = read(client, f"{page_of(account)}?region={AWAY}")
    assert "run the kit you have once more, for this location too" in asked
    assert f"--add-region {AWAY}" in asked
    assert f"{AWAY} is there" not in asked
    TrustWatch.objects.filter(account=account).update(next_at=timezone.now() + timedelta(hours=1))

    standing.hand.run_kit(cellLocation=AWAY)  # the script tells the portal, which looks at once

    assert standing.watch.is_looking
    standing.look()
    assert (places(standing), standing.account.state, standing.watch.verdict) == ([AWAY], "connected", "holds")
    assert events(account) == [("region_added", AWAY)]
    shown = read(client, f"{page_of(account)}?region={AWAY}")
    assert f"{AWAY} is there: cells can stand in it now." in shown
    assert "--add-region" not in shown
    assert f"{HOME}, {AWAY}" in read(client, account.get_absolute_url())
    assert form().is_valid()
    standing.look()
    assert events(account) == [("region_added", AWAY)]


@pytest.mark.django_db(transaction=True)
def test_location_that_was_given_back_is_forgotten_unless_a_cell_stands_there(standing):
    standing.hand.run_kit(cellLocation=AWAY)
    standing.look()
    group = f"/resourceGroups/byoc-{standing.account.pk.hex[:8]}-cell-{AWAY}"
    standing.hand.remove(group)

    cell = make_cell(account=standing.account, region=AWAY, stack_name=group.rpartition("/")[2])

    assert standing.lose().state == "needs_attention"
    assert places(standing) == [AWAY]

    cell.delete()
    standing.lose()
    assert (standing.account.state, places(standing)) == ("connected", [])
    assert events(standing.account) == [("region_added", AWAY), ("region_given_back", AWAY)]


@pytest.mark.django_db(transaction=True)
def test_location_that_was_only_begun_is_told_with_both_ways_on(standing, client, alice):
    """The script was stopped half-way: “Check now” says so, and the page has the commands that finish it or take it away."""
    client.force_login(alice)
    standing.hand.run_kit(cellLocation=AWAY)
    own = f"byoc-{standing.account.pk.hex[:8]}"
    janitor = f"/resourceGroups/{own}-g1-kit/providers/Microsoft.Logic/workflows/{own}-g1-janitor-{AWAY}"
    assert standing.hand.account.owner("DELETE", janitor, version="2019-05-01").status == 200
    asked = f"{page_of(standing.account)}?region={AWAY}"

    standing.look()

    assert (places(standing), standing.watch.verdict, events(standing.account)) == ([], "holds", [])
    shown = read(client, asked)
    assert f"What the kit makes for {AWAY} is not complete." in shown
    assert f"--add-region {AWAY}" in shown
    assert "North Europe (Ireland) · not complete: no cell can stand there yet" in shown
    assert f"az group delete --subscription {standing.account.external_id} --name {own}-cell-{AWAY} --yes" in shown
    assert f"{HOME}, {AWAY}" not in read(client, standing.account.get_absolute_url())

    standing.hand.run_kit(cellLocation=AWAY)
    standing.look()
    assert (places(standing), standing.account.kits.get(state="current").begun) == ([AWAY], [])
    assert f"{AWAY} is there: cells can stand in it now." in read(client, asked)


@pytest.mark.django_db(transaction=True)
def test_begun_location_that_was_taken_away_is_forgotten(standing, client, alice):
    client.force_login(alice)
    group = f"/resourceGroups/byoc-{standing.account.pk.hex[:8]}-cell-{AWAY}"
    standing.hand.account.owner("PUT", group, {"location": AWAY, "tags": {"byoc-account": str(standing.account.pk)}})
    standing.look()
    assert standing.account.kits.get(state="current").begun == [AWAY]

    standing.hand.remove(group)
    standing.look()

    assert standing.account.kits.get(state="current").begun == []
    shown = read(client, f"{page_of(standing.account)}?region={AWAY}")
    assert f"The last look did not find the kit in {AWAY}." in shown
    assert "not complete" not in shown


@pytest.mark.django_db(transaction=True)
def test_edit_in_a_further_location_is_a_loss_of_trust(standing):
    standing.hand.run_kit(cellLocation=AWAY)
    standing.look()
    entry = next(one for one in standing.hand.assignments("operator-cells") if AWAY in one["id"])
    standing.hand.remove(entry["id"].removeprefix(f"/subscriptions/{standing.account.external_id}"))

    assert standing.lose().state == "needs_attention"
    standing.hand.run_kit(cellLocation=AWAY)
    standing.lose()
    assert (standing.account.state, places(standing)) == ("connected", [AWAY])


@pytest.mark.django_db(transaction=True)
def test_newer_kit_takes_over_only_when_it_stands_in_every_location(standing, alice):
    standing.hand.run_kit(cellLocation=AWAY)
    standing.look()
    start_renewal(standing.account, after_generation=1, by=alice)
    assert standing.account.kits.get(generation=2).places == [AWAY]

    standing.run(2)
    operation = standing.drive()
    assert (operation.state, operation.waiting_why) == (OperationState.WAITING, "kit_finishing")
    standing.hand.run_kit(cellLocation=AWAY)
    assert standing.drive().state == "succeeded"

    assert (standing.account.kits.get(state="current").generation, places(standing)) == (2, [AWAY])
    standing.look()
    assert standing.watch.verdict == "holds"


# --- the page alone ---


@pytest.fixture
def account(acme):
    def make(cloud="azure", **fields):
        identity = {"tenant_id": "11111111-aaaa-4aaa-8aaa-111111111111"}
        made = make_cloud_account(organisation=acme, cloud=cloud, state="connected", home_region=HOME, identity=identity)
        make_kit(account=made, **fields)
        return made

    return make


@pytest.mark.django_db
def test_page_under_an_earlier_kit_leads_to_the_update(client, alice, account):
    client.force_login(alice)
    own = account(version="1.3.0")

    shown = client.get(f"{page_of(own)}?region={AWAY}").text

    assert "The kit in use is version 1.3.0, which knows one location. Update the kit first." in shown
    assert reverse("accounts:account_kit_update", args=["acme", own.pk]) in shown
    assert "--add-region" not in shown


@pytest.mark.django_db
def test_page_without_the_right_to_connect_shows_no_command(client, acme, account):
    client.force_login(make_membership(organisation=acme, role=Role.AUDITOR).user)
    own = account(places=[AWAY])

    shown = read(client, f"{page_of(own)}?region=uksouth")

    assert f"{AWAY} North Europe (Ireland)" in shown
    assert "An owner or operator of this organisation adds a location" in shown
    assert "--add-region" not in shown
    assert "az group delete" not in shown


@pytest.mark.django_db
def test_page_where_one_run_reaches_every_region_leads_to_the_account(client, alice, account):
    client.force_login(alice)
    own = account("aws")

    assert client.get(page_of(own)).headers["Location"] == own.get_absolute_url()


@pytest.mark.django_db
def test_page_gives_back_only_where_no_cell_stands(client, alice, account):
    client.force_login(alice)
    own = account(places=[AWAY, "uksouth"])
    make_cell(account=own, region=AWAY, stack_name=f"byoc-{own.pk.hex[:8]}-cell-{AWAY}")

    shown = read(client, page_of(own))

    assert f"--name byoc-{own.pk.hex[:8]}-cell-uksouth --yes" in shown
    assert f"--name byoc-{own.pk.hex[:8]}-cell-{AWAY} --yes" not in shown
    assert f"--name byoc-{own.pk.hex[:8]}-cell-{HOME} --yes" not in shown
    assert "North Europe (Ireland) · has a cell" in shown


@pytest.mark.django_db
def test_fragment_of_the_page_is_its_own_piece(client, alice, account):
    client.force_login(alice)
    own = account()
    url = f"{page_of(own)}?region={AWAY}"

    fragment = client.get(url, headers={"HX-Request": "true"}).text

    assert fragment.strip().startswith('<div id="kit-regions"')
    assert 'hx-trigger="every 5s"' in fragment
    assert 'hx-trigger="every 5s"' not in client.get(page_of(own)).text


@pytest.mark.django_db
def test_check_now_asks_for_a_look_and_keeps_what_was_asked(client, alice, account):
    client.force_login(alice)
    own = account()
    TrustWatch.objects.start(own)

    answer = client.post(page_of(own, check=True), {"region": AWAY})

    assert answer.headers["Location"] == f"{page_of(own)}?region={AWAY}"
    assert client.post(page_of(own, check=True), {"region": "//evil"}).headers["Location"] == page_of(own)
    assert TrustWatch.objects.get(account=own).is_looking


@pytest.mark.django_db
def test_page_says_that_the_last_look_had_no_answer(client, alice, account):
    client.force_login(alice)
    own = account()
    TrustWatch.objects.start(own)
    TrustWatch.objects.filter(account=own).update(asked_at=None, last_try_at=timezone.now(), unclear_code="kit_not_finished")

    assert "The last look had no answer." in read(client, f"{page_of(own)}?region={AWAY}")
    assert "The last look" not in read(client, page_of(own))


@pytest.mark.django_db
def test_form_of_an_instance_says_where_cells_can_stand(client, alice, acme, account):
    client.force_login(alice)
    own = account(places=[AWAY])
    draft = make_draft(organisation=acme, created_by=alice, account=own)

    shown = client.get(reverse("cells:instance_new_place", args=["acme", draft.pk])).text

    assert f"a new cell can stand in {AWAY}, {HOME}, where its kit was run." in shown
    assert f'href="{page_of(own)}"' in shown
