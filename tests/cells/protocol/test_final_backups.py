"""Last backups in the agent protocol: asked for once and only while they are waited for, told as metadata alone, kept once."""

from datetime import timedelta

import jsonschema
import pytest
from django.utils import timezone

from cells.models import FinalBackup
from cells.protocol.backup_documents import BackupResult
from cells.protocol.parsing import parse
from cells.protocol.problems import Problem
from cells.states import InstanceState
from portal.audit.models import Event
from tests.cells.factories import make_cell, make_instance
from tests.cells.protocol.answers import refused
from tests.cells.spoken import speaker

pytestmark = pytest.mark.django_db
TAKEN = {"location": "file:///backups/x/y.tar.gz", "bytes": 12, "sha256": "0" * 64}


@pytest.fixture
def backup(cell):
    instance = make_instance(cell=cell, state=InstanceState.BACKING_UP)
    return FinalBackup.objects.create(instance=instance, cell=cell, attempt=1)


@pytest.fixture
def agent(cell):
    return speaker(cell)


def taken(**values):
    return TAKEN | {"taken_at": timezone.now().strftime("%Y-%m-%dT%H:%M:%SZ")} | values


def done(backup, **values):
    right = {"cell": str(backup.cell_id), "backup": str(backup.pk), "outcome": "done", "code": "", "taken": taken()}
    return right | values


def failed(backup, code="backup_job_failed"):
    return done(backup, outcome="failed", code=code, taken=None)


def events(backup):
    return list(Event.objects.filter(subject_id=str(backup.instance_id)).values_list("action", flat=True))


def test_backup_is_asked_for_while_the_instance_waits_for_it(agent, backup):
    desired = agent.desired().json()

    assert desired["final_backups"] == [{"id": str(backup.pk), "instance": str(backup.instance_id)}]
    assert [one["is_present"] for one in desired["instances"]] == [True]


@pytest.mark.parametrize("values", [{"state": "failed", "failed_while": "backing_up", "failure_code": "late"}, {"state": "deleting"}])
def test_backup_is_not_asked_for_when_nobody_waits(agent, backup, values):
    type(backup.instance).objects.filter(pk=backup.instance_id).update(**values)

    desired = agent.desired().json()

    assert desired["final_backups"] == []
    assert [one["is_present"] for one in desired["instances"]] == [values["state"] == "failed"]


def test_other_cells_are_not_asked(backup):
    assert speaker(make_cell(region="eu-south-1")).desired().json()["final_backups"] == []


def test_place_is_kept_once_and_answered_alike_again(agent, backup):
    before = agent.desired()["ETag"]
    first = taken()

    answers = [agent.post("backups", done(backup, taken=one)).json() for one in (first, first, taken(bytes=99))]

    assert answers == [{"outcome": "kept"}] * 3
    backup.refresh_from_db()
    assert (backup.outcome, backup.location, backup.bytes, backup.sha256) == ("taken", TAKEN["location"], 12, "0" * 64)
    assert events(backup) == ["instance.final_backup_taken"]
    assert Event.objects.get(action="instance.final_backup_taken").details == TAKEN
    assert agent.desired()["ETag"] != before


def test_failure_is_kept_once(agent, backup):
    assert agent.post("backups", failed(backup)).json() == {"outcome": "kept"}
    assert agent.post("backups", done(backup)).json() == {"outcome": "kept"}

    backup.refresh_from_db()
    assert (backup.outcome, backup.code, backup.location) == ("failed", "backup_job_failed", "")
    assert events(backup) == ["instance.final_backup_failed"]


def test_backup_that_was_given_up_and_is_there_all_the_same_is_on_record(agent, backup):
    FinalBackup.objects.update(outcome="given_up", ended_at=timezone.now())

    assert agent.post("backups", failed(backup)).json() == {"outcome": "dropped"}
    assert agent.post("backups", done(backup)).json() == {"outcome": "kept"}

    backup.refresh_from_db()
    assert backup.outcome == "taken"


@pytest.mark.parametrize(("minutes", "code"), [(-11, "backup_too_old"), (3, "backup_in_the_future"), (-9, ""), (1, "")])
def test_backup_of_another_time_is_not_the_last_one(agent, backup, minutes, code):
    at = (timezone.now() + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")

    agent.post("backups", done(backup, taken=taken(taken_at=at)))

    backup.refresh_from_db()
    assert (backup.outcome, backup.code) == ("failed" if code else "taken", code)


def test_only_the_agent_of_its_cell_answers(agent, backup):
    other = speaker(make_cell(region="eu-south-1"))

    refused(other.post("backups", done(backup)), 403, "wrong_cell")
    refused(other.post("backups", done(backup, cell=str(other.cell.pk))), 404, "backup_unknown")
    refused(agent.post("backups", done(backup) | {"backup": "0a1b2c3d-0000-4000-8000-000000000001"}), 404, "backup_unknown")
    agent.token = ""
    refused(agent.post("backups", done(backup)), 401, "token_missing")
    backup.refresh_from_db()
    assert backup.outcome == ""


@pytest.mark.parametrize("values", [{"taken": None}, {"code": "x"}, {"outcome": "failed"}, {"outcome": "failed", "taken": None}])
def test_result_that_says_two_things_is_refused(agent, backup, values):
    refused(agent.post("backups", done(backup, **values)), 400, "malformed")


WRONG = {
    "a part of it": {"content": "aGVsbG8="}, "a credential": {"location": "s3://key:secret@bucket/x"}, "a query": {"location": "https://a.example/b?sig=1"},
    "a fragment": {"location": "https://a.example/b#x"}, "free text": {"location": "in the cupboard"}, "a line break": {"location": "file:///x\n"},
    "too long": {"location": "file:///" + "x" * 500}, "no hash": {"sha256": "abc"}, "an upper hash": {"sha256": "AB" * 32},
    "a negative size": {"bytes": -1}, "a size in words": {"bytes": "12"}, "no zone": {"taken_at": "2026-11-22T02:00:00"},
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_metadata_is_refused_as_described(agent, backup, name, client):
    document = done(backup, taken=taken(**WRONG[name]))
    described = client.get("/agent/v1/openapi.json").json()
    schema = {"$ref": "#/components/schemas/BackupResult", "components": described["components"]}
    formats = jsonschema.Draft202012Validator(schema)

    assert agent.post("backups", document).status_code == 400
    assert formats.is_valid(done(backup))
    assert not formats.is_valid(document) or name == "no zone"  # a format, which JSON Schema only notes


@pytest.mark.parametrize(
    "location",
    ["s3://b/a=1/x+y.dump", "gs://b/x", "https://a.blob.example.net:8443/c/x.tar.gz", "file:///a%20b/c.tar.gz", "azure://c/~x,y:z"],
)
def test_usual_places_are_taken(agent, backup, location):
    assert agent.post("backups", done(backup, taken=taken(location=location))).json() == {"outcome": "kept"}


def test_long_place_is_read_in_no_time():
    """No pattern that a made-up value could keep busy."""
    text = (
        '{"cell":"0a1b2c3d-0000-4000-8000-000000000001","backup":"0a1b2c3d-0000-4000-8000-000000000001","outcome":"done","code":"","taken":'
    )
    body = text + '{"location":"a://' + "/a" * 100_000 + '!","bytes":1,"sha256":"x","taken_at":"2026-11-22T02:00:00Z"}}'

    with pytest.raises(Problem):
        parse(body.encode(), BackupResult)
