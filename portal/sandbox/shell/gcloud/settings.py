"""`gcloud config`, `gcloud auth`: who is signed in, and where."""

from pathlib import Path

from portal.sandbox.shell.gcloud.api import Api, tell
from portal.sandbox.shell.gcloud.words import Command, Words, command

FILE = Path.home() / ".config" / "gcloud-project"


def _set_project(_api: Api, words: Words) -> None:
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(words.first)
    tell("Updated property [core/project].")


def _get_project(_api: Api, words: Words) -> dict[str, str]:
    return {"value": words.project}


COMMANDS: dict[str, Command] = {
    "config set project": command(_set_project, "project"),
    "config get project": command(_get_project, shape="value(value)"),
    "config get-value project": command(_get_project, shape="value(value)"),
}
