"""`gcloud projects`."""

import json
from pathlib import Path
from typing import Any

from portal.sandbox.shell.gcloud import bindings
from portal.sandbox.shell.gcloud.api import Api, tell
from portal.sandbox.shell.gcloud.words import Command, Words, command


def _describe(api: Api, words: Words) -> Any:
    return api.call("GET", f"/crm/v1/projects/{words.first}")


def _read(api: Api, project: str) -> Any:
    return api.call("POST", f"/crm/v1/projects/{project}:getIamPolicy", {"options": {"requestedPolicyVersion": 3}})


def _get_policy(api: Api, words: Words) -> Any:
    return _read(api, words.first)


def _set_policy(api: Api, words: Words) -> Any:
    """The whole policy from a file, audit configuration included, as gcloud sends it."""
    policy = json.loads(Path(words.positional[1]).read_text(encoding="utf-8"))
    mask = ",".join(name for name in ("auditConfigs", "bindings", "etag") if name in policy)
    answer = api.call("POST", f"/crm/v1/projects/{words.first}:setIamPolicy", {"policy": policy, "updateMask": mask})
    tell(f"Updated IAM policy for project [{words.first}].")
    return answer


def _changed(edit: Any) -> Any:
    def run(api: Api, words: Words) -> Any:
        project = words.first
        policy = bindings.change(
            words,
            lambda: dict(_read(api, project)),
            lambda wanted: dict(api.call("POST", f"/crm/v1/projects/{project}:setIamPolicy", {"policy": wanted})),
            edit,
        )
        tell(f"Updated IAM policy for project [{project}].")
        return policy

    return run


COMMANDS: dict[str, Command] = {
    "projects describe": command(_describe, "project"),
    "projects get-iam-policy": command(_get_policy, "project"),
    "projects set-iam-policy": command(_set_policy, "project", "file"),
    "projects add-iam-policy-binding": command(_changed(bindings.add), "project", required="member role", flags="condition"),
    "projects remove-iam-policy-binding": command(
        _changed(bindings.remove), "project", required="member role", flags="condition", switches="all"
    ),
}
