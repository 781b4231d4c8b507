"""What the link of a step opens, what it never opens, and the report that is given by it."""

from datetime import timedelta
from http import HTTPStatus

from django.utils import timezone

from accounts import kits
from accounts.models import StepLink
from accounts.states import AccountState
from portal.operations.models import Operation
from tests.accounts.step_links.pages import ARN, AZURE, page
from tests.activity import assert_no_event, assert_one_event
from tests.factories import (
    make_cloud_account,
    make_contact,
    make_kit,
    make_step_link,
)


def test_step_link_shows_what_is_asked_and_by_whom(client, account, token):
    answer = client.get(page(token))

    kit = kits.load("aws")
    text = answer.text
    assert answer.status_code == HTTPStatus.OK
    assert "Alice of Acme asks you to run one small kit in AWS account 111122223333" in text
    assert "Launch stack in AWS" in text
    assert kit.documents[0].sha256 in text
    assert [permission.action for permission in kit.permissions if permission.action not in text] == []
    assert "Not yet seen" in text
    assert "http://localhost:8000/" in text


def test_step_link_shows_nothing_else_of_the_organisation(client, account, acme, token, bob):
    make_contact(organisation=acme, name="Night desk", email="night@acme.example")
    other = make_cloud_account(organisation=acme, name="Other", external_id="444455556666")

    text = client.get(page(token)).text

    for secret in ("Production", "alice@people.example", bob.email, "Night desk", other.external_id, "/o/acme", "cloud@acme.example"):
        assert secret not in text


def test_step_link_is_kept_out_of_caches_search_engines_and_referrers(client, account, token):
    for path in (page(token), page("wrong")):
        answer = client.get(path)

        assert answer["X-Robots-Tag"] == "noindex, nofollow, noarchive"
        assert '<meta name="robots" content="noindex, nofollow, noarchive">' in answer.text
        assert "no-store" in answer["Cache-Control"]
        assert answer["Referrer-Policy"] == "same-origin"
        assert "script-src 'self'" in answer["Content-Security-Policy"]
        assert "unsafe-inline" not in answer["Content-Security-Policy"]
        assert "sessionid" not in answer.cookies


def test_step_link_opens_every_way_to_run_the_kit(client, account, token):
    assert "create-stack" in client.get(page(token) + "?via=cli").text
    assert "module" in client.get(page(token) + "?via=terraform").text
    assert "Launch stack in AWS" in client.get(page(token) + "?via=nothing").text


def test_step_link_file_is_the_file(client, account, token):
    document = kits.load("aws").documents[0]

    assert client.get(page(token, "step_link_file", file=document.file)).content.decode() == document.text
    assert client.get(page(token, "step_link_file", file="other")).status_code == HTTPStatus.NOT_FOUND


def test_step_link_writes_down_its_first_look_only(client, account, token):
    with assert_one_event(account.organisation, action="step_link.opened") as written:
        client.get(page(token))
        client.get(page(token))
        client.get(page(token, "step_link_status"))

    assert (written.event.actor_kind, written.event.actor_email) == ("guest", "cloud@acme.example")
    assert StepLink.objects.get().opened_at is not None


def test_step_link_changes_nothing_by_a_post(client, account, token):
    with assert_no_event():
        assert client.post(page(token)).status_code == HTTPStatus.METHOD_NOT_ALLOWED
        assert client.post(page(token, "step_link_status")).status_code == HTTPStatus.METHOD_NOT_ALLOWED


def test_step_link_report_is_kept_as_the_guests_word(client, account, token):
    Operation.objects.update(state="waiting", waiting_on="you", waiting_why="kit_not_run", next_run_at=timezone.now() + timedelta(hours=1))

    with assert_one_event(account.organisation, action="cloud_account.kit_reported") as written:
        answer = client.post(page(token, "step_link_report"), {"evidence": ARN})

    assert (answer.status_code, answer["Location"]) == (HTTPStatus.FOUND, page(token))
    assert (written.event.actor_kind, written.event.actor_name) == ("guest", "cloud@acme.example")
    assert account.kits.get().reported["external_id"] == "111122223333"
    assert Operation.objects.get().next_run_at <= timezone.now()


def test_step_link_report_has_a_limit(client, account, token):
    codes = [client.post(page(token, "step_link_report"), {"evidence": "nonsense"}).status_code for _ in range(11)]

    assert codes == [HTTPStatus.FOUND] * 10 + [HTTPStatus.TOO_MANY_REQUESTS]


def test_step_link_report_opened_by_itself_leads_to_its_page(client, account, token):
    assert client.get(page(token, "step_link_report")).headers["Location"] == page(token)


def test_step_link_asked_without_end_is_paused(client, account, token):
    codes = [client.get(page("wrong")).status_code for _ in range(121)]

    assert codes == [HTTPStatus.GONE] * 120 + [HTTPStatus.TOO_MANY_REQUESTS]


def test_form_of_the_report_is_there_for_a_cloud_that_needs_it(client, acme, alice):
    account = make_cloud_account(organisation=acme, state=AccountState.WAITING_FOR_KIT, created_by=alice, **AZURE)
    make_step_link(kit=make_kit(account=account), sent_by=alice, token="azure")

    shown = client.get(page("azure"))
    refused = client.post(page("azure", "step_link_report"), {"evidence": "nonsense"}, follow=True)

    assert 'name="evidence"' in shown.text
    assert "Error:" in refused.text
    assert "westeurope" in shown.text
