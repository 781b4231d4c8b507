"""The lists of instances and cells: what they find, in which order, how much of it, and what that costs."""

import html
from datetime import UTC, datetime
from http import HTTPStatus

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.access import Role
from cells.models import Cell, Instance
from cells.states import AgentLink, CellState, Health, InstanceState
from cells.telemetry.state import health_of, link_of
from tests.cells.factories import make_cell, make_instance, make_plan
from tests.cells.lists import CELLS, INSTANCES, account, make_status, many, signed_in
from tests.factories import make_cloud_account, make_membership

__all__ = ["account", "signed_in"]  # fixtures
HTMX = {"HX-Request": "true"}


def names(response):
    return [row["name"] for row in response.context["rows"]]


# --- Finding -------------------------------------------------------------------------------------------------------------


def test_instances_are_found_by_name_region_number_and_id(signed_in, account, acme):
    wanted = make_instance(account=account, name="shop-prod", region="eu-central-1")
    make_instance(account=make_cloud_account(organisation=acme, state="connected", external_id="999988887777"), name="other")
    number = account.external_id

    for words in ("SHOP", "central", number[:6], f"{number[:4]} {number[4:8]} {number[8:]}", str(wanted.pk), wanted.pk.hex[:12]):
        assert names(signed_in.get(INSTANCES, {"q": words})) == ["shop-prod"], words
    assert names(signed_in.get(INSTANCES, {"q": "nothing like it"})) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("state", "stopped"), ("health", "degraded"), ("region", "eu-north-1"), ("plan", "special"), ("cloud", "gcp"), ("account", None)],
)
def test_each_filter_leaves_what_it_says(name, value, signed_in, account, acme):
    other = make_cloud_account(organisation=acme, cloud="gcp", state="connected", external_id="orders-live-1", name="Live")
    make_instance(account=account, name="plain")
    odd = {"state": InstanceState.STOPPED, "health": Health.DEGRADED, "region": "eu-north-1", "plan": make_plan(code="special")}
    make_instance(account=other, name="special", **odd)

    response = signed_in.get(INSTANCES, {name: value or str(other.pk)})

    assert names(response) == ["special"]
    assert "1 of 2 instances match" in " ".join(response.text.split())
    assert len(response.context["chips"]) == 1


def test_a_filter_that_makes_no_sense_is_none(signed_in, account):
    make_instance(account=account, name="orders")

    assert names(signed_in.get(INSTANCES, {"state": "flying", "health": "x", "sort": "secret", "size": "9", "after": "x~y"})) == ["orders"]
    assert names(signed_in.get(INSTANCES, {"account": "not-an-id"})) == []


def test_deleted_instances_show_only_where_they_are_asked_for(signed_in, account):
    make_instance(account=account, name="old", state=InstanceState.DELETED)
    make_instance(account=account, name="new")

    assert names(signed_in.get(INSTANCES)) == ["new"]
    assert names(signed_in.get(INSTANCES, {"state": "deleted"})) == ["old"]


def test_what_the_provider_hosts_is_found_as_the_providers(signed_in, acme, account):
    make_instance(account=account, name="own")
    hosted = make_instance(organisation=acme, cell=make_cell(name="Fernhill hosting cell 7"), name="hosted")
    Instance.objects.filter(pk=hosted.pk).update(account=None)

    response = signed_in.get(INSTANCES, {"account": "provider"})

    assert names(response) == ["hosted"]
    assert response.context["rows"][0]["account"] == "Fernhill"
    assert "hosting cell 7" not in response.text


@pytest.mark.parametrize("health", [*Health])
@pytest.mark.parametrize(
    ("nodes", "ready", "components"), [(2, 2, ()), (2, 1, ()), (2, 0, ()), (2, 2, ("ready", "failed")), (2, 2, ("ready",)), (0, 0, ())]
)
def test_health_of_cells_in_a_query_is_the_one_that_pages_show(health, nodes, ready, components, signed_in, account):
    make_cell(account=account, region="eu-north-1", name="unheard")
    status = make_status(make_cell(account=account, name="heard"), nodes=nodes, ready=ready, components=components)

    expected = ["heard"] if health_of(status) == health else ["unheard"] if health == Health.UNKNOWN else []
    assert names(signed_in.get(CELLS, {"health": health.value})) == expected


