"""What the watch over the trust finds while an account is being emptied: the kit removed too early, changed, switched off, or back."""

from contextlib import suppress

from accounts.models import TrustWatch
from accounts.offboarding.models import Offboarding
from accounts.offboarding.states import OffboardingState
from accounts.offboarding.steps.removing import KIT_GONE, TRUST_CODES, WORKER, be_stuck
from accounts.offboarding.transitions import move_offboarding, subject_of
from accounts.states import TrustVerdict
from accounts.targets import cloud_names
from portal.operations.actions import request_retry
from portal.operations.availability import NotAllowed
from portal.operations.catalogue import failure_text
from portal.operations.models import Operation
from portal.operations.states import OperationState
from portal.operations.transitions import LostRace


def hear(watch: TrustWatch) -> None:
    """In the transaction of the verdict, after the account and the watch were locked."""
    row = Offboarding.objects.open().select_related("account", "organisation", "requested_by").filter(account=watch.account).first()
    if row is None or not row.has_begun:
        return
    if watch.verdict == TrustVerdict.HOLDS:
        if row.state == OffboardingState.STUCK and row.code in TRUST_CODES:
            move_offboarding(row, OffboardingState.IN_PROGRESS, by=WORKER)
            _take_up(row)
    elif watch.verdict in {TrustVerdict.LOST, TrustVerdict.SWITCHED_OFF}:
        be_stuck(None, row, _code(watch), _params(watch), [])


def _take_up(row: Offboarding) -> None:
    """A step may have given up for want of the trust; that it goes on by itself was promised."""
    operation = Operation.objects.for_subject(subject_of(row).kind, row.pk).newest_first().first()
    if operation is not None and operation.state == OperationState.FAILED:
        with suppress(NotAllowed, LostRace):  # somebody has retried it at this very moment
            request_retry(operation, by=None)


def _code(watch: TrustWatch) -> str:
    is_off = watch.verdict == TrustVerdict.SWITCHED_OFF
    if watch.is_kit_gone:
        return KIT_GONE
    return "offboarding_switched_off" if is_off else "offboarding_trust_lost"


def _params(watch: TrustWatch) -> dict[str, str]:
    said = failure_text(watch.reason, {**cloud_names(watch.account.cloud), **watch.params})
    return {"reason": str(said.happened)}
