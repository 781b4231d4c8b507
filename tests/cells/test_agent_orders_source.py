"""At the source: what the agent takes away before it sends, what it refuses to do, and what it remembers of orders on disk."""

import json
import time

import pytest

from accounts.support.rules.redactions import RULES as RULE_WORDS
from cells.agent.orders.acts import MOST_TEXT_BYTES, _cleaned
from cells.agent.orders.forms import NAMES, Deadline, OrderRefused, check, is_order
from cells.agent.orders.journal import KEPT_SECONDS, Journal
from cells.agent.orders.redaction import RULES, redact
from cells.models import AgentOrder
from tests.cells.test_helm import ID, wanted

SECRETS = {
    "DB_PASSWORD=hunter2 ok": ("DB_PASSWORD=[removed] ok", "named_secret"),
    '{"apiKey": "abc def", "n": 1}': ('{"apiKey": [removed], "n": 1}', "named_secret"),
    "run --admin-token hunter2 now": ("run --admin-token [removed] now", "named_secret"),
    "postgres://app:s3cret@db:5432/x": ("postgres://[removed]@db:5432/x", "password_in_address"),
    "sent Bearer abcdefghijkl to": ("sent Bearer [removed] to", "authorization"),
    "key AKIAABCDEFGHIJKLMNOP used": ("key [removed] used", "cloud_key"),
    "jwt eyJhbGciOiJ.eyJzdWIiOiI.c2ln done": ("jwt [removed] done", "web_token"),
    "push ghp_0123456789abcdefghij done": ("push [removed] done", "service_token"),
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- then": ("[removed] then", "private_key"),
    "got wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY12 here": ("got [removed] here", "random_key"),
    "paid with 4111 1111 1111 1111 today": ("paid with [removed] today", "card_number"),
    "from ann.b@people.example today": ("from [removed] today", "mail_address"),
}


@pytest.mark.parametrize("text", SECRETS)
def test_secret_is_struck_by_its_rule_and_the_rest_stays(text):
    clean, rule = SECRETS[text]

    assert redact(text) == (clean, {rule: 1})


def test_every_rule_has_an_example_and_words():
    assert {name for name, _pattern in RULES} == {rule for _clean, rule in SECRETS.values()}
    assert {name for name, _pattern in RULES} <= set(RULE_WORDS)


@pytest.mark.parametrize("text", ["token count 7", "4111111111111112", "GET /orders/17 200 12ms", "sha256:" + "ab" * 32, ID])
def test_what_is_no_secret_stays(text):
    assert redact(text) == (text, {})


def test_line_that_was_made_to_keep_the_agent_busy_does_not():
    began = time.monotonic()
    for text in ("A" * 40_000, "a-" * 20_000, "1 " * 20_000, "password" * 5_000, "x@" * 20_000, "://a:" * 8_000, "--token" * 6_000):
        redact(text)

    assert time.monotonic() - began < 5


def test_screen_is_not_steered():
    assert redact("\x1b[2J\u202eevil\r") == (" [2J evil ", {})


def test_of_a_log_the_newest_lines_stay_and_of_a_list_the_first():
    lines = [f"line {number} " + "x" * 90 for number in range(1000)]

    newest, is_cut, _ = _cleaned(lines, MOST_TEXT_BYTES, newest=True)
    first, _, _ = _cleaned(lines, MOST_TEXT_BYTES, newest=False)

    assert is_cut
    assert (newest.split("\n")[-1], first.split("\n")[0]) == (lines[-1], lines[0])
    assert len(json.dumps(newest)) <= MOST_TEXT_BYTES + 10


# --- What is refused -------------------------------------------------------------------------------------------------


def order(**values):
    right = {"id": ID, "name": "rollout_status", "grant": ID, "not_after": 2.0, "instance": ID, "lines": None, "wanted": None}
    return {**right, **values}