@pytest.mark.parametrize("link", [*AgentLink])
def test_link_of_cells_in_a_query_is_the_one_that_pages_show(link, signed_in, account):
    for region, seconds in (("a", 5), ("b", 100), ("c", 400), ("d", None), ("e", 5)):
        cell = make_cell(account=account, region=region, name=region, is_agent_disabled=region == "e")
        if seconds:
            make_status(cell, seconds=seconds)

    expected = [cell.name for cell in Cell.objects.select_related("status").order_by("name") if link_of(cell) == link]
    assert len(expected) == 1
    assert names(signed_in.get(CELLS, {"link": link.value})) == expected


def test_drifted_cells_are_found(signed_in, account):
    make_cell(account=account, name="same", drift="in_sync")
    make_cell(account=account, region="us-east-1", name="other", drift="drifted")

    assert names(signed_in.get(CELLS, {"drift": "drifted"})) == ["other"]


def test_cells_are_found_by_their_account_and_counted_with_their_instances(signed_in, account, acme):
    cell = make_cell(account=account, name="Main in eu-west-1")
    make_instance(cell=cell)
    make_instance(cell=cell, state=InstanceState.DELETED)
    make_cell(account=account, region="us-east-1", name="Main in us-east-1", state=CellState.BOOTSTRAPPING)

    rows = signed_in.get(CELLS, {"q": "1111 2222"}).context["rows"]

    assert [(row["name"], row["instances"]) for row in rows] == [("Main in eu-west-1", 1), ("Main in us-east-1", 0)]
    assert names(signed_in.get(CELLS, {"state": "bootstrapping", "region": "us-east-1", "account": str(account.pk)})) == [
        "Main in us-east-1"
    ]


# --- Order and pages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sort", ["name", "-name", "region", "-region", "created_at", "-created_at"])
def test_pages_give_every_row_once_in_order(sort, signed_in, acme, account, alice):
    made = many(acme, account, alice, 60)
    for index, instance in enumerate(made):  # ties on purpose: the key decides among them
        region = f"eu-west-{index % 3}"
        Instance.objects.filter(pk=instance.pk).update(region=region, created_at=datetime(2026, 1, 1 + index % 7, tzinfo=UTC))

    seen, query = [], f"sort={sort}&size=25"
    while query:
        response = signed_in.get(f"{INSTANCES}?{query}")
        seen += [row["url"].split("/")[-2] for row in response.context["rows"]]
        query = response.context["next_query"]

    column = sort.removeprefix("-")
    key = lambda instance: (getattr(instance, column), instance.pk)  # noqa: E731
    expected = sorted(Instance.objects.filter(organisation=acme), key=key, reverse=sort.startswith("-"))
    assert seen == [str(instance.pk) for instance in expected]


def test_a_row_made_meanwhile_moves_no_other_row_to_another_page(signed_in, acme, account, alice):
    many(acme, account, alice, 30)
    first = signed_in.get(f"{INSTANCES}?size=25")

    make_instance(account=account, name="aaa-first")
    second = signed_in.get(f"{INSTANCES}?{first.context['next_query']}")

    assert names(second) == [f"orders-{index:05}" for index in range(25, 30)]


def test_beyond_the_end_the_page_says_so(signed_in, account):
    last = make_instance(account=account, name="orders")

    response = signed_in.get(INSTANCES, {"after": f"orders~{last.pk}"})

    assert "The list ended before this page." in response.text
    assert response.context["total"] == 1


def test_sorted_header_says_which_way(signed_in, account):
    make_instance(account=account)

    assert '<th scope="col" aria-sort="ascending">' in signed_in.get(INSTANCES).text
    down = signed_in.get(INSTANCES, {"sort": "-created_at"}).text
    assert ('aria-sort="descending"' in down, down.count("aria-sort")) == (True, 1)


# --- Four states of a list -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "words"), [(5, "Healthy"), (100, "Not heard"), (400, "Not heard")])
def test_health_of_a_cell_is_not_shown_from_memory(seconds, words, signed_in, account):
    make_status(make_cell(account=account), seconds=seconds)

    (row,) = signed_in.get(CELLS).context["rows"]

    assert words in row["health"]


