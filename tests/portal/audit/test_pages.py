"""The activity page: the list, its words, the log of one thing."""

import uuid
from datetime import UTC, datetime
from http import HTTPStatus
from types import SimpleNamespace

import pytest
import time_machine
from django.db import connection
from django.template import Context, Template
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from portal.audit import Actor, Subject, register_actions, words
from portal.audit.chain import head_of
from portal.audit.panels import subject_activity
from tests.portal.audit.pages import HTMX, page, signed_in, url, write, write_many


def shown(html):
    """Numbers of the events on the page, in order."""
    return [int(part.split('"')[0]) for part in html.split('id="event-')[1:]]


@pytest.fixture
def _words():
    before = dict(words.ACTIONS)
    register_actions(
        {
            "test.renamed": "Renamed %(name_before)s to %(name)s for %(reason)s",
            "test.broken": "100% %(wrong",
            "test.moved": "Moved its desk",
        }
    )
    yield
    words.ACTIONS.clear()
    words.ACTIONS.update(before)


# --- The list ------------------------------------------------------------------------------------------------------------


def test_activity_shows_newest_first_in_groups_of_days(acme, alice):
    with time_machine.travel(datetime(2026, 11, 20, 23, 59, tzinfo=UTC), tick=False):
        write_many(acme, 2)
    with time_machine.travel(datetime(2026, 11, 21, 8, 0, tzinfo=UTC), tick=False):
        write_many(acme, 1)
        html = page(alice, acme)
    assert shown(html) == [3, 2, 1]
    assert html.index("Saturday, 21 November 2026") < html.index('id="event-3"') < html.index("Friday, 20 November 2026")
    assert html.count("event-day-title") == 2


def test_activity_days_are_those_of_the_reader(acme, alice):
    alice.time_zone = "Pacific/Auckland"
    alice.save()
    with time_machine.travel(datetime(2026, 11, 20, 23, 59, tzinfo=UTC), tick=False):
        write_many(acme, 1)
        assert "Saturday, 21 November 2026" in page(alice, acme)
        assert shown(page(alice, acme, "since=2026-11-21&until=2026-11-21")) == [1]
        assert shown(page(alice, acme, "until=2026-11-20")) == []


def test_activity_row_opens_to_everything(acme, alice):
    subject = Subject("cloud_account", "a-1", "Production <eu>")
    event = write(acme, subject=subject, details={"state": ["draft", "connected"], "region": "eu-west-1", "checked": True})
    html = page(alice, acme)
    for text in [
        "Anna",
        "anna@acme.example",
        "Production <eu>",
        "eu-west-1",
        "draft",
        "connected",
        event.hash,
        event.previous,
        event.moment,
    ]:
        assert escape(text) in html
    assert "Production <eu>" not in html
    assert '<th scope="row">State</th><td>draft</td><td>connected</td>' in html


def test_activity_is_empty_before_anything_happened(acme, alice):
    html = page(alice, acme)
    assert "Nothing has happened yet" in html
    assert reverse("accounts:activity_export", args=[acme.slug]) not in html


def test_activity_says_when_the_filter_leaves_nothing(acme, alice):
    write_many(acme, 2)
    html = page(alice, acme, "q=nothing-like-this")
    assert "Nothing in this range" in html
    assert "0 of 2 events" in html
    assert "Clear the filters" in html


