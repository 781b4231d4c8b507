"""Health of a cell as a condition of a query: the same rule as `cells.telemetry.state.health_of`, which a test compares."""

from django.db.models import BooleanField, F, Func, Q, QuerySet, Value

from cells.models import Cell
from cells.states import Health

NOT_READY = '$[*] ? (@.state != "ready")'


class PathExists(Func):
    function = "jsonb_path_exists"
    output_field = BooleanField()


def cells_of_health(cells: QuerySet[Cell], health: Health) -> QuerySet[Cell]:
    if health == Health.UNKNOWN:
        return cells.filter(status=None)
    if health == Health.UNHEALTHY:
        return cells.filter(status__nodes_ready=0)
    path = Func(Value(NOT_READY), template="%(expressions)s::jsonpath")
    cells = cells.filter(status__nodes_ready__gt=0).annotate(has_unready=PathExists("status__components", path))
    limping = Q(status__nodes_ready__lt=F("status__nodes")) | Q(has_unready=True)
    return cells.filter(limping) if health == Health.DEGRADED else cells.exclude(limping)
