"""The last backup in a real cluster: one job out of the chart's CronJob, what its container tells, and each way that can go wrong."""

import json

import pytest

from cells.agent.commands import CommandError
from cells.agent.helm import HelmRuntime
from cells.agent.runtime import RuntimeAwayError
from tests.cells.test_helm import ID, SPACE, cluster, runtime, wanted

__all__ = ["cluster", "runtime"]
BACKUP = "0a1b2c3d-0000-4000-8000-0000000000bb"
JOB = f"byoc-final-{BACKUP}"
TOLD = {"location": "s3://acme-backups/orders/last.dump", "bytes": 4096, "sha256": "ab" * 32}


@pytest.fixture
def installed(runtime, cluster):
    runtime.apply(wanted())
    cluster.forget()
    return runtime


def ended(cluster, kind="Complete", **end):
    told = {"exitCode": 0, "message": json.dumps(TOLD), **end}
    cluster.set(jobs={JOB: {"conditions": [{"type": kind, "status": "True"}], "ends": [[{"exitCode": 0}, told]]}})


def test_job_is_made_of_the_charts_own_and_its_words_are_read(installed, cluster):
    assert installed.final_backup(ID, BACKUP) is None
    assert cluster.calls[1] == ["kubectl", "create", "job", JOB, "--from=cronjob/app-backup", "--namespace", SPACE]
    assert installed.final_backup(ID, BACKUP) is None
    ended(cluster)

    told = installed.final_backup(ID, BACKUP)

    assert told == {**TOLD, "taken_at": 1795312800.0}
    assert cluster.state["made"] == [JOB]


def test_agent_that_was_killed_makes_no_second_job(installed, cluster, tmp_path):
    installed.final_backup(ID, BACKUP)
    (installed.jobs / f"{BACKUP}.json").unlink()  # killed before it was noted
    again = HelmRuntime(tmp_path / "state", helm=installed.helm, kubectl=installed.kubectl)

    assert again.final_backup(ID, BACKUP) is None
    assert again.final_backup(ID, BACKUP) is None
    assert cluster.state["made"] == [JOB]


def test_job_that_the_cluster_has_cleared_away_is_not_made_again(installed, cluster):
    installed.final_backup(ID, BACKUP)
    cluster.set(jobs={})

    with pytest.raises(CommandError) as gone:
        installed.final_backup(ID, BACKUP)

    assert (gone.value.code, cluster.state["made"]) == ("backup_job_gone", [JOB])


def test_chart_without_backups_says_so(installed, cluster):
    cluster.set(cron_jobs=False)

    with pytest.raises(CommandError) as none:
        installed.final_backup(ID, BACKUP)

    assert none.value.code == "backup_not_offered"


def test_job_that_fails_is_a_failure(installed, cluster):
    ended(cluster, "Failed", exitCode=1)

    with pytest.raises(CommandError) as failed:
        installed.final_backup(ID, BACKUP)

    assert failed.value.code == "backup_job_failed"


@pytest.mark.parametrize(
    "message",
    [
        "", "backup done", "[]", json.dumps(TOLD | {"rows": 3}), json.dumps(TOLD | {"bytes": "4096"}), json.dumps(TOLD | {"bytes": -1}),
        json.dumps(TOLD | {"sha256": "AB" * 32}), json.dumps(TOLD | {"location": "s3://key:secret@bucket/x"}),
        json.dumps(TOLD | {"location": "https://x.example/b?sig=abc"}), json.dumps({"location": TOLD["location"]}),
    ],
)  # fmt: skip
def test_words_of_a_container_that_are_not_place_size_and_hash_are_not_passed_on(installed, cluster, message):
    ended(cluster, message=message)

    with pytest.raises(CommandError) as unreadable:
        installed.final_backup(ID, BACKUP)

    assert unreadable.value.code == "backup_report_unreadable"


def test_container_that_ended_badly_is_not_believed(installed, cluster):
    ended(cluster, exitCode=3)

    with pytest.raises(CommandError):
        installed.final_backup(ID, BACKUP)


@pytest.mark.parametrize(
    ("words", "error", "code"),
    [
        ('Error from server (Forbidden): jobs.batch is forbidden: User "agent" cannot create resource', CommandError, "not_permitted"),
        (
            "The connection to the server x was refused - did you specify the right host",
            RuntimeAwayError,
            "cluster_unreachable",
        ),
    ],
)
def test_refusal_is_told_and_silence_is_waited_out(installed, cluster, words, error, code):
    cluster.set(broken={"kubectl create": words})

    with pytest.raises(error) as raised:
        installed.final_backup(ID, BACKUP)

    assert raised.value.code == code
