"""Events and the heads of their chains. The database itself refuses to change or delete an event (migration 0002)."""

import uuid
from typing import Any, NamedTuple
from uuid import UUID

from django.db import models
from django.db.models import Q, TextField
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from portal.audit import words
from portal.audit.details import moment
from portal.audit.parties import ActorKind
from portal.audit.verify import VERSION, canonical

# The platform's own chain in the table of heads, whose key cannot be null.
PLATFORM = UUID(int=0)
ACTOR_ICONS = {"user": "user-round", "staff": "headset", "guest": "link", "worker": "cog", "system": "clock"}
HASH_PATTERN = r"^[0-9a-f]{64}$"
# Nobody can end a chain in order to be rid of it soon.
LEAST_KEPT_DAYS = 365


class Change(NamedTuple):
    """One field of an event that went from `before` to `after`, in words."""

    label: str
    before: str
    after: str


class Fact(NamedTuple):
    """Any other detail of an event, in words."""

    label: str
    value: str


class EventQuerySet(models.QuerySet["Event"]):
    def for_chain(self, organisation_id: UUID | None) -> "EventQuerySet":
        """The events of one organisation, or of the platform's own chain."""
        return self.filter(organisation_id=organisation_id)

    def for_subject(self, kind: str, subject_id: object) -> "EventQuerySet":
        return self.filter(subject_kind=kind, subject_id=str(subject_id))

    def by_actor(self, who: str) -> "EventQuerySet":
        """Events of people, workers or parts of the system whose name or address has this in it, or whose id it is."""
        return self.filter(Q(actor_name__icontains=who) | Q(actor_email__icontains=who) | Q(actor_id=who))

    def on_subject(self, what: str) -> "EventQuerySet":
        """Events on things whose name has this in it, or whose id it is."""
        return self.filter(Q(subject_label__icontains=what) | Q(subject_id=what))

    def with_text(self, text: str) -> "EventQuerySet":
        """Events that mention the text: in words, code, names, ids, address or details."""
        codes = [code for code in words.ACTIONS if text.lower() in words.action_label(code).lower()]
        plain = ("action", "actor_name", "actor_email", "subject_label", "details_text")
        mentioned = Q(action__in=codes) | Q(subject_id=text) | Q(request_id=text) | Q(ip=text)
        for field in plain:
            mentioned |= Q(**{f"{field}__icontains": text})
        return self.alias(details_text=Cast("details", TextField())).filter(mentioned)

    def newest_first(self) -> "EventQuerySet":
        return self.order_by("-sequence")

    def oldest_first(self) -> "EventQuerySet":
        return self.order_by("sequence")


