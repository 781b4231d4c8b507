"""The Activity Log: what was written, deleted or done through the Resource Manager, by whom. Reading leaves no line in it."""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from portal.sandbox import wire
from portal.sandbox.azure.arm.call import Call, listed
from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.world import Body, Token, World, stamp

KIND = "Microsoft.Insights/eventtypes"
READ = "Microsoft.Insights/eventtypes/values/read"
PATH = r"/providers/microsoft\.insights/eventtypes/management/values"
VERSIONS = ("2014-04-01", "2015-04-01")
KEPT = 4000
CLAUSE = re.compile(r"(?P<field>eventTimestamp|resourceGroupName)\s+(?P<how>ge|le|eq)\s+'(?P<value>[^']*)'", re.IGNORECASE)


@dataclass(frozen=True)
class Done:
    """One act of somebody. `code` is that of its refusal."""

    by: Token
    action: str
    scope: str
    code: str = ""


def note(world: World, done: Done, body: Body | None = None) -> None:
    parts = done.scope.strip("/").split("/")
    group = parts[3] if len(parts) > 3 else ""  # noqa: PLR2004
    number, properties = str(uuid4()), (body or {}).get("properties")
    about = {"requestbody": json.dumps({"properties": properties})} if done.action.startswith("Microsoft.Authorization/") else {}
    is_refused = bool(done.code)
    world.activity.append(
        {
            "eventDataId": number, "correlationId": str(uuid4()), "operationId": str(uuid4()), "subscriptionId": parts[1],
            "tenantId": done.by.tenant, "resourceGroupName": group, "resourceId": done.scope,
            "level": "Error" if is_refused else "Informational",
            "id": f"{done.scope}/events/{number}/ticks/{int(world.now() * 10_000_000)}", "channels": "Operation",
            "caller": done.by.client if done.by.is_human else done.by.object_id,
            "authorization": {"action": done.action, "scope": done.scope},
            "claims": {"appid": done.by.client, "http://schemas.microsoft.com/identity/claims/objectidentifier": done.by.object_id},
            "eventName": {"value": "EndRequest", "localizedValue": "End request"},
            "category": {"value": "Administrative", "localizedValue": "Administrative"},
            "operationName": {"value": done.action, "localizedValue": done.action},
            "status": {"value": "Failed" if is_refused else "Succeeded", "localizedValue": "Failed" if is_refused else "Succeeded"},
            "subStatus": {"value": done.code, "localizedValue": done.code},
            "eventTimestamp": stamp(world.now()), "submissionTimestamp": stamp(world.now()), "properties": about,
        }
    )  # fmt: skip
    del world.activity[:-KEPT]
    world.is_dirty = True


def scope_of(call: Call) -> str:
    """Whoever asks for one group needs the right there alone."""
    group = _clauses(call).get(("resourcegroupname", "eq"), "")
    return f"/subscriptions/{call['sub']}" + (f"/resourceGroups/{group}" if group else "")


def values(call: Call) -> wire.Reply:
    """The newest first."""
    wanted = _clauses(call)
    if ("eventtimestamp", "ge") not in wanted:
        raise ArmError(400, "BadRequest", "The $filter must have a start time: eventTimestamp ge '...'.")
    group = wanted.get(("resourcegroupname", "eq"), "")
    begins, ends = _time(wanted["eventtimestamp", "ge"]), _time(wanted.get(("eventtimestamp", "le"), "9999-01-01T00:00:00Z"))
    rows = [
        row for row in reversed(call.world.activity)
        if row["subscriptionId"].lower() == call["sub"].lower() and begins <= _time(row["eventTimestamp"]) <= ends
        and (not group or row["resourceGroupName"].lower() == group.lower())
    ]  # fmt: skip
    return listed(call, rows)


def _clauses(call: Call) -> dict[tuple[str, str], str]:
    found = {}
    for part in filter(None, call.query("$filter").split(" and ")):
        clause = CLAUSE.fullmatch(part.strip())
        if clause is None:
            call.violate("filter", part)
            raise ArmError(400, "BadRequest", f"The $filter '{part}' is not supported.")
        found[clause["field"].lower(), clause["how"].lower()] = clause["value"]
    return found


def _time(text: str) -> datetime:
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z$", r"\1+00:00", text))
