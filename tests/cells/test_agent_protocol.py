"""The agent protocol over HTTP: who is let in, for what, and every way in which nobody is."""

import time
import uuid
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from cells.agent.keys import Key
from cells.models import AgentKey, Cell, CellStatus, Enrolment, InstanceStatus, SeenAssertion
from cells.protocol import access
from cells.protocol.enrolment import enrolment_token, revoke_agent
from cells.states import CellState, InstanceState
from cells.transitions import touch_desired
from cells.views import agent as views
from portal.audit.models import Event
from tests.cells.factories import make_cell, make_enrolment, make_instance
from tests.cells.spoken import Speaker, a_report, an_instance, decoded, speaker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_remembered():
    """One process serves all tests: buckets and the set of those thrown out start empty."""

    def forget():
        views.of_cells.clear()
        views.of_strangers.clear()
        access.denied.forget()

    forget()
    yield
    forget()


@pytest.fixture
def cell():
    return make_cell()


def refused(answer, status: int, code: str) -> dict:
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    return problem


# --- Enrolment -----------------------------------------------------------------------------------------------------------


def test_enrolment_registers_the_agents_own_key(cell):
    agent = Speaker(cell)

    answer = agent.enrol()

    row = AgentKey.objects.get()
    assert (answer.status_code, answer.json()) == (201, {"key_id": str(row.pk), "first_seq": 1})
    assert (row.cell, row.generation, row.public_jwk) == (cell, 1, agent.key.public_jwk())
    assert Enrolment.objects.get().used_by == row
    event = Event.objects.get()
    assert (event.action, event.organisation_id, event.details["agent_version"]) == ("cell.agent_enrolled", cell.organisation_id, "1.0.0")


def test_enrolment_token_is_the_same_for_a_generation_and_another_for_the_next(cell):
    first = enrolment_token(cell)
    assert enrolment_token(cell) == first

    cell.generation = 2
    assert enrolment_token(cell) != first


def test_enrolment_token_that_is_only_read_opens_nothing(cell):
    """Comparing a cell with what would be ordered makes its order, and with it the token."""
    token = enrolment_token(cell)
    agent = Speaker(cell)
    asked = {"token": token, "cell": str(cell.pk), "public_jwk": agent.key.public_jwk(), "agent_version": "1.0.0"}

    refused(agent.post("enrolment", {**asked, "proof": agent.key.sign(agent.claims("enrolments"))}), 401, "enrolment_invalid")
    assert not Enrolment.objects.exists()


def test_same_key_is_enrolled_again_alike(cell):
    """Its answer may have been lost, or the agent killed before it wrote it down."""
    agent = Speaker(cell)
    first = agent.enrol()

    again = agent.enrol()

    assert (again.status_code, again.json()) == (201, first.json())
    assert (AgentKey.objects.count(), Event.objects.count()) == (1, 1)


def test_second_agent_with_the_same_token_is_refused(cell):
    Speaker(cell).enrol()

    refused(Speaker(cell).enrol(), 409, "enrolment_used")

    assert AgentKey.objects.count() == 1


def test_enrolment_counts_reports_on_from_the_agent_before(cell):
    speaker(cell).report(a_report(41))
    Cell.objects.filter(pk=cell.pk).update(generation=2)
    cell.refresh_from_db()

    assert Speaker(cell).enrol().json()["first_seq"] == 42


def test_enrolment_of_the_next_generation_ends_the_agent_before(cell):
    old = speaker(cell)
    Cell.objects.filter(pk=cell.pk).update(generation=2)
    cell.refresh_from_db()

    speaker(cell)

    refused(old.report(a_report()), 403, "agent_revoked")
    refused(old.fetch_token(), 403, "agent_revoked")