class Event(models.Model):
    """One thing that was done. Append-only; `leaf()` is what its hash is computed over."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # A plain UUID: the log outlives the organisation and knows no table of them. Null is the platform's own chain.
    organisation_id = models.UUIDField(_("organisation"), null=True, editable=False)
    sequence = models.PositiveBigIntegerField(_("number"), editable=False)
    at = models.DateTimeField(_("time"), db_index=True, editable=False)
    action = models.CharField(_("action"), max_length=100, editable=False)
    actor_kind = models.CharField(_("kind of actor"), max_length=10, choices=ActorKind.choices, editable=False)
    actor_id = models.CharField(_("actor ID"), max_length=254, editable=False)
    actor_name = models.CharField(_("actor"), max_length=254, editable=False)
    actor_email = models.CharField(_("actor's e-mail address"), max_length=254, blank=True, editable=False)
    subject_kind = models.CharField(_("kind of object"), max_length=60, blank=True, editable=False)
    subject_id = models.CharField(_("object ID"), max_length=254, blank=True, editable=False)
    subject_label = models.CharField(_("object"), max_length=254, blank=True, editable=False)
    details = models.JSONField(_("details"), default=dict, editable=False)
    # Text, not inet: PostgreSQL would rewrite the address, and the hash with it.
    ip = models.CharField(_("IP address"), max_length=45, blank=True, editable=False)
    request_id = models.CharField(_("request ID"), max_length=64, blank=True, editable=False)
    previous = models.CharField(_("previous hash"), max_length=64, editable=False)
    hash = models.CharField(_("hash"), max_length=64, editable=False)

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-sequence"]
        verbose_name = _("event")
        verbose_name_plural = _("activity")
        constraints = [
            models.UniqueConstraint(fields=["organisation_id", "sequence"], name="event_once_in_its_chain"),
            # Nulls are distinct in a plain unique constraint, so the platform's chain needs its own.
            models.UniqueConstraint(fields=["sequence"], condition=Q(organisation_id=None), name="event_once_in_the_platform_chain"),
            models.CheckConstraint(condition=Q(sequence__gte=1), name="event_sequence_from_one"),
            models.CheckConstraint(condition=Q(hash__regex=HASH_PATTERN, previous__regex=HASH_PATTERN), name="event_hashes_are_sha256"),
            models.CheckConstraint(condition=Q(actor_kind__in=ActorKind.values), name="event_actor_kind_known"),
        ]
        indexes = [
            models.Index(fields=["organisation_id", "subject_kind", "subject_id", "-sequence"], name="event_by_subject"),
            models.Index(fields=["organisation_id", "action", "-sequence"], name="event_by_action"),
        ]

    def __str__(self) -> str:
        return f"{self.sequence} {self.action}"

    def leaf(self) -> dict[str, Any]:
        """What the hash covers: the exported object without its hash (`portal/audit/verify.py` documents every key)."""
        subject = {"id": self.subject_id, "kind": self.subject_kind, "label": self.subject_label}
        return {
            "action": self.action,
            "actor": {"email": self.actor_email, "id": self.actor_id, "kind": self.actor_kind, "name": self.actor_name},
            "at": moment(self.at),
            "details": self.details,
            "id": str(self.id),
            "ip": self.ip or None,
            "organisation": str(self.organisation_id) if self.organisation_id else None,
            "previous": self.previous,
            "request_id": self.request_id or None,
            "sequence": self.sequence,
            "subject": subject if self.subject_kind else None,
            "v": VERSION,
        }

    def line(self) -> bytes:
        """This event as one line of an export."""
        return canonical({**self.leaf(), "hash": self.hash}) + b"\n"

    @property
    def moment(self) -> str:
        """The time as it stands in the leaf."""
        return moment(self.at)

    @property
    def actor_shown(self) -> str:
        """A person by name; what the portal did by itself as such, with the part of it that did it."""
        if self.actor_kind in {"worker", "system"}:
            return _("This portal (%(part)s)") % {"part": self.actor_name}
        return self.actor_name

    @property
    def actor_icon(self) -> str:
        return ACTOR_ICONS.get(self.actor_kind, "circle-question-mark")

    @property
    def sentence(self) -> str:
        return words.sentence(self.action, self.actor_name, self.subject_label, self.details)

    @property
    def codes(self) -> list[str]:
        """Codes that the sentence says in words, for those who look them up."""
        return words.codes(self.details)

    @property
    def has_subject_beside(self) -> bool:
        """Whether the sentence leaves the subject unnamed, so that it is shown next to it."""
        return bool(self.subject_label) and self.subject_label not in self.sentence

    @property
    def subject_kind_label(self) -> str:
        return words.subject_label(self.subject_kind)

    @cached_property
    def changes(self) -> list[Change]:
        pairs = ((key, value) for key, value in self.details.items() if words.is_change(value))
        return [Change(words.field_label(key), words.value_text(before), words.value_text(after)) for key, (before, after) in pairs]

    @cached_property
    def facts(self) -> list[Fact]:
        rest = (key for key, value in self.details.items() if not words.is_change(value))
        return [Fact(words.field_label(key), words.detail_text(key, self.details)) for key in rest]


class ChainHead(models.Model):
    """The last event of a chain. Its row is the lock that keeps the chain from forking; the database lets it move forward by one only."""

    chain = models.UUIDField(_("organisation"), primary_key=True, editable=False)
    sequence = models.PositiveBigIntegerField(_("number"), default=0, editable=False)
    hash = models.CharField(_("hash"), max_length=64, default="0" * 64, editable=False)

    class Meta:
        verbose_name = _("chain head")
        verbose_name_plural = _("chain heads")

    def __str__(self) -> str:
        return f"{self.chain} {self.sequence}"


class ChainEnd(models.Model):
    """That a chain has ended, and for how many days its events are kept from then on. The database sets the time; rows never change."""

    chain = models.UUIDField(_("organisation"), primary_key=True, editable=False)
    ended_at = models.DateTimeField(_("ended at"), default=timezone.now, editable=False)
    kept_days = models.PositiveIntegerField(_("days that it is kept"), editable=False)

    class Meta:
        verbose_name = _("end of a chain")
        verbose_name_plural = _("ends of chains")
        constraints = [
            models.CheckConstraint(condition=Q(kept_days__gte=LEAST_KEPT_DAYS), name="chain_end_keeps_long_enough"),
            models.CheckConstraint(condition=~Q(chain=PLATFORM), name="chain_end_never_of_the_platform"),
        ]

    def __str__(self) -> str:
        return f"{self.chain} {self.ended_at:%Y-%m-%d}"
