"""The ways in for reports, as processes: the answers of the view, durable before they answer, each report for itself."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.utils import timezone

from cells.models import CellStatus, InstanceStatus
from tests.cells.agents import until
from tests.cells.factories import make_instance
from tests.cells.ingest_process import BESIDE, IN_FRONT, ingest_process, keyed_cell
from tests.cells.spoken import a_report, an_instance

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(tmp_path):
    with ingest_process(tmp_path) as made:
        yield made


@pytest.fixture(params=[BESIDE, IN_FRONT], ids=["beside Django", "in front of Django"])
def each_server(tmp_path, request):
    with ingest_process(tmp_path, request.param) as made:
        yield made


def test_report_is_stored_before_it_is_answered(each_server):
    server = each_server
    cell, key = keyed_cell()
    instance = make_instance(cell=cell)

    assert server.speaker(cell, key).send(a_report(7, an_instance(instance)))[:2] == (200, {"last_seq": 7})

    assert (CellStatus.objects.get().seq, InstanceStatus.objects.get().health) == (7, "healthy")


def test_refusals_are_those_of_the_view(each_server, client):
    server = each_server
    cell, key = keyed_cell()
    other, _ = keyed_cell(region="us-east-1")
    reporter = server.speaker(cell, key)
    good = json.dumps({"cell": str(cell.pk), "reports": [a_report()]})
    unknown = json.dumps({"cell": str(cell.pk), "reports": [a_report() | {"rows": ["secret"]}]})
    foreign = json.dumps({"cell": str(other.pk), "reports": [a_report()]})
    cases = [
        (good, {"Authorization": ""}),
        (good, {"Authorization": "Bearer nonsense"}),
        (good, {"Content-Type": "text/plain"}),
        (good, {"Content-Encoding": "gzip"}),
        (unknown, {}),
        (foreign, {}),
        ("{", {}),
        (json.dumps({"cell": str(cell.pk), "reports": []}), {}),
        (" " * (256 * 1024 + 1), {}),
    ]
    for body, headers in cases:
        status, problem, _ = reporter.send(body=body, **headers)
        sent = {"Authorization": f"Bearer {reporter.token}", "Content-Type": "application/json"} | headers
        of_view = client.post("/agent/v1/reports", body, content_type=sent.pop("Content-Type"), headers=sent)
        assert (status, problem) == (of_view.status_code, of_view.json())
        assert status >= 400
        assert f'"problem": "{problem["code"]}"' in server.log.read_text()

    assert CellStatus.objects.count() == 0
    assert reporter.token not in server.log.read_text()


def test_only_the_one_address_is_served(server):
    reporter = server.speaker(*keyed_cell())

    for method, path, status in (("POST", "/agent/v1/token", 404), ("POST", "/admin/", 404), ("GET", "/agent/v1/reports", 405)):
        reporter.line.request(method, path)
        answer = reporter.line.getresponse()
        assert (answer.status, answer.read()) == (status, b"")


def test_one_the_database_refuses_fails_alone(server):
    """Forty cells in one batch, one of which a trigger refuses."""
    cells = [keyed_cell() for _ in range(40)]
    poisoned = cells[17][0].pk
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE FUNCTION refuse_one() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.cell_id = '{poisoned}' THEN RAISE "
            "check_violation; END IF; RETURN NEW; END $$"
        )
        cursor.execute("CREATE TRIGGER refuse_one BEFORE INSERT ON cells_cellstatus FOR EACH ROW EXECUTE FUNCTION refuse_one()")
    try:
        reporters = [server.speaker(cell, key) for cell, key in cells]
        with ThreadPoolExecutor(40) as pool:
            answers = list(pool.map(lambda reporter: reporter.send(a_report(3)), reporters))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION refuse_one CASCADE")

    refused = [number for number, (status, _, _) in enumerate(answers) if status != 200]
    assert refused == [17]
    assert (answers[17][0], answers[17][1]["code"], int(answers[17][2]["Retry-After"]) > 0) == (503, "not_stored", True)
    assert CellStatus.objects.count() == 39


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(server):
    """kill -9 in full flow, three times: each cell's row is at least as new as the last number it was told."""
    cells = [keyed_cell() for _ in range(12)]
    acknowledged = {cell.pk: 0 for cell, _ in cells}
    sent = dict(acknowledged)
    is_over = threading.Event()

    def report_for_ever(cell, key):
        while not is_over.is_set():
            try:
                reporter = server.speaker(cell, key)
                while not is_over.is_set():
                    sent[cell.pk] += 1
                    status, answer, _ = reporter.send(a_report(sent[cell.pk]))
                    if status == 200:
                        acknowledged[cell.pk] = answer["last_seq"]
                    else:
                        time.sleep(0.05)
            except OSError:
                time.sleep(0.02)  # killed: come again
            except Exception:  # noqa: BLE001  half an answer
                time.sleep(0.02)

    threads = [threading.Thread(target=report_for_ever, args=pair) for pair in cells]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            before = sum(acknowledged.values())
            until(lambda before=before: sum(acknowledged.values()) > before + 60)
            server.process.kill()
            server.process.wait()
            told = dict(acknowledged)
            stored = dict(CellStatus.objects.values_list("cell", "seq"))
            assert {pk: seq for pk, seq in told.items() if stored.get(pk, 0) < seq} == {}
            server.start()
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    stored = dict(CellStatus.objects.values_list("cell", "seq"))
    assert all(acknowledged[pk] <= stored[pk] <= sent[pk] for pk in stored)
    assert len(stored) == 12


