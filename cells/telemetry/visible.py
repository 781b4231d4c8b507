"""What the provider learns from a cell: every field of the documents that an agent sends, why it is asked for, and its last value.

The fields come from `cells.protocol.documents`; the words stand here. A field without words fails a test.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec.inspect
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from cells.models import CellStatus, FinalBackup, InstanceStatus
from cells.protocol.backup_documents import BackupResult
from cells.protocol.documents import EnrolmentRequest, InstanceReport, KeyRequest, Reports, TokenRequest
from cells.protocol.order_documents import OrderResult

INSTANCES = "reports.instances"


@dataclass(frozen=True)
class Shown:
    path: str
    why: str | Promise
    value: str = ""


def fields_of(document: type) -> list[str]:
    """Paths of all leaves, lists without their numbers: `reports.cluster.cpu`."""
    return list(_leaves(msgspec.inspect.type_info(document), ""))


def _leaves(kind: msgspec.inspect.Type, path: str) -> Iterator[str]:
    if isinstance(kind, msgspec.inspect.StructType):
        for field in kind.fields:
            yield from _leaves(field.type, f"{path}.{field.encode_name}".lstrip("."))
    elif isinstance(kind, msgspec.inspect.ListType):
        yield from _leaves(kind.item_type, path)
    elif isinstance(kind, msgspec.inspect.UnionType):
        inner = [one for one in kind.types if not isinstance(one, msgspec.inspect.NoneType)]
        yield from dict.fromkeys(leaf for one in inner for leaf in _leaves(one, path))
    else:
        yield path


def of_cell(status: CellStatus | None) -> list[Shown]:
    """All fields of a report but those about instances."""
    paths = [path for path in fields_of(Reports) if not path.startswith(INSTANCES)]
    return [Shown(path, WHY[path], _value_of_cell(status, path) if status else "") for path in paths]


def of_instance(status: InstanceStatus | None) -> list[Shown]:
    paths = [f"{INSTANCES}.{path}" for path in fields_of(InstanceReport)]
    return [Shown(path, WHY[path], _value(status, path.removeprefix(f"{INSTANCES}.")) if status else "") for path in paths]


def of_orders() -> list[Shown]:
    """What an agent answers to an order: only under an access that was approved, or for a bundle that the customer looks through first."""
    return [Shown(path, ORDERS[path]) for path in fields_of(OrderResult)]


def of_backups(last: FinalBackup | None = None) -> list[Shown]:
    """What an agent says of a final backup, which somebody of the customer has asked for; with the values of one that was answered."""
    return [Shown(path, BACKUPS[path], _value_of_backup(last, path) if last else "") for path in fields_of(BackupResult)]


def of_sign_in() -> list[Shown]:
    """What an agent sends to prove who it is. No value is kept but the public key."""
    return [Shown(path, SIGN_IN[path]) for path in sign_in_fields()]


def sign_in_fields() -> list[str]:
    return list(dict.fromkeys(path for document in (EnrolmentRequest, KeyRequest, TokenRequest) for path in fields_of(document)))


def _value_of_backup(backup: FinalBackup, path: str) -> str:
    named: dict[str, Any] = {"cell": backup.cell_id, "backup": backup.pk}
    value = named.get(path) or getattr(backup, path.removeprefix("taken."), None)
    return "" if value is None else f"{value:%Y-%m-%d %H:%M:%S} UTC" if hasattr(value, "strftime") else str(value)


# Fields whose column has another name.
COLUMNS = {
    "cell": "cell_id", "reports.at": "reported_at", "reports.agent.version": "agent_version", "reports.cluster.version": "cluster_version",
    "id": "instance_id",
}  # fmt: skip


def _value_of_cell(status: CellStatus, path: str) -> str:
    name = path.removeprefix("reports.").removeprefix("cluster.")
    return _value(status, COLUMNS.get(path, name))


def _value(status: CellStatus | InstanceStatus, path: str) -> str:
    column, _dot, inner = COLUMNS.get(path, path).partition(".")
    value: Any = getattr(status, column)
    if inner:
        return ", ".join(str(entry[inner]) for entry in value if entry.get(inner) is not None)
    return "" if value is None else f"{value:%Y-%m-%d %H:%M:%S} UTC" if hasattr(value, "strftime") else str(value)


# --- Why each is asked for -------------------------------------------------------------------------------------------

WHY: dict[str, str | Promise] = {
    "cell": _("Which deployment cell the report is about. An agent can report on its own cell only."),
    "reports.seq": _("The number of the report: none is lost or counted twice."),
    "reports.at": _("When the agent looked, by the clock of its machine."),
    "reports.agent.version": _("Which version of the agent runs: an old one is updated."),
    "reports.cluster.version": _("Which version of Kubernetes runs: an old one is updated before its support ends."),
    "reports.cluster.nodes_ready": _("How many machines work: fewer than there should be makes the cell degraded."),
    "reports.cluster.nodes": _("How many machines there are."),
    "reports.cluster.cpu_used": _("How much CPU is in use, in thousandths of a core: shows when the cell gets full."),
    "reports.cluster.cpu": _("How much CPU there is, in thousandths of a core."),
    "reports.cluster.memory_used": _("How much memory is in use, in MiB: shows when the cell gets full."),
    "reports.cluster.memory": _("How much memory there is, in MiB."),
    "reports.components.name": _("Which parts of the platform are installed in the cell."),
    "reports.components.version": _("In which version each part of the platform is installed."),
    "reports.components.state": _("Whether each part of the platform works."),
    "reports.events.at": _("When something happened to the agent or an instance."),
    "reports.events.code": _("What happened, as one word of a fixed form. It has no room for a text."),
    "reports.events.instance": _("Which instance it happened to."),
    f"{INSTANCES}.id": _("Which instance this is about."),
    f"{INSTANCES}.revision": _("Which revision of the settings was applied last: tells whether a change has arrived."),
    f"{INSTANCES}.state": _("What the instance does: running, stopped, being deployed and so on."),
    f"{INSTANCES}.health": _("Whether it works. You are told when it does not."),
    f"{INSTANCES}.ready": _("How many of its processes are ready."),
    f"{INSTANCES}.desired": _("How many of its processes there should be."),
    f"{INSTANCES}.restarts": _("How often its processes had to be started again."),
    f"{INSTANCES}.cpu": _("How much CPU it uses, in thousandths of a core: for the charts, and for advice on its size."),
    f"{INSTANCES}.memory": _("How much memory it uses, in MiB: for the charts, and for advice on its size."),
    f"{INSTANCES}.endpoints.name": _("What each of its addresses is for."),
    f"{INSTANCES}.endpoints.url": _("Where it can be reached. Without credentials, query or fragment."),
    f"{INSTANCES}.components.name": _("Which parts the instance is made of."),
    f"{INSTANCES}.components.version": _("In which version each of its parts runs."),
    f"{INSTANCES}.components.state": _("Whether each of its parts works."),
    f"{INSTANCES}.requests": _("How many requests it has answered: a number, never their content."),
    f"{INSTANCES}.errors": _("How many requests failed: a number, never their content."),
    f"{INSTANCES}.problem": _("Why a revision could not be applied, as one word of a fixed form."),
}
SIGN_IN: dict[str, str | Promise] = {
    "token": _("The permission to enrol, used once. It is not kept."),
    "cell": _("Which deployment cell the agent is of."),
    "public_jwk.kty": _("The kind of the agent's public key."),
    "public_jwk.crv": _("The curve of the agent's public key."),
    "public_jwk.x": _("The public key, first half. The private key never leaves the cell."),
    "public_jwk.y": _("The public key, second half."),
    "agent_version": _("Which version of the agent enrols."),
    "proof": _("A signature with the agent's key: whoever enrols it holds it. It is not kept."),
    "approval": _("A signature with the key in use, for the one that follows it. It is not kept."),
    "grant_type": _("A fixed word of OAuth2."),
    "client_assertion_type": _("A fixed word of OAuth2."),
    "client_assertion": _("A signature with the agent's key, valid for a minute, for a short access token. It is not kept."),
}
BACKUPS: dict[str, str | Promise] = {
    "cell": _("Which deployment cell the agent is of."),
    "backup": _("The number of the final backup that it answers for."),
    "outcome": _("Whether it was taken or has failed."),
    "code": _("Why it has failed, as one word of a fixed form."),
    "taken.location": _("Where the backup lies, without credentials. Nobody of the provider reads what is there."),
    "taken.bytes": _("How large the backup is."),
    "taken.sha256": _("Its hash: tells whether a file is this backup. It says nothing of the content."),
    "taken.taken_at": _("When the backup was taken."),
}
ORDERS: dict[str, str | Promise] = {
    "cell": _("Which deployment cell the agent is of."),
    "order": _("The number of the order that it answers."),
    "outcome": _("Whether it was done or has failed."),
    "code": _("Why it has failed, as one word of a fixed form."),
    "text": _("What was read: lines about processes, events, and log lines where your approvers have allowed to read logs."),
    "is_cut": _("Whether there was more than was sent."),
    "redactions": _("Which rules have removed something before it was sent, and how often."),
    "parts.name": _("Which part of a diagnostic bundle this is. You look through all parts before anybody else does."),
    "parts.text": _("What was read for this part. Nobody of the provider sees it before you release it."),
    "parts.is_cut": _("Whether there was more of this part than was sent."),
    "parts.redactions": _("Which rules have removed something of this part before it was sent, and how often."),
    "parts.code": _("Why this part could not be read, as one word of a fixed form."),
}
