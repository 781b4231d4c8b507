"""Verifies web identity tokens as STS does: against the issuer's own discovery and keys, fetched over HTTP.

Verified with PyJWT, a library the portal does not sign with, so that the two do not share a mistake.
"""

import http.client
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import jwt

FETCH_SECONDS = 4.0
CLOCK_SKEW_SECONDS = 60  # a token from a clock slightly ahead is taken
UNVERIFIABLE = (
    "Couldn't retrieve verification key from your identity provider,  "
    "please reference AssumeRoleWithWebIdentity documentation for requirements"
)


class StsError(Exception):
    """STS refuses: `code` and `message` as they stand on the wire."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status


def unverifiable() -> StsError:
    return StsError("InvalidIdentityToken", UNVERIFIABLE)


def unreachable() -> StsError:
    return StsError(
        "IDPCommunicationError",
        "The request could not be fulfilled because the identity provider (IDP) that was asked to verify "
        "the incoming identity token could not be reached.",
    )


@dataclass
class Remembered:
    keys: dict[str, Any]
    until: float


@dataclass
class Issuers:
    """Finds an issuer's keys. `resolve` stands in for DNS and TLS: https origin -> the origin that answers for it."""

    resolve: Mapping[str, str]
    cache_seconds: float = 30.0
    _remembered: dict[str, Remembered] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def key(self, issuer: str, kid: str) -> Any:
        """The key `kid` of an issuer. A key not known yet is looked for once more: issuers rotate. Raises StsError."""
        with self._lock:
            remembered = self._remembered.get(issuer)
        if remembered is None or remembered.until < time.monotonic() or kid not in remembered.keys:
            remembered = Remembered(self._fetch_keys(issuer), time.monotonic() + self.cache_seconds)
            with self._lock:
                self._remembered[issuer] = remembered
        if kid not in remembered.keys:
            raise unverifiable()
        return remembered.keys[kid]

    def forget(self) -> None:
        with self._lock:
            self._remembered.clear()

    def _fetch_keys(self, issuer: str) -> dict[str, Any]:
        discovery = self._fetch(f"{issuer}/.well-known/openid-configuration")
        if discovery.get("issuer") != issuer or not str(discovery.get("jwks_uri", "")).startswith("https://"):
            raise unverifiable()
        found = self._fetch(discovery["jwks_uri"]).get("keys")
        if not isinstance(found, list):
            raise unverifiable()
        keys = {}
        for entry in found:
            if isinstance(entry, dict) and entry.get("kty") == "RSA" and entry.get("use", "sig") == "sig" and entry.get("kid"):
                try:
                    keys[str(entry["kid"])] = jwt.PyJWK(entry, algorithm="RS256").key
                except jwt.PyJWKError as problem:
                    raise unverifiable() from problem
        return keys

    def _fetch(self, url: str) -> dict[str, Any]:
        parts = urlsplit(url)
        origin = self.resolve.get(f"{parts.scheme}://{parts.netloc}")
        if origin is None:
            raise unreachable()  # the sandbox's whole DNS is --issuer-resolve
        status, body = _get(origin, parts.path + (f"?{parts.query}" if parts.query else ""), parts.netloc)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise unreachable()
        try:
            value = json.loads(body) if status == HTTPStatus.OK else None
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise unverifiable()
        return value


def _get(origin: str, path: str, host: str) -> tuple[int, bytes]:
    """One GET without redirects, under the issuer's own Host: only name and certificate are played."""
    parts = urlsplit(origin)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.hostname or "", parts.port, timeout=FETCH_SECONDS)
    try:
        connection.request("GET", path, headers={"Host": host, "X-Forwarded-Proto": "https", "Accept": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read(256 * 1024)
    except (OSError, http.client.HTTPException) as problem:
        raise unreachable() from problem
    finally:
        connection.close()


def read_unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token, believed by nobody yet. Raises StsError when it is no token at all."""
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError as problem:
        raise StsError(
            "InvalidIdentityToken", "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
        ) from problem
    return header, claims


def verify(token: str, header: Mapping[str, Any], claims: Mapping[str, Any], issuers: Issuers) -> None:
    """Signature first, then the times. Raises StsError with the code AWS uses."""
    if header.get("alg") != "RS256":
        raise StsError("InvalidIdentityToken", f"Token signing algorithm {header.get('alg')} is not supported")
    if not header.get("kid"):
        raise unverifiable()
    key = issuers.key(str(claims["iss"]), str(header["kid"]))
    try:
        jwt.PyJWS().decode(token, key, algorithms=["RS256"])
    except jwt.PyJWTError as problem:
        raise StsError("InvalidIdentityToken", "Token signature invalid") from problem
    _check_times(claims)


def _check_times(claims: Mapping[str, Any]) -> None:
    now = int(time.time())
    for name in ("exp", "iat"):
        if not isinstance(claims.get(name), int | float) or isinstance(claims.get(name), bool):
            raise StsError("InvalidIdentityToken", f"Missing a required claim: {name}")
    if claims["exp"] <= now:
        raise StsError(
            "ExpiredTokenException", f"Token expired: current date/time {now} must be before the expiration date/time {int(claims['exp'])}"
        )
    if max(claims["iat"], claims.get("nbf", 0)) > now + CLOCK_SKEW_SECONDS:
        raise StsError("InvalidIdentityToken", f"Token is not valid yet: current date/time {now}")
