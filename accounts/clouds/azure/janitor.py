"""The kit's janitor, a workflow in the customer's subscription that ends support access; and the condition on who gives and takes it."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.clouds.azure.rights import plain_condition
from accounts.clouds.azure.shipped import ShippedKit
from accounts.clouds.base import CloudError

# It runs once a minute: a run that is older has been followed by none.
ALIVE = timedelta(minutes=5)


def path(scope: str, shipped: ShippedKit) -> str:
    return f"{scope}/resourceGroups/{shipped.group}/providers/Microsoft.Logic/workflows/{shipped.janitor}"


def support_roles(shipped: ShippedKit) -> Sequence[str]:
    """Keys of the roles that come and go with access, in the order the template names them."""
    return [key for key, role in shipped.roles.items() if not role.identity]


def check_conditions(found: Collection[str], shipped: ShippedKit, roles: Mapping[str, str], principals: Mapping[str, str]) -> None:
    """Raises CloudError unless every condition names support's roles and identities, and no other."""
    listed = ", ".join(roles[key] for key in support_roles(shipped))
    holders = ", ".join(principals[key] for key in shipped.pool)
    expected = plain_condition(shipped.condition.replace("%roles%", listed).replace("%principals%", holders))
    if other := [text for text in found if plain_condition(text) != expected]:
        raise CloudError("policy_edited", raw=f"a condition is not as shipped: {other[0][:1000]}")


def check_definition(workflow: Mapping[str, Any], shipped: ShippedKit, roles: Mapping[str, str]) -> None:
    """Raises CloudError unless the workflow does what was shipped. Whether it runs is the customer's to say."""
    expected = shipped.janitor_definition.replace("%roles%", " ".join(roles[key] for key in support_roles(shipped)))
    found = (workflow.get("properties") or {}).get("definition")
    if plain_condition(json.dumps(found, sort_keys=True)) != plain_condition(expected):
        raise CloudError("policy_edited", raw=f"{shipped.janitor}: {json.dumps(found)[:1000]}")


def why_not_running(workflow: Mapping[str, Any], runs: Sequence[Mapping[str, Any]], now: datetime) -> str:
    """Empty while Azure would end an access by itself."""
    state = str((workflow.get("properties") or {}).get("state", ""))
    if state != "Enabled":
        return f"the workflow is {state or 'not there'}"
    newest = (runs[0].get("properties") or {}) if runs else {}
    if newest.get("status") not in {"Succeeded", "Running"}:
        return f"its newest run: {newest.get('status', 'none')} {json.dumps(newest.get('error') or '')[:500]}"
    began = datetime.fromisoformat(str(newest.get("startTime", ""))[:19]).replace(tzinfo=UTC)
    return f"its newest run began at {began:%Y-%m-%dT%H:%M:%SZ}" if now - began > ALIVE else ""
