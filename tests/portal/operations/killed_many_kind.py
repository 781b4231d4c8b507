"""A kind without hooks, for the kill tests of groups: each step makes one thing in a folder that stands for a cloud."""

import time
from pathlib import Path

from portal.operations.engine import StepContext
from portal.operations.outcomes import Done, Outcome
from portal.operations.registry import Kind, StepSpec

STEPS = ("one", "two", "three")


def work(ctx: StepContext) -> Outcome:
    (Path(ctx.data["cloud"]) / ctx.step.name).touch()
    time.sleep(0.05)  # so that others come and are written together
    return Done()


KIND = Kind("killed_many", "Work that is killed", tuple(StepSpec(name, name, work) for name in STEPS))
