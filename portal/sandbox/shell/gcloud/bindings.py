"""Adding and taking away one member of a policy, by read, change and write, as gcloud does it."""

from collections.abc import Callable
from typing import Any

from portal.sandbox.shell.gcloud.api import RefusedError
from portal.sandbox.shell.gcloud.words import CommandError, Words, pairs

TRIES = 3
Policy = dict[str, Any]
Read = Callable[[], Policy]
Write = Callable[[Policy], Policy]
PROHIBITED = (
    "Adding a binding without specifying a condition to a policy containing conditions is prohibited in non-interactive mode. "
    "Run the command again with `--condition=None`"
)


def change(words: Words, read: Read, write: Write, edit: Callable[[Policy, Words], None]) -> Policy:
    """Somebody else may have written in between: then once more from the start."""
    for attempt in range(TRIES):
        policy = read()
        edit(policy, words)
        try:
            return write(policy)
        except RefusedError as refused:
            if refused.status != "ABORTED" or attempt == TRIES - 1:
                raise
    raise AssertionError("unreachable")


def add(policy: Policy, words: Words) -> None:
    bindings = policy.setdefault("bindings", [])
    condition = _condition(words)
    if "condition" not in words.flags and any("condition" in binding for binding in bindings):
        raise CommandError(PROHIBITED)
    for binding in bindings:
        if binding["role"] == words.get("role") and binding.get("condition") == condition:
            if words.get("member") not in binding["members"]:
                binding["members"].append(words.get("member"))
            break
    else:
        bindings.append({"role": words.get("role"), "members": [words.get("member")], **({"condition": condition} if condition else {})})
    policy["version"] = 3


def remove(policy: Policy, words: Words) -> None:
    bindings, condition = policy.get("bindings", []), _condition(words)
    is_any = "all" in words.switches
    conditions = [binding for binding in bindings if "condition" in binding and _is_meant(binding, words)]
    if not is_any and "condition" not in words.flags and conditions:
        raise CommandError(PROHIBITED.replace("Adding a binding", "Removing a binding"))
    meant = [binding for binding in bindings if _is_meant(binding, words) and (is_any or binding.get("condition") == condition)]
    if not meant:
        raise CommandError("Policy bindings with the specified principal, role, and condition not found!")
    for binding in meant:
        binding["members"].remove(words.get("member"))
    policy["bindings"] = [binding for binding in bindings if binding["members"]]
    policy["version"] = 3


def _is_meant(binding: dict[str, Any], words: Words) -> bool:
    return binding["role"] == words.get("role") and words.get("member") in binding["members"]


def _condition(words: Words) -> dict[str, str] | None:
    given = words.get("condition", "None")
    if given == "None":
        return None
    found = pairs(given)
    if not {"expression", "title"} <= found.keys() or not found.keys() <= {"expression", "title", "description"}:
        raise CommandError("argument --condition: Missing expression or title.")
    return found
