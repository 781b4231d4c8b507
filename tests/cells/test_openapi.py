"""The OpenAPI description says what is accepted and answered: held against the portal itself, by another reader of JSON Schema."""

import json

import jsonschema
import pytest
from django.urls import get_resolver

from cells.protocol.openapi import REFUSALS
from cells.protocol.problems import KINDS
from cells.states import InstanceState
from cells.views import agent as views
from tests.cells.factories import make_cell, make_instance
from tests.cells.spoken import Speaker, a_report, an_instance, speaker

pytestmark = pytest.mark.django_db


@pytest.fixture
def described(client):
    return client.get("/agent/v1/openapi.json").json()


def check(described, name, document):
    """Raises jsonschema.ValidationError."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": described["components"]}
    jsonschema.Draft202012Validator(schema).validate(document)


def test_description_names_every_address_and_method(described):
    routes = {"/" + str(p.pattern) for p in get_resolver("cells.urls").url_patterns if str(p.pattern).startswith("agent/v1/")}

    assert set(described["paths"]) == routes
    assert described["openapi"] == "3.1.0"


def test_every_reference_leads_somewhere(described):
    text = json.dumps(described)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "#/')[1:]}:
        place = described
        for name in reference.split("/"):
            place = place[name]


def test_every_other_method_is_refused(described, client):
    for path, methods in described["paths"].items():
        for method in {"get", "post", "put", "patch", "delete"} - set(methods):
            assert getattr(client, method)(path).status_code == 405, (method, path)


def test_every_document_allows_nothing_but_what_it_names(described):
    open_ones = {name for name, schema in described["components"]["schemas"].items() if schema.get("additionalProperties") is not False}

    assert open_ones == {"ProblemDocument"}


def test_what_is_answered_is_as_described(described):
    cell = make_cell()
    instance = make_instance(cell=cell)
    make_instance(cell=cell, state=InstanceState.DELETING)
    agent = Speaker(cell)

    check(described, "Registered", agent.enrol().json())
    check(described, "TokenAnswer", agent.fetch_token().json())
    check(described, "Desired", agent.desired().json())
    check(described, "ReportsAnswer", agent.report(a_report(1, an_instance(instance))).json())
    check(described, "ProblemDocument", agent.report({}).json())
    check(described, "ProblemDocument", agent.fetch_token(agent.assertion(iat=1, exp=2)).json())


EDITS = {
    "as it should be": lambda report: report,
    "no instances": lambda report: {name: value for name, value in report.items() if name != "instances"},
    "no cluster": lambda report: {name: value for name, value in report.items() if name != "cluster"},
    "no number": lambda report: {name: value for name, value in report.items() if name != "seq"},
    "unknown field": lambda report: report | {"logs": []},
    "unknown field within": lambda report: report | {"agent": {"version": "1", "host": "x"}},
    "free text": lambda report: report | {"events": [{"at": report["at"], "code": "Ann's order"}]},
    "line break": lambda report: report | {"agent": {"version": "1\n"}},
    "unknown word": lambda report: report | {"instances": [report["instances"][0] | {"health": "fine"}]},
    "negative": lambda report: report | {"instances": [report["instances"][0] | {"restarts": -1}]},
    "credential": lambda report: report | {"instances": [report["instances"][0] | {"endpoints": [{"name": "x", "url": "https://a:b@c/"}]}]},
    "not counted": lambda report: report | {"instances": [report["instances"][0] | {"requests": None}]},
    "text for a number": lambda report: report | {"instances": [report["instances"][0] | {"cpu": "1"}]},
    "too many events": lambda report: report | {"events": [{"at": report["at"], "code": "x"}] * 51},
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_the_description_accepts_is_accepted_and_nothing_else(described, edit):
    cell = make_cell()
    report = EDITS[edit](a_report(1, an_instance(make_instance(cell=cell))))
    schema = {"$ref": "#/components/schemas/Reports", "components": described["components"]}
    is_described = jsonschema.Draft202012Validator(schema).is_valid({"cell": str(cell.pk), "reports": [report]})
    views.of_cells.clear()

    answer = speaker(cell).report(report)

    assert (answer.status_code == 200) == is_described


def test_refusals_that_are_described_are_those_there_are(described):
    assert {kind.status for kind in KINDS.values()} == {status for statuses in REFUSALS.values() for status in statuses}
    assert set(described["x-problem-codes"]) == set(KINDS)
