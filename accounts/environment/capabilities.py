"""The capability profile of an account and region: plain facts, the same names in every cloud, drawn from what the checks found.

What no check could tell is left out: an absent fact is not known, which is neither yes nor no.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.clouds.base import Finding, Verdict
from portal.operations.catalogue import Text

Facts = dict[str, Any]

# A limit's check tells two facts: what is free, and the limit itself.
_QUOTAS = {
    "quota_vcpus": "vcpus",
    "quota_networks": "networks",
    "quota_addresses": "addresses",
    "quota_gateways": "gateways",
}
# What a check says by passing or not: the fact, and its value when the check passes.
_SAID: dict[str, tuple[str, bool]] = {
    "permissions": ("permissions_held", True),
    "region_enabled": ("region_open", True),
    "services_enabled": ("services_on", True),
    "organisation_policy": ("organisation_restricts", False),
    "address_range": ("range_overlaps", False),
    "names_free": ("names_taken", False),
    "locks": ("locked", False),
    "disk_encryption": ("own_disk_key", False),
    "own_project": ("shared_with_others", False),
}
FACT_WORDS: dict[str, Text] = {
    "region": _("Region"),
    "region_open": _("Region is open to the account"),
    "zones": _("Availability zones"),
    "vcpus_free": _("vCPUs free"),
    "vcpus_limit": _("vCPUs allowed"),
    "networks_free": _("Networks free"),
    "networks_limit": _("Networks allowed"),
    "addresses_free": _("Public addresses free"),
    "addresses_limit": _("Public addresses allowed"),
    "gateways_free": _("NAT gateways free in a zone"),
    "gateways_limit": _("NAT gateways allowed in a zone"),
    "permissions_held": _("All permissions held"),
    "services_on": _("All services switched on"),
    "support_allowed": _("Support access switched on"),
    "organisation_restricts": _("Rules of the organisation in the way"),
    "range_overlaps": _("Address range overlaps"),
    "names_taken": _("Names taken"),
    "locked": _("Locks in the way"),
    "own_disk_key": _("Disks encrypted with a key of yours"),
    "shared_with_others": _("Shared with networks, clusters or deployments of yours"),
    "kit_version": _("Kit"),
}


def facts_of(findings: Iterable[Finding], **known: object) -> Facts:
    """The profile, in the order of FACT_WORDS. `known` are facts that no check has to tell."""
    found: Facts = dict(known)
    for finding in findings:
        if finding.verdict != Verdict.UNKNOWN:
            found |= _facts_in(finding)
    return {name: found[name] for name in FACT_WORDS if name in found}


def _facts_in(finding: Finding) -> Facts:
    if finding.check in _QUOTAS:
        quota = _QUOTAS[finding.check]
        return {f"{quota}_{part}": int(finding.params[part]) for part in ("free", "limit") if _is_number(finding.params, part)}
    if finding.check == "zones" and _is_number(finding.params, "count"):
        return {"zones": int(finding.params["count"])}
    if finding.check in _SAID:
        fact, when_passed = _SAID[finding.check]
        return {fact: when_passed if finding.verdict == Verdict.PASS else not when_passed}
    return {}


def _is_number(params: Mapping[str, str], name: str) -> bool:
    return str(params.get(name, "")).isdecimal()
