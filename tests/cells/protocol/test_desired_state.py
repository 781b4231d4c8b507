"""What an agent is told shall run, and how long a line is held for it."""

import time

import pytest

from cells.states import CellState, InstanceState
from cells.transitions import touch_desired
from cells.views import agent as views
from tests.cells.factories import make_cell, make_instance
from tests.cells.protocol.answers import refused
from tests.cells.spoken import speaker

pytestmark = pytest.mark.django_db


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
