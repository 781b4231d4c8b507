"""What the agent keeps while the portal is away: numbered once, bounded, the oldest detail dropped first. What it makes of answers."""

import http.server
import json
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from cells.agent import files
from cells.agent.agent import Agent, Pace
from cells.agent.buffer import Buffer
from cells.agent.identity import Config
from cells.agent.wire import Portal, PortalAwayError, RefusedError


def report(**values):
    return {"at": "2026-05-01T12:00:00Z", "agent": {"version": "1"}, "cluster": {}, "instances": [{"id": "x"}], "events": [], **values}


def test_reports_are_numbered_in_order_across_restarts(tmp_path):
    first = Buffer(tmp_path)
    assert [first.add(report()), first.add(report())] == [1, 2]
    first.done(2)

    again = Buffer(tmp_path)

    assert again.add(report()) == 3
    assert [one["seq"] for one in again.batch()] == [3]


def test_counting_goes_on_from_the_agent_before(tmp_path):
    buffer = Buffer(tmp_path)
    buffer.start_at(41)
    buffer.start_at(7)

    assert buffer.add(report()) == 41


def test_number_that_was_written_but_not_used_is_never_given_again(tmp_path):
    """Killed between the two files of one report."""
    Buffer(tmp_path).add(report())
    (tmp_path / "last").write_text('{"seq":9}')

    assert Buffer(tmp_path).add(report()) == 10


def test_oldest_detail_goes_first_and_the_oldest_report_after_it(tmp_path):
    buffer = Buffer(tmp_path, most_full=3, most=6)
    for _ in range(8):
        buffer.add(report())

    kept = buffer.batch()

    assert [one["seq"] for one in kept] == [3, 4, 5, 6, 7, 8]
    assert ["instances" in one for one in kept] == [False, False, False, True, True, True]
    assert kept[0] == {"seq": 3, "at": "2026-05-01T12:00:00Z", "agent": {"version": "1"}, "cluster": {}}


def test_batch_stays_below_what_the_portal_takes(tmp_path):
    buffer = Buffer(tmp_path)
    for _ in range(10):
        buffer.add(report(instances=["x" * 50_000]))

    assert [one["seq"] for one in buffer.batch()] == [1, 2, 3]
    assert len(buffer.batch(1)) == 1


def test_half_written_report_is_not_one(tmp_path):
    buffer = Buffer(tmp_path)
    (tmp_path / "000000000001.json.new").write_text('{"seq":')

    assert (len(buffer), buffer.batch()) == (0, [])


# --- Answers ---------------------------------------------------------------------------------------------------------------


class Answers(http.server.BaseHTTPRequestHandler):
    """A portal that answers what a test wants."""

    protocol_version = "HTTP/1.1"
    planned: list = []
    seen: list = []

    def do_GET(self):
        self._answer()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/agent/v1/reports":
            Answers.seen.append([one["seq"] for one in json.loads(body)["reports"]])
        self._answer()

    def _answer(self):
        status, headers, document = Answers.planned.pop(0) if Answers.planned else (200, {}, {"last_seq": 1})
        content = json.dumps(document).encode() if status != 304 else b""
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def portal():
    Answers.planned, Answers.seen = [], []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def problem(status, code, **headers):
    return status, {"Content-Type": "application/problem+json", **headers}, {"code": code}


@pytest.mark.parametrize(
    ("planned", "wait"),
    [
        ((429, {"Retry-After": "7"}, {}), 7),
        ((503, {}, {}), 0),
        ((502, {"Content-Type": "text/html"}, {}), 0),
        ((200, {"Content-Type": "text/html"}, {}), 0),
        ((302, {"Location": "/sign-in"}, {}), 0),
    ],
    ids=["busy", "down", "proxy", "another program", "sign-in page"],
)
def test_portal_that_cannot_answer_is_away(portal, planned, wait):
    Answers.planned = [planned]
    line = Portal(portal)

    with pytest.raises(PortalAwayError) as away:
        line.call("POST", "/x", b"{}")

    assert away.value.retry_after == wait
    line.close()


def test_refusal_says_its_code(portal):
    Answers.planned = [problem(403, "agent_revoked")]
    line = Portal(portal)

    with pytest.raises(RefusedError) as refused:
        line.call("POST", "/x", b"{}")

    assert (refused.value.status, refused.value.code) == (403, "agent_revoked")
    line.close()


class NoRuntime:
    def apply(self, desired):
        raise NotImplementedError

    def observe(self):
        raise NotImplementedError


@pytest.fixture
def agent(portal, tmp_path: Path):
    made = Agent(Config(portal, "c", "t"), tmp_path, NoRuntime(), Pace(longest_wait=120))
    # As enrolled and with a token: what follows is about reports alone.
    made.identity._token, made.identity._token_until = "t", float("inf")
    return made


