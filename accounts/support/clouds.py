"""From our rows to what a cloud's support access speaks of. Nothing here asks a cloud."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from typing import Any

from accounts import kits
from accounts.clouds import SUPPORT, open_support
from accounts.clouds.support import SupportGrant
from accounts.kits import history
from accounts.models import CloudAccount, Kit, User
from accounts.states import KitState
from accounts.support.models import AccessRequest
from accounts.support.proof.documents import Span, Terms
from accounts.targets import target_of

NAME_LENGTH = 32
# The first version of each cloud's kit whose support identities open for a grant alone.
SINCE = {"aws": "1.5.0", "azure": "1.3.0", "gcp": "1.3.0"}
# Whose tools fetch credentials again and again by themselves, under a grant that ends.
DIRECT_CLOUDS = frozenset({"aws"})


class NoTokensError(Exception):
    """Somebody wanted to sign in where only the text of a policy was asked for."""


@cache
def has_support(cloud: str) -> bool:
    return cloud in SUPPORT and find_spec(SUPPORT[cloud].partition(":")[0]) is not None


def kit_too_old(account: CloudAccount) -> Mapping[str, str]:
    """The version in use and the one that support access needs, where the first is older. Empty: this one will do, or there is none."""
    kit, since = current_kit(account), SINCE.get(account.cloud, "")
    is_old = kit is not None and history.number(kit.version) < history.number(since)
    return {"version": kit.version, "needed": since} if kit is not None and is_old else {}


def policy_text(request: AccessRequest, terms: Terms, span: Span) -> str:
    """The exact document that the cloud will hold a session to, on these terms. Empty where there is no kit or no support access."""
    kit = current_kit(request.account)
    if kit is None or not has_support(request.account.cloud):
        return ""
    target = target_of(request.account, kit)
    cloud = open_support(request.account.cloud, target, _no_tokens, kits.load(request.account.cloud).shipped(target))
    return cloud.policy(grant_on(request, terms, span))


def grant_on(request: AccessRequest, terms: Terms, span: Span) -> SupportGrant:
    """As much as a cloud is told."""
    return SupportGrant(
        grant=str(request.pk),
        engineer=engineer_name(request.engineer),
        case=_plain(request.case),
        profile=str(terms.profile),
        region=terms.scope.region,
        stack=terms.scope.stack,
        starts_at=span.begins,
        ends_at=span.ends,
    )


def granted(request: AccessRequest) -> SupportGrant:
    """A grant as it stands: for opening, acts and closing."""
    assert request.granted_from is not None
    assert request.granted_until is not None
    return SupportGrant(
        grant=str(request.pk),
        engineer=engineer_name(request.engineer),
        case=_plain(request.case),
        profile=str(request.profile),
        region=request.region,
        stack=request.stack,
        starts_at=request.granted_from,
        ends_at=request.granted_until,
    )


def current_kit(account: CloudAccount) -> Kit | None:
    return account.kits.filter(state=KitState.CURRENT).first()


def engineer_name(engineer: User) -> str:
    """How the cloud's own log names the person: letters, digits, dots and dashes."""
    return re.sub(r"[^a-z0-9.-]+", "-", engineer.email.partition("@")[0].lower(), flags=re.ASCII).strip("-.")[:NAME_LENGTH] or "engineer"


def _plain(case: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "-", case, flags=re.ASCII).strip("-")[:NAME_LENGTH] or "none"


def _no_tokens(*, subject: str, audience: str, claims: Mapping[str, Any] | None = None) -> str:
    raise NoTokensError(subject)
