"""Whom `load_demo` creates, for the words at the end of the start (a test holds the two together)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Person:
    """One demo user."""

    email: str
    what: str


ROLES = {
    "owner": "connects clouds, invites people",
    "operator": "runs what is connected",
    "approver": "decides about support access",
    "auditor": "reads everything, changes nothing",
}
PEOPLE = (
    *(Person(f"{role}@acme.example", f"Acme, {role}: {does}") for role, does in ROLES.items()),
    *(Person(f"{role}@globex.example", f"Globex, {role}") for role in ROLES),
    Person("staff@fernhill.example", "Fernhill, staff: the administration at /admin/"),
    Person("hosting@fernhill.example", "Fernhill Hosting, owner: its cloud accounts hold what Fernhill hosts"),
    Person("support@fernhill.example", "Fernhill, support engineer: asks for access"),
    Person("checker@fernhill.example", "Fernhill, support engineer: checks what colleagues ask for"),
)
