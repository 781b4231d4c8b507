"""Tokens for customers' clouds: RS256, one string `aud`, at most five minutes."""

import time
import uuid
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from accounts.clouds.base import Subject, TokenSource
from accounts.issuer.addresses import issuer_url
from accounts.issuer.keys import active_key, open_private_key
from accounts.models import Kit

LIFETIME_S = 300
# Clouds' clocks differ by some seconds: a token is valid from a little before it was made.
CLOCK_SKEW_S = 30


class KitReplaced(Exception):
    """The kit is neither the current one nor about to be: nothing signs for it any more."""


class SupportNotAsked(Exception):
    """A token of the support identity was wanted by somebody who has no gate to ask."""


def refuse_support() -> None:
    """Nobody signs for support by the way."""
    raise SupportNotAsked


def verifying() -> None:
    """Verifying a kit shows that each identity is refused with the other's token: it needs both, and opens no session of support."""


def token_source(kit: Kit, *, before_support: Callable[[], None] = refuse_support, is_last_proof: bool = False) -> TokenSource:
    """A source of tokens that name this kit's issuer: the only way a token is made. Raises KitReplaced once the kit's time is over.

    `is_last_proof`: also after its time, to see that the cloud knows the kit no more. The issuer's address is gone then, so that no cloud
    can find such a token good. `before_support` is asked right before a token of the support identity is signed, and raises when there is
    to be none.
    """
    issuer = issuer_url(kit)

    def mint(*, subject: str, audience: str, claims: Mapping[str, Any] | None = None) -> str:
        if not is_last_proof and not Kit.objects.trusted().filter(pk=kit.pk).exists():
            raise KitReplaced(kit.pk)
        if subject.endswith(f":{Subject.SUPPORT.value}"):
            before_support()
        return sign(issuer=issuer, subject=subject, audience=audience, said=claims)

    return mint


def sign(*, issuer: str, subject: str, audience: str, said: Mapping[str, Any] | None = None) -> str:
    """`said` stands beside the claims that make the token, and can be none of them."""
    row = active_key()
    now = int(time.time())
    claims = {
        **(said or {}),
        "iss": issuer,
        "sub": subject,
        "aud": audience,
        "iat": now,
        "nbf": now - CLOCK_SKEW_S,
        "exp": now + LIFETIME_S - CLOCK_SKEW_S,
        "jti": str(uuid.uuid4()),
    }
    return jwt.encode({"alg": "RS256", "typ": "JWT", "kid": row.kid}, claims, _signing_key(row.sealed_private_key))


@lru_cache(maxsize=2)
def _signing_key(sealed: str) -> RSAKey:
    """Opening and parsing a key costs more than signing: keep the parsed one, under its sealed form."""
    return open_private_key(sealed)
