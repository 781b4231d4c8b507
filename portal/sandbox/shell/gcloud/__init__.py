"""`gcloud`, as far as kits use it: reads the words, makes the calls that the real one makes, prints as it prints."""

import sys

from portal.sandbox.shell.gcloud import iam, lists, logging, projects, services, settings
from portal.sandbox.shell.gcloud.api import Api, RefusedError
from portal.sandbox.shell.gcloud.output import show
from portal.sandbox.shell.gcloud.words import Command, CommandError, Words
from portal.sandbox.shell.session import Session

TABLES = (settings, projects, services, iam, logging, lists)
COMMANDS: dict[str, Command] = {name: known for table in TABLES for name, known in table.COMMANDS.items()}


def main(arguments: list[str], session: Session) -> int:
    name = _name(arguments)
    if not name:
        session.unplayed("gcloud", " ".join(arguments[:5]))
    command = COMMANDS[name]
    words = Words(name, command, arguments[len(name.split()) :], session)
    try:
        result = command.run(Api(session), words)
    except (RefusedError, CommandError) as refused:
        sys.stderr.write(f"ERROR: (gcloud.{name.replace(' ', '.')}) {refused}\n")
        return 1
    if result is not None:
        show(result, words)
    return 0


def _name(arguments: list[str]) -> str:
    """The longest command that the first words spell."""
    for length in range(min(6, len(arguments)), 0, -1):
        name = " ".join(arguments[:length])
        if name in COMMANDS:
            return name
    return ""
