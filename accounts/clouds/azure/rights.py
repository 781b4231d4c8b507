"""Azure's rights as data: patterns of actions, less what the same role takes away again."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from accounts.clouds.azure.shipped import ShippedRole


def covers(held: Sequence[Mapping[str, Any]], action: str) -> bool:
    """Whether one of the roles held grants an action. What one role takes away with notActions another may grant."""
    return any(_grants(role, action) for role in held)


def _grants(role: Mapping[str, Any], action: str) -> bool:
    return _matches(role.get("actions"), action) and not _matches(role.get("notActions"), action)


def _matches(patterns: object, action: str) -> bool:
    return any(_pattern(str(pattern)).fullmatch(action) for pattern in (patterns if isinstance(patterns, list) else ()))


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    """`*` stands for anything, slashes included; case does not matter."""
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.IGNORECASE)


def is_as_shipped(found: Mapping[str, Any], role: ShippedRole, subscription: str) -> bool:
    """Whether a role definition says what the kit ships, in any of its variants, however it is written down."""
    entries = found.get("permissions") or []
    if len(entries) != 1 or not isinstance(entries[0], Mapping):
        return False
    (entry,) = entries
    scopes = _lower(found.get("assignableScopes"))
    actions, data_actions = _lower(entry.get("actions")), _lower(entry.get("dataActions"))
    takes_away = _lower(entry.get("notActions")) | _lower(entry.get("notDataActions"))
    is_known = any(actions == _lower(variant) for variant in role.variants) and data_actions == _lower(role.data_actions)
    return is_known and not takes_away and scopes == {subscription.lower()}


def plain_condition(text: object) -> str:
    """A condition as it is compared: Azure minds neither case nor spaces. Empty: none."""
    return re.sub(r"\s+", "", str(text or "")).lower()


def _lower(texts: Iterable[object] | None) -> set[str]:
    return {str(text).lower() for text in texts or ()}
