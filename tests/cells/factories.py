"""Rows of cells and instances for tests. Keyword arguments only; what is not given is made."""

from decimal import Decimal
from itertools import count

from cells.models import Cell, CellResource, Instance, InstanceDraft, InstanceRevision, Plan, PlanSize, Release
from cells.protocol.enrolment import enrolment_token, open_enrolment
from cells.states import CellState, InstanceState
from tests.factories import make_cloud_account, make_user

_numbers = count(1)


def make_plan(**values):
    number = next(_numbers)
    size = values.pop("size", {})
    plan = Plan.objects.create(
        **{
            "code": f"plan-{number}",
            "name": f"Plan {number}",
            "summary": "Orders of your shop.",
            "regions": {"aws": [], "gcp": [], "azure": []},
            "is_published": True,
            **values,
        }
    )
    made = {"code": "small", "name": "Small", "cpu": 500, "memory": 512, "cost_from": Decimal(40), "cost_to": Decimal(60), **size}
    PlanSize.objects.create(plan=plan, **made)
    make_release(plan=plan)
    return plan


def make_release(*, plan, version="1.0.0", **values):
    chart = {"chart": "oci://registry.fernhill.example/charts/orders", "chart_version": version, "digest": "0" * 64}
    return Release.objects.create(plan=plan, version=version, **{**chart, **values})


def make_cell(*, account=None, state=CellState.READY, region="eu-west-1", **values):
    account = account or make_cloud_account(state="connected")
    failed = {"failed_while": "bootstrapping", "failure_code": "quota_exceeded"} if state == CellState.FAILED else {}
    return Cell.objects.create(
        **{"account": account, "organisation": account.organisation, "region": region, "name": f"{account} {region}", "state": state}
        | failed
        | values
    )


def make_instance(*, organisation=None, account=None, plan=None, cell=None, state=InstanceState.RUNNING, **values):
    """With its first revision."""
    account = account or (
        cell.account if cell else make_cloud_account(state="connected", **({"organisation": organisation} if organisation else {}))
    )
    plan = plan or make_plan()
    failed = {"failed_while": "deploying", "failure_code": "deploy_failed"} if state == InstanceState.FAILED else {}
    instance = Instance.objects.create(
        **{
            "organisation": organisation or account.organisation,
            "plan": plan,
            "name": f"orders-{next(_numbers)}",
            "account": account,
            "cloud": account.cloud,
            "region": cell.region if cell else "eu-west-1",
            "cell": cell,
            "state": state,
            "created_by": values.pop("created_by", None) or make_user(email=f"maker-{next(_numbers)}@people.example"),
        }
        | failed
        | values
    )
    InstanceRevision.objects.create(
        instance=instance,
        number=1,
        release=plan.releases.first(),
        size=plan.sizes.first(),
        reason="created",
        by=instance.created_by,
    )
    return instance


def make_draft(*, organisation, created_by, account=None, plan=None, **values):
    """Answered to the end, unless `values` leave something out."""
    account = account or make_cloud_account(organisation=organisation, state="connected")
    plan = plan or make_plan()
    answers = {"cloud": account.cloud, "region": "eu-west-1", "account": account, "name": f"draft-{next(_numbers)}"}
    answers |= {"size": plan.sizes.first(), "release": plan.releases.first()}
    return InstanceDraft.objects.create(organisation=organisation, plan=plan, created_by=created_by, **answers | values)


def make_enrolment(cell):
    """The token with which an agent may enrol now, as an order would tell it."""
    open_enrolment(cell)
    return enrolment_token(cell)


def make_resource(*, cell, outcome="found", **values):
    """What a deletion has found of this cell."""
    number = next(_numbers)
    named = {"kind": "AWS::EC2::Subnet", "name": f"Subnet{number}", "made": f"subnet-{number}", "origin": "stack", "state": "failed"}
    place = {"cell": cell, "account": cell.account, "region": cell.region}
    return CellResource.objects.create(**place | named | {"outcome": outcome} | values)
