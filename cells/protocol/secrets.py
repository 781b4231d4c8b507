"""What the portal signs for agents with: keys of their own for each purpose, derived from PORTAL_SECRET_KEY. One signs, all open."""

import base64
import hashlib
import hmac
from functools import cache

from django.conf import settings

MAC_BYTES = 32


def sign(purpose: str, payload: bytes) -> str:
    """The payload with its proof, as text for an address or a header."""
    return _as_text(payload + _mac(_keys(purpose)[0], payload))


def unsign(purpose: str, token: str) -> bytes | None:
    """The payload, or None when it was not signed by us for this purpose. One text only is a token: what decodes to the same is none."""
    try:
        content = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        return None
    if _as_text(content) != token:
        return None
    payload, proof = content[:-MAC_BYTES], content[-MAC_BYTES:]
    return payload if any(hmac.compare_digest(_mac(key, payload), proof) for key in _keys(purpose)) else None


def _as_text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _keys(purpose: str) -> tuple[bytes, ...]:
    return _derive(purpose, (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


@cache
def _derive(purpose: str, secrets: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(_mac(secret.encode(), f"cells.protocol.{purpose}".encode()) for secret in secrets)


def _mac(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, hashlib.sha256)