def test_enrolment_refuses_what_it_should(cell):
    other = make_cell(region="us-east-1")
    refused(Speaker(cell).enrol(token="made-up"), 401, "enrolment_invalid")
    refused(Speaker(cell).enrol(token=enrolment_token(other)), 403, "wrong_cell")
    refused(Speaker(cell).enrol(proof=Key.make().sign(Speaker(cell).claims("enrolments"))), 401, "assertion_invalid")
    refused(Speaker(cell).enrol(public_jwk={"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}), 400, "malformed")
    assert AgentKey.objects.count() == 0


def test_enrolment_of_an_earlier_generation_is_over(cell):
    token = make_enrolment(cell)
    Cell.objects.filter(pk=cell.pk).update(generation=2)

    refused(Speaker(cell).enrol(token=token), 401, "enrolment_invalid")


def test_enrolment_expires_and_the_next_order_makes_it_valid_again(cell):
    token = make_enrolment(cell)
    Enrolment.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    agent = Speaker(cell)
    asked = {"token": token, "cell": str(cell.pk), "public_jwk": agent.key.public_jwk(), "agent_version": "1.0.0"}

    refused(agent.post("enrolment", {**asked, "proof": agent.key.sign(agent.claims("enrolments"))}), 403, "enrolment_expired")

    assert make_enrolment(cell) == token
    assert agent.enrol().status_code == 201


def test_private_key_has_no_place_in_an_enrolment(cell):
    agent = Speaker(cell)

    problem = refused(agent.enrol(public_jwk={**agent.key.public_jwk(), "d": "A" * 43}), 400, "unknown_field")

    assert problem["field"] == "$.public_jwk.d"


@pytest.mark.parametrize("state", [CellState.PLANNED, CellState.DELETED])
def test_cell_that_is_not_there_enrols_nobody(state):
    refused(Speaker(make_cell(state=state)).enrol(), 403, "agent_revoked")


# --- Tokens ----------------------------------------------------------------------------------------------------------------


def test_token_is_short_and_checked_without_a_query(cell, django_assert_num_queries):
    agent = Speaker(cell)
    agent.enrol()
    answer = agent.fetch_token()
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 600)
    access.verify(agent.token, time.time())

    with django_assert_num_queries(0):
        grant = access.verify(agent.token, time.time())

    assert (grant.cell, str(grant.key)) == (cell.pk, agent.key.id)


def test_assertion_is_accepted_once(cell):
    agent = speaker(cell)
    assertion = agent.assertion()
    assert agent.fetch_token(assertion).status_code == 200

    problem = refused(agent.fetch_token(assertion), 401, "replay")

    assert problem["error"] == "invalid_client"


def test_seen_assertions_are_forgotten_when_they_are_too_old_anyway(cell):
    agent = speaker(cell)
    SeenAssertion.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    agent.fetch_token()

    assert SeenAssertion.objects.count() == 1


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_wrong_clock_is_told_the_right_time(cell, seconds):
    agent = speaker(cell)
    there = int(time.time()) + seconds

    problem = refused(agent.fetch_token(agent.assertion(iat=there, exp=there + 60)), 401, "clock_skew")

    assert abs(problem["server_time"] - time.time()) < 5


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://elsewhere.example/agent/v1/token"},
        {"aud": None},
        {"iss": "somebody"},
        {"sub": str(uuid.uuid4())},
        {"jti": None},
        {"jti": "x"},
        {"exp": None},
        {"iat": "now"},
        {"exp": int(time.time()) + 86400},
    ],
    ids=["aud", "no-aud", "iss", "sub", "no-jti", "jti", "no-exp", "iat", "exp"],
)
def test_assertion_that_says_something_else_is_refused(cell, claims):
    agent = speaker(cell)

    refused(agent.fetch_token(agent.assertion(**claims)), 401, "assertion_invalid")


def test_assertion_of_another_key_is_refused(cell):
    agent, thief = speaker(cell), Key.make()
    thief.id = agent.key.id

    refused(agent.fetch_token(thief.sign(agent.claims("token"))), 401, "assertion_invalid")
    thief.id = str(uuid.uuid4())
    refused(agent.fetch_token(thief.sign(agent.claims("token"))), 401, "assertion_invalid")
    refused(agent.fetch_token("no.jwt.atall"), 401, "assertion_invalid")


def test_unsigned_assertion_is_refused(cell):
    agent = speaker(cell)
    body = agent.assertion().split(".")[1]
    header = "eyJhbGciOiJub25lIn0"  # {"alg":"none"}

    refused(agent.fetch_token(f"{header}.{body}."), 401, "assertion_invalid")


def test_token_form_takes_nothing_else(cell):
    agent = speaker(cell)

    refused(agent.fetch_token(grant_type="password"), 400, "malformed")
    refused(agent.fetch_token(scope="everything"), 400, "unknown_field")


