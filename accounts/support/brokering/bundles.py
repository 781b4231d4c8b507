"""Diagnostic bundles: who may do what with one, what the agent brings, what is released of it, and its end.

The product hangs in who collects them (`COLLECTORS`) and of which kinds of scope (`SCOPES`).
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import Permission
from accounts.issuer.seal import SealBroken, seal, unseal
from accounts.models import Membership, User
from accounts.support.models import Bundle, BundleFile
from accounts.support.models.bundles import BundleQuerySet
from accounts.support.rules.availability import is_engineer
from accounts.support.rules.gate import is_provider
from accounts.support.rules.scopes import Scope
from accounts.support.states import BUNDLES_UNDER_WAY, BundleState
from accounts.support.transitions import move_bundle
from accounts.support.wording import notices
from portal.audit import Actor
from portal.redaction import REMOVED, without_secrets

AGENT = Actor.system("agent")
# Raise NotAllowed where nobody can collect it now.
COLLECTORS: list[Callable[[Bundle], None]] = []
SCOPES: set[str] = set()
# Unanswered, unread, read: then it goes by itself.
ASKED_FOR, UNRELEASED_FOR, RELEASED_FOR = timedelta(days=7), timedelta(days=7), timedelta(days=30)
ENDED = frozenset({BundleState.DECLINED, BundleState.FAILED, BundleState.EXPIRED, BundleState.DELETED})
_DISCARDED_AS = {
    BundleState.REQUESTED: BundleState.DECLINED,
    BundleState.COLLECTING: BundleState.DELETED,
    BundleState.COLLECTED: BundleState.DECLINED,
    BundleState.RELEASED: BundleState.DELETED,
}


@dataclass(frozen=True)
class Collected:
    """One part, as it came from the agent: redacted there already."""

    name: str
    text: str = field(repr=False)
    is_cut: bool = False
    redactions: Mapping[str, int] = field(default_factory=dict)
    code: str = ""  # why it could not be read


# --- Who may --------------------------------------------------------------------------------------------------------


def why_no_decider(membership: Membership) -> str:
    """What leaves an organisation is decided by its own people, who may decide about support access."""
    if is_provider(membership.user):
        names = {"provider": settings.PROVIDER_NAME}
        return _("You belong to %(provider)s. Only people of the organisation itself decide about a diagnostic bundle.") % names
    if not membership.user.is_active or not membership.can(Permission.DECIDE_SUPPORT_ACCESS):
        return _("Your role does not decide about diagnostic bundles. Owners and approvers do.")
    return ""


def why_not_of(scope: Scope) -> str:
    return "" if scope.kind in SCOPES else _("A diagnostic bundle is about one cell or one instance. Choose one.")


def why_not_another(organisation: object, scope: Scope) -> str:
    same = Bundle.objects.filter(organisation=organisation, scope_kind=scope.kind, scope_id=scope.id)  # type: ignore[misc]  # row or id
    if same.filter(state__in=sorted(BUNDLES_UNDER_WAY)).exists():
        return _("A diagnostic bundle of this is under way already. Finish that one first.")
    return ""


def why_not_collect(bundle: Bundle, membership: Membership) -> str:
    return why_no_decider(membership) or ("" if bundle.state == BundleState.REQUESTED else _overtaken(bundle))


def why_not_release(bundle: Bundle, membership: Membership) -> str:
    return why_no_decider(membership) or ("" if bundle.state == BundleState.COLLECTED else _overtaken(bundle))


def why_not_discard(bundle: Bundle, membership: Membership) -> str:
    return why_no_decider(membership) or ("" if bundle.state in _DISCARDED_AS else _overtaken(bundle))


def _overtaken(bundle: Bundle) -> str:
    return _("This is not possible any more. The bundle is: %(state)s.") % {"state": bundle.get_state_display()}


def for_engineer(user: User) -> BundleQuerySet:
    """What an engineer may know of: what they asked for, and what a customer has released without being asked."""
    if not is_engineer(user):
        return Bundle.objects.none()
    own = Bundle.objects.filter(asked_by=user, is_by_customer=False)
    return own | Bundle.objects.filter(is_by_customer=True, released_at__isnull=False)


# --- What comes in --------------------------------------------------------------------------------------------------


def bundle_collected(bundle: Bundle, parts: list[Collected]) -> bool:
    """The parts, under the lock of the bundle. False where nobody wants them any more."""
    if bundle.state != BundleState.COLLECTING:
        return False
    for part in parts:
        BundleFile.objects.create(bundle=bundle, **_file(part))
    now = timezone.now()
    counts = {"parts": len(parts), "redactions": sum(sum(part.redactions.values()) for part in parts)}
    move_bundle(bundle, BundleState.COLLECTED, by=AGENT, details=counts, collected_at=now, expires_at=now + UNRELEASED_FOR)
    notices.tell_bundle(bundle)
    return True


def _file(part: Collected) -> dict[str, object]:
    """Read once more by the portal's own rules, then sealed."""
    text = without_secrets(part.text)
    struck = text.count(REMOVED) - part.text.count(REMOVED)
    return {
        "name": part.name,
        "sealed_text": seal(text.encode()),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "bytes": len(text.encode()),
        "is_cut": part.is_cut,
        "redactions": {**part.redactions, **({"secrets": struck} if struck > 0 else {})},
        "code": part.code,
    }


def bundle_failed(bundle: Bundle, code: str) -> None:
    """Under the lock of the bundle: nothing came, for this reason."""
    if bundle.state == BundleState.COLLECTING:
        move_bundle(bundle, BundleState.FAILED, by=AGENT, details={"code": code}, failure_code=code, ended_at=timezone.now())
        notices.tell_bundle(bundle)


def text_of(file: BundleFile) -> str:
    """Empty once it is erased, or where its seal cannot be opened."""
    try:
        return unseal(file.sealed_text).decode() if file.sealed_text else ""
    except SealBroken:
        return ""


# --- What goes out, and the end -------------------------------------------------------------------------------------


def release_hash(files: list[BundleFile]) -> str:
    """Of what is released: names and hashes of its parts, so that both sides can tell that it is the same."""
    content = [{"name": file.name, "sha256": file.sha256} for file in sorted(files, key=lambda file: file.name)]
    return hashlib.sha256(json.dumps(content, separators=(",", ":"), sort_keys=True).encode()).hexdigest()


def erase(bundle: Bundle, *, only_excluded: bool = False) -> None:
    """The text goes; names, sizes and hashes stay, as the activity log speaks of them."""
    files = bundle.files.filter(is_excluded=True) if only_excluded else bundle.files.all()
    files.update(sealed_text="")


def discard(bundle: Bundle, *, by: Actor) -> None:
    """Whatever state it is in, nothing of it stays. Raises IllegalMove, LostRace."""
    move_bundle(bundle, _DISCARDED_AS[BundleState(bundle.state)], by=by, ended_at=timezone.now())
    erase(bundle)
    notices.tell_bundle(bundle)


def expire(bundle: Bundle, *, by: Actor) -> None:
    move_bundle(bundle, BundleState.EXPIRED, by=by, ended_at=timezone.now())
    erase(bundle)
    notices.tell_bundle(bundle)


def overdue() -> BundleQuerySet:
    waiting = sorted({BundleState.REQUESTED, BundleState.COLLECTED, BundleState.RELEASED})
    return Bundle.objects.filter(state__in=waiting, expires_at__lte=timezone.now()).order_by(F("expires_at"))
