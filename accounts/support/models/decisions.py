"""What approvers of the customer said of a request, and the proof that it was they."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import User
from accounts.support.models.requests import AccessRequest


class Verb(models.TextChoices):
    APPROVE = "approve", pgettext_lazy("decision", "Approved")
    DECLINE = "decline", pgettext_lazy("decision", "Declined")
    ASK = "ask", pgettext_lazy("decision", "Asked for more information")


class Method(models.TextChoices):
    PASSKEY = "passkey", pgettext_lazy("proof of identity", "Passkey, which signed the grant")
    TOTP = "totp", pgettext_lazy("proof of identity", "Code of an authenticator app")


class DecisionQuerySet(models.QuerySet["Decision"]):
    def approvals(self) -> "DecisionQuerySet":
        return self.filter(verb=Verb.APPROVE)

    def standing(self) -> "DecisionQuerySet":
        """Approvals that count: not set aside by a narrower document or a changed request."""
        return self.approvals().filter(set_aside_at=None)


class Decision(models.Model):
    """One approver's word on one request. Approvals carry the very document they are about and how the person proved who they are."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    request = models.ForeignKey(AccessRequest, on_delete=models.PROTECT, related_name="decisions")
    approver = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    verb = models.CharField(_("decision"), max_length=10, choices=Verb.choices)
    at = models.DateTimeField(_("decided at"), default=timezone.now, editable=False)
    reason = models.TextField(_("reason"), max_length=600, blank=True, default="")
    document = models.TextField(_("grant document"), blank=True, default="")
    sha256 = models.CharField(_("SHA-256 of the document"), max_length=64, blank=True, default="")
    method = models.CharField(_("proven by"), max_length=10, choices=Method.choices, blank=True, default="")
    # Of a passkey: public_key (JWK), client_data, authenticator_data, signature, credential, rp_id, origin. See verify_grant.py.
    assertion = models.JSONField(default=dict, blank=True)
    # Seals request, approver, document and proof with PORTAL_SEAL_KEYS: a row that only the database wrote opens nothing.
    seal = models.TextField(blank=True, default="", editable=False)
    set_aside_at = models.DateTimeField(_("set aside at"), null=True, blank=True)

    objects: ClassVar[DecisionQuerySet] = DecisionQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["at"]
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        constraints = [
            # Two approvals are of two people.
            models.UniqueConstraint(
                fields=["request", "approver"], condition=Q(verb="approve", set_aside_at=None), name="decision_one_standing_per_approver"
            ),
            models.CheckConstraint(condition=Q(verb__in=Verb.values), name="decision_verb_known"),
            models.CheckConstraint(
                condition=~Q(verb="approve") | (Q(method__in=Method.values) & ~Q(document="") & ~Q(sha256="")),
                name="decision_approval_is_proven",
            ),
            models.CheckConstraint(condition=~Q(method="passkey") | ~Q(assertion={}), name="decision_passkey_has_assertion"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.request_id}"
