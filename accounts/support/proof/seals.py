"""The portal's own seal on a decision: a row that was written past the portal opens nothing."""

import hmac

from accounts.issuer.seal import SealBroken, seal, unseal
from accounts.support.models import Decision
from accounts.support.proof.verify_grant import canonical


def seal_decision(decision: Decision) -> str:
    return seal(_sealed(decision))


def is_sealed(decision: Decision) -> bool:
    try:
        return hmac.compare_digest(unseal(decision.seal), _sealed(decision))
    except SealBroken:
        return False


def _sealed(decision: Decision) -> bytes:
    """What nobody may change afterwards."""
    facts = {
        "approver": str(decision.approver_id),
        "assertion": decision.assertion,
        "document": decision.sha256,
        "method": str(decision.method),
        "request": str(decision.request_id),
        "verb": str(decision.verb),
    }
    return canonical(facts).encode()
