"""State machines of a deployment cell and of an instance, and the axes beside them: words, allowed moves, sets. Pure Python.

A state says how far our own work has come. Health, agent link and drift say what was seen; they are never merged into the state.
"""

from django.db.models import TextChoices
from django.utils.translation import pgettext_lazy


class CellState(TextChoices):
    PLANNED = "planned", pgettext_lazy("cell state", "Planned")
    BOOTSTRAPPING = "bootstrapping", pgettext_lazy("cell state", "Bootstrapping")
    READY = "ready", pgettext_lazy("cell state", "Ready")
    UPDATING = "updating", pgettext_lazy("cell state", "Updating")
    FAILED = "failed", pgettext_lazy("cell state", "Failed")
    DELETING = "deleting", pgettext_lazy("cell state", "Deleting")
    DELETED = "deleted", pgettext_lazy("cell state", "Deleted")


_C = CellState
CELL_MOVES: dict[CellState, frozenset[CellState]] = {
    _C.PLANNED: frozenset({_C.BOOTSTRAPPING, _C.DELETED}),
    _C.BOOTSTRAPPING: frozenset({_C.READY, _C.FAILED}),
    _C.READY: frozenset({_C.UPDATING, _C.DELETING}),
    _C.UPDATING: frozenset({_C.READY, _C.FAILED}),
    # A retry goes on with what failed: `Cell.failed_while` says which it was.
    _C.FAILED: frozenset({_C.BOOTSTRAPPING, _C.UPDATING, _C.DELETING}),
    _C.DELETING: frozenset({_C.DELETED, _C.FAILED}),
    _C.DELETED: frozenset(),
}
# The cell takes up its place: no second one in this account and region.
ALIVE_CELLS = frozenset(set(CellState) - {_C.DELETED})
# The agent of these may speak to us.
SERVED_CELLS = frozenset({_C.BOOTSTRAPPING, _C.READY, _C.UPDATING, _C.FAILED, _C.DELETING})


class InstanceState(TextChoices):
    CREATING = "creating", pgettext_lazy("instance state", "Creating")
    WAITING_FOR_CELL = "waiting_for_cell", pgettext_lazy("instance state", "Waiting for cell")
    DEPLOYING = "deploying", pgettext_lazy("instance state", "Deploying")
    RUNNING = "running", pgettext_lazy("instance state", "Running")
    UPDATING = "updating", pgettext_lazy("instance state", "Updating")
    STOPPING = "stopping", pgettext_lazy("instance state", "Stopping")
    STOPPED = "stopped", pgettext_lazy("instance state", "Stopped")
    STARTING = "starting", pgettext_lazy("instance state", "Starting")
    FAILED = "failed", pgettext_lazy("instance state", "Failed")
    # Asked to be deleted after a last backup: until that stands, it stays as it is.
    BACKING_UP = "backing_up", pgettext_lazy("instance state", "Backing up")
    DELETING = "deleting", pgettext_lazy("instance state", "Deleting")
    DELETED = "deleted", pgettext_lazy("instance state", "Deleted")


_I = InstanceState
INSTANCE_MOVES: dict[InstanceState, frozenset[InstanceState]] = {
    _I.CREATING: frozenset({_I.WAITING_FOR_CELL, _I.DEPLOYING, _I.FAILED, _I.DELETING}),
    _I.WAITING_FOR_CELL: frozenset({_I.DEPLOYING, _I.FAILED, _I.DELETING}),
    _I.DEPLOYING: frozenset({_I.RUNNING, _I.FAILED, _I.BACKING_UP, _I.DELETING}),
    _I.RUNNING: frozenset({_I.UPDATING, _I.STOPPING, _I.STARTING, _I.BACKING_UP, _I.DELETING}),
    _I.UPDATING: frozenset({_I.RUNNING, _I.STOPPED, _I.FAILED}),
    _I.STOPPING: frozenset({_I.STOPPED, _I.FAILED}),
    _I.STOPPED: frozenset({_I.STARTING, _I.UPDATING, _I.BACKING_UP, _I.DELETING}),
    _I.STARTING: frozenset({_I.RUNNING, _I.FAILED}),
    # A retry goes on with what failed: `Instance.failed_while` says which it was.
    _I.FAILED: frozenset(
        {_I.CREATING, _I.WAITING_FOR_CELL, _I.DEPLOYING, _I.UPDATING, _I.STOPPING, _I.STARTING, _I.BACKING_UP, _I.DELETING}
    ),
    _I.BACKING_UP: frozenset({_I.UPDATING, _I.DELETING, _I.FAILED}),
    _I.DELETING: frozenset({_I.DELETED, _I.FAILED}),
    _I.DELETED: frozenset(),
}
ALIVE_INSTANCES = frozenset(set(InstanceState) - {_I.DELETED})
# Nothing of these is anywhere yet.
BEFORE_THEIR_CELL = frozenset({_I.CREATING, _I.WAITING_FOR_CELL})
# The agent of their cell is told about these.
DEPLOYED_INSTANCES = frozenset(
    {_I.DEPLOYING, _I.RUNNING, _I.UPDATING, _I.STOPPING, _I.STOPPED, _I.STARTING, _I.FAILED, _I.BACKING_UP, _I.DELETING}
)
# On their way out.
LEAVING_INSTANCES = frozenset({_I.BACKING_UP, _I.DELETING})


class Health(TextChoices):
    HEALTHY = "healthy", pgettext_lazy("health", "Healthy")
    DEGRADED = "degraded", pgettext_lazy("health", "Degraded")
    UNHEALTHY = "unhealthy", pgettext_lazy("health", "Unhealthy")
    UNKNOWN = "unknown", pgettext_lazy("health", "Not known")


class AgentLink(TextChoices):
    """When the agent was last heard: from the time of its last report alone."""

    NEVER = "never", pgettext_lazy("agent link", "Not yet heard")
    CONNECTED = "connected", pgettext_lazy("agent link", "Connected")
    STALE = "stale", pgettext_lazy("agent link", "Stale")
    OFFLINE = "offline", pgettext_lazy("agent link", "Offline")
    DISABLED = "disabled", pgettext_lazy("agent link", "Disabled by you")


class Drift(TextChoices):
    UNKNOWN = "unknown", pgettext_lazy("drift", "Not compared yet")
    IN_SYNC = "in_sync", pgettext_lazy("drift", "In sync")
    DRIFTED = "drifted", pgettext_lazy("drift", "Drifted")


class Hosting(TextChoices):
    """In whose cloud account the cell stands."""

    CUSTOMER = "customer", pgettext_lazy("hosting", "Your own cloud account")
    PROVIDER = "provider", pgettext_lazy("hosting", "The provider's cloud account")
    PLATFORM = "platform", pgettext_lazy("hosting", "The platform's cloud account")


class Tenancy(TextChoices):
    """What instances of different customers have in common."""

    DEDICATED = "dedicated", pgettext_lazy("tenancy", "Dedicated: nobody else in the same cell")
    SHARED = "shared", pgettext_lazy("tenancy", "Shared: machines in common, each instance by itself")
    MULTI_TENANT = "multi_tenant", pgettext_lazy("tenancy", "Multi-tenant: one deployment serves several customers")
