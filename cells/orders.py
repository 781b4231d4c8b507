"""From a cell's row to what its cloud is asked for, and what it was asked for."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts import kits
from accounts.clouds import open_stacks
from accounts.clouds.base import Target
from accounts.clouds.stacks import StackCloud, StackOrder
from accounts.issuer.tokens import token_source
from accounts.models import CloudAccount, Kit
from accounts.states import KitState
from accounts.targets import target_of
from cells import stacks
from cells.models import AgentPackage, Cell, CellOrder
from cells.protocol.enrolment import enrolment_token
from cells.protocol.package import agent_package, package_sha256
from cells.stacks.base import AgentBootstrap, CellInput
from portal.operations.engine import StepContext


def kit_in_use(account: CloudAccount) -> Kit:
    """Raises Kit.DoesNotExist where our access has ended."""
    return account.kits.get(state=KitState.CURRENT)


def kit_of(cell: Cell) -> Kit:
    """The one that the cell was built under; the one in use where nothing was built."""
    return cell.kit or kit_in_use(cell.account)


def kit_to_order_by(cell: Cell, *, is_built: bool) -> Kit:
    """Whose identities the next order names: those of the kit in use, unless something stands that cannot change to them."""
    if cell.kit and is_built and stacks.load(cell.account.cloud).keeps_identities:
        return cell.kit
    return kit_in_use(cell.account)


def stacks_of(account: CloudAccount) -> StackCloud:
    kit = kit_in_use(account)
    target = target_of(account, kit, was_trusted=True)
    return open_stacks(account.cloud, target, token_source(kit), kits.load(account.cloud).shipped(target))


def target_of_cell(cell: Cell) -> Target:
    """Named as the kit named it that the cell was built under; signed in to, it is under the kit in use."""
    return _target(cell, kit_of(cell))


def _target(cell: Cell, kit: Kit) -> Target:
    return target_of(cell.account, kit, was_trusted=True)


# --- What shall stand ------------------------------------------------------------------------------------------------


def name_of_stack(cell: Cell) -> str:
    return stacks.load(cell.account.cloud).name(target_of_cell(cell), cell.region)


def order_of(cell: Cell, kit: Kit | None = None) -> StackOrder:
    """What shall stand for this cell now. The same cell under the same kit gives the same order, until anything of it changes."""
    stack, target, given = stacks.load(cell.account.cloud), _target(cell, kit or kit_of(cell)), _input(cell)
    return stack.order(target, replace(given, token=order_token(cell, stack.order(target, _anonymous(given)))))


def order_token(cell: Cell, draft: StackOrder) -> str:
    """Drawn from everything that is ordered: the document, its files, every value, the agent and how its machine starts."""
    parts = [draft.document, *_lines(draft.files), *_lines(draft.parameters), *_lines(draft.secrets), *_lines(draft.tags)]
    return f"{cell.pk.hex[:12]}-g{cell.generation}-{_digest(parts)[:24]}"


def _lines(values: Mapping[str, str]) -> list[str]:
    return [f"{name}\0{values[name]}" for name in sorted(values)]


def _digest(parts: list[str]) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()


def _anonymous(given: CellInput) -> CellInput:
    """Without what tells one enrolment from the next: the generation stands in the token itself."""
    return replace(given, agent=replace(given.agent, enrolment_token=""))


def _input(cell: Cell) -> CellInput:
    agent = AgentBootstrap(
        portal_url=settings.AGENT_URL,
        cell=str(cell.pk),
        enrolment_token=enrolment_token(cell),
        package_url=f"{settings.AGENT_URL}/agent/v1/agent.pyz?sha256={package_sha256()}",
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


# --- What was asked for ----------------------------------------------------------------------------------------------


def last_order(cell: Cell) -> CellOrder | None:
    return cell.orders.newest_first().first()


def write_order(ctx: StepContext, cell: Cell, kit: Kit, order: StackOrder, *, mark: str) -> CellOrder:
    """Before the cloud is asked: whatever dies after this, what may stand is known. Asked again by the same attempt, it is one order."""
    written: dict[str, Any] = {
        "cell": cell,
        "kit": kit,
        "kit_version": kit.version,
        "generation": cell.generation,
        "stack_name": order.name,
        "stack_version": stacks.load(cell.account.cloud).version,
        "document_sha256": _digest([order.document, *_lines(order.files)]),
        "agent_sha256": keep_agent(),
        "parameters": dict(order.parameters),
        "mark_before": mark,
        "ordered_at": timezone.now(),
        "outcome": "",
        "ended_at": None,
        "failure_code": "",
    }
    key: dict[str, Any] = {"operation": ctx.operation, "attempt": ctx.attempt, "token": order.token}
    row, _is_new = CellOrder.objects.update_or_create(defaults=written, **key)
    name, version = order.name, row.stack_version
    Cell.objects.filter(pk=cell.pk).update(stack_name=name, stack_token=order.token, stack_version=version)
    return row


def keep_agent() -> str:
    """The file that the order names, kept: its machine may start, or start again, under a later portal with another agent."""
    name = package_sha256()
    AgentPackage.objects.get_or_create(sha256=name, defaults={"content": agent_package()})
    return name


def end_order(row: CellOrder | None, outcome: CellOrder.Outcome, code: str = "") -> None:
    """How it ended, said once."""
    if row is not None:
        CellOrder.objects.filter(pk=row.pk, outcome="").update(outcome=outcome, ended_at=timezone.now(), failure_code=code)
