"""May I, and if not, why: one table of what an instance allows in each state, one function per other act.

Button, form and action ask the same one, so a greyed button and a refused request never disagree.
"""

from enum import StrEnum

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts import kits
from accounts.availability import why_not_use
from accounts.models import CloudAccount, Kit
from accounts.states import PASSING_OBSTACLES, KitState, Use
from cells import stacks
from cells.models import Cell, CellOrder, Instance
from cells.models.telemetry import agent_numbers
from cells.placement import Refusal
from cells.states import BEFORE_THEIR_CELL, SERVED_CELLS, CellState, InstanceState


class Act(StrEnum):
    """What a person may ask of an instance."""

    MODIFY = "modify"
    UPGRADE = "upgrade"
    STOP = "stop"
    START = "start"
    RESTART = "restart"
    DELETE = "delete"
    KEEP = "keep"


_I = InstanceState
# The one table: in which states each act is allowed.
ALLOWED: dict[Act, frozenset[InstanceState]] = {
    Act.MODIFY: frozenset({_I.RUNNING, _I.STOPPED, _I.FAILED}),
    Act.UPGRADE: frozenset({_I.RUNNING, _I.STOPPED, _I.FAILED}),
    Act.STOP: frozenset({_I.RUNNING, _I.FAILED}),
    Act.START: frozenset({_I.STOPPED}),
    Act.RESTART: frozenset({_I.RUNNING}),
    Act.DELETE: frozenset({_I.RUNNING, _I.STOPPED, _I.FAILED, _I.CREATING, _I.WAITING_FOR_CELL, _I.DEPLOYING}),
    Act.KEEP: frozenset({_I.BACKING_UP}),
}
# What failed has to have got this far for a new wish to reach it.
_REACHABLE_FAILURES = frozenset({_I.DEPLOYING, _I.UPDATING, _I.STARTING, _I.STOPPING, _I.BACKING_UP})
# Agents of before know no last backup.
FIRST_WITH_BACKUPS = (1, 2)


def why_not(act: Act, instance: Instance) -> str:
    """Empty when this instance may be asked for this act now."""
    state = InstanceState(instance.state)
    # A deletion that waits for its backup has removed nothing, also where that has failed.
    is_saved = act == Act.KEEP and instance.failed_while == _I.BACKING_UP
    if state not in ALLOWED[act] and not is_saved:
        return _of_state(act, state)
    if state == _I.FAILED and act in {Act.MODIFY, Act.UPGRADE, Act.STOP} and instance.failed_while not in _REACHABLE_FAILURES:
        return _("The instance never reached its cell. Retry what failed, or delete the instance.")
    if act == Act.DELETE:
        return _("The instance is protected from deletion. Switch the protection off first.") if instance.is_protected else ""
    return _why_not_change_in(instance.account) or _why_not_in_its_cell(instance)


def _why_not_in_its_cell(instance: Instance) -> str:
    if instance.cell and instance.cell.state not in {CellState.READY, CellState.UPDATING, CellState.FAILED}:
        if instance.account_id is None:
            return _("The provider is clearing the place of this instance. Ask your provider.")
        return _("The deployment cell of this instance is being deleted.")
    return ""


def _why_not_change_in(account: CloudAccount | None) -> str:
    """In an account that leaves, or has left, only what takes away goes on. A lost trust does not touch what the agent does."""
    obstacle = account.obstacle_to(Use.BUILD) if account else None
    return why_not_use(account, Use.BUILD) if account and obstacle not in {None, *PASSING_OBSTACLES} else ""


_LEAVING = {
    _I.BACKING_UP: gettext_lazy("A final backup of the instance is being taken. Then it is deleted."),
    _I.DELETING: gettext_lazy("The instance is being deleted."),
    _I.DELETED: gettext_lazy("The instance is deleted."),
}


def _of_state(act: Act, state: InstanceState) -> str:
    if act == Act.KEEP and state not in _LEAVING:
        return _("The instance is not being deleted.")
    if state in _LEAVING:
        return str(_LEAVING[state])
    if state == _I.STOPPED and act in {Act.STOP, Act.RESTART}:
        return _("The instance is stopped.")
    if state == _I.RUNNING and act == Act.START:
        return _("The instance is running.")
    if state == _I.FAILED:
        return _("The last operation failed. Retry it, change the instance, stop it, or delete it.")
    return _("Another operation on this instance is under way. Wait until it has ended.")