def test_activity_says_when_the_filter_is_wrong(acme, alice):
    write_many(acme, 2)
    html = page(alice, acme, "since=2026-11-22&until=2026-11-20")
    assert "The last day is before the first one." in html
    assert shown(html) == []
    assert shown(page(alice, acme, "since=yesterday")) == []
    assert shown(page(alice, acme, "until=9999-12-31")) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [5, 4, 3, 2, 1]),
        ("who=ann", [3, 1]),
        ("who=ANNA%40acme", [3, 1]),
        ("who=u-anna", [3, 1]),
        ("by=worker", [2]),
        ("what=test.moved", [3]),
        ("what=never.registered", [4]),
        ("kind=contact", [3]),
        ("object=night", [3]),
        ("object=c-1", [3]),
        ("object=c-", []),
        ("since=2026-11-21", [5, 4]),
        ("until=2026-11-20", [3, 2, 1]),
        ("since=2026-11-20&until=2026-11-20", [3, 2]),
        ("q=192.0.2.99", []),
        ("q=moved+its+desk", [3]),
        ("q=eu-west", [2]),
        ("q=never.reg", [4]),
        ("q=%25", [5]),
        ("q=fernhill&by=staff", [5]),
        ("who=anna&what=test.moved&since=2026-11-20", [3]),
        ("before=4", [3, 2, 1]),
        ("before=nonsense", [5, 4, 3, 2, 1]),
        ("before=1", []),
    ],
)
@pytest.mark.usefixtures("_words")
def test_activity_filter(acme, alice, query, expected):
    staff = Actor.user(SimpleNamespace(pk="u-sam", name="Sam", email="sam@fernhill.example", is_staff=True))
    days = [19, 20, 20, 21, 21]
    events = [
        {},
        {"actor": Actor.worker("operations"), "details": {"region": "eu-west-1"}},
        {"action": "test.moved", "subject": Subject("contact", "c-1", "Night desk")},
        {"action": "never.registered", "actor": Actor.system("beat")},
        {"actor": staff, "details": {"note": "100%"}},
    ]
    for day, fields in zip(days, events, strict=True):
        with time_machine.travel(datetime(2026, 11, day, 12, 0, tzinfo=UTC), tick=False):
            write(acme, **fields)
    with time_machine.travel(datetime(2026, 11, 21, 13, 0, tzinfo=UTC), tick=False):
        assert shown(page(alice, acme, query)) == expected


def test_activity_filter_stands_in_the_page_and_can_be_taken_back(acme, alice):
    write_many(acme, 1)
    html = page(alice, acme, "who=Anna&kind=cloud_account")
    assert 'value="Anna"' in html
    assert '<option value="cloud_account" selected>' in html
    assert 'href="?kind=cloud_account"' in html
    assert 'href="?who=Anna"' in html
    assert "1 of 1 event" in html


def test_activity_pages_by_number(acme, alice):
    write_many(acme, 30)
    first = page(alice, acme, "q=Production")
    assert shown(first) == list(range(30, 5, -1))
    assert "30 of 30 events" in first
    assert 'href="?q=Production&amp;before=6"' in first
    second = page(alice, acme, "q=Production&before=6")
    assert shown(second) == [5, 4, 3, 2, 1]
    assert "Older events" not in second
    assert 'href="?q=Production"' in second
    write_many(acme, 1)
    assert shown(page(alice, acme, "before=6")) == [5, 4, 3, 2, 1]  # what is new does not shift an older page
    assert shown(page(alice, acme, "size=50")) == list(range(31, 0, -1))


def test_activity_fragment_is_its_piece_of_the_page(acme, alice):
    write_many(acme, 3)
    client = signed_in(alice)
    whole, fragment = (client.get(url("activity", acme, "who=anna"), headers=headers) for headers in ({}, HTMX))
    assert "HX-Request" in fragment["Vary"]
    piece = fragment.content.decode().strip()
    assert piece.startswith('<section class="stack" id="activity-list"')
    token = lambda html: [part.split('"')[0] for part in html.split('csrfmiddlewaretoken" value="')[1:]]  # noqa: E731
    page_html = whole.content.decode()
    for secret in token(page_html):
        page_html = page_html.replace(secret, "token")
    for secret in token(piece):
        piece = piece.replace(secret, "token")
    assert piece in page_html


def test_activity_fragment_puts_a_clean_address_into_the_browser(acme, alice):
    write_many(acme, 1)
    client = signed_in(alice)
    pushed = [
        client.get(url("activity", acme, query), headers=HTMX)["HX-Push-Url"]
        for query in ("q=&who=Anna&what=&size=25", "q=&who=", "who=Anna&before=9&size=50", "since=never")
    ]
    path = url("activity", acme)
    assert pushed == [f"{path}?who=Anna", path, f"{path}?who=Anna&size=50&before=9", f"{path}?since=never"]


def test_activity_going_back_gets_the_page(acme, alice):
    html = page(alice, acme, **{**HTMX, "HX-History-Restore-Request": "true"})
    assert "<!doctype html>" in html


@pytest.mark.parametrize("query", ["", "q=Production&who=anna&since=2020-01-01"])
def test_activity_query_count_does_not_grow(acme, alice, query):
    counts = []
    client = signed_in(alice)
    for total in (1, 3):
        write_many(acme, total - head_of(acme.id).sequence)
        client.get(url("activity", acme, query))
        with CaptureQueriesContext(connection) as captured:
            client.get(url("activity", acme, query))
        counts.append([entry["sql"] for entry in captured if "audit_" in entry["sql"]])
    assert [len(queries) for queries in counts] == ([3, 3] if query else [2, 2])


