"""May I, and if not, why: one function per act. Button, form and action ask the same one."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import CloudAccount, Kit, Organisation, StepLink, User
from accounts.states import CONNECTING_STATES, LOOKED_AT_STATES, WATCHED_STATES, AccountState, KitState, Obstacle, Use
from portal.audit.models import Event
from portal.operations.models import Operation

# What needs the trust of an account: each answers with the reason why the account must stay connected, or with nothing. The seam for
# what stands above this app: cells and instances register theirs at start-up, in their own AppConfig.ready().
NEEDS_TRUST: list[Callable[[CloudAccount], str]] = []
# What needs the identities that a replaced kit has made: the reason why it is not removed yet, or nothing.
NEEDS_KIT: list[Callable[[Kit], str]] = []
# Each may be a mail to somebody who did not ask for one.
STEP_LINKS_A_DAY = 50
STEP_LINK_EVENTS = ("step_link.made", "step_link.replaced")
A_DAY = timedelta(days=1)
OBSTACLES = {
    Obstacle.NOT_CONNECTED: gettext_lazy("This account is not connected."),
    Obstacle.TRUST_LOST: gettext_lazy("The trust of this account is lost. Nothing new is started there until it is restored."),
    Obstacle.SWITCHED_OFF: gettext_lazy("You have switched us off in this account. Switch the kit on again first."),
    Obstacle.DISCONNECTED: gettext_lazy("This account is disconnected. Connect it again first."),
    Obstacle.LEAVING: gettext_lazy("This account is being offboarded. Nothing new is started there."),
    Obstacle.OFFBOARDED: gettext_lazy("This account is offboarded. We have no access to it any more."),
}


def why_not_use(account: CloudAccount, use: Use) -> str:
    """Empty when our access to this account's cloud may be used so. Placement, acts, steps and scheduled work all ask this one rule."""
    obstacle = account.obstacle_to(use)
    return str(OBSTACLES[obstacle]) if obstacle else ""


def why_not_as_staff(by: User) -> str:
    """Empty unless the provider's own people would decide what is the customer's to decide."""
    if by.is_provider:
        return _("Provider staff cannot do this for a customer. Somebody of the organisation does.")
    return ""


def why_not_prepare(by: User) -> str:
    """Empty when this person may start a connection on behalf of a customer."""
    if by.is_staff and by.is_active:
        return ""
    return _("Only provider staff prepare a connection for a customer.")


def why_not_decide(account: CloudAccount) -> str:
    """Empty while a prepared connection waits for the customer's yes or no."""
    if account.is_awaiting_terms:
        return ""
    return _("There is nothing to decide here any more: the prepared connection was accepted or declined.")


def why_not_name(organisation: Organisation, name: str, *, but: CloudAccount | None = None) -> str:
    """Empty when no other account of the organisation has this name: it is what somebody types to end the access to one of them."""
    others = organisation.cloud_accounts.live().filter(name__iexact=name)
    existing = (others.exclude(pk=but.pk) if but else others).first()
    if existing is None:
        return ""
    words = {"name": existing.name, "number": existing.external_id}
    if existing.external_id:
        return _("Your organisation has an account named “%(name)s” already (%(number)s). Give this one another name.") % words
    return _("Your organisation has an account named “%(name)s” already. Give this one another name.") % words


def same_account(account: CloudAccount, external_id: str) -> CloudAccount | None:
    """The other one of this organisation that stands for the same account of the cloud."""
    live = account.organisation.cloud_accounts.live().select_related("organisation")
    return live.filter(cloud=account.cloud, external_id=external_id).exclude(pk=account.pk).first()


def why_not_edit(account: CloudAccount) -> str:
    """Empty when the account's number, name and region may still change."""
    if account.is_awaiting_terms:
        return _("This connection was prepared for you. Accept or decline its terms first.")
    if account.state == AccountState.DRAFT:
        return ""
    if account.state in CONNECTING_STATES:
        return _("The kit is already made for this account and region. Stop connecting to change them.")
    return _("This account is connected. What it is and its region cannot be changed.")


