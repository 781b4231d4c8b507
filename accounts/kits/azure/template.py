"""The ARM template and the script that runs it: read, hashed, and the few parts of the template that others compare with."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
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
    condition: str = ""  # which condition its assignment bears


ONLY_SUPPORT = "only-support"  # of the assignments that may give and take away: support's roles and identities, and no other
WORKFLOW = "Microsoft.Logic/workflows"
ROLES = (
    RoleSource("operator", ("ReadPlace", "ReadObstacles", "ReadOwnTrust")),
    RoleSource("operator-kit", ("ReadOwnIdentities", "ReadOwnKit", "ReadJanitor")),
    RoleSource(
        "operator-cells",
        ("SeeCellParts", "DeployCells", "BuildNetworks", "BuildClusters", "BuildAgents", "CreateKeys", "DeleteCells"),
        switch="allowChanges",
        switched_off=("SeeCellParts",),
    ),
    RoleSource("operator-support", ("GiveSupport",), condition=ONLY_SUPPORT),
    RoleSource(
        "support",
        ("SupportSelf", "SupportSeesCells", "SupportSeesNetworks", "SupportSeesHealth"),
        switch="allowSupport",
        switched_off=("SupportSelf",),
    ),
    RoleSource("support-logs", ("SupportSelf", "SupportReadsLogs"), switch="allowSupport", switched_off=("SupportSelf",)),
    RoleSource("support-lease", ("SupportSelf",)),
    RoleSource("janitor", ("JanitorRemoves",), condition=ONLY_SUPPORT),
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


def _nested(kind: str) -> Any:
    """The nested template that makes the first resource of a kind."""
    templates = [entry["properties"]["template"] for entry in parsed()["resources"] if entry["type"] == "Microsoft.Resources/deployments"]
    return next(found for found in templates if any(entry["type"] == kind for entry in found["resources"]))


def janitor_definition(*, cell_group: str, identity: str) -> str:
    """What the workflow's definition says when it stands, as JSON. `%roles%` stands for the ids of support's roles, which are Azure's."""
    (workflow,) = _nested(WORKFLOW)["resources"]
    given = {"cellGroup": cell_group, "identity": identity, "supportRoles": "%roles%"}
    return json.dumps(_filled(workflow["properties"]["definition"], given), sort_keys=True)


def only_support() -> str:
    """The condition of whoever may give and take away support's roles. `%roles%` and `%principals%` are lists of ids, which are Azure's."""
    text = _nested("Microsoft.KeyVault/vaults")["variables"]["onlySupport"]
    return str(_filled(text, {"supportRoles": "%roles%", "supportPrincipalIds": "%principals%"}))


def _filled(value: Any, given: Mapping[str, str]) -> Any:
    """A value with the two kinds of expression that stand there worked out: a parameter, and a `concat` of texts and parameters."""
    if isinstance(value, dict):
        return {name: _filled(inner, given) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, given) for inner in value]
    if not isinstance(value, str) or not value.startswith("["):
        return value
    parts = re.findall(r"'((?:[^']|'')*)'(?=, |\)\]$)|parameters\('(\w+)'\)", value.removeprefix("[concat("))
    return "".join(given[name] if name else text.replace("''", "'") for text, name in parts)


def actions(lists: Sequence[str]) -> tuple[str, ...]:
    """The actions of some of the template's lists, in their order."""
    variables = parsed()["variables"]
    return tuple(action for name in lists for action in variables[name])
