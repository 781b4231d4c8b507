"""People and organisations: who may act (User, Membership) and who is told (Contact)."""

import hashlib
import secrets
import uuid
from datetime import timedelta
from functools import cache
from typing import Any, ClassVar

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.access import ROLE_PERMISSIONS, Permission, Role
from portal.planned import A_KEY, Planned

INVITATION_LIFETIME = timedelta(days=7)
# What the frame of every page says of an organisation, by name: apps above add theirs, for the query that the gate makes anyway.
FRAME: dict[str, Any] = {}
SECOND_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def new_token() -> str:
    """A secret for a link in a mail: 256 random bits, safe in an address. Only its `token_hash` is stored."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """SHA-256 in hex. No salt: the token is random, not chosen."""
    return hashlib.sha256(token.encode()).hexdigest()


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person. Signs in with an e-mail address; belongs to organisations through memberships."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=120)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True, default="")
    is_staff = models.BooleanField(_("provider staff"), default=False)
    is_support_engineer = models.BooleanField(_("support engineer"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    # Where `/` leads: the organisation last switched to, on any device.
    current_organisation = models.ForeignKey(
        "Organisation", on_delete=models.SET_NULL, related_name="+", null=True, blank=True, editable=False
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_unique_ignoring_case")]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def is_provider(self) -> bool:
        """Provider's people never decide for a customer, even as members."""
        return self.is_staff or self.is_support_engineer or self.is_superuser

    def landing_membership(self) -> "Membership | None":
        """The membership `/` leads to: of the organisation last switched to, else the oldest; of a closed one where there is no other."""
        memberships = list(self.memberships.select_related("organisation"))
        open_ones = [membership for membership in memberships if membership.organisation.closed_at is None]
        current = [membership for membership in open_ones if membership.organisation_id == self.current_organisation_id]
        return next(iter(current or open_ones or memberships), None)

    def memberships_with_organisations(self) -> "list[Membership]":
        """As the gate and the frame of every page need them: by name, with each organisation and what FRAME says of it. One query."""
        return [_membership(row) for row in _frame_query().rows(user=self.pk)]


