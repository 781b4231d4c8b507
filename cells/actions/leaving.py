"""What of cells and instances is under way in an account, and whose agents speak to us: what has to end when the account leaves."""

from collections.abc import Iterator

from django.db.models import Q

from accounts.actions.leaving import Work
from accounts.models import CloudAccount
from accounts.states import AccountState, Use
from cells.models import Cell, Instance
from cells.protocol.enrolment import revoke_agent
from portal.audit import Subject
from portal.operations.models import Operation

REMOVING = frozenset({"delete_cell", "delete_instance", "back_up_and_delete_instance"})


def work_in(account: CloudAccount) -> Iterator[Work]:
    """Instances before their cells, as everywhere: two that want both never wait for each other."""
    instances = Instance.objects.filter(Q(account=account) | Q(cell__account=account)).alive().order_by("pk")
    yield from _under_way("instance", [str(pk) for pk in instances.values_list("pk", flat=True)])
    cells = Cell.objects.filter(account=account).alive().order_by("pk")
    yield from _under_way("cell", [str(pk) for pk in cells.values_list("pk", flat=True)])


def revoke_agents(account: CloudAccount, to: AccountState) -> None:
    """An account that has left has no agent of ours, whatever became of its cells. In the transaction that moves the account."""
    if to == AccountState.OFFBOARDED:
        # Locked, as whoever registers a key has them: a key that is just being registered is waited for, and ends with the others.
        for cell in Cell.objects.select_for_update(of=("self",)).filter(account=account).order_by("pk"):
            revoke_agent(cell)


def _under_way(kind: str, ids: list[str]) -> Iterator[Work]:
    live = Operation.objects.live().filter(subject_kind=kind, subject_id__in=ids).order_by("subject_id")
    for operation in live:
        subject = Subject(kind=kind, id=operation.subject_id, label=operation.subject_label)
        yield Work(subject, Use.REMOVE if operation.kind in REMOVING else Use.BUILD)