def why_not_protect(instance: Instance) -> str:
    """Empty while its protection can be switched: what is on its way out would be deleted all the same."""
    return str(_LEAVING.get(InstanceState(instance.state), ""))


def why_no_backup(instance: Instance) -> str:
    """Empty when a final backup of this instance can be taken before it is deleted. Said beforehand, so that no deletion waits for one."""
    if not instance.plan.has_backups:
        return _("The plan %(plan)s has no backups.") % {"plan": instance.plan}
    if {instance.state, instance.failed_while} & BEFORE_THEIR_CELL or not instance.applied_revision:
        return _("It has never run, so there is nothing to back up.")
    if instance.failed_while == _I.DELETING:
        return _("Its removal has begun already.")
    return _why_no_backup_in(instance.cell, is_hosted=instance.account_id is None)


def _why_no_backup_in(cell: Cell | None, *, is_hosted: bool) -> str:
    if cell is None or cell.state not in SERVED_CELLS or cell.state == CellState.DELETING:
        return _("Nothing of it is in a deployment cell any more.")
    version = cell.status.agent_version if hasattr(cell, "status") else ""
    is_old = bool(version) and agent_numbers(version) < FIRST_WITH_BACKUPS
    if is_hosted and (cell.is_agent_disabled or is_old):
        return _("Your provider cannot take one now. Ask your provider.")
    if cell.is_agent_disabled:
        return _("The agent of its deployment cell is switched off. Switch it on first if you want a backup.")
    if is_old:
        return _("The agent of its deployment cell is too old to take one. Replace the agent on the page of the cell first.")
    return ""


def why_not_create_in(account: CloudAccount) -> str:
    """Empty when an instance may be asked for in this account: the region's own environment is looked at by the operation."""
    return why_not_use(account, Use.BUILD)


def why_no_place(why: Refusal, account: CloudAccount | None) -> str:
    """The words of a refusal; of an account that cannot be used, those of what is in the way."""
    if why == Refusal.ACCOUNT_NOT_USABLE and account:
        return why_not_use(account, Use.BUILD) or str(REFUSALS[why])
    return str(REFUSALS[why])


REFUSALS = {
    Refusal.REGION_NOT_OFFERED: gettext_lazy("This plan is not offered in that region."),
    Refusal.ACCOUNT_MISSING: gettext_lazy("This plan runs in a cloud account of yours. Choose one, or connect one first."),
    Refusal.ACCOUNT_NOT_NEEDED: gettext_lazy("This plan runs in an account of the provider. It needs none of yours."),
    Refusal.ACCOUNT_OF_OTHER_CLOUD: gettext_lazy("The account is in another cloud than the region."),
    Refusal.ACCOUNT_NOT_USABLE: gettext_lazy("The trust of this account is lost or switched off. Restore it first."),
    Refusal.NO_HOST: gettext_lazy("There is no room for this plan in that region yet. Ask your provider."),
    Refusal.CELL_FAILED: gettext_lazy("The deployment cell in this region has failed. Retry or delete it first."),
    Refusal.CELL_LEAVING: gettext_lazy("The deployment cell in this region is being deleted. Wait until it is gone."),
    Refusal.CELL_FULL: gettext_lazy("The deployment cell in this region is full. Ask your provider, or choose another region."),
    Refusal.KIT_TOO_OLD: gettext_lazy(
        "The kit of this account is too old to build a deployment cell. Update the kit first: open the account under Cloud accounts and "
        "choose “Update the kit”. What you have answered here is kept."
    ),
    Refusal.ONLY_WHERE_THE_KIT_IS: gettext_lazy(
        "In this account a deployment cell can stand only where its kit was run. Choose such a region, or run the kit for this one too: "
        "open the account under Cloud accounts and choose “Use another location”. What you have answered here is kept."
    ),
}


