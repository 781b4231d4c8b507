"""What the watch over the trust finds while an account is being emptied: the kit removed too early, changed, switched off, or back."""

from accounts.models import TrustWatch
from accounts.offboarding.models import Offboarding
from accounts.offboarding.states import OffboardingState
from accounts.offboarding.steps.leaving import KIT_GONE, TRUST_CODES, WORKER, be_stuck
from accounts.offboarding.transitions import move_offboarding
from accounts.states import TrustVerdict
from accounts.steps.watch import KIT_IS_GONE
from accounts.targets import cloud_names
from portal.operations.catalogue import failure_text


def hear(watch: TrustWatch) -> None:
    """In the transaction of the verdict, after the account and the watch were locked."""
    row = Offboarding.objects.open().select_related("account", "organisation", "requested_by").filter(account=watch.account).first()
    if row is None or not row.has_begun:
        return
    if watch.verdict == TrustVerdict.HOLDS:
        if row.state == OffboardingState.STUCK and row.code in TRUST_CODES:
            move_offboarding(row, OffboardingState.IN_PROGRESS, by=WORKER)
    elif watch.verdict in {TrustVerdict.LOST, TrustVerdict.SWITCHED_OFF}:
        be_stuck(None, row, _code(watch), _params(watch), [])


def _code(watch: TrustWatch) -> str:
    is_off = watch.verdict == TrustVerdict.SWITCHED_OFF
    if watch.code in KIT_IS_GONE:
        return KIT_GONE
    return "offboarding_switched_off" if is_off else "offboarding_trust_lost"


def _params(watch: TrustWatch) -> dict[str, str]:
    said = failure_text(watch.reason, {**cloud_names(watch.account.cloud), **watch.params})
    return {"reason": str(said.happened)}