WANTED = wanted()["instances"][0]
REFUSED = {
    "unknown name": (order(name="exec"), "unknown_order"),
    "a field more": (order(command="id"), "malformed_order"),
    "another cell's": (order(instance="0a1b2c3d-0000-4000-8000-00000000000b"), "unknown_instance"),
    "no instance": (order(instance=None), "malformed_order"),
    "lines for nothing": (order(lines=5), "malformed_order"),
    "too many lines": (order(name="tail_log", lines=501), "malformed_order"),
    "lines that are no number": (order(name="tail_log", lines="5; id"), "malformed_order"),
    "no lines": (order(name="tail_log"), "malformed_order"),
    "no wish": (order(name="restart"), "malformed_order"),
    "wish with more": (order(name="restart", wanted={**WANTED, "revision": 2, "shell": "id"}), "malformed_order"),
    "wish of another": (order(name="restart", wanted={**WANTED, "revision": 2, "id": "x"}), "malformed_order"),
    "deletion": (order(name="restart", wanted={**WANTED, "revision": 2, "is_present": False}), "malformed_order"),
    "wish of before": (order(name="restart", wanted=WANTED), "changed_meanwhile"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_order_of_another_form_is_refused(case):
    document, code = REFUSED[case]

    with pytest.raises(OrderRefused) as refused:
        check(document, {ID: WANTED})

    assert refused.value.code == code


def test_agent_and_portal_know_the_same_orders():
    assert set(AgentOrder.Name.values) == NAMES
    check(order(), {ID: WANTED})
    check(order(name="restart", wanted={**WANTED, "revision": 2}), {ID: WANTED})


@pytest.mark.parametrize(
    "document", [None, [], {}, {"id": "../../etc/passwd", "not_after": 1.0}, {"id": ID}, {"id": ID, "not_after": "soon"}]
)
def test_what_is_no_order_has_no_file(document):
    assert not is_order(document)


def test_end_counts_by_the_portals_clock_and_by_one_that_nobody_sets():
    clock = [100.0]
    deadline = Deadline(100.4, lambda: clock[0])
    deadline.check()
    clock[0] = 50.0  # set back on the machine
    time.sleep(0.45)

    with pytest.raises(OrderRefused, match="order_expired"):
        deadline.check()


# --- What is remembered ----------------------------------------------------------------------------------------------


def test_order_is_begun_once_also_by_the_next_process(tmp_path):
    assert Journal(tmp_path).begin(order())
    again = Journal(tmp_path)

    assert not again.begin(order())
    assert again.interrupted() == [order()]


def test_wish_counts_until_it_failed_or_was_dropped(tmp_path):
    journal, wish = Journal(tmp_path), {**WANTED, "revision": 2}
    journal.begin(order(name="restart", wanted=wish))
    assert journal.wishes() == {ID: wish}
    done = {"order": ID, "outcome": "done"}

    journal.finish(done)
    assert (journal.wishes(), journal.untold()) == ({ID: wish}, [done])
    journal.settle(done, "dropped")
    assert (journal.wishes(), journal.untold()) == ({}, [])


def test_refused_order_was_never_a_wish(tmp_path):
    journal = Journal(tmp_path)
    journal.begin(order(name="restart", wanted={**WANTED, "revision": 2}), {"order": ID, "outcome": "failed"})

    assert journal.wishes() == {}


def test_order_is_forgotten_long_after_it_could_come_again(tmp_path):
    journal = Journal(tmp_path)
    journal.begin(order(), {"order": ID, "outcome": "failed"})
    journal.forget_old(2.0 + KEPT_SECONDS + 1)
    assert not journal.begin(order())  # the portal does not have its result yet
    journal.settle({"order": ID}, "dropped")

    journal.forget_old(2.0 + KEPT_SECONDS - 1)
    assert not journal.begin(order())
    journal.forget_old(2.0 + KEPT_SECONDS + 1)
    assert journal.begin(order())