def test_access_token_ends(cell):
    agent = speaker(cell)

    with time_machine.travel(time.time() + 601, tick=False):
        refused(agent.report(a_report()), 401, "token_expired")


def test_access_token_cannot_be_altered(cell):
    agent = speaker(cell)
    other = make_cell(region="us-east-1")
    agent.token = agent.token.replace(agent.token[4:12], "AAAAAAAA")

    answer = agent.report(a_report(), cell=other.pk)

    refused(answer, 401, "token_invalid")
    assert answer["WWW-Authenticate"] == "Bearer"
    agent.token = ""
    refused(agent.report(a_report()), 401, "token_missing")
    assert len(decoded(speaker(other).token)) == 69


def test_enrolment_token_opens_nothing_else(cell):
    agent = speaker(cell)
    agent.token = enrolment_token(cell)

    refused(agent.desired(), 401, "token_invalid")


def test_thrown_out_agent_is_refused_at_once(cell, django_capture_on_commit_callbacks):
    agent = speaker(cell)
    assert agent.report(a_report(1)).status_code == 200

    with django_capture_on_commit_callbacks(execute=True):
        revoke_agent(cell)

    refused(agent.report(a_report(2)), 403, "agent_revoked")
    refused(agent.desired(), 403, "agent_revoked")
    refused(agent.fetch_token(), 403, "agent_revoked")
    assert CellStatus.objects.get().seq == 1


def test_disabled_agent_is_refused_until_it_is_enabled(cell):
    agent = speaker(cell)
    Cell.objects.update(is_agent_disabled=True)
    access.denied.forget()

    refused(agent.report(a_report()), 403, "agent_revoked")
    refused(agent.fetch_token(), 403, "agent_disabled")

    Cell.objects.update(is_agent_disabled=False)
    access.denied.forget()
    assert agent.report(a_report()).status_code == 200


def test_agent_of_a_deleted_cell_is_refused(cell):
    agent = speaker(cell)
    Cell.objects.update(state=CellState.DELETED, state_at=timezone.now())
    access.denied.forget()

    refused(agent.report(a_report()), 403, "agent_revoked")


# --- Another key -------------------------------------------------------------------------------------------------------------


def test_next_key_replaces_the_one_before_when_it_is_first_used(cell):
    agent = speaker(cell)
    before, after = agent.key, Key.make()

    answer = agent.add_key(after)
    after.id = answer.json()["key_id"]

    assert answer.status_code == 201
    assert agent.fetch_token().status_code == 200  # the old one, until the new one is in use
    agent.key = after
    assert agent.fetch_token().status_code == 200
    agent.key = before
    refused(agent.fetch_token(), 403, "agent_revoked")
    assert sorted(Event.objects.values_list("action", flat=True)) == ["cell.agent_enrolled", "cell.agent_key_added"]


def test_same_next_key_is_registered_once(cell):
    agent, after = speaker(cell), Key.make()

    first, again = agent.add_key(after), agent.add_key(after)

    assert first.json() == again.json()
    assert (AgentKey.objects.count(), Event.objects.count()) == (2, 2)


def test_key_that_the_agent_does_not_hold_is_refused(cell):
    agent, strange = speaker(cell), Key.make()

    approval = agent.key.sign(agent.claims("keys", jti=strange.thumbprint()))

    proof = agent.key.sign(agent.claims("keys"))
    answer = agent.post("key", {"public_jwk": strange.public_jwk(), "proof": proof, "approval": approval})

    refused(answer, 401, "assertion_invalid")


@pytest.mark.parametrize("signed_by", ["thief", "agent for another key", "agent for another address"])
def test_access_token_alone_registers_no_key(cell, signed_by):
    agent, strange = speaker(cell), Key.make()
    words = {
        "thief": lambda: strange.sign(agent.claims("keys", jti=strange.thumbprint())),
        "agent for another key": lambda: agent.key.sign(agent.claims("keys", jti=Key.make().thumbprint())),
        "agent for another address": lambda: agent.key.sign(agent.claims("token", jti=strange.thumbprint())),
    }
    proof = strange.sign(agent.claims("keys"))

    answer = agent.post("key", {"public_jwk": strange.public_jwk(), "proof": proof, "approval": words[signed_by]()})

    refused(answer, 401, "assertion_invalid")
    assert AgentKey.objects.count() == 1


