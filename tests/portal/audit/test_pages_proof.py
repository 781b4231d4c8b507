"""The activity log as a file, and the proof that nothing was changed in it."""

from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection

from accounts.access import Role
from portal.audit import verify
from portal.audit.chain import check_chain, head_of
from portal.audit.models import Event
from portal.audit.verify import Broken, verify_lines
from tests.activity import assert_no_event, assert_one_event
from tests.factories import make_membership
from tests.portal.audit.pages import HTMX, page, signed_in, url, write, write_many

# --- Export --------------------------------------------------------------------------------------------------------------


def lines_of(response):
    return b"".join(response.streaming_content).splitlines(keepends=True)


def test_export_is_the_whole_chain_and_ends_with_its_own_event(acme, alice):
    write_many(acme, 5)
    with assert_one_event(acme, action="activity.exported") as written:
        response = signed_in(alice).post(url("activity_export", acme))
        lines = lines_of(response)
    own = written.event
    verdict = verify_lines(lines, head=own.hash)
    assert (verdict.events, verdict.first, verdict.last, verdict.organisation) == (6, 1, 6, str(acme.id))
    assert verdict.last_action == verify.EXPORT_ACTION
    assert (own.actor_email, own.details) == (alice.email, {"filters": {}})
    assert response["Content-Type"] == "application/jsonl; charset=utf-8"
    assert response["Content-Disposition"] == f'attachment; filename="activity-acme-whole-6-{own.hash[:12]}.jsonl"'
    assert lines == [event.line() for event in Event.objects.for_chain(acme.id).oldest_first()]


def test_export_of_a_filter_holds_what_the_page_shows(acme, alice):
    write_many(acme, 2)
    write(acme, "contact.added")
    write_many(acme, 1)
    response = signed_in(alice).post(url("activity_export", acme, "kind=cloud_account"))
    lines = lines_of(response)
    assert verify_lines(lines, is_filtered=True)[:3] == (3, 1, 4)
    with pytest.raises(Broken):
        verify_lines(lines)
    assert "activity-acme-filtered-5-" in response["Content-Disposition"]
    assert Event.objects.for_chain(acme.id).newest_first()[0].details == {"filters": {"kind": "cloud_account"}}


def test_export_crosses_batches(acme, alice, monkeypatch):
    monkeypatch.setattr("portal.audit.chain.BATCH", 2)
    write_many(acme, 5)
    assert verify_lines(lines_of(signed_in(alice).post(url("activity_export", acme)))).events == 6


def test_export_with_a_wrong_filter_goes_back_to_the_page(acme, alice):
    write_many(acme, 1)
    with assert_no_event():
        response = signed_in(alice).post(url("activity_export", acme, "since=never"))
    assert response.status_code == HTTPStatus.FOUND
    assert parse_qs(urlsplit(response["Location"]).query) == {"since": ["never"]}


def test_export_is_only_for_owners_and_auditors(acme, alice, bob):
    write_many(acme, 1)
    with assert_no_event():
        assert signed_in(bob).post(url("activity_export", acme)).status_code == HTTPStatus.FORBIDDEN
        assert signed_in(alice).get(url("activity_export", acme)).status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert "Owners and auditors can export." in page(bob, acme)
    auditor = make_membership(organisation=acme, role=Role.AUDITOR).user
    assert "Owners and auditors can export." not in page(auditor, acme)


# --- Proof ---------------------------------------------------------------------------------------------------------------


def tamper(statement):
    """What somebody with the owner's password could do; the trigger is back when the test's transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_event DISABLE TRIGGER ALL; ALTER TABLE audit_chainhead DISABLE TRIGGER ALL")
        cursor.execute(statement)


def test_verify_says_unbroken_and_writes_nothing(acme, alice):
    write_many(acme, 3)
    with assert_no_event():
        html = signed_in(alice).get(url("activity_verify", acme)).content.decode()
    assert f"3 events, unbroken, head {head_of(acme.id).hash[:12]}…" in html
    assert 'id="activity-verdict"' in html


def test_verify_before_anything_happened(acme, alice):
    assert "Nothing to verify yet" in signed_in(alice).get(url("activity_verify", acme)).content.decode()


def test_verify_fragment_is_its_piece_of_the_page(acme, alice):
    write_many(acme, 1)
    client = signed_in(alice)
    whole, fragment = (client.get(url("activity_verify", acme), headers=headers).content.decode() for headers in ({}, HTMX))
    assert fragment.strip().startswith('<div class="stack-tight" id="activity-verdict"')
    assert fragment.strip() in whole


@pytest.mark.parametrize(
    ("statement", "broken_at", "words_shown"),
    [
        ("UPDATE audit_event SET actor_name = 'Mallory' WHERE sequence = 3", 3, "Event 3 does not match its hash."),
        ("UPDATE audit_event SET details = '{}' WHERE sequence = 1", 1, "Event 1 does not match its hash."),
        ("DELETE FROM audit_event WHERE sequence = 2", 3, "Event 3 does not follow the one before it."),
        ("DELETE FROM audit_event WHERE sequence = 5", 5, "The last events, from number 5 on, were removed or replaced."),
        ("DELETE FROM audit_event", 1, "The last events, from number 1 on, were removed or replaced."),
        ("UPDATE audit_chainhead SET hash = repeat('a', 64)", 6, "The chain does not end where its head says."),
        ("UPDATE audit_event SET at = at + interval '1 microsecond' WHERE sequence = 4", 4, "Event 4 does not match its hash."),
    ],
)
def test_verify_finds_what_was_done_behind_its_back(acme, alice, statement, broken_at, words_shown):
    write_many(acme, 5)
    tamper(statement)
    check = check_chain(acme.id)
    assert (check.is_unbroken, check.broken_at) == (False, broken_at)
    html = signed_in(alice).get(url("activity_verify", acme)).content.decode()
    assert "The chain is broken" in html
    assert words_shown in html


def test_verify_finds_a_rehashed_event_by_its_link(acme):
    write_many(acme, 4)
    event = Event.objects.for_chain(acme.id).get(sequence=2)
    event.actor_name = "Mallory"
    tamper(f"UPDATE audit_event SET actor_name = 'Mallory', hash = '{verify.leaf_hash(event.leaf())}' WHERE sequence = 2")
    check = check_chain(acme.id)
    assert (check.broken_at, check.code) == (3, "link")


def test_verify_of_a_long_chain_checks_the_newest(acme):
    write_many(acme, 5)
    check = check_chain(acme.id, limit=2)
    assert (check.total, check.checked, check.is_partial, check.is_unbroken) == (5, 2, True, True)
    tamper("UPDATE audit_event SET actor_name = 'Mallory' WHERE sequence = 4")
    assert check_chain(acme.id, limit=2).broken_at == 4


def test_verifier_download_is_the_file_itself(acme, alice, tmp_path):
    response = signed_in(alice).get(url("activity_verifier", acme))
    assert response["Content-Disposition"] == 'attachment; filename="verify.py"'
    namespace = {"__name__": "downloaded"}
    exec(compile(response.content, "verify.py", "exec"), namespace)  # what a customer runs
    write_many(acme, 2)
    lines = lines_of(signed_in(alice).post(url("activity_export", acme)))
    assert namespace["verify_lines"](lines).events == 3
