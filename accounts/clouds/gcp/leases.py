"""Which support account serves which grant: written in the project's own policy, which both the portal and the customer can read.

A grant is given one account of the kit, by bindings that name it in their title and its end in their condition. Sessions of one account
cannot be told from each other, so no two grants share one, and a grant that was ended early keeps its account, by a binding that lets
nothing, until the last token of it has run out.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from accounts.clouds.gcp.shipped import ShippedKit
from accounts.clouds.support import SupportGrant

if TYPE_CHECKING:
    from google.iam.v1.policy_pb2 import Binding, Policy

WITH_LOGS = ("logs", "operate", "repair")
TITLE = "byoc-support "  # begins titles, each followed by its grant
LONGEST_GRANT = timedelta(days=31)  # from now: whatever ends later was not made by us
# Clocks differ: an account is not given away in the same second in which its last token ends.
SLACK = timedelta(seconds=30)
NEVER = "request.time < timestamp('1970-01-01T00:00:00Z')"
HELD = re.compile(r"held until (\S+)$")
STAMP = r"timestamp\('(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)'\)"
_VIEWS = r"resource\.name\.extract\('/locations/global/buckets/_Default/views/\{name\}'\)"
_VIEW = rf"{_VIEWS} == 'byoc-[0-9a-f]{{8}}-g[0-9]+-clusters(?:-nodes|-plane)?'"
# What may stand behind the two times, for each kind of limit.
LIMITS = {
    "": r"",
    "cluster": r" && resource\.name\.extract\('/clusters/\{name\}'\)(?: == '[a-z0-9-]+'|\.startsWith\('byoc-[0-9a-f]{8}-'\))",
    "view": rf" && (?:{_VIEWS}"
    r"\.startsWith\('byoc-[0-9a-f]{8}-g[0-9]+-clusters'\)"  # as it was written until the views were named
    rf"|\({_VIEW}(?: \|\| {_VIEW})*\))",
}


@dataclass(frozen=True)
class Lease:
    """One account in use: for whom, and until when nobody else gets it."""

    account: str  # name in `ShippedKit.accounts`
    grant: str
    until: datetime
    is_ended: bool


# --- What a grant is given -------------------------------------------------------------------------------------------


def expressions(grant: SupportGrant, shipped: ShippedKit) -> dict[str, str]:
    """The condition of each role's binding. Google refuses from the very second of the end on."""
    times = f"request.time >= timestamp('{stamp(grant.starts_at)}') && request.time < timestamp('{stamp(grant.ends_at)}')"
    cluster = "resource.name.extract('/clusters/{name}')"
    limits = {
        "": "",
        "cluster": f" && {cluster} == '{grant.stack}'" if grant.stack else f" && {cluster}.startsWith('{shipped.prefix}')",
        "view": _of_views(shipped),
    }
    return {role: times + limits[limit] for role, limit in shipped.lent.items() if limit != "view" or grant.profile in WITH_LOGS}


def _of_views(shipped: ShippedKit) -> str:
    """Each by its whole name: a view that somebody makes later may begin alike."""
    places = [name.partition("/locations/")[2].rpartition("/") for name in sorted(shipped.cluster_views)]
    named = [f"resource.name.extract('/locations/{folder}/{{name}}') == '{name}'" for folder, _, name in places]
    return f" && ({' || '.join(named)})"


def document(grant: SupportGrant, shipped: ShippedKit) -> str:
    """The bindings as they will be written, and to whom: which of the accounts is free is known when they are."""
    bindings = [
        {"role": role, "condition": {"title": title(grant), "expression": expression}, "includedPermissions": list(shipped.roles[role])}
        for role, expression in expressions(grant, shipped).items()
    ]
    one_of = [f"serviceAccount:{shipped.accounts[name].email}" for name in shipped.supporters]
    return json.dumps({"project": shipped.project, "bindings": bindings, "memberIsOneOf": one_of}, separators=(",", ":"))


def title(grant: SupportGrant) -> str:
    return f"{TITLE}{grant.grant}"


def stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


# --- What stands -----------------------------------------------------------------------------------------------------


