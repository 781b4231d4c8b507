"""The ARM template and the script that runs it: read, hashed, and the few parts of the template that others compare with."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

TEMPLATE_PATH = Path(__file__).with_name("kit.json")
SCRIPT_PATH = Path(__file__).with_name("kit.sh")


@dataclass(frozen=True)
class RoleSource:
    """One custom role of the template, by the lists of actions it is made of.

    `switched_off` are the lists that stay when `switch` is set to no; without a switch the role is always the same.
    """

    role: str  # ends its name: byoc-<suffix>-<role>
    lists: Sequence[str]
    data_lists: Sequence[str] = ()
    switch: str = ""
    switched_off: Sequence[str] = ()


ROLES = (
    RoleSource("operator", ("ReadPlace", "ReadObstacles", "ReadOwnTrust")),
    RoleSource("operator-kit", ("ReadOwnIdentities", "ReadOwnKit")),
    RoleSource(
        "operator-cells",
        ("SeeCellParts", "DeployCells", "BuildNetworks", "BuildClusters", "BuildAgents", "CreateKeys", "DeleteCells"),
        switch="allowChanges",
        switched_off=("SeeCellParts",),
    ),
    RoleSource(
        "support",
        ("SupportSelf", "SupportSeesCells", "SupportSeesNetworks", "SupportSeesHealth"),
        switch="allowSupport",
        switched_off=("SupportSelf",),
    ),
    RoleSource("cell-cluster", ("ClusterUsesNetwork",), data_lists=("ClusterUsesKey",)),
    RoleSource("cell-agent", ("AgentFindsCluster",), data_lists=("AgentUsesCluster",)),
)


@cache
def text() -> str:
    return TEMPLATE_PATH.read_text(encoding="utf-8")


@cache
def script() -> str:
    return SCRIPT_PATH.read_text(encoding="utf-8")


@cache
def sha256() -> str:
    """SHA-256 of the template's bytes, 64 hex digits. The template names the script's, so this one hash holds both still."""
    return hashlib.sha256(TEMPLATE_PATH.read_bytes()).hexdigest()


@cache
def script_sha256() -> str:
    """SHA-256 of the script's bytes, 64 hex digits."""
    return hashlib.sha256(SCRIPT_PATH.read_bytes()).hexdigest()


@cache
def parsed() -> dict[str, Any]:
    """Shared: do not change it."""
    found: dict[str, Any] = json.loads(text())
    return found


@cache
def version() -> str:
    return str(parsed()["variables"]["version"])


def actions(lists: Sequence[str]) -> tuple[str, ...]:
    """The actions of some of the template's lists, in their order."""
    variables = parsed()["variables"]
    return tuple(action for name in lists for action in variables[name])
