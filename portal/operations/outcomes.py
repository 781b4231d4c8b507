"""What a step answers. Texts are codes: the words stand in the catalogue (`portal.operations.catalogue`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from portal.operations.states import Party


@dataclass(frozen=True)
class Done:
    """The step's effect stands. `data` is merged into the operation's data, which later steps read."""

    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Wait:
    """Nothing to do for `seconds`; then the same step runs again. `why` is a code of the wait catalogue."""

    seconds: float
    on: Party
    why: str
    params: Mapping[str, str] = field(default_factory=dict)
    # Merged like Done.data: what a step has to remember until it looks again (the id of the work it started).
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Retry:
    """A passing fault: backed off and run again within the step's budget, then failed with the same code."""

    code: str
    params: Mapping[str, str] = field(default_factory=dict)
    evidence: str = ""


@dataclass(frozen=True)
class Fail:
    """Final for this attempt. `code` is a code of the failure catalogue, `evidence` the cloud's own words, copyable."""

    code: str
    params: Mapping[str, str] = field(default_factory=dict)
    evidence: str = ""


Outcome = Done | Wait | Retry | Fail