def leases(bindings: "Iterable[Binding]", shipped: ShippedKit) -> list[Lease]:
    """Every one that a binding of a support role tells of."""
    names = {f"serviceAccount:{shipped.accounts[name].email}": name for name in shipped.supporters}
    found = []
    for binding in bindings:
        if binding.role in shipped.lent and (until := until_when(binding)) is not None:
            grant = binding.condition.title.removeprefix(TITLE)
            is_ended = binding.condition.expression == NEVER
            found += [Lease(names[member], grant, until, is_ended) for member in binding.members if member in names]
    return found


def until_when(binding: "Binding") -> datetime | None:
    """When a binding of ours gives, or holds, nothing more. None for one that we did not write."""
    condition = binding.condition
    if not condition.title.startswith(TITLE):
        return None
    if condition.expression == NEVER:
        held = HELD.search(condition.description)
        return _moment(held[1]) if held else None
    found = re.match(rf"request\.time >= {STAMP} && request\.time < {STAMP}", condition.expression)
    return _moment(found[2]) if found else None


def is_ours(binding: "Binding", shipped: ShippedKit, now: datetime) -> bool:
    """Whether a binding of a support role is as we would write it, and ends soon enough."""
    until = until_when(binding)
    if until is None or until > now + LONGEST_GRANT:
        return False
    limit = LIMITS[shipped.lent[binding.role]]
    whole = rf"request\.time >= {STAMP} && request\.time < {STAMP}{limit}"
    return binding.condition.expression == NEVER or re.fullmatch(whole, binding.condition.expression) is not None


# --- What is written -------------------------------------------------------------------------------------------------


def give(policy: "Policy", grant: SupportGrant, account: str, shipped: ShippedKit) -> bool:
    """Has the policy hold exactly the grant's bindings. False where it did so before."""
    wanted = expressions(grant, shipped)
    member = f"serviceAccount:{shipped.accounts[account].email}"
    found = {binding.role: binding.condition.expression for binding in policy.bindings if _is_of(binding, grant, shipped)}
    if found == wanted:
        return False
    take(policy, grant, shipped)
    about = f"{grant.engineer}, case {grant.case}, {grant.profile}"
    for role, expression in wanted.items():
        _add(policy, role, member, {"title": title(grant), "expression": expression, "description": about})
    return True


def take(policy: "Policy", grant: SupportGrant, shipped: ShippedKit) -> bool:
    """Has the policy hold nothing of the grant. False where it did so before."""
    return _keep(policy, [binding for binding in policy.bindings if not _is_of(binding, grant, shipped)])


def hold(policy: "Policy", grant: SupportGrant, account: str, shipped: ShippedKit, until: datetime) -> None:
    """The account stays with the grant, and may nothing."""
    member, role = f"serviceAccount:{shipped.accounts[account].email}", next(iter(shipped.lent))
    _add(policy, role, member, {"title": title(grant), "expression": NEVER, "description": f"ended; held until {stamp(until)}"})


def forget(policy: "Policy", shipped: ShippedKit, now: datetime) -> bool:
    """Takes away what is over. False where nothing was."""

    def is_over(binding: "Binding") -> bool:
        until = until_when(binding) if binding.role in shipped.lent else None
        return until is not None and until + SLACK <= now

    return _keep(policy, [binding for binding in policy.bindings if not is_over(binding)])


def free(known: Sequence[Lease], shipped: ShippedKit, now: datetime) -> str:
    """An account that nobody uses; "" where all are in use."""
    taken = {lease.account for lease in known if lease.until + SLACK > now}
    return next((name for name in shipped.supporters if name not in taken), "")


def _is_of(binding: "Binding", grant: SupportGrant, shipped: ShippedKit) -> bool:
    return binding.role in shipped.lent and binding.condition.title == title(grant)


def _keep(policy: "Policy", bindings: "list[Binding]") -> bool:
    is_changed = len(bindings) != len(policy.bindings)
    kept = [type(binding).FromString(binding.SerializeToString()) for binding in bindings]
    del policy.bindings[:]
    policy.bindings.extend(kept)
    return is_changed


def _add(policy: "Policy", role: str, member: str, condition: Mapping[str, Any]) -> None:
    policy.bindings.add(role=role, members=[member], condition=dict(condition))


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
