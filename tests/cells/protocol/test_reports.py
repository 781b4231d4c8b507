"""What an agent may report: metadata of its own cell, as described, and not too much of it."""

import time

import pytest

from cells.models import CellStatus, InstanceStatus
from cells.views import agent as views
from tests.cells.factories import make_cell, make_instance
from tests.cells.protocol.answers import refused
from tests.cells.spoken import Speaker, a_report, an_instance, speaker

pytestmark = pytest.mark.django_db


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