def why_not_delete_cell(cell: Cell) -> str:
    """Empty when a cell may be deleted: nothing runs in it, and nothing else is under way."""
    if cell.state in {CellState.DELETING, CellState.DELETED}:
        return _("The cell is being deleted or is gone.")
    # Those that wait for a cell which has failed are told by its deletion that it will not come.
    has_failed = cell.state == CellState.FAILED
    if count := (cell.instances.in_their_cell() if has_failed else cell.instances.holding_their_cell()).count():
        return ngettext(
            "%(count)s instance is in this cell. Delete it first.", "%(count)s instances are in this cell. Delete them first.", count
        ) % {"count": count}
    if cell.state in {CellState.BOOTSTRAPPING, CellState.UPDATING, CellState.PLANNED}:
        return _("An operation on this cell is under way. Wait until it has ended, or cancel it.")
    if cell.account.obstacle_to(Use.REMOVE) not in {None, *PASSING_OBSTACLES}:
        return why_not_use(cell.account, Use.REMOVE)
    return ""


def why_not_keep(cell: Cell) -> str:
    """Empty when what a deletion could not remove may be kept on purpose."""
    if cell.state == CellState.FAILED and cell.failed_while == CellState.DELETING:
        return ""
    return _("Resources can be kept on purpose only when a deletion of the cell has failed.")


def why_not_update_cell(cell: Cell) -> str:
    if reason := _why_not_change_in(cell.account):
        return reason
    if cell.state != CellState.READY:
        return _("Only a cell that is ready can be updated.")
    if cell.is_agent_disabled:
        return _("The agent of the cell is switched off. Switch it on first.")
    return _why_not_move(cell) if is_of_earlier_kit(cell) else ""


def why_not_replace_agent(cell: Cell) -> str:
    """One that is switched off may be replaced: the one that follows it is switched on."""
    if reason := _why_not_change_in(cell.account):
        return reason
    if cell.state != CellState.READY:
        return _("Only the agent of a cell that is ready can be replaced. Until then, you can switch it off.")
    if is_of_earlier_kit(cell):
        return _why_not_move(cell) or _("The cell was built under an earlier kit. Update the cell: its agent gets a new machine as well.")
    return ""


def why_not_switch_agent(cell: Cell, *, is_on: bool) -> str:
    if cell.state not in SERVED_CELLS:
        return _("The cell has no agent.")
    if cell.state == CellState.DELETING:
        return _("The cell is being deleted, and its agent with it.")
    if is_on != cell.is_agent_disabled:
        return _("The agent is switched on.") if is_on else _("The agent is switched off.")
    return ""


def is_of_earlier_kit(cell: Cell) -> bool:
    return bool(cell.kit and cell.kit.state != KitState.CURRENT)


def _why_not_move(cell: Cell) -> str:
    """Empty when an update can give the cell the identities of the kit in use."""
    if reason := stacks.load(cell.account.cloud).keeps_identities:
        return str(reason)
    kit = cell.account.kits.filter(state=KitState.CURRENT).first()
    if kit is None:
        return _("This account has no kit in use. Connect it again first.")
    if not kits.load(cell.account.cloud).cell_regions_are_free and cell.region not in kit.regions:
        return _("The kit in use was not run for this region, so it has made no identities for this cell. Run it for this region too.")
    return ""


def why_keep_kit(kit: Kit) -> str:
    """Empty when nothing needs what an earlier kit made: no cell was built under it, or is being moved from it or to it."""
    ordered = CellOrder.objects.not_followed().filter(kit=kit).values("cell")
    if count := Cell.objects.alive().filter(Q(kit=kit) | Q(pk__in=ordered)).count():
        return _(
            "%(count)s deployment cells were built under the earlier kit and use its identities. Keep it until they are deleted, or were "
            "moved to the kit in use: their pages say whether “Update cell” can do that."
        ) % {"count": count}
    return ""


def why_not_disconnect(account: CloudAccount) -> str:
    """Empty when no cell needs the account's trust any more."""
    if count := Cell.objects.alive().filter(account=account).count():
        return _("%(count)s deployment cells are in this account. Delete them first, or we could never clean up after ourselves.") % {
            "count": count
        }
    return ""
