"""What the tests of the engine share."""

from portal.operations.outcomes import Wait
from portal.operations.states import Party

ON_CLOUD = Wait(5, on=Party.CLOUD, why="stack", params={"name": "kit"})
