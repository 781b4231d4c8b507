from cells.models.cells import Cell
from cells.models.instances import Instance, InstanceRevision
from cells.models.plans import HostingAccount, Plan, PlanSize, Release

__all__ = ["Cell", "HostingAccount", "Instance", "InstanceRevision", "Plan", "PlanSize", "Release"]