def test_agent_cannot_change_its_key_all_day(cell):
    agent = speaker(cell)
    for _ in range(19):
        after = Key.make()
        after.id = agent.add_key(after).json()["key_id"]
        agent.key = after
        assert agent.fetch_token().status_code == 200

    refused(agent.add_key(Key.make()), 409, "too_many_keys")
    AgentKey.objects.update(created_at=timezone.now() - timedelta(days=1))
    assert agent.add_key(Key.make()).status_code == 201


def test_keys_that_were_replaced_do_not_come_back(cell):
    agent = speaker(cell)
    before, after = agent.key, Key.make()
    after.id = agent.add_key(after).json()["key_id"]
    agent.key = after
    agent.fetch_token()

    refused(agent.add_key(before), 403, "agent_revoked")


def test_agent_cannot_pile_up_keys(cell):
    agent = speaker(cell)
    for _ in range(4):
        assert agent.add_key(Key.make()).status_code == 201

    refused(agent.add_key(Key.make()), 409, "too_many_keys")


# --- Desired state -----------------------------------------------------------------------------------------------------------


def test_desired_state_names_what_shall_run(cell, settings):
    component = {"name": "ingress", "chart": "oci://charts.example/ingress", "chart_version": "4.1.0", "digest": "1" * 64}
    settings.PLATFORM_COMPONENTS = [component]
    instance = make_instance(cell=cell)
    leaving = make_instance(cell=cell, state=InstanceState.DELETING)
    make_instance(cell=cell, state=InstanceState.CREATING)
    make_instance(cell=make_cell(region="us-east-1"))

    answer = speaker(cell).desired()

    assert answer.status_code == 200
    document = answer.json()
    assert {entry["id"]: entry["is_present"] for entry in document["instances"]} == {str(instance.pk): True, str(leaving.pk): False}
    assert next(entry for entry in document["instances"] if entry["is_present"]) == {
        "id": str(instance.pk),
        "is_present": True,
        "revision": 1,
        "release": {"chart": "oci://registry.fernhill.example/charts/orders", "chart_version": "1.0.0", "digest": "0" * 64},
        "values": {"parameters": {}, "resources": {"cpu": 500, "memory": 512, "storage": 0}},
        "is_running": True,
        "restarts": 0,
    }
    assert document["components"] == [{**component, "is_present": True}]
    assert (document["cell"], document["version"]) == (str(cell.pk), 1)


def test_desired_state_names_no_customer(cell):
    instance = make_instance(cell=cell, name="quetzalcoatlus")

    text = speaker(cell).desired().text

    assert str(instance.pk) in text
    for name in ("quetzalcoatlus", cell.organisation.name, cell.organisation.slug, str(cell.organisation_id), cell.account.external_id):
        assert name not in text


def test_desired_state_is_not_sent_twice(cell):
    agent = speaker(cell)
    etag = agent.desired()["ETag"]

    unchanged = agent.desired(etag)
    touch_desired(cell.pk)
    changed = agent.desired(etag)

    assert (unchanged.status_code, unchanged.content, unchanged["ETag"]) == (304, b"", etag)
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert changed["ETag"] != etag


def test_components_of_a_leaving_cell_leave_too(settings):
    settings.PLATFORM_COMPONENTS = [{"name": "ingress", "chart": "oci://c.example/ingress", "chart_version": "4.1.0", "digest": "1" * 64}]
    cell = make_cell(state=CellState.DELETING)

    assert [component["is_present"] for component in speaker(cell).desired().json()["components"]] == [False]


def test_line_is_held_until_its_time_is_over(cell):
    agent = speaker(cell)
    etag = agent.desired()["ETag"]
    began = time.monotonic()

    answer = agent.desired(etag, wait=1)

    assert answer.status_code == 304
    assert 1 <= time.monotonic() - began < 5
    assert not answer.has_header("Retry-After")


def test_no_more_lines_are_held_than_there_are_threads_for(cell):
    agent = speaker(cell)
    etag = agent.desired()["ETag"]
    with views.holding.entered(), views.holding.entered():
        answer = agent.desired(etag, wait=30)

    assert (answer.status_code, answer["Retry-After"]) == (304, "5")


