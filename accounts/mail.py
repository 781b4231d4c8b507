"""Mail leaves after the act is committed, through a task that tries again: a mail server that is down costs no act.

A mail may carry a link that opens something, and a broker writes its queue to disk: bodies are sealed on the way to the worker.

Texts stand in templates/emails/: the first line is the subject, the rest the body. Plain text: it reads everywhere.
"""

from collections.abc import Mapping
from smtplib import SMTPException
from typing import Any

import structlog
from celery import shared_task
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from kombu.exceptions import OperationalError

from accounts.issuer.seal import seal, unseal

log = structlog.get_logger()


def queue_mail(*, to: str, template: str, context: Mapping[str, Any]) -> None:
    """Send `emails/<template>.txt` to one address once the transaction commits.

    Rendered now, in the language of the person who acts. A failure to hand it over is logged, never raised: the rows are written.
    """
    text = render_to_string(f"emails/{template}.txt", {"provider": settings.PROVIDER_NAME, **context}).strip()
    subject, _, body = text.partition("\n")
    queue_message(EmailMessage(subject=" ".join(subject.split()), body=body.strip() + "\n", to=[to]))


def queue_message(message: EmailMessage) -> None:
    """Send a plain-text message to its one address once the transaction commits (at once outside of one)."""
    transaction.on_commit(lambda: hand_over(to=message.to[0], subject=str(message.subject), body=str(message.body)), robust=True)


def hand_over(*, to: str, subject: str, body: str) -> None:
    """Queue the mail; with the broker down, send it from here. One try then, so that a page does not hang."""
    mail = {"to": to, "subject": subject, "sealed_body": seal(body.encode())}
    try:
        send_mail_task.delay(**mail)
    except OperationalError:
        log.warning("mail_sent_without_queue")
        send_mail_task.apply(kwargs=mail, retries=send_mail_task.max_retries)


@shared_task(
    autoretry_for=(SMTPException, OSError), retry_backoff=5, retry_backoff_max=600, max_retries=10, soft_time_limit=30, time_limit=60
)
def send_mail_task(*, to: str, subject: str, sealed_body: str) -> None:
    """Send one mail. May send twice when the worker dies between the mail server's answer and the acknowledgement."""
    EmailMessage(subject=subject, body=unseal(sealed_body).decode(), to=[to]).send()


def absolute_url(name: str, *args: object) -> str:
    """The full address of a page, for a mail."""
    return f"{settings.PORTAL_URL}{reverse(name, args=args)}"
