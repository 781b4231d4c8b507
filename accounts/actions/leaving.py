"""What ends when an account leaves: the work under way there that its new state does not allow. Offboarding and disconnecting share it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from accounts.environment.assessments import SUBJECT_KIND
from accounts.models import CloudAccount, User
from accounts.states import ALLOWED_USES, AccountState, Use
from accounts.transitions import renewal_of, subject_of
from portal.audit import Subject
from portal.operations.actions import cancel_live
from portal.operations.models import Operation


@dataclass(frozen=True)
class Work:
    """A live operation in an account, by its subject, and what it uses the account's cloud for."""

    subject: Subject
    use: Use


# Who has work under way in accounts. The seam for what stands above this app: cells and instances register theirs at start-up.
WORK_IN: list[Callable[[CloudAccount], Iterable[Work]]] = []
# What else ends with an account that comes to this state, and is no operation: support access registers its grants.
ENDS_WITH: list[Callable[[CloudAccount, AccountState], None]] = []


def end_work(account: CloudAccount, to: AccountState, *, by: User | None) -> list[Operation]:
    """Cancel every live operation that an account in the state `to` no longer allows. What was cancelled.

    In the transaction that moves the account, after its row was locked: whoever starts work there waits for that lock, and then finds the
    new state. Cancelling grows the fence, so what a worker still answers is ignored; what it still does in the cloud was written down
    before it asked. The caller's own event tells of it.
    """
    allowed = ALLOWED_USES[to]
    over = [work for work in _all_work(account) if work.use not in allowed]
    cancelled = [found for work in over if (found := cancel_live(work.subject, by=by, is_recorded=False))]
    for end in ENDS_WITH:
        end(account, to)
    return cancelled


def _all_work(account: CloudAccount) -> Iterator[Work]:
    for work_in in WORK_IN:
        yield from work_in(account)
    looks = Operation.objects.live().filter(subject_kind=SUBJECT_KIND, subject_id__startswith=f"{account.pk.hex}:")
    for number, label in looks.order_by("created_at").values_list("subject_id", "subject_label"):
        yield Work(Subject(kind=SUBJECT_KIND, id=number, label=label), Use.CHECK)
    # Connecting and renewing make an access: of no use to an account that leaves.
    yield Work(subject_of(account), Use.BUILD)
    yield Work(renewal_of(account), Use.BUILD)
