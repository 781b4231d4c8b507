"""The last backup of an instance in a real cluster: one job out of the CronJob with which its chart takes backups anyway.

The convention: the chart of a plan with backups brings a CronJob `<release>-backup` (here `app-backup`). Its container writes, as its
termination message, one JSON object with `location`, `bytes` and `sha256`. Where it puts the backup, and with which right, is the chart's.
"""

from __future__ import annotations

import calendar
import json
import time
from pathlib import Path
from typing import Any

from cells.agent import files
from cells.agent.backups import forms
from cells.agent.commands import CommandError, run, run_json
from cells.agent.runtime import Document, RuntimeAwayError

CRON_JOB = "cronjob/app-backup"


def take(kubectl: str, space: str, backup: str, marks: Path) -> Document | None:
    """None while the job is at it. Its name is the backup's number: made once, however often this process is killed.

    `marks` remembers which were made: one that the cluster has cleared away before its end was seen is not made again.
    Raises CommandError, RuntimeAwayError.
    """
    name, mark = f"byoc-final-{backup}", marks / f"{backup}.json"
    job = _find(kubectl, space, name)
    if job is None:
        if mark.exists():
            raise CommandError("backup_job_gone", f"The job {name} is not there any more.")
        _make(kubectl, space, name)
    if not mark.exists():
        marks.mkdir(parents=True, exist_ok=True, mode=0o700)
        files.write(mark, {"job": name})
    return _come_of(kubectl, space, job) if job is not None else None


def _find(kubectl: str, space: str, name: str) -> Document | None:
    said = run(kubectl, "get", "job", name, "--namespace", space, "--ignore-not-found", "-o", "json")
    try:
        job: Document | None = json.loads(said) if said.strip() else None
    except ValueError as problem:
        raise RuntimeAwayError("answer_unreadable", f"{kubectl} did not answer with JSON.") from problem
    return job


def _make(kubectl: str, space: str, name: str) -> None:
    try:
        run(kubectl, "create", "job", name, f"--from={CRON_JOB}", "--namespace", space)
    except CommandError as refused:
        if "already exists" in str(refused).lower():
            return
        # The words of a chart that was not found are those of a CronJob that is not there.
        raise CommandError("backup_not_offered" if refused.code == "chart_not_found" else refused.code, str(refused)) from refused


def _come_of(kubectl: str, space: str, job: Document) -> Document | None:
    states = {one["type"] for one in job.get("status", {}).get("conditions", []) if one["status"] == "True"}
    if "Failed" in states:
        raise CommandError("backup_job_failed", f"The job {job['metadata']['name']} has failed.")
    if "Complete" not in states:
        return None
    return forms.taken(_told(kubectl, space, job["metadata"]["name"]), _seconds(job["status"]["completionTime"]))


def _told(kubectl: str, space: str, name: str) -> Any:
    """The termination message of the container that has ended well; None where none has left one that is JSON."""
    pods: list[Document] = run_json(kubectl, "get", "pods", "--namespace", space, f"--selector=job-name={name}", "-o", "json")["items"]
    ends = [one.get("state", {}).get("terminated", {}) for pod in pods for one in pod["status"].get("containerStatuses", [])]
    for end in ends:
        if end.get("exitCode") == 0 and end.get("message"):
            try:
                return json.loads(end["message"])
            except ValueError:
                continue
    return None


def _seconds(text: str) -> float:
    return float(calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")))