@pytest.mark.parametrize(("there", "words"), [(INSTANCES, "No instance yet"), (CELLS, "No deployment cell yet")])
def test_empty_list_says_what_fills_it(there, words, signed_in):
    text = signed_in.get(there).text

    assert (words in text, "Create instance" in text, 'role="search"' in text) == (True, True, False)


@pytest.mark.parametrize(("there", "words"), [(INSTANCES, "No instance yet"), (CELLS, "No deployment cell yet")])
@pytest.mark.parametrize("query", [{"q": "orders"}, {"state": "deleted"}, {"region": "eu-west-1", "health": "degraded"}])
def test_where_nothing_is_no_filter_is_blamed_for_it(there, words, query, signed_in):
    text = signed_in.get(there, query).text

    assert (words in text, "Nothing matches" in text, "0 of 0" in text, 'role="search"' in text) == (True, False, False, False)


def test_deleted_rows_are_no_part_of_the_whole(signed_in, account):
    make_instance(cell=make_cell(account=account, state=CellState.DELETED), state=InstanceState.DELETED)

    assert "1 deleted instance matches" in signed_in.get(INSTANCES, {"state": "deleted"}).text
    assert "1 deleted deployment cell matches" in signed_in.get(CELLS, {"state": "deleted"}).text


@pytest.mark.parametrize("there", [INSTANCES, CELLS])
def test_who_may_not_create_is_told_who_may(there, client, acme):
    client.force_login(make_membership(organisation=acme, role=Role.AUDITOR).user)
    text = client.get(there).text

    assert ("An owner or operator of your organisation creates" in text, "Create instance" in text) == (True, False)


@pytest.mark.parametrize("there", [INSTANCES, CELLS])
def test_filtered_to_nothing_keeps_the_filters_and_offers_to_clear_them(there, signed_in, account):
    make_instance(cell=make_cell(account=account))
    text = signed_in.get(there, {"q": "nothing like it"}).text

    assert ("Nothing matches" in text, 'value="nothing like it"' in text, "Clear the filters" in text) == (True, True, True)


@pytest.mark.parametrize(("there", "make"), [(INSTANCES, make_instance), (CELLS, make_cell)])
@pytest.mark.parametrize("query", [{}, {"state": "deleted"}])
def test_account_without_rows_is_called_by_its_name(there, make, query, signed_in, acme, account):
    make(account=account)
    left = make_cloud_account(organisation=acme, state="offboarded", name="Gone for good")
    strangers = make_cloud_account(state="offboarded", name="Somebody else's")

    response = signed_in.get(there, {**query, "account": str(left.pk)})

    assert response.context["chips"][-1].value == "Gone for good"
    assert f'<option value="{left.pk}" selected>Gone for good</option>' in response.text
    assert "Somebody else" not in html.unescape(signed_in.get(there, {"account": str(strangers.pk)}).text)


# --- Price ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 10_000])
@pytest.mark.parametrize("query", ["", "?q=orders&state=running&sort=-created_at&size=100"])
def test_list_takes_five_queries_whatever_its_size(number, query, signed_in, acme, account, alice):
    many(acme, account, alice, number)
    signed_in.get("/o/acme/activity/")  # the first page after a sign-in notes the session

    with CaptureQueriesContext(connection) as queries:
        response = signed_in.get(f"{INSTANCES}{query}")

    assert response.context["total"] == number
    assert len(queries) == 5


def test_cell_list_takes_five_queries_whatever_its_size(signed_in, acme):
    signed_in.get("/o/acme/activity/")
    for number in range(3):
        account = make_cloud_account(organisation=acme, state="connected", external_id=f"11112222333{number}")
        make_status(make_cell(account=account))
        with CaptureQueriesContext(connection) as queries:
            assert len(signed_in.get(CELLS).context["rows"]) == number + 1
        assert len(queries) == 5


def test_counting_ends_where_the_page_says_more_than(signed_in, acme, account, alice):
    many(acme, account, alice, 10_002)

    assert "More than 10000 of 10002 match" in " ".join(signed_in.get(INSTANCES, {"q": "orders"}).text.split())


