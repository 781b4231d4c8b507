"""Mail that has not left yet."""

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class OutgoingMailQuerySet(models.QuerySet["OutgoingMail"]):
    def due(self) -> "OutgoingMailQuerySet":
        return self.filter(due_at__lte=timezone.now())


class OutgoingMail(models.Model):
    """One mail, written with the act that it tells of and deleted once the mail server has taken it.

    The text may carry a link that opens something, so it lies sealed; nothing else of the mail does more than name a person.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    to = models.EmailField(_("to"))
    subject = models.TextField(_("subject"))
    sealed_body = models.TextField(editable=False)
    created_at = models.DateTimeField(_("written at"), default=timezone.now, editable=False)
    # A worker that takes the mail moves this ahead: nobody else takes it meanwhile, and if the worker dies, somebody does then.
    due_at = models.DateTimeField(_("next try at"), default=timezone.now)
    tries = models.PositiveIntegerField(_("tries"), default=0)
    last_error = models.CharField(_("why not yet"), max_length=100, blank=True, default="")

    objects: ClassVar[OutgoingMailQuerySet] = OutgoingMailQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["due_at"]
        verbose_name = _("outgoing mail")
        verbose_name_plural = _("outgoing mails")
        indexes = [models.Index(fields=["due_at"], name="outgoing_mail_due")]

    def __str__(self) -> str:
        return self.subject
