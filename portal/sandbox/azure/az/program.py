"""What runs when a script says `az`."""

import json
import sys
from pathlib import Path
from typing import Any

import jmespath

from portal.sandbox.azure.az.arguments import UnknownWordError, parse
from portal.sandbox.azure.az.client import Client, RefusedError
from portal.sandbox.azure.az.commands import COMMANDS, NOT_FOUND, Az, CliError
from portal.sandbox.shell.session import Session

FORMATS = {"json", "tsv", "none", "jsonc"}


def main(arguments: list[str], session: Session) -> int:
    try:
        name, given = parse(arguments)
    except UnknownWordError as problem:
        session.unplayed("az", str(problem))
    shape = given["output"] or "json"
    if shape not in FORMATS:
        session.unplayed("az", f"--output {shape}")
    az = Az(Client(session.azure, session.azure_ca, session.token), session.email, session.project, Path.home() / ".played-az")
    try:
        found = COMMANDS[name](az, given)
    except (RefusedError, CliError) as problem:
        sys.stderr.write(f"ERROR: {problem}\n")
        if isinstance(problem, RefusedError):
            return NOT_FOUND if problem.error.get("code", "").endswith("NotFound") else 1
        return problem.code
    if given["query"]:
        try:
            found = jmespath.search(given["query"], found)
        except jmespath.exceptions.JMESPathError as problem:
            sys.stderr.write(f"ERROR: argument --query: invalid jmespath_type value: {given['query']!r}: {problem}\n")
            return 2
    write(found, shape)
    return 0


def write(found: Any, shape: str) -> None:
    if found is None or shape == "none":
        return
    if shape == "tsv":
        sys.stdout.write("".join(f"{line}\n" for line in tab_separated(found)))
    else:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")


def tab_separated(found: Any) -> list[str]:
    rows = found if isinstance(found, list) else [found]
    return ["\t".join(map(_cell, row.values() if isinstance(row, dict) else row if isinstance(row, list) else [row])) for row in rows]


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if isinstance(value, dict | list) else str(value)