def test_term_ends_it_gently(server):
    """What was taken in is answered and stored; then the process ends by itself."""
    cells = [keyed_cell() for _ in range(8)]
    reporters = [server.speaker(cell, key) for cell, key in cells]
    for reporter in reporters:
        assert reporter.send(a_report(1))[0] == 200
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(reporter.send, a_report(2)) for reporter in reporters]
        time.sleep(0.002)
        server.process.terminate()
        results = [answer.exception() or answer.result()[0] for answer in answers]

    assert server.process.wait(15) in {0, -15}
    stored = list(CellStatus.objects.values_list("seq", flat=True))
    assert stored.count(2) >= results.count(200)
    assert all(result == 200 or isinstance(result, OSError | Exception) for result in results)


def test_agent_that_was_thrown_out_is_refused_within_seconds(each_server):
    """Also with a token whose signature was checked before."""
    server = each_server
    cell, key = keyed_cell()
    reporter = server.speaker(cell, key)
    assert reporter.send(a_report(1))[0] == 200

    cell.agent_keys.update(revoked_at=timezone.now())

    def refused():
        time.sleep(0.2)  # or the limit for one cell comes first
        return (answer := reporter.send(a_report(2)))[0] != 200 and answer

    status, problem, _ = until(refused, 10)
    assert (status, problem["code"]) == (403, "agent_revoked")


def test_lost_connection_of_the_database_is_replaced(each_server):
    server = each_server
    reporter = server.speaker(*keyed_cell())
    assert reporter.send(a_report(1))[0] == 200
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    assert reporter.send(a_report(2))[:2] == (200, {"last_seq": 2}), server.log.read_text()


def is_waited_for(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass", [table])
        return bool(cursor.fetchone()[0])


def test_reports_of_all_threads_are_one_transaction(tmp_path):
    """While one is written the others come together: all of them bear the number of one transaction."""
    cells = [keyed_cell() for _ in range(4)]
    with ingest_process(tmp_path, IN_FRONT) as server, ThreadPoolExecutor(4) as pool:
        reporters = [server.speaker(cell, key) for cell, key in cells]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE cells_cellstatus IN ACCESS EXCLUSIVE MODE")
            first = pool.submit(reporters[0].send, a_report(1))
            until(lambda: is_waited_for("cells_cellstatus"), 20)
            others = [pool.submit(reporter.send, a_report(1)) for reporter in reporters[1:]]
            time.sleep(2)  # nobody outside can see that they stand in line
        assert [one.result()[0] for one in [first, *others]] == [200] * 4
    with connection.cursor() as cursor:
        cursor.execute("SELECT xmin::text, count(*) FROM cells_cellstatus GROUP BY 1 ORDER BY 2")
        assert [number for _, number in cursor.fetchall()] == [1, 3]


def test_all_but_reports_is_left_to_django(tmp_path):
    """Also a report that comes without TLS where people come with it: whoever sends it so is sent elsewhere."""
    with ingest_process(tmp_path, IN_FRONT, PORTAL_URL="https://portal.example", PORTAL_BEHIND_PROXY="true") as server:
        reporter = server.speaker(*keyed_cell())
        body = json.dumps({"cell": str(reporter.cell.pk), "reports": [a_report()]})
        answers = []
        for headers in ({}, {"X-Forwarded-Proto": "http"}, {"X-Forwarded-Proto": "https"}):
            given = {"Authorization": f"Bearer {reporter.token}", "Content-Type": "application/json", "Host": "portal.example"}
            reporter.line.request("POST", "/agent/v1/reports", body, given | headers)
            answer = reporter.line.getresponse()
            answer.read()
            answers.append((answer.status, answer.headers.get("Location")))
        reporter.line.request("GET", "/agent/v1/reports", headers={"X-Forwarded-Proto": "https", "Host": "portal.example"})
        of_get = reporter.line.getresponse()
        of_get.read()

    moved = (301, "https://portal.example/agent/v1/reports")
    assert (answers, of_get.status) == ([moved, moved, (200, None)], 405)


def test_full_queue_is_told_to_come_again(tmp_path):
    """The database stands still: what waits is bounded, the rest hears when to come again, and nothing that waited is lost."""
    cells = [keyed_cell() for _ in range(6)]
    with ingest_process(tmp_path, PORTAL_AGENT_WAITING="3") as server, ThreadPoolExecutor(6) as pool:
        reporters = [server.speaker(cell, key) for cell, key in cells]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE cells_cellstatus IN ACCESS EXCLUSIVE MODE")
            first = pool.submit(reporters[0].send, a_report(1))
            time.sleep(0.3)  # it is being written, and so out of the queue
            others = [pool.submit(reporter.send, a_report(1)) for reporter in reporters[1:]]
            refused = until(lambda: [one for one in others if one.done()] if sum(one.done() for one in others) == 2 else None)
            assert not first.done()
        answers = [one.result() for one in [first, *others]]

    assert sorted(status for status, _, _ in answers) == [200, 200, 200, 200, 429, 429]
    assert {(one.result()[1]["code"], int(one.result()[2]["Retry-After"]) > 0) for one in refused} == {("too_many_requests", True)}
    assert CellStatus.objects.count() == 4
