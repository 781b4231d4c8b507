"""An engineer asks for an act under a grant."""

from collections.abc import Mapping
from functools import partial

from django.db import transaction
from kombu.exceptions import OperationalError as BrokerGone

from accounts.models import User
from accounts.support.actions.requests import lock
from accounts.support.brokering import broker
from accounts.support.models import AccessRequest, Act
from accounts.support.models.sessions import Via
from accounts.support.tasks import run_act


def ask_for_act(request: AccessRequest, name: str, raw: Mapping[str, str], *, by: User) -> Act:
    """Written now, done by a worker. Raises NotAllowed, BadArgument."""
    with transaction.atomic():
        act = broker.intend(lock(request), name, raw, by=by)
        if act.via == Via.CLOUD:
            transaction.on_commit(partial(_ring, str(act.pk)))
    return act


def _ring(pk: str) -> None:
    """A message that is lost costs seconds: the schedule finds the act."""
    try:
        run_act.delay(pk)
    except BrokerGone:
        return
