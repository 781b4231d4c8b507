"""The plans of the demo: one in the customer's account, one that the provider hosts, one that everybody shares. Charts are examples."""

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from cells.models import Plan, PlanSize, Release
from cells.states import Hosting, Tenancy
from portal.audit import Actor, Subject, record

REGISTRY = "oci://registry.fernhill.example/charts"
EVERYWHERE: dict[str, list[str]] = {"aws": [], "gcp": [], "azure": []}
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["edition", "replicas", "log_level"],
    "properties": {
        "edition": {
            "type": "string",
            "title": "Edition",
            "enum": ["standard", "enterprise"],
            "default": "standard",
            "description": "Enterprise adds the approval of orders and single sign-on.",
        },
        "replicas": {
            "type": "integer",
            "title": "Web processes",
            "minimum": 1,
            "maximum": 5,
            "default": 2,
            "description": "Two or more keep it serving while one is replaced.",
        },
        "log_level": {"type": "string", "title": "Log level", "enum": ["error", "warning", "info", "debug"], "default": "info"},
        "allowed_origins": {
            "type": "array",
            "title": "Allowed origins",
            "description": "Sites that may call it from a browser, one a line: https://shop.example",
            "items": {"type": "string", "pattern": "^https://[a-z0-9.-]+$"},
            "maxItems": 10,
            "uniqueItems": True,
        },
    },
}
TEAM: dict[str, Any] = {**PARAMETERS, "required": ["log_level"], "properties": {"log_level": PARAMETERS["properties"]["log_level"]}}
# Code, name, thousandths of a core, MiB, GiB, dollars a month from and to.
SIZES = (
    ("small", "Small", 500, 512, 10, 40, 60),
    ("medium", "Medium", 1000, 2048, 50, 90, 140),
    ("large", "Large", 4000, 8192, 200, 310, 450),
)
RELEASES = (
    ("1.4.2", datetime(2026, 9, 3, 9, tzinfo=UTC), "Corrects how refunds are rounded."),
    ("1.5.0", datetime(2026, 11, 12, 9, tzinfo=UTC), "Orders can be split across warehouses."),
)
PLANS: tuple[dict[str, Any], ...] = (
    {
        "code": "orders",
        "name": "Orders",
        "summary": "Order handling for one shop, in a cloud account of yours.",
        "hosting": Hosting.CUSTOMER,
        "tenancy": Tenancy.DEDICATED,
        "parameters": PARAMETERS,
        "has_backups": True,
    },
    {
        "code": "orders-cloud",
        "name": "Orders Cloud",
        "summary": "Order handling for one shop, hosted for you beside other shops.",
        "hosting": Hosting.PROVIDER,
        "tenancy": Tenancy.SHARED,
        "parameters": PARAMETERS,
        "has_backups": True,
    },
    {
        "code": "orders-team",
        "name": "Orders Team",
        "summary": "The small one: a tenant of your own in an installation that several teams use.",
        "hosting": Hosting.PLATFORM,
        "tenancy": Tenancy.MULTI_TENANT,
        "parameters": TEAM,
    },
)


def load_plans() -> None:
    """Create each plan with its sizes and releases, unless it is there."""
    for fields in PLANS:
        plan, is_new = Plan.objects.get_or_create(code=fields["code"], defaults={**fields, "regions": EVERYWHERE, "is_published": True})
        if is_new:
            _fill(plan)


def _fill(plan: Plan) -> None:
    offered = SIZES[:1] if plan.tenancy == Tenancy.MULTI_TENANT else SIZES
    PlanSize.objects.bulk_create(
        PlanSize(
            plan=plan,
            code=code,
            name=name,
            cpu=cpu,
            memory=memory,
            storage=storage,
            cost_from=Decimal(low),
            cost_to=Decimal(high),
            position=position,
        )
        for position, (code, name, cpu, memory, storage, low, high) in enumerate(offered)
    )
    for version, published_at, notes in RELEASES:
        chart = f"{REGISTRY}/{plan.code}"
        digest = hashlib.sha256(f"{chart}:{version}".encode()).hexdigest()
        Release.objects.create(
            plan=plan, version=version, chart=chart, chart_version=version, digest=digest, notes=notes, published_at=published_at
        )
    subject = Subject(kind="plan", id=str(plan.pk), label=str(plan))
    record(organisation_id=None, action="plan.created", actor=Actor.system("load_demo"), subject=subject, details={"reason": "demo"})
