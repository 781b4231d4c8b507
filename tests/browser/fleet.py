"""Instances and cells for the look at every page: one in each state that a page words differently."""

from types import SimpleNamespace

from django.urls import reverse
from django.utils import timezone

from cells.models import FinalBackup, Instance, Plan
from cells.states import CellState, Health, InstanceState
from tests.cells.factories import make_cell, make_draft, make_instance, make_resource
from tests.cells.lists import make_status
from tests.factories import make_cloud_account

PART = {"kind": "AWS::EC2::VPC", "made": "vpc-0a1b2c3d4e5f", "detail": "", "link": "https://console.example/"}
DIFFERENCE = {"name": "Cluster", "kind": "AWS::EKS::Cluster", "path": "/Version", "expected": "1.31", "found": "1.30"}
ENDPOINTS = [{"name": "Web", "url": "https://orders-prod-with-a-long-name.eu-west-1.acme.cells.example"}]


def make_fleet(acme, owner):
    """The keys of the rows by what they show."""
    account = make_cloud_account(organisation=acme, created_by=owner, state="connected", name="Fleet", external_id="555566667777")
    plan = Plan.objects.get(code="orders")
    cell = make_cell(account=account, parts=[{"name": "Network", "state": "ready", **PART}], drift="drifted", differences=[DIFFERENCE])
    make_status(cell, nodes=2, ready=1, components=("ready",))
    stuck = [{"name": "Network", "state": "failed", **PART, "detail": "The maximum number of VPCs has been reached."}]
    broken = make_cell(account=account, region="us-east-1", state=CellState.FAILED, parts=stuck)
    leaving = make_cell(account=account, region="eu-central-1", state=CellState.FAILED, failed_while=CellState.DELETING)
    make_resource(cell=leaving, evidence="The subnet 'subnet-1' has dependencies and cannot be deleted.", held_by="network-interface/eni-1")
    make_resource(cell=leaving, outcome="kept", outcome_at=timezone.now(), kept_by=owner, kept_why="Another team's backups")
    make_resource(cell=leaving, outcome="removed", outcome_at=timezone.now(), state="deleted")
    silent = make_cell(account=account, region="eu-north-1")
    make_status(silent, seconds=4000)

    def instance(name, where=cell, **fields):
        return make_instance(cell=where, plan=plan, name=name, created_by=owner, **fields).pk

    running = instance("orders-prod", endpoints=ENDPOINTS, applied_revision=1, health=Health.DEGRADED)
    found = SimpleNamespace(running=running, failed=instance("orders-failed", state=InstanceState.FAILED), cell=cell.pk, broken=broken.pk)
    found.leaving = leaving.pk
    found.protected = instance("orders-protected", is_protected=True)
    found.stopped, found.gone = instance("orders-stopped", state="stopped"), instance("orders-gone", state="deleted")
    backup = {"cell": cell, "attempt": 1, "ended_at": timezone.now()}
    lies = {
        "location": "s3://acme-backups-eu-west-1/orders-gone/0a1b2c3d-0000-4000-8000-000000000001.dump",
        "bytes": 4096,
        "sha256": "ab" * 32,
    }
    FinalBackup.objects.create(instance_id=found.gone, outcome="taken", taken_at=timezone.now(), **lies, **backup)
    failed = {"state": "failed", "failed_while": "backing_up", "failure_code": "final_backup_failed", "applied_revision": 1}
    found.unsaved = instance("orders-unsaved", **failed)
    FinalBackup.objects.create(instance_id=found.unsaved, outcome="failed", code="backup_not_offered", **backup)
    found.saving = instance("orders-saving", state="backing_up", applied_revision=1)
    FinalBackup.objects.create(instance_id=found.saving, cell=cell, attempt=1)
    found.unheard = instance("orders-unheard", silent, health=Health.HEALTHY)
    found.hosted = instance("orders-hosted", silent)
    Instance.objects.filter(pk=found.hosted).update(account=None)
    found.draft = make_draft(organisation=acme, account=account, plan=plan, created_by=owner, region="eu-west-2", name="orders-next").pk
    found.place = make_draft(organisation=acme, account=account, plan=plan, created_by=owner, region="").pk
    return found


def of(name, *which):
    """The page of each named row."""
    return lambda world: [reverse(f"cells:{name}", args=["acme", getattr(world.fleet, item)]) for item in which]


def here(name, *queries):
    return lambda _world: [reverse(f"cells:{name}", args=["acme"]) + query for query in queries]


EVERY_INSTANCE = ("running", "failed", "protected", "stopped", "gone", "unheard", "hosted", "unsaved", "saving")
PAGES = {
    "cells:instance_list": here("instance_list", "", "?q=orders&state=running&sort=-created_at&cloud=aws", "?q=nothing-is-called-so"),
    "cells:instance_new": here("instance_new", ""),
    "cells:instance_new_plan": of("instance_new_plan", "draft"),
    "cells:instance_new_place": of("instance_new_place", "place", "draft"),
    "cells:instance_new_settings": of("instance_new_settings", "draft"),
    "cells:instance_new_check": of("instance_new_check", "draft"),
    "cells:instance_detail": of("instance_detail", *EVERY_INSTANCE),
    "cells:instance_configuration": of("instance_configuration", "running"),
    "cells:instance_activity": of("instance_activity", "running"),
    "cells:instance_metrics": of("instance_metrics", "running"),
    "cells:instance_modify": of("instance_modify", "running", "gone"),
    "cells:instance_upgrade": of("instance_upgrade", "running"),
    "cells:instance_stop": of("instance_stop", "running"),
    "cells:instance_start": of("instance_start", "stopped"),
    "cells:instance_restart": of("instance_restart", "running"),
    "cells:instance_delete": of("instance_delete", "running", "protected", "unsaved", "unheard"),
    "cells:instance_keep": of("instance_keep", "saving", "unsaved", "running"),
    "cells:cell_list": here("cell_list", "", "?state=failed", "?q=nothing-is-called-so"),
    "cells:cell_detail": of("cell_detail", "cell", "broken", "leaving"),
    "cells:cell_resources": of("cell_resources", "cell", "broken"),
    "cells:cell_activity": of("cell_activity", "cell"),
    "cells:cell_metrics": of("cell_metrics", "cell"),
    "cells:cell_visible": of("cell_visible", "cell"),
    "cells:visible": here("visible", ""),
    "cells:cell_update": of("cell_update", "cell"),
    "cells:cell_agent_replace": of("cell_agent_replace", "cell", "broken"),
    "cells:cell_agent_off": of("cell_agent_off", "cell"),
    "cells:cell_agent_on": of("cell_agent_on", "cell"),
    "cells:cell_delete": of("cell_delete", "broken"),
    "cells:cell_keep": of("cell_keep", "leaving", "broken"),
}
NO_PAGE = {
    "cells:instance_live": "a fragment",
    "cells:cell_live": "a fragment",
    "cells:cell_release": "POST",
    "cells:instance_protect": "POST",
    "cells:instance_new_discard": "POST",
    **{f"cells:{kind}_export_{form}": "a file" for kind in ("instance", "cell") for form in ("csv", "json")},
    **{
        f"cells:agent_{name}": "for agents"
        for name in ("openapi", "package", "enrolment", "key", "token", "desired", "orders", "order_results", "backups", "reports")
    },
}
