"""What is said about a kit that was run: the line of the script, the outputs of the deployment, or two bare ids."""

import json
import re
from collections.abc import Mapping
from typing import Any

from accounts.clouds.base import Target
from accounts.kits.azure import words
from accounts.kits.azure.words import GUID
from accounts.kits.base import Report

# Our name for a value -> the names it goes by: the script's, the template's outputs'.
NAMES = {
    "client_id": ("client_id", "clientid"),
    "support_client_id": ("support_client_id", "supportclientid"),
    "subscription_id": ("subscription_id", "subscriptionid"),
    "tenant_id": ("tenant_id", "tenantid"),
    "region": ("region", "location"),
}
KEPT = {"client_id", "support_client_id", "tenant_id"}
LONGEST = 4000
# Anybody may send anything: every repeat is bounded, and no two that follow each other can take the same character.
_NAMES = "|".join(sorted({name for names in NAMES.values() for name in names}, key=len, reverse=True))
_LINE = re.compile(
    rf"""(?<![A-Za-z0-9_-])(?P<name>{_NAMES})["']?[:=\s]{{1,8}}["']?(?P<value>[A-Za-z0-9-]{{1,40}})(?![A-Za-z0-9-])""", re.IGNORECASE
)
_LOCATION = re.compile(r"[a-z0-9]{4,40}")


def read(text: str) -> Report | None:
    """None if it names no client id, unless it is the script that stopped and tells the tenant instead. What else it says is left out;
    what is kept is an id, whole.
    """
    found = _from_json(text[:LONGEST]) or _from_lines(text[:LONGEST]) or _from_bare_ids(text[:LONGEST])
    values = {name: value for name, value in found.items() if name in KEPT}
    if "client_id" not in values and not ("tenant_id" in values and _is_of_the_script(text[:LONGEST])):
        return None
    return Report(values, found.get("subscription_id", ""), found.get("region", ""))


def why_not_report(report: Report, target: Target) -> str:
    """What no pair of client ids of this kit can be. Whether Azure knows them, only Azure can tell."""
    told, given = report.values.get("tenant_id", ""), target.identity["tenant_id"]
    if told not in {"", given}:
        return words.other_tenant(told=told, given=given, subscription=target.external_id)
    client_id, support = report.values.get("client_id", ""), report.values.get("support_client_id", "")
    if target.external_id in {client_id, support}:
        return words.is_subscription(target.external_id)
    if given in {client_id, support}:
        return words.is_tenant(given)
    if not client_id:
        return str(words.WORDS.report_error)
    if not support:
        return words.one_client_id()
    return words.same_client_id(client_id) if client_id == support else ""


def _is_of_the_script(text: str) -> bool:
    return bool(_object(text).get("kit") == "azure")


def _object(text: str) -> dict[str, Any]:
    begin, end = text.find("{"), text.rfind("}")
    try:
        told = json.loads(text[begin : end + 1])
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _from_json(text: str) -> dict[str, str]:
    told = _object(text)
    outputs = told.get("outputs")
    inner = outputs if isinstance(outputs, dict) else told
    return _known({str(name): _plain(value) for name, value in inner.items()})


def _plain(value: Any) -> str:
    """An output of a deployment is {"type": "String", "value": "..."}."""
    told = value.get("value") if isinstance(value, dict) else value
    return told if isinstance(told, str) else ""


def _from_lines(text: str) -> dict[str, str]:
    """Names and values, on one line or on lines of their own, as the portal's Outputs page is copied."""
    return _known({match["name"]: match["value"] for match in _LINE.finditer(text)})


def _from_bare_ids(text: str) -> dict[str, str]:
    """One or two ids and nothing else: the operator's, then the support's."""
    words = [word.lower() for word in re.split(r"[\s,;]+", text) if word]
    if not 1 <= len(words) <= 2 or not all(GUID.fullmatch(word) for word in words):  # noqa: PLR2004
        return {}
    return dict(zip(("client_id", "support_client_id"), words, strict=False))


def _known(told: Mapping[str, str]) -> dict[str, str]:
    lower = {name.lower(): value.strip().lower() for name, value in told.items()}
    found = {ours: lower[name] for ours, names in NAMES.items() for name in names if name in lower}
    return {name: value for name, value in found.items() if (_LOCATION if name == "region" else GUID).fullmatch(value)}
