"""What the agent of a cell shall bring about. No secret, and no name of a customer: an agent knows instances by their ids alone."""

import hashlib
from uuid import UUID

import msgspec
from django.conf import settings
from django.db.models import F

from cells.models import Cell, FinalBackup, InstanceRevision
from cells.protocol.documents import ChartRelease, Desired, DesiredBackup, DesiredComponent, DesiredInstance, Resources, Values
from cells.states import DEPLOYED_INSTANCES, CellState, InstanceState


def version_of(cell_id: UUID) -> int | None:
    """One small query; None where there is no such cell."""
    return Cell.objects.filter(pk=cell_id).values_list("desired_version", flat=True).first()


def etag(version: int) -> str:
    """The platform's components are the provider's setting, the same for all cells: a change of it is a change of what is wanted too."""
    platform = hashlib.sha256(msgspec.json.encode(settings.PLATFORM_COMPONENTS)).hexdigest()[:8]
    return f'"{version}-{platform}"'


def desired_state(cell_id: UUID) -> Desired:
    """Raises Cell.DoesNotExist."""
    # Read before the instances: a change between the two is fetched once more, never missed.
    cell = Cell.objects.only("desired_version", "state").get(pk=cell_id)
    newest = InstanceRevision.objects.filter(
        instance__cell=cell_id, instance__state__in=sorted(DEPLOYED_INSTANCES), number=F("instance__revision")
    )
    # What failed on its way to the cell is not wanted there until somebody retries it.
    never_there = sorted(set(InstanceState) - DEPLOYED_INSTANCES)
    newest = newest.exclude(instance__state=InstanceState.FAILED, instance__failed_while__in=never_there)
    rows = newest.select_related("instance", "release", "size").order_by("instance_id")
    is_staying = cell.state != CellState.DELETING
    return Desired(
        cell=cell_id,
        version=cell.desired_version,
        components=[DesiredComponent(is_present=is_staying, **component) for component in settings.PLATFORM_COMPONENTS],
        instances=[desired_instance(row) for row in rows],
        final_backups=_final_backups(cell_id),
    )


def _final_backups(cell_id: UUID) -> list[DesiredBackup]:
    """Not those of a deletion that has failed, or was given up, while nobody has answered."""
    wanted = FinalBackup.objects.standing().filter(cell=cell_id, instance__state=InstanceState.BACKING_UP).order_by("asked_at")
    return [DesiredBackup(id=row.pk, instance=row.instance_id) for row in wanted]


def desired_instance(row: InstanceRevision) -> DesiredInstance:
    """Of a revision that is written, or that an order would make."""
    return DesiredInstance(
        id=row.instance_id,
        # Also where that has failed: what was to be removed is not brought back.
        is_present=InstanceState.DELETING not in {row.instance.state, row.instance.failed_while},
        revision=row.number,
        release=ChartRelease(chart=row.release.chart, chart_version=row.release.chart_version, digest=row.release.digest),
        values=Values(parameters=row.parameters, resources=Resources(cpu=row.size.cpu, memory=row.size.memory, storage=row.size.storage)),
        is_running=row.is_running,
        restarts=row.restarts,
    )