def test_one_cell_holds_one_line(cell):
    agent = speaker(cell)
    etag = agent.desired()["ETag"]
    with views.holding.entered(cell.pk) as is_first, views.holding.entered(make_cell(region="us-east-1").pk) as is_other:
        pass
    with views.holding.entered(cell.pk):
        answer = agent.desired(etag, wait=1)

    assert (is_first, is_other) == (True, True)
    assert (answer.status_code, answer["Retry-After"]) == (304, "1")
    assert "Retry-After" not in agent.desired(etag, wait=1)


@pytest.mark.parametrize("wait", ["-1", "31", "x", "1e1", "\u0663"])
def test_wait_is_a_number_of_seconds(cell, wait):
    refused(speaker(cell).desired(wait=wait), 400, "malformed")


# --- Reports -----------------------------------------------------------------------------------------------------------------


def test_report_is_stored_as_the_latest_state(cell):
    instance = make_instance(cell=cell)

    answer = speaker(cell).report(a_report(1, an_instance(instance)))

    assert (answer.status_code, answer.json()) == (200, {"last_seq": 1})
    status, of_instance = CellStatus.objects.get(), InstanceStatus.objects.get()
    assert (status.cell, status.seq, status.nodes, status.memory) == (cell, 1, 2, 8000)
    assert (of_instance.instance, of_instance.state, of_instance.requests, of_instance.errors) == (instance, "running", 7, 1)


def test_report_on_another_cell_is_refused(cell):
    other = make_cell(region="us-east-1")

    refused(speaker(cell).report(a_report(), cell=other.pk), 403, "wrong_cell")

    assert CellStatus.objects.count() == 0


def test_report_cannot_speak_for_an_instance_of_another_cell(cell):
    foreign = make_instance(cell=make_cell(region="us-east-1"))

    answer = speaker(cell).report(a_report(1, an_instance(foreign, health="unhealthy")))

    assert answer.status_code == 200
    assert InstanceStatus.objects.count() == 0
    foreign.refresh_from_db()
    assert foreign.health == "unknown"


PAYLOADS = {
    "$.payload": lambda report: {"cell": None, "reports": [report], "payload": "x"},
    "$.reports[0].logs": lambda report: {"cell": None, "reports": [report | {"logs": ["order 1: a@b.example"]}]},
    "$.reports[0].cluster.nodes_names": lambda report: {
        "cell": None,
        "reports": [report | {"cluster": report["cluster"] | {"nodes_names": []}}],
    },
    "$.reports[0].instances[0].body": lambda report: {
        "cell": None,
        "reports": [report | {"instances": [report["instances"][0] | {"body": {"name": "Ann"}}]}],
    },
    "$.reports[0].events[0].message": lambda report: {
        "cell": None,
        "reports": [report | {"events": [{"at": report["at"], "code": "x", "message": "Ann"}]}],
    },
}


@pytest.mark.parametrize("field", PAYLOADS)
def test_field_that_is_not_described_is_refused_by_its_name(cell, field):
    agent, report = speaker(cell), a_report(1, an_instance(make_instance(cell=cell)))

    problem = refused(agent.post("reports", PAYLOADS[field](report) | {"cell": str(cell.pk)}), 400, "unknown_field")

    assert problem["field"] == field
    assert CellStatus.objects.count() == 0


FREE_TEXT = {
    "event": {"events": [{"at": "2026-01-01T00:00:00Z", "code": "Order of Ann failed"}]},
    "version": {"agent": {"version": "1.0 for a@b.example"}},
    "line break": {"agent": {"version": "1.0\n"}},
    "component": {"components": [{"name": "ann@b.example", "version": "1", "state": "ready"}]},
    "state": {"components": [{"name": "x", "version": "1", "state": "waits for Ann"}]},
}


@pytest.mark.parametrize("name", FREE_TEXT)
def test_free_text_is_refused(cell, name):
    refused(speaker(cell).report(a_report(1, **FREE_TEXT[name])), 400, "malformed")


@pytest.mark.parametrize(
    "url",
    [
        "https://ann:secret@orders.example/",
        "https://orders.example/?key=secret",
        "https://orders.example/#secret",
        "ftp://orders.example/",
        "x",
    ],
)
def test_address_with_a_credential_is_refused(cell, url):
    instance = make_instance(cell=cell)

    refused(speaker(cell).report(a_report(1, an_instance(instance, endpoints=[{"name": "web", "url": url}]))), 400, "malformed")


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"null", b'"x"', b'{"cell": 1}', b"\xff\xfe", b'{"cell":"\\ud800"}', b"9" * 5000, b"[" * 5000], ids=repr
)
def test_malformed_document_is_refused(cell, body):
    refused(speaker(cell).post("reports", body), 400, "malformed")


