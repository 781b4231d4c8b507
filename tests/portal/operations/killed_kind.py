"""A kind of operation with effects outside the database, for the kill tests: what it makes are files in a folder.

The folder stands for a cloud: creating what is there already is refused, so a step that runs twice makes one thing, and every call
is written down, so that a test can count them.
"""

import os
from pathlib import Path

from portal.operations.engine import StepContext
from portal.operations.outcomes import Done, Outcome, Wait
from portal.operations.registry import Kind, StepSpec, register
from portal.operations.states import Party

STEPS = ("reserve", "create", "confirm")


def reserve(ctx: StepContext) -> Outcome:
    make(ctx, "reserve")
    return Done({"reserved": "yes"})


def create(ctx: StepContext) -> Outcome:
    """Started, then observed."""
    if make(ctx, "create"):
        return Wait(1, on=Party.CLOUD, why="creating")
    ctx.log("It is there")
    return Done()


def confirm(ctx: StepContext) -> Outcome:
    make(ctx, f"confirm-{ctx.data['reserved']}")
    return Done()


def make(ctx: StepContext, name: str) -> bool:
    """Create one thing in the cloud; False when it was there."""
    cloud = Path(ctx.data["cloud"])
    with (cloud / "calls.log").open("a") as calls:
        calls.write(f"{name}\n")
    try:
        os.close(os.open(cloud / f"{name}.thing", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


KIND = Kind("killed", "Work that is killed", tuple(StepSpec(step.__name__, step.__name__, step) for step in (reserve, create, confirm)))
register(KIND)
