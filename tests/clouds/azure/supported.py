"""Support access to a played subscription, as a step uses it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.clouds import open_support
from accounts.clouds.support import SupportCloud, SupportGrant
from tests.clouds.azure.played import PlayedAzure

GRANT, OTHER = "5b0e7c1d-2f3a-4b5c-8d6e-7f8091a2b3c4", "11111111-2222-4333-8444-555555555555"


def grant_of(stand: PlayedAzure, *, seconds: float = 3600, profile: str = "logs", number: str = GRANT, **fields: Any) -> SupportGrant:
    now = datetime.now(UTC)
    given = {"region": stand.target.region, "stack": stand.cell_group.rpartition("/")[2], **fields}
    ends = now + timedelta(seconds=seconds)
    return SupportGrant(grant=number, engineer="mia.koehler", case="CASE-7", profile=profile, starts_at=now, ends_at=ends, **given)


def support(stand: PlayedAzure) -> SupportCloud:
    """A new one each time."""
    return open_support("azure", stand.target, stand.tokens(stand.target), stand.kit.shipped(stand.target))


def held_by_support(stand: PlayedAzure) -> set[str]:
    """Which of support's roles stand now, as the owner sees it."""
    names = {stand.role(name)["name"]: name for name in ("support", "support-logs", "support-lease")}
    entries = stand.read("/providers/Microsoft.Authorization/roleAssignments")["value"]
    roles = {entry["properties"]["roleDefinitionId"].rpartition("/")[2] for entry in entries}
    return {name for number, name in names.items() if number in roles}
