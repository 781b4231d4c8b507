"""Signing keys: made, published, put to use, retired. Overlap at both ends, so rotation is never seen from outside.

next (published, not signing) -> active (signs) -> retiring (published until its last token is dead) -> retired
"""

import json
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone
from joserfc.jwk import RSAKey

from accounts.issuer.seal import seal, unseal
from accounts.models import SigningKey
from portal.audit import Actor, Subject, record

ROTATE_AFTER = timedelta(days=30)
# A key is published this long before it signs: verifiers cache key sets (AWS for up to an hour).
PUBLISH_BEFORE = timedelta(hours=24)
# A retiring key stays published this long: far more than one token's life of five minutes.
KEEP_AFTER = timedelta(hours=24)
KEY_BITS = 2048

State = SigningKey.State


def active_key() -> SigningKey:
    """The key that signs now; made on first use. Two first uses at once make one: the constraint decides."""
    key = SigningKey.objects.filter(state=State.ACTIVE).first()
    return key or _first_key()


def published_keys() -> list[SigningKey]:
    return list(SigningKey.objects.exclude(state=State.RETIRED).order_by("created_at"))


def open_private_key(sealed: str) -> RSAKey:
    return RSAKey.import_key(json.loads(unseal(sealed)))


def rotate() -> None:
    """One tick of rotation: safe to run as often as one likes, by any number of workers at once."""
    active_key()
    now = timezone.now()
    with transaction.atomic():
        # The active key is always there, so its lock puts all workers in a row: the second sees what the first has done.
        list(SigningKey.objects.select_for_update().filter(state=State.ACTIVE))
        keys = {key.state: key for key in SigningKey.objects.select_for_update().exclude(state__in=[State.RETIRING, State.RETIRED])}
        active, upcoming = keys.get(State.ACTIVE), keys.get(State.NEXT)
        if active and not upcoming and now >= active.state_at + ROTATE_AFTER - PUBLISH_BEFORE:
            _make(State.NEXT)
        if active and upcoming and now >= upcoming.state_at + PUBLISH_BEFORE:
            _move(active, State.RETIRING)
            _move(upcoming, State.ACTIVE)
        for key in SigningKey.objects.select_for_update().filter(state=State.RETIRING, state_at__lte=now - KEEP_AFTER):
            _move(key, State.RETIRED)


def _first_key() -> SigningKey:
    try:
        with transaction.atomic():
            return _make(State.ACTIVE)
    except IntegrityError:
        return SigningKey.objects.get(state=State.ACTIVE)


def _make(state: SigningKey.State) -> SigningKey:
    key = RSAKey.generate_key(KEY_BITS, {"use": "sig", "alg": "RS256"}, auto_kid=True)
    row = SigningKey.objects.create(
        kid=str(key.kid),
        public_jwk=key.as_dict(private=False),
        sealed_private_key=seal(json.dumps(key.as_dict(private=True)).encode()),
        state=state,
    )
    _note(row, "made")
    return row


def _move(key: SigningKey, to: SigningKey.State) -> None:
    key.state, key.state_at = to, timezone.now()
    if to == State.RETIRED:
        key.sealed_private_key = ""
    key.save(update_fields=["state", "state_at", "sealed_private_key"])
    _note(key, to.value)


def _note(key: SigningKey, what: str) -> None:
    # The whole key id looks like a secret to the log, which would withhold it.
    subject = Subject(kind="signing_key", id=str(key.id), label=key.kid[:8])
    record(organisation_id=None, action=f"signing_key.{what}", actor=Actor.system("issuer"), subject=subject)