def why_not_issue_kit(account: CloudAccount) -> str:
    """Empty when a kit may be made now, the first or the next generation."""
    if account.state not in CONNECTING_STATES | {AccountState.DISCONNECTED}:
        return _("This account is connected. Its kit is in use.")
    if account.is_awaiting_terms:
        return _("This connection was prepared for you. Accept or decline its terms first.")
    if not account.external_id:
        return _("Say which account it is first.")
    if not account.home_region:
        return _("Choose the region for the kit first.")
    return ""


def why_not_retry_connecting(operation: Operation) -> str:
    """Empty while the attempt that failed is still the account's own: not stopped, not connected, no newer kit."""
    kit = Kit.objects.select_related("account").filter(account_id=UUID(operation.subject_id)).first()
    if kit and str(kit.pk) == operation.data["kit"] and kit.state == KitState.CURRENT and kit.account.state == AccountState.FAILED:
        return ""
    return _("The kit of this attempt is no longer in use. Go on from the account's own page.")


def why_not_check_environment(account: CloudAccount) -> str:
    """Empty while the account's trust stands, so that its cloud can be asked."""
    if reason := why_not_use(account, Use.CHECK):
        return reason if account.was_connected else _("The environment can be checked once the account is connected.")
    if account.kits.filter(state=KitState.CURRENT).exists():
        return ""
    return _("The environment can be checked once the account is connected.")


def why_not_stop(account: CloudAccount) -> str:
    """Empty when connecting can be stopped and the draft kept."""
    if account.state in CONNECTING_STATES - {AccountState.DRAFT}:
        return ""
    return _("Nothing is being connected here.")


def why_not_discard(account: CloudAccount) -> str:
    """Empty when the draft can be thrown away."""
    if account.is_awaiting_terms:
        return _("This connection was prepared for you. Decline it instead, so that the reason is known.")
    if account.state == AccountState.DRAFT:
        return ""
    return _("Only a draft can be discarded. Stop connecting first.")


def why_not_send_step(account: CloudAccount) -> str:
    """Empty when the kit waits to be run, so that somebody else can be asked to run it."""
    if not account.kits.waiting().exists():
        return _("There is no kit that waits to be run. Make the kit first, then send this step.")
    sent = Event.objects.filter(organisation_id=account.organisation_id, action__in=STEP_LINK_EVENTS, at__gt=timezone.now() - A_DAY)
    if sent.count() >= STEP_LINKS_A_DAY:
        limit = {"count": STEP_LINKS_A_DAY}
        return _("Your organisation has made %(count)s such links in the last 24 hours, which is the limit. Make more tomorrow.") % limit
    return ""


def why_not_withdraw_step(account: CloudAccount) -> str:
    """Empty when a link to the account's kit is open."""
    if StepLink.objects.open().filter(kit__in=account.kits.trusted()).exists():
        return ""
    return _("There is no open link. It was withdrawn, has expired, or its kit is over.")


def why_not_look(account: CloudAccount) -> str:
    """Empty when "Check now" makes sense."""
    if account.state in LOOKED_AT_STATES:
        return ""
    return _("Only the trust of a connected account is looked at.")


def why_not_disconnect(account: CloudAccount) -> str:
    """Empty when our access may end now: the account is connected, and nothing that we look after there needs the trust."""
    if account.state not in WATCHED_STATES:
        return _("This account is not connected.")
    return next(filter(None, (why_not(account) for why_not in NEEDS_TRUST)), "")


def why_keep_kit(kit: Kit) -> str:
    """Empty when what a replaced kit made can be removed."""
    return next(filter(None, (why_keep(kit) for why_keep in NEEDS_KIT)), "")


def why_not_renew(account: CloudAccount) -> str:
    """Empty when a kit may be run beside the one in use: to update it, or to restore a trust that was lost."""
    if account.state in WATCHED_STATES:
        return ""
    return _("Only the kit of a connected account can be updated.")


def why_not_retry_renewing(operation: Operation) -> str:
    """Empty while the kit that failed is still the one that is to take over."""
    kit = Kit.objects.filter(pk=UUID(operation.data["kit"]), state=KitState.CANDIDATE, account__state__in=sorted(WATCHED_STATES)).first()
    return "" if kit else _("The kit of this attempt is no longer in use. Go on from the account's own page.")


def why_not_reconnect(account: CloudAccount) -> str:
    """Empty when a disconnected account may be connected again."""
    if account.state == AccountState.DISCONNECTED:
        return ""
    return _("Only a disconnected account can be connected again.")
