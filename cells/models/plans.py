"""What a customer can have: plans, their sizes and releases. Written by the provider's staff, read by every organisation."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import CloudAccount, Organisation
from cells.states import Hosting, Tenancy


class PlanQuerySet(models.QuerySet["Plan"]):
    def published(self) -> "PlanQuerySet":
        return self.filter(is_published=True)


class Plan(models.Model):
    """One offer. Hosting says in whose account its cells stand, tenancy who shares them."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    summary = models.CharField(_("summary"), max_length=300)
    hosting = models.CharField(_("hosting"), max_length=20, choices=Hosting.choices, default=Hosting.CUSTOMER)
    tenancy = models.CharField(_("tenancy"), max_length=20, choices=Tenancy.choices, default=Tenancy.DEDICATED)
    # {"aws": ["eu-west-1"], "gcp": []}: clouds that are offered, each with its regions; an empty list means every region of the cloud.
    regions = models.JSONField(_("regions"), default=dict)
    # JSON Schema (2020-12) of an object: what the customer may set. Properties in the order of the form.
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)
    has_backups = models.BooleanField(_("has backups"), default=False)
    is_published = models.BooleanField(_("is offered"), default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[PlanQuerySet] = PlanQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["name"]
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        constraints = [
            models.CheckConstraint(condition=Q(hosting__in=Hosting.values), name="plan_hosting_known"),
            models.CheckConstraint(condition=Q(tenancy__in=Tenancy.values), name="plan_tenancy_known"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def needs_account(self) -> bool:
        return self.hosting == Hosting.CUSTOMER


class PlanSize(models.Model):
    """One size of a plan: what an instance takes up, and the range that it costs a month."""

    id = models.BigAutoField(primary_key=True)
    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="sizes")
    code = models.SlugField(_("code"), max_length=40)
    name = models.CharField(_("name"), max_length=80)
    cpu = models.PositiveIntegerField(_("CPU, thousandths of a core"))
    memory = models.PositiveIntegerField(_("memory, MiB"))
    storage = models.PositiveIntegerField(_("storage, GiB"), default=0)
    cost_from = models.DecimalField(_("costs a month, from"), max_digits=10, decimal_places=2)
    cost_to = models.DecimalField(_("costs a month, to"), max_digits=10, decimal_places=2)
    currency = models.CharField(_("currency"), max_length=3, default="USD")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "cpu"]
        verbose_name = _("size")
        verbose_name_plural = _("sizes")
        constraints = [
            models.UniqueConstraint(fields=["plan", "code"], name="plan_size_code_once"),
            models.CheckConstraint(condition=Q(cost_to__gte=models.F("cost_from")), name="plan_size_cost_is_a_range"),
        ]

    def __str__(self) -> str:
        return self.name


class Release(models.Model):
    """One version of what a plan runs: a chart with a pinned version and the hash of its values schema."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="releases")
    version = models.CharField(_("version"), max_length=40)
    chart = models.CharField(_("chart"), max_length=300)  # "oci://registry.fernhill.example/charts/orders"
    chart_version = models.CharField(_("version of the chart"), max_length=40)
    digest = models.CharField(_("SHA-256 of the chart"), max_length=64)
    notes = models.TextField(_("what is new"), blank=True, default="")
    is_offered = models.BooleanField(_("is offered"), default=True)
    published_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-published_at"]
        verbose_name = _("release")
        verbose_name_plural = _("releases")
        constraints = [models.UniqueConstraint(fields=["plan", "version"], name="release_version_once")]

    def __str__(self) -> str:
        return self.version

    def is_earlier_than(self, other: "Release") -> bool:
        return self.published_at < other.published_at


class HostingAccount(models.Model):
    """A cloud account of the provider or the platform in which cells for customers stand. Connected like any other."""

    account = models.OneToOneField(CloudAccount, on_delete=models.PROTECT, primary_key=True, related_name="hosts")
    hosting = models.CharField(_("whose"), max_length=20, choices=[choice for choice in Hosting.choices if choice[0] != Hosting.CUSTOMER])
    # Dedicated plans of this organisation alone are placed there; without one, shared and multi-tenant plans of everybody.
    reserved_for = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="reserved_hosts", null=True, blank=True)
    is_open = models.BooleanField(_("takes new instances"), default=True)

    class Meta:
        verbose_name = _("hosting account")
        verbose_name_plural = _("hosting accounts")
        constraints = [
            models.CheckConstraint(condition=Q(hosting__in=["provider", "platform"]), name="hosting_account_is_not_the_customers")
        ]

    def __str__(self) -> str:
        return f"{self.get_hosting_display()}: {self.account}"
