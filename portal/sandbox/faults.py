"""Faults on order: what to break, for whom, how often."""

import itertools
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    THROTTLE = "throttle"
    ERROR_500 = "500"
    ERROR_503 = "503"
    HTML_502 = "502_html"
    DELAY = "delay"
    LOST_REPLY = "lost_reply"  # the work is done, the connection drops
    ACCESS_DENIED = "access_denied"
    UNKNOWN = "unknown"  # a refusal that stands in no documentation
    CLAIMS = "401_claims"  # Azure: the token was revoked, a new one must be asked for
    READ_ONLY = "read_only"  # Azure: the subscription takes no writes


UNHEARD_OF = "This refusal is one that nobody has heard of."
EVERYWHERE = frozenset(Kind) - {Kind.CLAIMS, Kind.READ_ONLY}
_numbers = itertools.count(1)


@dataclass
class Fault:
    """`*` matches any service, action or account; `count` None means until deleted."""

    kind: Kind
    service: str = "*"
    action: str = "*"
    account: str = "*"
    count: int | None = 1
    seconds: float = 0.0
    id: int = field(default_factory=lambda: next(_numbers))
    hits: int = 0

    def __post_init__(self) -> None:
        self.kind = Kind(self.kind)

    def matches(self, service: str, action: str, account: str) -> bool:
        wanted = ((self.service, service), (self.action, action), (self.account, account))
        return all(want in {"*", got} for want, got in wanted)


class Faults:
    def __init__(self, kinds: Collection[Kind] = EVERYWHERE) -> None:
        self.kinds = kinds  # what this cloud can play
        self.ordered: list[Fault] = []

    def order(self, values: dict[str, Any]) -> Fault:
        """Raises TypeError or ValueError on an unknown field or kind."""
        fault = Fault(**values)
        if fault.kind not in self.kinds:
            raise ValueError(f"{fault.kind} is not played here")
        self.ordered.append(fault)
        return fault

    def take(self, service: str, action: str, account: str) -> Fault | None:
        """The first fault for this call, used up by one."""
        for fault in self.ordered:
            if fault.matches(service, action, account):
                fault.hits += 1
                if fault.count is not None:
                    fault.count -= 1
                    if fault.count <= 0:
                        self.ordered.remove(fault)
                return fault
        return None

    def drop(self, number: int | None = None) -> None:
        self.ordered = [fault for fault in self.ordered if number is not None and fault.id != number]

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self.ordered]