def send_all(agent, portal):
    """As the agent's own loop, without its pauses."""
    line, most = Portal(portal), 50
    for _ in range(20):
        try:
            if not agent._send_once(line, most):
                line.close()
                return
        except RefusedError as refused:
            most = agent._narrow(most, refused)
    raise AssertionError("It never ends.")


def test_one_bad_report_does_not_keep_back_the_others(agent, portal):
    for _ in range(3):
        agent.buffer.add(report())
    bad = problem(400, "malformed")
    Answers.planned = [bad, bad]

    send_all(agent, portal)

    assert Answers.seen == [[1, 2, 3], [1], [2, 3]]
    assert len(agent.buffer) == 0


def test_waits_grow_up_to_a_limit_and_are_never_the_same(agent):
    waits = [[agent._patience(PortalAwayError("x"), tries) for _ in range(50)] for tries in (0, 3, 10, 1000)]

    assert [max(some) <= limit for some, limit in zip(waits, (1, 8, 120, 120), strict=True)] == [True] * 4
    assert [min(some) >= limit / 2 for some, limit in zip(waits, (1, 8, 120, 120), strict=True)] == [True] * 4
    assert all(len(set(some)) > 40 for some in waits)


def test_portal_says_how_long_to_wait(agent):
    assert all(7 <= agent._patience(PortalAwayError("x", 7), 0) <= 10.5 for _ in range(50))


def test_refusal_is_not_asked_again_at_once(agent):
    assert agent._patience(RefusedError(403, {"code": "agent_revoked"}), 0) >= 30
    assert agent._patience(RefusedError(401, {"code": "clock_skew"}), 0) <= 1


# --- Loops -----------------------------------------------------------------------------------------------------------------


@contextmanager
def kept(agent, loop):
    """One loop at work, as `run` has it, without its long waits."""
    agent.stopping.wait = lambda seconds: threading.Event().wait(min(seconds, 0.01))
    thread = threading.Thread(target=agent.keep, args=(loop,), daemon=True)
    thread.start()
    yield
    agent.stop()
    thread.join(5)
    assert not thread.is_alive()


DESIRED = {"cell": "c", "version": 7, "components": [], "instances": []}


@pytest.mark.parametrize(
    "odd",
    [
        (304, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, {}),
        (304, {"Retry-After": "soon"}, {}),
        (200, {"ETag": '"1"'}, {"version": 1}),
        (200, {"ETag": '"1"'}, {"version": 1, "components": [3], "instances": []}),
        (200, {}, DESIRED),
        (401, {"Content-Type": "application/problem+json"}, {"code": "clock_skew", "server_time": "noon"}),
    ],
    ids=["date", "word", "no instances", "no components", "no tag", "no time"],
)
def test_odd_answer_does_not_end_the_loop_that_fetches(agent, odd):
    Answers.planned = [odd, (200, {"ETag": '"7"'}, DESIRED)]

    with kept(agent, agent.fetch):
        assert agent.is_wanted.wait(10)

    assert files.read(agent.state / "desired.json") == {"etag": '"7"', "desired": DESIRED}


def test_wish_that_breaks_the_runtime_does_not_end_the_loop_that_works(agent):
    applied, is_applied = [], threading.Event()

    def apply(desired):
        applied.append(desired)
        if len(applied) == 1:
            raise KeyError("components")
        is_applied.set()

    agent.runtime.apply = apply
    files.write(agent.state / "desired.json", {"etag": '"7"', "desired": DESIRED})

    with kept(agent, agent.work):
        assert is_applied.wait(10)


def test_broken_look_does_not_end_the_loop_that_looks(agent):
    seen = {"cluster": {"nodes_ready": 1, "nodes": 1}, "components": [], "instances": []}
    looks = iter([ZeroDivisionError(), seen])

    def observe():
        look = next(looks, seen)
        if isinstance(look, Exception):
            raise look
        return look

    agent.runtime.observe = observe
    agent.is_enrolled.set()

    with kept(agent, agent.look):
        assert agent.has_report.wait(10)

    assert [event["code"] for event in agent.buffer.batch()[0]["events"]] == ["agent_started"]


def test_agent_counts_on_where_the_portal_stands(agent, portal):
    agent.buffer.add(report())
    Answers.planned = [(200, {}, {"last_seq": 500})]
    send_all(agent, portal)
    agent.runtime.observe = lambda: {"cluster": {"nodes_ready": 1, "nodes": 1}, "components": [], "instances": []}
    agent.is_enrolled.set()

    with kept(agent, agent.look):
        assert agent.has_report.wait(10)

    assert agent.buffer.batch()[0]["seq"] == 501


def test_what_was_noted_under_a_wrong_clock_is_told_under_the_right_one(agent):
    dated = agent._dated([{"at": "1970-01-01T00:00:09Z", "code": "agent_started"}, {"at": "2099-01-01T00:00:00Z", "code": "x"}])

    assert [event["at"][:4] for event in dated] == [agent._at()[:4]] * 2
