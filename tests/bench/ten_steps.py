"""Ten persisted steps of 200 ms, as a kind of operation: loaded by the worker of the bench, and by whoever starts the operations."""

import time

from portal.operations.outcomes import Done
from portal.operations.registry import Kind, StepSpec, register

KIND = "bench_ten"
STEPS = 10
STEP_SECONDS = 0.2


def _work(_context):
    time.sleep(STEP_SECONDS)
    return Done()


register(Kind(KIND, "Ten steps", tuple(StepSpec(f"step_{number}", f"Step {number}", _work) for number in range(STEPS))))
