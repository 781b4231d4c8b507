"""What an agent says about its orders, and what it hears."""

from datetime import timedelta

from django.utils import timezone

from accounts.support.models import AccessRequest
from tests.cells.orders import result


def take(agent, cell=None):
    answer = agent.post("orders", {"cell": str((cell or agent.cell).pk)})
    assert answer.status_code == 200, answer.json()
    return answer.json()["orders"]


def tell(agent, order, **values):
    return agent.post("order_results", result(order, agent.cell, **values))


def let_time_run_out(grant):
    now = timezone.now()
    AccessRequest.objects.filter(pk=grant.pk).update(granted_from=now - timedelta(hours=1), granted_until=now - timedelta(seconds=1))


def refused(answer, status, code):
    assert (answer.status_code, answer.json()["code"]) == (status, code)
