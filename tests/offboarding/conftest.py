"""The same stands and killed workers as for cells: an account that leaves is first one that lives."""

from tests.cells.conftest import killer, stand

__all__ = ["killer", "stand"]
