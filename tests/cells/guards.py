"""What the guards must know of the URLs of cells and instances: what their `pk` is, and which event their POST writes."""

from collections.abc import Callable
from typing import Any

from django.utils import timezone

from accounts.models import Organisation, User
from accounts.states import AccountState
from cells.models import Cell, Instance, InstanceDraft, PlanSize
from cells.states import CellState, InstanceState
from tests.cells.factories import make_cell, make_draft, make_instance, make_release, make_resource
from tests.factories import make_cloud_account

Make = Callable[[Organisation, User], Any]
RESOURCE = "0a1b2c3d-0000-4000-8000-000000000077"


def make_own_cell(organisation: Organisation, by: User, **fields: Any) -> Cell:
    account = make_cloud_account(organisation=organisation, created_by=by, state=AccountState.CONNECTED)
    return make_cell(account=account, **fields)


def make_own_instance(organisation: Organisation, by: User, **fields: Any) -> Instance:
    return make_instance(cell=make_own_cell(organisation, by), created_by=by, **fields)


def make_own_draft(organisation: Organisation, by: User, **fields: Any) -> InstanceDraft:
    """Complete: every page of it can be shown."""
    account = make_cloud_account(organisation=organisation, created_by=by, state=AccountState.CONNECTED)
    return make_draft(organisation=organisation, account=account, created_by=by, **fields)


def make_stopped_instance(organisation: Organisation, by: User) -> Any:
    return make_own_instance(organisation, by, state=InstanceState.STOPPED)


def make_saving_instance(organisation: Organisation, by: User) -> Any:
    return make_own_instance(organisation, by, state=InstanceState.BACKING_UP)


def make_named_instance(organisation: Organisation, by: User) -> Any:
    return make_own_instance(organisation, by, name="orders-prod")


def make_modifiable_instance(organisation: Organisation, by: User) -> Any:
    instance = make_own_instance(organisation, by)
    PlanSize.objects.create(plan=instance.plan, code="large", name="Large", cpu=1000, memory=1024, cost_from=80, cost_to=120)
    return instance


def make_upgradable_instance(organisation: Organisation, by: User) -> Any:
    instance = make_own_instance(organisation, by)
    make_release(plan=instance.plan, version="1.1.0")
    return instance


def make_stuck_cell(organisation: Organisation, by: User, **values: Any) -> Any:
    cell = make_own_cell(organisation, by, name="Main", state=CellState.FAILED, failed_while=CellState.DELETING)
    make_resource(cell=cell, pk=RESOURCE, **values)
    return cell


def make_cell_that_keeps(organisation: Organisation, by: User) -> Any:
    return make_stuck_cell(organisation, by, outcome="kept", outcome_at=timezone.now(), kept_by=by, kept_why="Another team's")


MAKERS: dict[str, Make] = {"cell": make_own_cell, "instance": make_own_instance}
NARROWER: dict[str, Make] = {"cells:instance_new_": make_own_draft}
# The smallest request that changes something: (the object its `pk` names, POST data, the event's action).
ONE_EVENT: dict[str, tuple[Make | None, dict[str, Any], str]] = {
    "cells:instance_modify": (make_modifiable_instance, {"size": "large"}, "instance.modified"),
    "cells:instance_upgrade": (make_upgradable_instance, {"release": "1.1.0"}, "instance.upgraded"),
    "cells:instance_stop": (make_own_instance, {}, "instance.stopped"),
    "cells:instance_start": (make_stopped_instance, {}, "instance.started"),
    "cells:instance_restart": (make_own_instance, {}, "instance.restarted"),
    "cells:instance_delete": (make_named_instance, {"name": "orders-prod"}, "instance.deletion_started"),
    "cells:instance_keep": (make_saving_instance, {}, "instance.kept"),
    "cells:instance_protect": (make_own_instance, {"protected": "yes"}, "instance.protected"),
    "cells:cell_update": (make_own_cell, {}, "operation.started"),
    "cells:cell_agent_replace": (make_own_cell, {}, "operation.started"),
    "cells:cell_agent_off": (make_own_cell, {}, "cell.agent_disabled"),
    "cells:cell_agent_on": (lambda o, by: make_own_cell(o, by, is_agent_disabled=True), {}, "cell.agent_enabled"),
    "cells:cell_keep": (make_stuck_cell, {"resource": RESOURCE, "why": "Another team's", "name": "Main"}, "cell.resources_kept"),
    "cells:cell_release": (make_cell_that_keeps, {"resource": RESOURCE}, "cell.resource_released"),
    "cells:cell_delete": (lambda o, by: make_own_cell(o, by, name="Main"), {"name": "Main"}, "operation.started"),
}
SCENES = {"cells:instance_new_check"}
NO_EVENT = {
    "cells:instance_new": "begins a draft: the instance is on record once it is asked for",
    "cells:instance_new_plan": "an answer kept in a draft",
    "cells:instance_new_place": "an answer kept in a draft",
    "cells:instance_new_settings": "an answer kept in a draft",
    "cells:instance_new_discard": "forgets a draft: nothing was asked for yet",
}
OTHER_ONE_EVENT = {"cells:agent_backups", "cells:agent_enrolment", "cells:agent_key", "cells:agent_order_results"}
OTHER_NO_EVENT = {
    "cells:agent_openapi": "only reads",
    "cells:agent_package": "only reads",
    "cells:agent_token": "the enrolled key is on record; a token of ten minutes follows from it",
    "cells:agent_desired": "only reads",
    "cells:agent_orders": "what is asked for is on record when it is asked, and its result when it comes",
    "cells:agent_reports": "what agents see, thousands of times a minute: telemetry is kept beside the log, decisions stand in it",
}