def test_activity_of_another_organisation_does_not_exist(acme, alice, charlie):
    write_many(acme, 1)
    client = signed_in(charlie)
    assert client.get(url("activity", acme)).status_code == HTTPStatus.NOT_FOUND
    assert client.post(url("activity_export", acme)).status_code == HTTPStatus.NOT_FOUND
    assert client.get(url("activity_verify", acme)).status_code == HTTPStatus.NOT_FOUND
    own = charlie.memberships.get().organisation
    assert "Nothing has happened yet" in page(charlie, own)


# --- Words ---------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_words")
def test_sentence_fills_in_what_the_event_has(db):
    event = write(None, "test.renamed", details={"name": ["Old", "New"]})
    assert event.sentence == "Renamed Old to New for …"
    assert words.action_label("test.renamed") == "Renamed … to … for …"


@pytest.mark.usefixtures("_words")
def test_sentence_falls_back_to_the_code(db):
    assert write(None, "never.registered").sentence == "never.registered"
    assert write(None, "test.broken").sentence == "test.broken"


def test_failure_reads_in_words_with_its_code_beside(acme, alice):
    details = {"operation": "OP-7F3K9Q", "kind": "connect_cloud_account", "code": "wrong_region"}
    params = {"found": "us-west-2", "expected": "eu-west-1"}
    subject = Subject("cloud_account", "a-1", "Production")
    told = write(acme, "operation.failed", subject=subject, details=details | {"params": params})
    bare = write(acme, "operation.retried", subject=subject, details=details)

    assert told.sentence == (
        "Operation OP-7F3K9Q on Production failed: The kit was run in region us-west-2. It was made for region eu-west-1."
    )
    assert bare.sentence.endswith("after it failed: The kit was run in region …. It was made for region ….")
    assert page(alice, acme).count('<span class="event-code mono">wrong_region</span>') == 2
    assert told.details["code"] == "wrong_region"


def test_failure_that_nobody_described_still_has_its_code(db):
    event = write(None, "operation.failed", details={"code": "never_described"})
    assert (event.codes, event.sentence.endswith("failed: A step could not be finished.")) == (["never_described"], True)


def test_register_actions_refuses_a_malformed_code():
    with pytest.raises(ValueError, match=r"area\.what_happened"):
        register_actions({"Connected": "Connected"})


def test_details_read_as_words():
    values = [None, True, False, 3, "x", ["a", "b", "c"], {"role": "owner", "ok": True}]
    assert [words.value_text(value) for value in values] == ["", "Yes", "No", "3", "x", "a, b, c", "Role: owner, Ok: Yes"]
    assert [words.is_change(value) for value in (["a", "b"], ["a", None], ["a"], ["a", "b", "c"], ["a", ["b"]], "ab")] == [True, True] + [
        False
    ] * 4


# --- The log of one thing ------------------------------------------------------------------------------------------------


def test_subject_activity_shows_only_that_thing(acme, django_assert_num_queries):
    write_many(acme, 3)
    write(acme, subject=Subject("cloud_account", "a-2", "Staging"))
    write(acme, subject=Subject("contact", "a-1", "Night desk"))
    with django_assert_num_queries(1):
        panel = subject_activity(acme.id, "cloud_account", "a-1", limit=2)
    assert [event.sequence for day in panel.days for event in day.events] == [3, 2]
    assert panel.older_than == 2
    assert subject_activity(uuid.uuid4(), "cloud_account", "a-1").is_empty


def test_subject_activity_tag_renders(acme, django_assert_num_queries):
    write_many(acme, 3)
    template = Template('{% load audit %}{% subject_activity organisation_id=organisation.id kind="cloud_account" id="a-1" limit=2 %}')
    with django_assert_num_queries(1):
        html = template.render(Context({"organisation": acme}))
    assert shown(html) == [3, 2]
    assert "These are the newest 2 events." in html
    empty = Template('{% load audit %}{% subject_activity organisation_id=organisation.id kind="cloud_account" id="a-9" %}')
    assert "Nothing has happened yet" in empty.render(Context({"organisation": acme}))
