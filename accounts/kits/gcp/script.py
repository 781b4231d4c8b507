"""The kit's script as text and as data: the roles, services and limits that stand in it. No Django, no SDK."""

import hashlib
import re
from functools import cache
from pathlib import Path

SCRIPT_PATH = Path(__file__).with_name("kit.sh")
# The script's lists, by the name of the custom role that each becomes.
LISTS = {
    "verify": "VERIFY",
    "cells": "CELLS",
    "build": "BUILD",
    "clusters": "CLUSTERS",
    "store": "STORE",
    "support": "SUPPORT",
    "support_clusters": "SUPPORT_CLUSTERS",
    "support_logs": "SUPPORT_LOGS",
    "grant": "GRANT",
    "trail": "TRAIL",
    "agent": "AGENT",
    "agent_change": "AGENT_CHANGE",
}

LIMITS = ("OWN_NAMES", "OWN_STORE", "OWN_SUPPORT", "OWN_TRAIL")
VIEWS = {"clusters": "CLUSTERS_VIEW", "clusters-nodes": "NODES_VIEW", "clusters-plane": "PLANE_VIEW", "trail": "TRAIL_VIEW"}


@cache
def text() -> str:
    return SCRIPT_PATH.read_text(encoding="utf-8")


@cache
def sha256() -> str:
    """SHA-256 of the script's bytes, 64 hex digits."""
    return hashlib.sha256(SCRIPT_PATH.read_bytes()).hexdigest()


@cache
def version() -> str:
    return _found(r'^KIT_VERSION="([^"]+)"$')


@cache
def permissions() -> dict[str, tuple[str, ...]]:
    """What each custom role holds, by the role's name in LISTS."""
    return {role: _list(name) for role, name in LISTS.items()}


@cache
def services() -> tuple[str, ...]:
    """The APIs that the kit switches on."""
    return _list("SERVICES")


@cache
def titles() -> dict[str, str]:
    """Title of each custom role, with {suffix}."""
    found = re.findall(r'^ensure_role (\w+) "([^"]+)"', text(), re.MULTILINE)
    return {role: title.replace("$SUFFIX", "{suffix}") for role, title in found}


@cache
def conditions() -> dict[str, str]:
    """The limits by their name in the script, with {prefix}, {number}, {region}, {project}, {role} and {suffix}."""
    names = {
        "$PREFIX": "{prefix}",
        "$PROJECT_NUMBER": "{number}",
        "$REGION": "{region}",
        "$PROJECT_ID": "{project}",
        "${ROLE}": "{role}",
        "$READS_VIEW": "byoc-{suffix}-trail",
    }
    found = {name: _found(rf'^{name}="(.+)"$').replace("{name}", "{{name}}") for name in LIMITS}
    for variable, value in names.items():
        found = {name: text.replace(variable, value) for name, text in found.items()}
    return found


@cache
def views() -> dict[str, str]:
    """The filters of the views of the log, by the ending of their names."""
    return {ending: _found(rf"^{name}='(.+)'$") for ending, name in VIEWS.items()}


@cache
def audited() -> tuple[str, ...]:
    """Entries of the project's audit configuration that the script adds, as JSON."""
    return tuple(line.strip().strip("'") for line in _found(r"^AUDITED=\(\n(.+?)^\)$").splitlines())


def _list(name: str) -> tuple[str, ...]:
    body = _found(rf"^{name}=\(\n(.+?)^\)$")
    return tuple(line.split()[0] for line in body.splitlines())


def _found(pattern: str) -> str:
    found = re.search(pattern, text(), re.MULTILINE | re.DOTALL if r"\(\n" in pattern else re.MULTILINE)
    if found is None:
        raise ValueError(f"the script has no line like {pattern}")
    return found[1]
