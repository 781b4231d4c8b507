"""What the portal knows of agents: enrolments, their public keys, and which assertions it has seen."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cells.models.cells import Cell


class AgentKeyQuerySet(models.QuerySet["AgentKey"]):
    def valid(self) -> "AgentKeyQuerySet":
        return self.filter(revoked_at=None)


class AgentKey(models.Model):
    """The public half of a key that an agent made. The private half never leaves the cell."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cell = models.ForeignKey(Cell, on_delete=models.CASCADE, related_name="agent_keys")
    generation = models.PositiveIntegerField(_("enrolment"))
    thumbprint = models.CharField(_("thumbprint"), max_length=43)  # RFC 7638
    public_jwk = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects: ClassVar[AgentKeyQuerySet] = AgentKeyQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("agent's key")
        verbose_name_plural = _("agents' keys")
        constraints = [models.UniqueConstraint(fields=["cell", "thumbprint"], name="agent_key_once_per_cell")]
        indexes = [models.Index(fields=["revoked_at"], condition=Q(revoked_at__isnull=False), name="agent_key_revoked")]

    def __str__(self) -> str:
        return self.thumbprint[:8]


class Enrolment(models.Model):
    """One permission to register a key, for one generation of one cell. Its token is derived, never stored."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cell = models.ForeignKey(Cell, on_delete=models.CASCADE, related_name="enrolments")
    generation = models.PositiveIntegerField(_("enrolment"))
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("valid until"))
    used_at = models.DateTimeField(_("used"), null=True, blank=True)
    # Somebody came with it and another key, after it was used. Told of once.
    contested_at = models.DateTimeField(_("contested"), null=True, blank=True)
    used_by = models.OneToOneField(AgentKey, on_delete=models.CASCADE, related_name="enrolment", null=True, blank=True)

    class Meta:
        ordering = ["-generation"]
        verbose_name = _("enrolment")
        verbose_name_plural = _("enrolments")
        constraints = [
            models.UniqueConstraint(fields=["cell", "generation"], name="enrolment_once_per_generation"),
            models.CheckConstraint(
                condition=Q(used_at__isnull=True, used_by__isnull=True) | Q(used_at__isnull=False, used_by__isnull=False),
                name="enrolment_used_when_and_by",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cell_id} g{self.generation}"


class AgentPackage(models.Model):
    """The agent's own file as machines were ordered with it: one that starts after an upgrade of the portal asks for it by its hash."""

    sha256 = models.CharField(primary_key=True, max_length=64)
    content = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("agent's file")
        verbose_name_plural = _("agents' files")

    def __str__(self) -> str:
        return self.sha256[:8]


class SeenAssertion(models.Model):
    """A client assertion that was accepted, kept until it would be too old anyway: it is accepted once."""

    id = models.BigAutoField(primary_key=True)
    # The unique constraint starts with it: a second index would only cost.
    key = models.ForeignKey(AgentKey, on_delete=models.CASCADE, related_name="+", db_index=False)
    jti = models.CharField(max_length=64)
    expires_at = models.DateTimeField()

    class Meta:
        verbose_name = _("seen assertion")
        verbose_name_plural = _("seen assertions")
        constraints = [models.UniqueConstraint(fields=["key", "jti"], name="assertion_seen_once")]

    def __str__(self) -> str:
        return self.jti
