"""Orders of the agent protocol: what the agent is asked to do at one moment, until when, and what it says of it. Strict as the others.

Lines that an act or a bundle has read are the one free text of the protocol: the agent redacts and cuts them, and sends none unasked.
"""

from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from cells.protocol.documents import END, Count, DesiredInstance, Strict

MOST_TEXT, MOST_PARTS, MOST_RULES = 60_000, 10, 40
Rule = Annotated[str, Meta(pattern=rf"^[a-z][a-z0-9_]{{0,39}}{END}")]
Code = Annotated[str, Meta(pattern=rf"^([a-z][a-z0-9_]{{0,39}})?{END}")]
# No control character but line break and tab: what is shown must not steer a screen.
Text = Annotated[str, Meta(max_length=MOST_TEXT, pattern=rf"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*{END}")]
Redactions = Annotated[dict[Rule, Count], Meta(max_length=MOST_RULES)]


class OrdersRequest(Strict, frozen=True):
    cell: UUID


class Order(Strict, frozen=True):
    id: UUID
    name: Literal[
        "rollout_status", "list_instance_events", "tail_log", "restart", "scale", "rollback", "resync", "collect_bundle"
    ]  # the whole list: anything else is refused
    grant: UUID  # number of the support access, or of the bundle, that it is for
    not_after: float  # seconds since 1970: the agent begins nothing after it, and stops what it is at
    instance: UUID | None  # none: a bundle of the whole cell
    lines: int | None  # of tail_log
    wanted: DesiredInstance | None  # of restart, scale and rollback: what the instance shall be


class Orders(Strict, frozen=True):
    cell: UUID
    server_time: float  # seconds since 1970: an agent whose clock is wrong counts by this one
    orders: list[Order]


class Part(Strict, frozen=True):
    """One part of a diagnostic bundle."""

    name: Literal["versions", "resources", "rollout", "events", "log"]
    text: Text
    is_cut: bool
    redactions: Redactions
    code: Code  # why it could not be read


class OrderResult(Strict, frozen=True):
    cell: UUID
    order: UUID
    outcome: Literal["done", "failed"]
    code: Code
    text: Text
    is_cut: bool
    redactions: Redactions
    parts: Annotated[list[Part], Meta(max_length=MOST_PARTS)]


class OrderAnswer(Strict, frozen=True):
    outcome: Literal["kept", "dropped"]  # dropped: too late, or nobody wants it any more; what it has changed does not count
