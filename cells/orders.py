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
    """What shall stand for this cell now. The same cell gives the same order, until anything of it changes."""
    stack, target, given = stacks.load(cell.account.cloud), target_of_cell(cell), _input(cell)
    return stack.order(target, replace(given, token=order_token(cell, stack.order(target, _anonymous(given)))))


def order_token(cell: Cell, draft: StackOrder) -> str:
    """Drawn from everything that is ordered: the document, its files, every value, the agent and how its machine starts."""
    parts = [draft.document]
    for values in (draft.files, draft.parameters, draft.secrets, draft.tags):
        parts += [f"{name}\0{values[name]}" for name in sorted(values)]
    content = sha256("\0".join(parts).encode()).hexdigest()
    return f"{cell.pk.hex[:12]}-g{cell.generation}-{content[:24]}"


def _anonymous(given: CellInput) -> CellInput:
    """Without what tells one enrolment from the next: the generation stands in the token itself."""
    return replace(given, agent=replace(given.agent, enrolment_token=""))


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
        token="",
    )
