"""A fleet for the lists, and what they show."""

from datetime import timedelta

import pytest
from django.utils import timezone

from cells.models import CellStatus, Instance, InstanceStatus
from cells.states import InstanceState
from tests.cells.factories import make_plan
from tests.factories import make_cloud_account

INSTANCES, CELLS = "/o/acme/instances/", "/o/acme/cells/"


@pytest.fixture
def signed_in(client, alice):
    client.force_login(alice)
    return client


@pytest.fixture
def account(acme):
    return make_cloud_account(organisation=acme, state="connected", name="Main", external_id="111122223333")


def many(acme, account, alice, number, **fields):
    """Instances in one statement; none of them deployed."""
    plan = make_plan()
    rows = [
        Instance(
            organisation=acme,
            plan=plan,
            name=f"orders-{index:05}",
            account=account,
            cloud="aws",
            region="eu-west-1",
            state=InstanceState.RUNNING,
            created_by=alice,
            **fields,
        )
        for index in range(number)
    ]
    return Instance.objects.bulk_create(rows)


def make_status(cell, *, seconds=5, nodes=2, ready=2, components=()):
    now = timezone.now()
    return CellStatus.objects.create(
        cell=cell,
        seq=1,
        seen_at=now - timedelta(seconds=seconds),
        reported_at=now,
        agent_version="1.0.0",
        cluster_version="1.31",
        nodes_ready=ready,
        nodes=nodes,
        cpu_used=1,
        cpu=2,
        memory_used=1,
        memory=2,
        components=[{"name": "dns", "version": "1", "state": state} for state in components],
        events=[],
        digest=0,
    )


def make_instance_status(instance, **values):
    numbers = {"seq": 1, "revision": 1, "ready": 1, "desired": 1, "restarts": 0, "cpu": 1, "memory": 1}
    words = {"state": "running", "health": instance.health, "endpoints": [], "components": []}
    return InstanceStatus.objects.create(instance=instance, seen_at=timezone.now(), **numbers | words | values)


def exported(response):
    return b"".join(response.streaming_content).decode()
