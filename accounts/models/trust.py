"""The watch over a connected account's trust: when it is looked at, what is believed, what has changed since."""

import random
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models.cloud_accounts import CloudAccount, SwitchedOff
from accounts.states import WATCHED_STATES, TrustVerdict

# Everybody's looks would fall on one moment after an outage; this spreads them again.
JITTER = 0.1
REFUSALS_EVERY = timedelta(days=1)
# What follows from deleting the kit: explained once the deletion was seen.
AFTER_DELETION = frozenset({"kit_deleting", "kit_not_found", "provider_deleted", "role_deleted", "trust_refused", "access_denied"})
# What a verdict says that means that the kit itself is gone, not only what it may do.
KIT_IS_GONE = AFTER_DELETION - {"access_denied"} | {SwitchedOff.KIT.value}


class TrustWatchQuerySet(models.QuerySet["TrustWatch"]):
    def due(self) -> "TrustWatchQuerySet":
        """By the database's clock. `next_at` of one that is rung or held lies ahead, so that only what is due is read."""
        return self.filter(next_at__lte=Now())

    def free(self) -> "TrustWatchQuerySet":
        """Held by no worker, or by one that has not come back."""
        return self.filter(Q(lease_until=None) | Q(lease_until__lte=Now()))

    def unclear(self) -> "TrustWatchQuerySet":
        return self.exclude(unclear_since=None)

    def start(self, account: CloudAccount) -> None:
        """Watch from now on: the trust was proven a moment ago."""
        now = timezone.now()
        fresh: dict[str, Any] = {
            "verdict": TrustVerdict.HOLDS,
            "since": now,
            "looked_at": now,
            "last_try_at": now,
            "next_at": now + spread(settings.TRUST_LOOK_EVERY),
            "refusals_at": now,
            "lease_until": None,
            "unclear_since": None,
            "lost_since": None,
            **dict.fromkeys(("code", "evidence", "unclear_code", "unclear_evidence"), ""),
            "params": {},
            "switches": {},
        }
        watch, is_new = self.update_or_create(account=account, defaults=fresh)
        TrustChange.objects.note(account, TrustVerdict.HOLDS)
        if not is_new:
            # What a worker is finding at this moment is about an earlier kit.
            self.filter(pk=watch.pk).update(fence=models.F("fence") + 1)

    def stop(self, account: CloudAccount) -> None:
        """Watch no more; what a worker is finding at this moment is ignored."""
        self.filter(account=account).update(next_at=None, lease_until=None, unclear_since=None, fence=models.F("fence") + 1)

    def adopt(self) -> int:
        """Watch accounts that nobody watches: those connected before there was a watch. Their first looks are spread over one round."""
        left_out = list(CloudAccount.objects.filter(state__in=WATCHED_STATES, watch=None).only("pk"))
        every, now = settings.TRUST_LOOK_EVERY, timezone.now()
        rows = [TrustWatch(account=account, next_at=now + every * index / len(left_out)) for index, account in enumerate(left_out)]
        self.bulk_create(rows, ignore_conflicts=True)
        return len(rows)


def spread(every: timedelta) -> timedelta:
    """About this long, and for no two accounts the same."""
    return every * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  spreads load, protects nothing


