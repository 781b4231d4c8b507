"""What a deployment cell consists of, one declarative document a cloud."""

from importlib import import_module

from cells.stacks.base import CellStack

STACKS = {
    "aws": "cells.stacks.aws.stack:STACK",
    "gcp": "cells.stacks.gcp.stack:STACK",
    "azure": "cells.stacks.azure.stack:STACK",
}


def load(cloud: str) -> CellStack:
    module, name = STACKS[cloud].split(":")
    stack: CellStack = getattr(import_module(module), name)
    return stack
