"""A cell on Azure: ordered, watched, compared and deleted as one deployment stack, with the rights of the kit and no other."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from accounts.clouds import open_stacks
from accounts.clouds.stacks import StackCloud, StackLook, StackOrder, StackState
from cells import stacks
from cells.protocol.package import package_sha256
from cells.stacks.base import AgentBootstrap, CellInput
from tests.clouds.azure import models
from tests.clouds.azure.played import PlayedAzure, addresses
from tests.clouds.conftest import SandboxProcess, TestIssuer

CELL = "9c4f2b1a-7d3e-4f60-8a21-5b6c7d8e9f01"
REGION = "westeurope"
TOKEN = "enrol-6f0c2d1b9a"
STACK = stacks.load("azure")


class CellStand(PlayedAzure):
    """The kit has been run; the portal orders a cell."""

    def stacks(self) -> StackCloud:
        return open_stacks("azure", self.target, self.tokens(self.target), self.kit.shipped(self.target))

    def order(self, **changes: Any) -> StackOrder:
        agent = AgentBootstrap("https://portal.example", CELL, TOKEN, "https://portal.example/agent/v1/agent.pyz", package_sha256())
        cell = CellInput(CELL, REGION, ("1", "2", "3"), "10.64.0.0/16", "small", 2, agent, "cell-g1")
        return STACK.order(self.target, replace(cell, **changes))

    def look(self) -> StackLook:
        return self.stacks().look(STACK.name(self.target, REGION), REGION)

    def knobs(self, **values: Any) -> None:
        self.account.sandbox.control("POST", "knobs", values)

    def raise_cell(self) -> StackLook:
        self.stacks().apply(self.order())
        return self.look()

    def inside(self, kind: str) -> list[dict[str, Any]]:
        found = self.account.control("GET", f"resources?under={self.account.scope}{self.cell_group}")
        return [entry for entry in found if entry["type"] == kind]


@pytest.fixture
def stand(sandbox: SandboxProcess, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> Iterator[CellStand]:
    for name, value in addresses(sandbox).items():
        monkeypatch.setenv(name, value)
    made = CellStand(sandbox, issuer)
    assert made.run_kit() == "Succeeded", made.failure
    yield made
    assert models.problems(made.account.control("GET", "journal")) == []


def test_azure_cell_is_created_watched_and_deleted_as_one(stand: CellStand) -> None:
    order = stand.order()
    assert stand.look().state == StackState.ABSENT

    look = stand.raise_cell()

    assert look.state == StackState.READY, look.raw
    assert look.token == "cell-g1"
    assert set(look.parameters) == set(order.parameters)
    assert look.parameters["workMachines"] == "2"
    assert look.outputs["clusterAddress"].endswith(".privatelink.azmk8s.io")
    assert {(part.kind, part.name.rpartition("-agent-")[1] or part.name, part.state) for part in look.parts if part.made}
    assert {part.state for part in look.parts} == {"ready"}
    assert len(look.parts) == len(STACK.parts())
    assert look.link.startswith("https://portal.azure.com/#@")

    stand.stacks().delete(order.name, REGION)

    assert stand.look().state == StackState.ABSENT
    assert stand.stacks().find_leftovers(REGION, STACK.tags(stand.target, CELL)) == []
    left = {entry["name"] for entry in stand.account.control("GET", f"resources?under={stand.account.scope}{stand.cell_group}")}
    assert "cell-net" not in left
    assert "cell-key" in left  # no key is deleted through the Resource Manager
