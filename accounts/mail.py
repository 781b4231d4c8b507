"""Mail is a row first, written in the transaction of the act that it tells of: whatever dies, and whenever, the mail still leaves.

A worker takes a row, hands the mail to the mail server, deletes the row. One that dies in between leaves it to the next: a mail is
never lost and, when a worker dies between the mail server's answer and the deletion, sent a second time, under the same message id.
The broker only carries the bell; rows lie sealed (`accounts.models.mail`) and no longer than it takes.

Texts stand in templates/emails/: the first line is the subject, the rest the body. Plain text: it reads everywhere.
"""

import time
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from smtplib import SMTPDataError, SMTPNotSupportedError, SMTPRecipientsRefused, SMTPSenderRefused
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from celery import shared_task
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts.issuer.seal import SealBroken, seal, unseal
from accounts.models import OutgoingMail

log = structlog.get_logger()

# Longer than a mail server that just lives can keep one mail (settings.EMAIL_TIMEOUT, for each of a few answers).
LEASE = timedelta(minutes=3)
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=15)
# The mail server is away: one mail has found out for all.
PAUSE_FOR_ALL = timedelta(seconds=15)
# As long as the links of most mails live. A mail that was never tried is not given up, however long everything stood still.
GIVE_UP_AFTER = timedelta(days=3)
LONGEST_TURN_SECONDS = 20.0
# The mail server's answer to this one mail; every other OSError says that it cannot be reached or used.
REFUSALS = (SMTPRecipientsRefused, SMTPSenderRefused, SMTPDataError, SMTPNotSupportedError)


def queue_mail(*, to: str, template: str, context: Mapping[str, Any]) -> None:
    """Send `emails/<template>.txt` to one address once the transaction commits. Rendered now, in the language of the person who acts."""
    text = render_to_string(f"emails/{template}.txt", {"provider": settings.PROVIDER_NAME, **context}).strip()
    subject, _, body = text.partition("\n")
    queue_message(EmailMessage(subject=" ".join(subject.split()), body=body.strip() + "\n", to=[to]))


def queue_message(message: EmailMessage) -> None:
    """Send a plain-text message to its one address once the transaction commits (soon, outside of one)."""
    mail = OutgoingMail.objects.create(to=message.to[0], subject=str(message.subject), sealed_body=seal(str(message.body).encode()))
    transaction.on_commit(partial(_ring, mail.pk), robust=True)


def _ring(mail_id: UUID) -> None:
    """Have the mail sent now; with the broker down, send it from here. One try then, so that a page does not hang."""
    try:
        send_due_mails.delay()
    except OperationalError:
        log.warning("mail_sent_without_queue")
        if mail := _claim(pk=mail_id):
            _send(mail)


@shared_task(acks_late=True, soft_time_limit=120, time_limit=150)
def send_due_mails() -> None:
    """Send what is due, one by one, until nothing is, or the mail server is away. As many at once as there are workers to spare."""
    _give_up()
    turn_ends = time.monotonic() + LONGEST_TURN_SECONDS
    while time.monotonic() < turn_ends:
        mail = _claim()
        if mail is None or not _send(mail):
            return


def _claim(**which: UUID) -> OutgoingMail | None:
    """A due mail that is nobody else's for a while."""
    with transaction.atomic():
        mail = OutgoingMail.objects.due().filter(**which).select_for_update(skip_locked=True).order_by("due_at").first()
        if mail is not None:
            mail.tries += 1
            mail.due_at = timezone.now() + max(LEASE, _pause(mail.tries))
            mail.save(update_fields=["tries", "due_at"])
    return mail


def _send(mail: OutgoingMail) -> bool:
    """Hand one mail to the mail server, outside of any transaction. False when there is no use in trying others now."""
    try:
        _message(mail).send()
    except (*REFUSALS, SealBroken, ValueError) as error:  # ValueError: Django takes no line break in a header
        _try_again(mail, error)
        return True
    except OSError as error:
        _try_again(mail, error)
        OutgoingMail.objects.due().update(due_at=timezone.now() + PAUSE_FOR_ALL)
        return False
    mail.delete()
    return True


def _message(mail: OutgoingMail) -> EmailMessage:
    message_id = f"<{mail.pk}@{urlsplit(settings.PORTAL_URL).hostname}>"
    return EmailMessage(mail.subject, unseal(mail.sealed_body).decode(), to=[mail.to], headers={"Message-ID": message_id})


def _try_again(mail: OutgoingMail, error: Exception) -> None:
    # Only what kind of error it was: the mail server's own words may quote the mail.
    mail.last_error, mail.due_at = type(error).__name__, timezone.now() + _pause(mail.tries)
    OutgoingMail.objects.filter(pk=mail.pk).update(last_error=mail.last_error, due_at=mail.due_at)
    log.warning("mail_not_sent", mail=str(mail.pk), tries=mail.tries, error=mail.last_error)


def _pause(tries: int) -> timedelta:
    pause: timedelta = FIRST_PAUSE * 2 ** min(tries - 1, 16)
    return min(LONGEST_PAUSE, pause)


def _give_up() -> None:
    for mail in OutgoingMail.objects.due().filter(created_at__lt=timezone.now() - GIVE_UP_AFTER, tries__gt=0).defer("sealed_body"):
        mail.delete()
        log.error("mail_given_up", mail=str(mail.pk), subject=mail.subject, tries=mail.tries, error=mail.last_error)


def absolute_url(name: str, *args: object) -> str:
    """The full address of a page, for a mail."""
    return f"{settings.PORTAL_URL}{reverse(name, args=args)}"