class Organisation(models.Model):
    """A customer: the tenant every look-up starts from."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("address"), max_length=60, unique=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # From then on nobody works here any more (accounts.closing).
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True, editable=False)

    class Meta:
        ordering = ["name"]
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("accounts:home", args=[self.slug])

    def has_operational_contact(self) -> bool:
        """Whether somebody is named who hears about operations: connecting cannot finish without."""
        return self.contacts.operational().exists()


class MembershipQuerySet(models.QuerySet["Membership"]):
    def owners(self) -> "MembershipQuerySet":
        return self.filter(role=Role.OWNER, user__is_active=True)

    def with_organisations(self) -> "MembershipQuerySet":
        """With each organisation, and what the frame of its pages says of it: one query for both."""
        return self.select_related("organisation").annotate(**FRAME).order_by("organisation__name")

    def with_user(self) -> "MembershipQuerySet":
        """With each user, and `has_second_factor`: whether stealing the password is enough to be them."""
        factors = Authenticator.objects.filter(user=models.OuterRef("user"), type__in=SECOND_FACTORS)
        return self.select_related("user").annotate(has_second_factor=models.Exists(factors))


class Membership(models.Model):
    """A user's role in an organisation."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(_("role"), max_length=20, choices=Role.choices)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    # Of the provider, looking on for a time: never stored, reads and does nothing else.
    is_guest = False

    objects: ClassVar[MembershipQuerySet] = MembershipQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["created_at"]
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            models.UniqueConstraint(fields=["organisation", "user"], name="membership_once_per_user"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"

    def can(self, permission: Permission) -> bool:
        return permission == Permission.VIEW if self.is_guest else permission in ROLE_PERMISSIONS[Role(self.role)]


MEMBERSHIP_COLUMNS = ("id", "organisation_id", "user_id", "role", "created_at")
ORGANISATION_COLUMNS = ("id", "name", "slug", "created_at", "closed_at")


@cache
def _frame_query() -> Planned:
    columns = (*MEMBERSHIP_COLUMNS, *(f"organisation__{name}" for name in ORGANISATION_COLUMNS), *FRAME)
    return Planned.written(Membership.objects.filter(user=A_KEY).with_organisations().values_list(*columns), user=A_KEY)


def _membership(row: tuple[Any, ...]) -> Membership:
    own, rest = row[: len(MEMBERSHIP_COLUMNS)], row[len(MEMBERSHIP_COLUMNS) :]
    membership = Membership.from_db("default", MEMBERSHIP_COLUMNS, own)
    membership.organisation = Organisation.from_db("default", ORGANISATION_COLUMNS, rest[: len(ORGANISATION_COLUMNS)])
    membership.__dict__.update(zip(FRAME, rest[len(ORGANISATION_COLUMNS) :], strict=True))
    return membership


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def unanswered(self) -> "InvitationQuerySet":
        """Neither accepted nor revoked; may have expired."""
        return self.filter(accepted_at=None, revoked_at=None)

    def open(self) -> "InvitationQuerySet":
        return self.unanswered().filter(expires_at__gt=timezone.now())

    def for_user(self, user: User) -> "InvitationQuerySet":
        """Sent to an address this user has proven to own."""
        proven = EmailAddress.objects.filter(user=user, verified=True).values_list(Lower("email"), flat=True)
        return self.alias(lower_email=Lower("email")).filter(lower_email__in=list(proven))


class Invitation(models.Model):
    """An offer of membership to one e-mail address: expires, works once, only for that address."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(_("e-mail address"))
    role = models.CharField(_("role"), max_length=20, choices=Role.choices)
    # SHA-256 of the token in the link: a stolen table opens nothing.
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    invited_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    sent_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[InvitationQuerySet] = InvitationQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints = [
            models.UniqueConstraint(
                "organisation",
                Lower("email"),
                condition=models.Q(accepted_at=None, revoked_at=None),
                name="invitation_open_once_per_address",
            ),
            models.CheckConstraint(
                condition=models.Q(accepted_at=None, accepted_by=None) | models.Q(accepted_at__isnull=False, accepted_by__isnull=False),
                name="invitation_accepted_at_and_by_together",
            ),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= timezone.now()

    @property
    def is_open(self) -> bool:
        return self.accepted_at is None and self.revoked_at is None and not self.is_expired


class ContactQuerySet(models.QuerySet["Contact"]):
    def operational(self) -> "ContactQuerySet":
        return self.filter(purpose=Contact.Purpose.OPERATIONAL)

    def confirmed(self) -> "ContactQuerySet":
        return self.exclude(confirmed_at=None)


class Contact(models.Model):
    """Whom to tell, separate from who may sign in."""

    class Purpose(models.TextChoices):
        OPERATIONAL = "operational", pgettext_lazy("contact purpose", "Operational")
        SECURITY = "security", pgettext_lazy("contact purpose", "Security")
        BILLING = "billing", pgettext_lazy("contact purpose", "Billing")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="contacts")
    name = models.CharField(_("name"), max_length=120)
    email = models.EmailField(_("e-mail address"))
    purpose = models.CharField(_("told about"), max_length=20, choices=Purpose.choices, default=Purpose.OPERATIONAL)
    # SHA-256 of the token in the confirmation mail; empty once confirmed.
    token_hash = models.CharField(max_length=64, blank=True, default="", editable=False)
    sent_at = models.DateTimeField(default=timezone.now, editable=False)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[ContactQuerySet] = ContactQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["purpose", "name"]
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        constraints = [
            models.UniqueConstraint("organisation", Lower("email"), "purpose", name="contact_once_per_address_and_purpose"),
            models.CheckConstraint(condition=models.Q(purpose__in=("operational", "security", "billing")), name="contact_purpose_known"),
        ]

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"
