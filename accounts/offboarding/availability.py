"""May this account leave now, and if not, why: one answer for page, button and request; and every blocker at once."""

from collections.abc import Sequence

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.access import Permission
from accounts.availability import why_not_use
from accounts.models import CloudAccount, TrustWatch, User
from accounts.offboarding.models import Offboarding
from accounts.offboarding.parts import Blocker, parts
from accounts.offboarding.states import KIT_UNTOLD, OffboardingState
from accounts.states import PASSING_OBSTACLES, AccountState, Use

STARTS_FROM = frozenset({
    AccountState.WAITING_FOR_KIT, AccountState.VERIFYING, AccountState.FAILED, AccountState.CONNECTED, AccountState.NEEDS_ATTENTION,
    AccountState.DISCONNECTED,
})  # fmt: skip


def blockers(account: CloudAccount, planned: Offboarding | None = None) -> list[Blocker]:
    """Everything in the way of a start, each with its fix; of one that is `planned`, of its beginning."""
    found = [blocker for part in parts() for blocker in part.blockers(account)]
    return [*found, *_trust(account), *_planner(planned)]


def _planner(planned: Offboarding | None) -> Sequence[Blocker]:
    """Whoever has planned it must still be one who may: nobody decides about an account whose role there has ended."""
    if planned is None or not planned.is_cancellable:
        return []
    held = planned.organisation.memberships.filter(user=planned.requested_by, user__is_active=True).first()
    if held is not None and held.can(Permission.CONNECT_ACCOUNTS):
        return []
    sentence = _("%(person)s, who planned it, may not offboard accounts any more.") % {"person": planned.requested_by}
    url = reverse("offboarding:offboarding_cancel", args=[planned.organisation.slug, planned.account_id])
    return [Blocker(sentence, _("Call it off and plan it anew"), url)]


def _trust(account: CloudAccount) -> Sequence[Blocker]:
    """Without our access nothing of what we have built can be taken away: the trust is restored first, and goes last.

    Of a kit that is gone nobody has to bring back every right in order to leave: the offboarding begins, and asks for one that can only
    delete.
    """
    # What leaves may use our access to remove; so it is asked as for building, which needs a trust that holds and is switched on.
    obstacle = account.obstacle_to(Use.BUILD)
    if obstacle not in PASSING_OBSTACLES or not any(part.needs_trust(account) for part in parts()):
        return []
    if is_kit_gone(account):
        return []
    url = reverse("accounts:account_trust", args=[account.organisation.slug, account.pk])
    return [Blocker(why_not_use(account, Use.BUILD), _("See the trust and restore it"), url)]


def is_kit_gone(account: CloudAccount) -> bool:
    watch = TrustWatch.objects.filter(account=account).first()
    return watch is not None and watch.is_kit_gone


def why_not_start(account: CloudAccount) -> str:
    """Empty when an offboarding may be asked for. What stands in the way is listed by `blockers`."""
    if account.state == AccountState.DRAFT:
        return _("Nothing was connected here. Discard the draft instead.")
    if account.state not in STARTS_FROM:
        return _("This account is being offboarded already, or has left.")
    if Offboarding.objects.open().filter(account=account).exists():
        return _("An offboarding of this account is planned already.")
    if count := len(blockers(account)):
        words = ngettext(
            "%(count)s thing is in the way. The plan says how to mend it.",
            "%(count)s things are in the way. The plan lists each with its fix.",
            count,
        )
        return words % {"count": count}
    return ""


def why_not_cancel(offboarding: Offboarding | None) -> str:
    if offboarding is not None and offboarding.is_cancellable:
        return ""
    return _("There is no planned offboarding to cancel: it has begun, or is over.")


def why_not_confirm_never_run(offboarding: Offboarding | None, waiting_why: str) -> str:
    """Empty while the end waits for an owner's word, because no identity of the kit was ever told."""
    if offboarding is None or offboarding.state != OffboardingState.WAITING_FOR_YOU or waiting_why != KIT_UNTOLD:
        return _("Nothing waits for this. Either your cloud can be asked about the kit, or it is not time to remove it.")
    return _("This is confirmed already.") if offboarding.never_told_by_id else ""


def why_not_consent(offboarding: Offboarding | None, by: User) -> str:
    if offboarding is None or not offboarding.has_begun or offboarding.closing_asked_by_id is None:
        return _("Nobody has asked to close this offboarding with leftovers.")
    if offboarding.consent_by_id:
        return _("Your organisation has consented already.")
    if by.is_provider:
        names = {"provider": settings.PROVIDER_NAME}
        return _("You belong to %(provider)s. Only people of the organisation itself consent to what is left.") % names
    return ""
