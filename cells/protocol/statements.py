"""Signed statements of agents (RFC 7523): who signed, for which address, when, and whether it was said before."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import IntegrityError, transaction
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from cells.models import AgentKey, SeenAssertion
from cells.protocol.documents import PublicJwk
from cells.protocol.problems import Problem

SKEW_S = 60
LONGEST_S = 300
JTI = re.compile(r"[A-Za-z0-9._~-]{8,64}", re.ASCII)


@dataclass(frozen=True)
class Statement:
    jti: str
    expires_at: datetime


def key_of(jwk: PublicJwk) -> ECKey:
    """Raises Problem for coordinates that are no point of the curve."""
    try:
        key = ECKey.import_key({"kty": jwk.kty, "crv": jwk.crv, "x": jwk.x, "y": jwk.y})
        key.get_op_key("verify")
    except (JoseError, ValueError) as problem:
        raise Problem("malformed", "public_jwk is no key on the curve P-256.", more={"field": "public_jwk"}) from problem
    return key


def named_key(assertion: str) -> str:
    """The `kid` that a statement bears, believed by nobody yet."""
    try:
        return str(jws.extract_compact(assertion.encode()).headers().get("kid", ""))
    except (JoseError, ValueError) as problem:
        raise _invalid("It is no JWT.") from problem


def check(text: str, key: ECKey, *, who: str, audience: str, now: float) -> Statement:
    """What `who` signed with `key` for `audience`, now. Raises Problem."""
    try:
        claims = jwt.decode(text, key, algorithms=["ES256"]).claims
    except (JoseError, ValueError) as problem:
        raise _invalid("Its signature does not fit the key.") from problem
    if claims.get("iss") != who or claims.get("sub") != who:
        raise _invalid("Its `iss` and `sub` are not the cell.")
    if claims.get("aud") != audience:
        raise _invalid(f"Its `aud` is not {audience}.")
    if not isinstance(claims.get("jti"), str) or not JTI.fullmatch(claims["jti"]):
        raise _invalid("Its `jti` is not 8 to 64 letters, digits, dots, dashes or tildes.")
    return Statement(claims["jti"], datetime.fromtimestamp(_checked_times(claims, now), UTC))


def say_once(key: AgentKey, statement: Statement) -> None:
    """Remember it. Raises Problem when it was said before."""
    SeenAssertion.objects.filter(key=key, expires_at__lt=datetime.now(UTC)).delete()
    try:
        with transaction.atomic():
            SeenAssertion.objects.create(key=key, jti=statement.jti, expires_at=statement.expires_at)
    except IntegrityError as problem:
        raise Problem("replay", "Each signed statement is accepted once. Sign a new one, with a new `jti`.") from problem


def _checked_times(claims: dict[str, Any], now: float) -> int:
    issued, expires = claims.get("iat"), claims.get("exp")
    if type(issued) is not int or type(expires) is not int or not 0 < expires - issued <= LONGEST_S:
        raise _invalid(f"It needs `iat` and `exp`, at most {LONGEST_S} seconds apart.")
    if issued > now + SKEW_S or expires < now - SKEW_S:
        detail = f"The statement is of {_clock(issued)}; here it is {_clock(now)}. Set the clock of the agent's machine."
        raise Problem("clock_skew", detail, more={"server_time": now})
    return expires + SKEW_S


def _clock(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return "another age"


def _invalid(detail: str) -> Problem:
    return Problem("assertion_invalid", detail)
