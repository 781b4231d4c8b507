"""From a cell's row to what its cloud is asked for."""

from dataclasses import replace
from hashlib import sha256

from django.conf import settings

from accounts import kits
from accounts.clouds import open_stacks
from accounts.clouds.base import Target
from accounts.clouds.stacks import StackCloud, StackOrder
from accounts.issuer.tokens import token_source
from accounts.models import CloudAccount, Kit
from accounts.states import KitState
from accounts.targets import target_of
from cells import stacks
from cells.models import Cell
from cells.protocol.enrolment import enrolment_token
from cells.protocol.package import package_sha256
from cells.stacks.base import AgentBootstrap, CellInput
from cells.stacks.bootstrap import cloud_init


def kit_in_use(account: CloudAccount) -> Kit:
    """Raises Kit.DoesNotExist where our access has ended."""
    return account.kits.get(state=KitState.CURRENT)


def stacks_of(account: CloudAccount) -> StackCloud:
    kit = kit_in_use(account)
    target = target_of(account, kit, was_trusted=True)
    return open_stacks(account.cloud, target, token_source(kit), kits.load(account.cloud).shipped(target))


def target_of_cell(cell: Cell) -> Target:
    """Named as the kit named it that the cell was built under; signed in to, it is under the kit in use."""
    return target_of(cell.account, cell.kit or kit_in_use(cell.account), was_trusted=True)


def order_of(cell: Cell) -> StackOrder:
    """What shall stand for this cell now. The same cell gives the same order, until its figures or our stack change."""
    return stacks.load(cell.account.cloud).order(target_of_cell(cell), _input(cell))


def _input(cell: Cell) -> CellInput:
    agent = AgentBootstrap(
        portal_url=settings.AGENT_URL,
        cell=str(cell.pk),
        enrolment_token=enrolment_token(cell),
        package_url=f"{settings.AGENT_URL}/agent/v1/agent.pyz",
        package_sha256=package_sha256(),
        allowed_charts=settings.AGENT_CHARTS,
    )
    return CellInput(
        cell=str(cell.pk),
        region=cell.region,
        zones=cell.zones,
        cidr=cell.cidr,
        machine_size=cell.machine_size,
        machines=cell.machines,
        agent=agent,
        token=order_token(cell, agent),
    )


def order_token(cell: Cell, agent: AgentBootstrap) -> str:
    """Another one whenever something else is ordered: also when only the agent, or the start of its machine, is another."""
    version = stacks.load(cell.account.cloud).version.replace(".", "-")
    start = sha256(cloud_init(replace(agent, enrolment_token=""), setup=()).encode()).hexdigest()[:8]
    return f"{cell.pk.hex[:12]}-g{cell.generation}-v{version}-m{cell.machines}{cell.machine_size[:1]}-a{start}"