@pytest.mark.parametrize("there", [INSTANCES, CELLS])
def test_unchanged_poll_is_answered_without_a_body(there, signed_in, account):
    instance = make_instance(cell=make_cell(account=account))
    first = signed_in.get(there, headers=HTMX)
    version = first.context["version"]

    again = signed_in.get(there, headers={**HTMX, "If-None-Match": first["ETag"]})
    polled = signed_in.get(f"{there}?v={version}", headers=HTMX)
    assert [(answer.status_code, answer.content) for answer in (again, polled)] == [
        (HTTPStatus.NOT_MODIFIED, b""),
        (HTTPStatus.NO_CONTENT, b""),
    ]

    Instance.objects.filter(pk=instance.pk).update(state=InstanceState.DELETED)
    assert signed_in.get(f"{there}?v={version}", headers=HTMX).status_code == HTTPStatus.OK
    assert signed_in.get(there, headers={**HTMX, "If-None-Match": first["ETag"]}).status_code == HTTPStatus.OK


@pytest.mark.parametrize(("there", "make", "busy"), [(INSTANCES, make_instance, "updating"), (CELLS, make_cell, "bootstrapping")])
def test_list_asks_less_often_when_nothing_is_under_way(there, make, busy, signed_in, account):
    made = make(account=account)
    calm = signed_in.get(there, headers=HTMX).text
    type(made).objects.filter(pk=made.pk).update(state=busy)

    assert ['hx-trigger="every 30s"' in text for text in (calm, signed_in.get(there, headers=HTMX).text)] == [True, False]


def test_unchanged_poll_of_a_list_asks_for_the_rows_alone(signed_in, account):
    make_instance(account=account)
    first = signed_in.get(INSTANCES, headers=HTMX)

    with CaptureQueriesContext(connection) as queries:
        answer = signed_in.get(INSTANCES, headers={**HTMX, "If-None-Match": first["ETag"]})

    assert answer.status_code == HTTPStatus.NOT_MODIFIED
    assert [query["sql"].count('FROM "cells_instance"') for query in queries][-1] >= 1
    assert len(queries) == 4  # session, person, memberships, rows


def test_choices_of_the_filters_follow_a_new_instance_at_once(signed_in, account):
    make_instance(account=account, region="eu-west-1")
    assert 'value="eu-north-1"' not in signed_in.get(INSTANCES).text

    make_instance(account=account, region="eu-north-1")

    assert 'value="eu-north-1"' in signed_in.get(INSTANCES).text


def test_row_shows_any_name_as_text_and_the_day_in_the_readers_zone(signed_in, acme, alice):
    alice.time_zone = "Asia/Tokyo"
    alice.save()
    account = make_cloud_account(organisation=acme, state="connected", name="<b>%s</b> {{ x }}", external_id="111122223333")
    instance = make_instance(account=account, name="100%(name)s <i>", created_at=datetime(2026, 3, 1, 20, 30, 7, tzinfo=UTC))

    text = signed_in.get(INSTANCES).text

    assert f'<a href="{instance.get_absolute_url()}">100%(name)s &lt;i&gt;</a>' in text
    assert '&lt;b&gt;%s&lt;/b&gt; {{ x }}<span class="sub mono">111122223333</span>' in text
    assert '<time datetime="2026-03-01T20:30:07Z">2 Mar 2026</time>' in text


@pytest.mark.parametrize(
    ("number", "query", "words"), [(1, "", "1 instance"), (2, "", "2 instances"), (1, "?q=o", "1 of 1 instance matches")]
)
def test_number_of_a_list_is_said_in_grammar(number, query, words, signed_in, acme, account, alice):
    many(acme, account, alice, number)

    assert f'role="status">{words}</p>' in signed_in.get(f"{INSTANCES}{query}").text


def test_fragment_is_its_piece_of_the_page(signed_in, account):
    make_instance(account=account)

    page, fragment = signed_in.get(INSTANCES).text, signed_in.get(INSTANCES, headers=HTMX).text

    assert fragment.strip() in page
    assert signed_in.get(f"{INSTANCES}?q=&state=running&health=", headers=HTMX)["HX-Push-Url"] == f"{INSTANCES}?state=running"
