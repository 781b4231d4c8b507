"""An engineer asks for a code, and a computer for credentials."""

from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError as BrokerGone

from accounts.models import User
from accounts.support.actions.requests import lock
from accounts.support.brokering import byoc_credentials, handouts
from accounts.support.models import AccessRequest, Device
from accounts.support.tasks import renew_door
from portal.operations.availability import NotAllowed

HELPER = "byoc_credentials.py"


def helper() -> bytes:
    return Path(str(byoc_credentials.__file__)).read_bytes()


def code_for(request: AccessRequest, *, by: User) -> str:
    """Raises NotAllowed."""
    if by.pk != request.engineer_id:
        raise NotAllowed(_("This is the access of another engineer."))
    with transaction.atomic():
        return handouts.make_code(lock(request))


def answer_computer(device: str, key: str) -> dict[str, Any]:
    """The credentials. Where the session has run out, a worker opens it anew meanwhile. Raises NotKnown, NotAllowed, DoorNotOpen."""
    try:
        return handouts.hand_out(device, key)
    except handouts.DoorNotOpen:
        _ring(str(Device.objects.values_list("request", flat=True).get(pk=device)))
        raise


def _ring(request_id: str) -> None:
    """A message that is lost costs seconds: the computer asks again."""
    try:
        renew_door.delay(request_id)
    except BrokerGone:
        return


__all__ = ["HELPER", "answer_computer", "code_for", "helper"]
