"""Sealing of what must not lie about in clear: Fernet under PORTAL_SEAL_KEYS, the first seals, all open (so keys can be rotated)."""

from functools import cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class SealBroken(Exception):
    """No configured seal key opens it: a key was removed too early, or what was sealed was altered."""


def seal(secret: bytes) -> str:
    return _box(tuple(settings.SEAL_KEYS)).encrypt(secret).decode()


def unseal(sealed: str) -> bytes:
    """The clear bytes. Raises SealBroken."""
    try:
        return _box(tuple(settings.SEAL_KEYS)).decrypt(sealed.encode())
    except InvalidToken as error:
        message = "Something sealed cannot be opened with PORTAL_SEAL_KEYS: put the key that sealed it back at the end of the list."
        raise SealBroken(message) from error


@cache
def _box(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])
