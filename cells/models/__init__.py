from cells.models.agent_orders import AgentOrder
from cells.models.agents import AgentKey, AgentPackage, Enrolment, SeenAssertion
from cells.models.backups import FinalBackup
from cells.models.cells import Cell
from cells.models.drafts import InstanceDraft
from cells.models.history import Alarm, CellLink, CellSample, InstanceSample, StatusChange, SweepRound
from cells.models.instances import Instance, InstanceRevision
from cells.models.orders import CellOrder
from cells.models.plans import HostingAccount, Plan, PlanSize, Release
from cells.models.resources import CellResource
from cells.models.telemetry import CellStatus, InstanceStatus

__all__ = [
    "AgentKey",
    "AgentOrder",
    "AgentPackage",
    "Alarm",
    "Cell",
    "CellLink",
    "CellOrder",
    "CellResource",
    "CellSample",
    "CellStatus",
    "Enrolment",
    "FinalBackup",
    "HostingAccount",
    "Instance",
    "InstanceDraft",
    "InstanceRevision",
    "InstanceSample",
    "InstanceStatus",
    "Plan",
    "PlanSize",
    "Release",
    "SeenAssertion",
    "StatusChange",
    "SweepRound",
]