class TrustWatch(models.Model):
    """One account's watch. Written by `accounts.steps.watch` under its lease, and by the acts that start and stop it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.OneToOneField(CloudAccount, on_delete=models.CASCADE, related_name="watch")
    verdict = models.CharField(_("verdict"), max_length=20, choices=TrustVerdict.choices, default=TrustVerdict.HOLDS)
    since = models.DateTimeField(_("since"), default=timezone.now)
    # Of a confirmed loss: the first look that found it. It stays while the trust recovers.
    lost_since = models.DateTimeField(_("lost since"), null=True, blank=True)
    # Why it is in doubt, lost or switched off: a code of the catalogue, its params, the cloud's own words.
    code = models.CharField(_("reason"), max_length=60, blank=True, default="")
    params = models.JSONField(default=dict, blank=True)
    evidence = models.TextField(_("in the cloud's own words"), blank=True, default="")
    # The kit's own switches as it stated them last: {"AllowSupport": "no"}.
    switches = models.JSONField(_("switches"), default=dict, blank=True)
    looked_at = models.DateTimeField(_("last look with an answer"), null=True, blank=True)
    last_try_at = models.DateTimeField(_("last look"), null=True, blank=True)
    refusals_at = models.DateTimeField(_("last try of sign-ins that must fail"), null=True, blank=True)
    # No answer since, for a reason that is the provider's or the cloud's.
    unclear_since = models.DateTimeField(_("no answer since"), null=True, blank=True)
    unclear_code = models.CharField(_("why no answer"), max_length=60, blank=True, default="")
    unclear_evidence = models.TextField(blank=True, default="")
    asked_at = models.DateTimeField(_("asked for at"), null=True, blank=True)
    # Null: not watched. A bell and a lease move it ahead, so that a lost message or a killed worker costs minutes.
    next_at = models.DateTimeField(_("next look"), null=True, blank=True, default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveBigIntegerField(default=0, editable=False)

    objects: ClassVar[TrustWatchQuerySet] = TrustWatchQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["next_at"]
        verbose_name = _("trust watch")
        verbose_name_plural = _("trust watches")
        constraints = [
            models.CheckConstraint(condition=Q(verdict__in=TrustVerdict.values), name="trust_watch_verdict_known"),
            models.CheckConstraint(
                condition=Q(verdict=TrustVerdict.HOLDS, code="") | (~Q(verdict=TrustVerdict.HOLDS) & ~Q(code="")),
                name="trust_watch_has_a_reason_unless_it_holds",
            ),
        ]
        indexes = [models.Index(fields=["next_at"], condition=Q(next_at__isnull=False), name="trust_watch_due")]

    def __str__(self) -> str:
        return f"{self.account_id} {self.verdict}"

    @property
    def is_kit_gone(self) -> bool:
        """Believed for good, by two looks."""
        return self.verdict in {TrustVerdict.LOST, TrustVerdict.SWITCHED_OFF} and self.code in KIT_IS_GONE

    @property
    def is_looking(self) -> bool:
        """A look was asked for and its answer is not there yet."""
        return self.asked_at is not None and (self.last_try_at is None or self.asked_at > self.last_try_at)

    @property
    def reason(self) -> str:
        """Code of the words for what is wrong: the same thing has other words here than while an account is being connected."""
        if not self.code:
            return ""
        return f"off_{self.code}" if self.verdict == TrustVerdict.SWITCHED_OFF else f"lost_{self.code}"


class TrustChangeQuerySet(models.QuerySet["TrustChange"]):
    def note(
        self,
        account: CloudAccount,
        now: str,
        *,
        code: str = "",
        params: Mapping[str, str] = MappingProxyType({}),
        at: datetime | None = None,
    ) -> None:
        """A line about the trust as a whole, unless the last one says the same. Before the first one it held."""
        last = self.filter(account=account, kind=TrustChange.Kind.TRUST).first()
        was = (last.now, last.code) if last else (str(TrustVerdict.HOLDS), "")
        if was != (now, code):
            line = {"was": was[0], "now": now, "code": code, "params": dict(params), "at": at or timezone.now()}
            self.create(account=account, kind=TrustChange.Kind.TRUST, **line)


class TrustChange(models.Model):
    """One thing about an account's trust that changed: append-only, so that "since when" and "how often" have an answer."""

    class Kind(models.TextChoices):
        TRUST = "trust", pgettext_lazy("kind of change", "Trust")
        PERMISSION = "permission", pgettext_lazy("kind of change", "Permission")
        REFUSAL = "refusal", pgettext_lazy("kind of change", "Refusal")

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(CloudAccount, on_delete=models.CASCADE, related_name="trust_changes", db_index=False)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    name = models.CharField(max_length=160, blank=True, default="")  # of the permission or the refusal
    was = models.CharField(_("from"), max_length=20)
    now = models.CharField(_("to"), max_length=20)
    code = models.CharField(_("reason"), max_length=60, blank=True, default="")
    params = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[TrustChangeQuerySet] = TrustChangeQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-id"]
        verbose_name = _("change of trust")
        verbose_name_plural = _("changes of trust")
        indexes = [
            models.Index(fields=["account", "-id"], name="trust_change_newest"),
            models.Index(fields=["at"], name="trust_change_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.name or self.kind} {self.was} -> {self.now}"