@pytest.mark.parametrize(
    "values",
    [{"seq": 0}, {"seq": -1}, {"seq": 2**60}, {"seq": 1.5}, {"seq": True}, {"at": "yesterday"}, {"at": "2026-01-01T00:00:00"}],
    ids=str,
)
def test_report_with_impossible_values_is_refused(cell, values):
    refused(speaker(cell).report(a_report(**values)), 400, "malformed")


def test_report_from_the_future_is_refused_with_the_time(cell):
    ahead = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))

    problem = refused(speaker(cell).report(a_report(at=ahead)), 401, "clock_skew")

    assert abs(problem["server_time"] - time.time()) < 5


AGES = ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"]


@pytest.mark.parametrize("at", AGES)
def test_report_of_another_age_is_refused(cell, at):
    problem = refused(speaker(cell).report(a_report(1, at=at), a_report(2)), 400, "malformed")

    assert problem["field"] == "$.reports[...].at"
    assert not CellStatus.objects.exists()


@pytest.mark.parametrize("at", [*AGES, "9999-12-31T23:59:59-14:00"])
def test_event_of_another_age_is_refused(cell, at):
    problem = refused(speaker(cell).report(a_report(events=[{"at": at, "code": "x"}])), 400, "malformed")

    assert problem["field"] == "$.reports[...].events[...].at"


def test_report_that_waited_for_weeks_is_taken(cell):
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 29 * 86400))

    assert speaker(cell).report(a_report(at=at, events=[{"at": at, "code": "x"}])).status_code == 200


def test_numbers_cannot_be_used_up(cell):
    agent = speaker(cell)

    problem = refused(agent.report(a_report(9_007_199_254_740_991)), 400, "malformed")

    assert problem["field"] == "$.reports[...].seq"
    assert agent.report(a_report(1)).json() == {"last_seq": 1}


def test_too_large_a_batch_is_refused(cell):
    refused(speaker(cell).post("reports", b" " * (256 * 1024 + 1)), 413, "too_large")


def test_too_many_reports_at_once_are_refused(cell):
    refused(speaker(cell).report(*(a_report(number) for number in range(1, 102))), 400, "malformed")


def test_other_media_types_are_refused(cell):
    agent = speaker(cell)
    for content_type, headers in (("text/plain", {}), ("application/json", {"Content-Encoding": "gzip"})):
        answer = agent.client.post(
            "/agent/v1/reports", b"{}", content_type=content_type, headers={"Authorization": f"Bearer {agent.token}", **headers}
        )
        refused(answer, 415, "wrong_media_type")


def test_agent_that_asks_too_much_is_told_when_to_come_again(cell):
    agent, other = speaker(cell), speaker(make_cell(region="us-east-1"))
    answers = [agent.desired('"x"') for _ in range(70)]

    last = answers[-1]

    refused(last, 429, "too_many_requests")
    assert int(last["Retry-After"]) >= 1
    assert answers[0].status_code == 200
    assert other.desired().status_code == 200


def test_portal_that_is_busy_takes_no_more(cell, settings):
    agent = speaker(cell)
    with views.storing.entered(), views.storing.entered(), views.storing.entered(), views.storing.entered():
        answer = agent.report(a_report())

    refused(answer, 429, "too_many_requests")
    assert int(answer["Retry-After"]) >= 1
    assert agent.report(a_report()).status_code == 200


def test_enrolment_and_tokens_are_limited_by_address(cell):
    agent = Speaker(cell)
    views.of_strangers.take("127.0.0.1", time.monotonic() + 60)  # as if the last of many had come just now

    refused(agent.enrol(), 429, "too_many_requests")
    refused(agent.fetch_token("no.jwt.atall"), 429, "too_many_requests")
    assert Speaker(cell).client.get("/agent/v1/openapi.json").status_code == 200
    agent.client.defaults["REMOTE_ADDR"] = "192.0.2.7"
    assert agent.enrol().status_code == 201
