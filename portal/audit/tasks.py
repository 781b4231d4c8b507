"""What a Celery task records carries the task's name as its actor and the id under which its log lines stand."""

from contextlib import AbstractContextManager
from typing import Any

from celery.signals import task_postrun, task_prerun

from portal.audit.origin import Origin, bound_request_id, originating

_running: dict[str, AbstractContextManager[None]] = {}


@task_prerun.connect(dispatch_uid="activity_origin")
def enter_task(task_id: str, task: Any, **_kwargs: Any) -> None:
    scope = originating(Origin(bound_request_id() or task_id[:64], task=task.name))
    scope.__enter__()
    _running[task_id] = scope


@task_postrun.connect(dispatch_uid="activity_origin")
def leave_task(task_id: str, **_kwargs: Any) -> None:
    if scope := _running.pop(task_id, None):
        scope.__exit__(None, None, None)
