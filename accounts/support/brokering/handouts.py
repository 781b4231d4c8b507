"""Short-lived credentials in the hands of an engineer: only under a grant that says so, to one computer, each time through the gate.

    make_code (the session's page)  ->  bind (the code works once, and binds one computer)  ->  hand_out (again and again, until the end)

What is handed out is the very session that the broker would use, so it ends and is proven ended like every other.
"""

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.support.brokering.doors import opened, standing_door
from accounts.support.clouds import DIRECT_CLOUDS
from accounts.support.models import AccessRequest, Act, Device, Door
from accounts.support.models.sessions import ActState, Via
from accounts.support.rules.acts import HANDED_OUT
from accounts.support.rules.gate import why_closed
from accounts.support.rules.policy import policy_of
from accounts.support.states import AccessState
from accounts.support.transitions import record_on
from accounts.targets import cloud_names
from portal.audit import Actor
from portal.operations.availability import NotAllowed, refuse_if

CODE_LIFE = timedelta(minutes=5)
# Without letters that are read wrong.
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
GROUPS, GROUP = 5, 5
EMPTY = hashlib.sha256(b"").hexdigest()


class NotKnown(Exception):
    """No such code or key. Why is nobody's business who does not hold one."""


class DoorNotOpen(Exception):
    """The session has run out and is being opened again: ask once more in some seconds."""


def why_not_hand_out(request: AccessRequest) -> str:
    """Empty while credentials may leave under this grant, at this moment."""
    if not request.is_direct:
        return _("This grant hands out no credentials. Work through this portal.")
    if request.account.cloud not in DIRECT_CLOUDS:
        return _("Credentials for %(cloud)s cannot be handed out. Work through this portal.") % cloud_names(request.account.cloud)
    if not policy_of(request.organisation).allows_direct:
        return _("The customer does not allow credentials to be handed out any more.")
    if request.state != AccessState.ACTIVE or why_closed(request, timezone.now()):
        return _("The grant does not allow anything at this moment.")
    return ""


def make_code(row: AccessRequest) -> str:
    """A code for one computer, under the lock of its grant; the computer before it is dropped. Raises NotAllowed."""
    refuse_if(why_not_hand_out(row))
    code = "-".join("".join(secrets.choice(ALPHABET) for _letter in range(GROUP)) for _group in range(GROUPS))
    now = timezone.now()
    Device.objects.standing().filter(request=row).update(dropped_at=now)
    Device.objects.create(request=row, code_hash=_hash(_plain(code)), code_until=now + CODE_LIFE)
    record_on(row, "support.code_made", by=Actor.user(row.engineer), details={})
    return code


def bind(code: str, key: str, name: str) -> Device:
    """The computer that holds this code keeps `key` from now on. Raises NotKnown, NotAllowed."""
    device = Device.objects.filter(code_hash=_hash(_plain(code))).first()
    if device is None:
        raise NotKnown
    with transaction.atomic():
        row = _locked(device)
        device.refresh_from_db()
        if not device.takes_code(timezone.now()):
            raise NotKnown
        refuse_if(why_not_hand_out(row))
        device.key_hash, device.bound_at, device.name = _hash(key), timezone.now(), name
        device.save(update_fields=["key_hash", "bound_at", "name"])
        record_on(row, "support.device_bound", by=Actor.user(row.engineer), details={"computer": name})
    return device


def hand_out(device_id: str, key: str) -> dict[str, Any]:
    """What AWS's tools call a `credential_process` answer. Raises NotKnown, NotAllowed, DoorNotOpen, SealBroken."""
    device = _known(device_id, key)
    with transaction.atomic():
        row = _locked(device)
        device.refresh_from_db()
        if device.dropped_at is not None:
            raise NotKnown
        refuse_if(why_not_hand_out(row))
        door = standing_door(row, timezone.now())
        if door is None:
            raise DoorNotOpen
        answer = _answer(door)
        _keep(row, door, device)
    return answer


def _known(device_id: str, key: str) -> Device:
    device = Device.objects.standing().filter(pk=device_id).first()
    if device is None or not device.key_hash or not hmac.compare_digest(device.key_hash, _hash(key)):
        raise NotKnown
    return device


def _locked(device: Device) -> AccessRequest:
    rows = AccessRequest.objects.select_related("organisation", "account", "engineer", "checked_by")
    return rows.select_for_update(of=("self",)).get(pk=device.request_id)


def _answer(door: Door) -> dict[str, Any]:
    keys = opened(door).secret
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
    return {"Version": 1, **{name: keys[name] for name in names}, "Expiration": f"{door.expires_at:%Y-%m-%dT%H:%M:%SZ}"}


def _keep(row: AccessRequest, door: Door, device: Device) -> None:
    """A line of the transcript and an event, of which neither holds the secret."""
    now = timezone.now()
    done = {"state": ActState.DONE, "started_at": now, "finished_at": now, "sha256": EMPTY}
    arguments = {"computer": device.name}
    act = Act.objects.create(request=row, door=door, name=HANDED_OUT, arguments=arguments, via=Via.DIRECT, by=row.engineer, **done)
    details = {"act": act.name, "act_id": str(act.pk), "via": Via.DIRECT.value, "sha256": EMPTY, "until": door.expires_at, **arguments}
    record_on(row, "support.credentials_handed_out", by=Actor.user(row.engineer), details=details)


def drop_devices(row: AccessRequest) -> None:
    """In the transaction that ends a grant."""
    Device.objects.standing().filter(request=row).update(dropped_at=timezone.now())


def _plain(code: str) -> str:
    return code.replace("-", "").replace(" ", "").upper()


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


__all__ = ["DoorNotOpen", "NotAllowed", "NotKnown", "bind", "drop_devices", "hand_out", "make_code", "why_not_hand_out"]
