"""Every background task is on this list, with what keeps it inside one tenant and safe to run twice."""

import inspect

import pytest

from portal.celery import app
from tests.closing import guards as closing
from tests.support import guards as support

TASKS = {
    "accounts.mail.send_due_mails": "rows of no tenant, each with its one address; a row is claimed by one worker and deleted once sent",
    "accounts.tasks.look_at_trust": "a watch's id: one account under its own kit; lease and fence let one worker at a time write",
    "accounts.tasks.tidy_trust_watch": "rows by age alone, reads no content; a second run finds nothing",
    "accounts.tasks.watch_due_accounts": "ids of what is due, reads no content; rows are taken by one round at a time",
    "accounts.tasks.check_environments": "ids of accounts of all tenants, reads no content; a second run finds a look under way or fresh",
    "accounts.tasks.rotate_issuer_keys": "the issuer's own keys, no tenant; a second run finds nothing due",
    "cells.tasks.compare_cell": "a cell's id: one cell under its own account's kit, read-only; a second run finds the same",
    "cells.tasks.compare_due_cells": "ids of what is due, reads no content; rows are taken by one round at a time",
    "cells.tasks.keep_history": "rows by age alone, reads no content; a second run finds nothing",
    "cells.tasks.tend_agent_orders": "each row by itself and in its own transaction; a second run finds nothing over",
    "cells.tasks.sweep_agents": "times of all tenants, no content; rounds never overlap, and each change and alarm is written once",
    "portal.operations.tasks.advance": "an operation's id; lease and fence let one worker at a time write, and steps run twice safely",
    "portal.operations.tasks.advance_all": "operations' ids of all tenants; each is driven by itself, as by `advance`",
    **support.TASKS,
    **closing.TASKS,
    "portal.operations.tasks.ring_due_operations": "rings what is due, reads no content; a second ring finds the lease taken",
}


def our_tasks():
    app.loader.import_default_modules()
    app.finalize()
    return {name: task for name, task in app.tasks.items() if name.startswith(("accounts.", "portal.", "cells."))}


def test_every_task_is_on_the_list():
    assert set(our_tasks()) == set(TASKS)


@pytest.mark.parametrize("name", TASKS)
def test_task_is_limited_in_time_and_acknowledged_late(name):
    task = our_tasks()[name]

    assert (task.time_limit or app.conf.task_time_limit) <= 300
    assert task.acks_late is not False
    assert app.conf.task_acks_late


@pytest.mark.parametrize("name", TASKS)
def test_task_takes_plain_values(name):
    """Ids and text, never rows: what lies in the queue may be older than the row."""
    parameters = inspect.signature(our_tasks()[name].run).parameters.values()

    assert {parameter.annotation for parameter in parameters} <= {str, int, bool, list[str], "str", "int", "bool"}


def test_schedule_names_tasks_that_exist():
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(our_tasks())
