"""Send one step to a colleague, withdraw it, and what its holder does. The secret in the link is shown or mailed once and never stored."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.actions.connect import report_kit
from accounts.availability import why_not_send_step, why_not_withdraw_step
from accounts.kits.base import Report
from accounts.mail import absolute_url, queue_mail
from accounts.models import CloudAccount, Kit, StepLink, User
from accounts.models.people import new_token, token_hash
from accounts.models.step_links import STEP_LINK_LIFETIME, StepLinkPhase
from accounts.transitions import subject_of
from portal.audit import Actor, record
from portal.operations.availability import NotAllowed, refuse_if


def send_step(account: CloudAccount, *, by: User, email: str = "", lifetime: timedelta = STEP_LINK_LIFETIME) -> tuple[StepLink, str]:
    """A link to the kit that waits to be run, and its address, which is mailed where an e-mail address is given. Raises NotAllowed."""
    token = new_token()
    with transaction.atomic():
        locked = _lock(account)
        refuse_if(why_not_send_step(locked))
        kit = locked.kits.waiting().get()
        ended = kit.step_links.unended()
        was_open = ended.open().exists()
        ended.update(ended_at=timezone.now())
        link = StepLink.objects.create(
            kit=kit,
            token_hash=token_hash(token),
            email=email,
            sent_by=by,
            expires_at=min(timezone.now() + lifetime, kit.expires_at),
        )
        url = absolute_url("accounts:step_link", token)
        _record(link, "step_link.replaced" if was_open else "step_link.made", Actor.user(by), sent_to=email)
        if email:
            _mail(link, url)
    return link, url


def withdraw_step(account: CloudAccount, *, by: User) -> None:
    """Raises NotAllowed when there is no open link."""
    with transaction.atomic():
        locked = _lock(account)
        refuse_if(why_not_withdraw_step(locked))
        link = StepLink.objects.open().filter(kit__in=locked.kits.trusted()).latest("created_at")
        link.ended_at = timezone.now()
        link.save(update_fields=["ended_at"])
        _record(link, "step_link.revoked", Actor.user(by), sent_to=link.email)


def open_step(link: StepLink) -> None:
    """The first look is on record; further ones are not."""
    with transaction.atomic():
        if StepLink.objects.filter(pk=link.pk, opened_at=None).update(opened_at=timezone.now()):
            _record(link, "step_link.opened", link.actor)


def report_step(link: StepLink, *, report: Report) -> None:
    """The holder of an open link says what the kit made. Raises NotAllowed once the link, the kit or the wait is over."""
    with transaction.atomic():
        _lock(link.account)
        current = StepLink.objects.select_related("kit__account").get(pk=link.pk)
        if current.phase != StepLinkPhase.OPEN:
            raise NotAllowed("")
        report_kit(current.account, report=report, by=current.actor)


def open_link(kit: Kit) -> StepLink | None:
    """The link that opens this kit at the moment."""
    return kit.step_links.open().select_related("sent_by").first()


def _lock(account: CloudAccount) -> CloudAccount:
    return CloudAccount.objects.select_related("organisation").select_for_update(of=("self",)).get(pk=account.pk)


def _record(link: StepLink, action: str, actor: Actor, **details: str) -> None:
    account = link.account
    known = {"generation": link.kit.generation, "until": link.expires_at, **details}
    record(organisation_id=account.organisation_id, action=action, actor=actor, subject=subject_of(account), details=known)


def _mail(link: StepLink, url: str) -> None:
    context = {"account": link.account, "organisation": link.account.organisation, "sender": link.sent_by, "url": url}
    queue_mail(to=link.email, template="step_link", context={**context, "expires_at": link.expires_at})
