"""Signing keys of the issuer: private halves are sealed, never in clear in a row."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class SigningKey(models.Model):
    """One RSA key: published before it signs, kept published until its last token has expired."""

    class State(models.TextChoices):
        NEXT = "next", _("Published, not signing yet")
        ACTIVE = "active", _("Signing")
        RETIRING = "retiring", _("Published, no longer signing")
        RETIRED = "retired", _("Removed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kid = models.CharField(_("key id"), max_length=64, unique=True)
    public_jwk = models.JSONField(_("public key"))
    sealed_private_key = models.TextField(editable=False)
    state = models.CharField(_("state"), max_length=20, choices=State.choices, default=State.NEXT)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    state_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("signing key")
        verbose_name_plural = _("signing keys")
        constraints = [
            models.UniqueConstraint(fields=["state"], condition=models.Q(state="active"), name="signing_key_one_active"),
            models.UniqueConstraint(fields=["state"], condition=models.Q(state="next"), name="signing_key_one_next"),
        ]

    def __str__(self) -> str:
        return self.kid
