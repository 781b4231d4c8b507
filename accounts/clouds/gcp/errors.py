"""From what Google says to our stable codes: one table, read from the top, the first row that fits decides."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import requests
from google.auth.exceptions import GoogleAuthError, OAuthError, RefreshError, TransportError

from accounts.clouds.base import CloudError

if TYPE_CHECKING:
    from google.api_core.exceptions import GoogleAPICallError  # loads gRPC

STS, IMPERSONATION = "sts", "iamcredentials"


@dataclass(frozen=True)
class Said:
    """One refusal as Google worded it. `layer` is the API, `call` what was asked of it, `error` OAuth's word or google.rpc.Code's."""

    layer: str
    call: str = ""
    status: int = 0
    error: str = ""
    reason: str = ""
    text: str = ""
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def raw(self) -> str:
        return ": ".join(part for part in (self.layer, self.call, self.error, self.reason, self.text) if part)


@dataclass(frozen=True)
class Row:
    """Patterns for the whole of each part; `text` is one to be found in the message."""

    code: str
    layer: str = ".*"
    call: str = ".*"
    status: str = ".*"
    error: str = ".*"
    reason: str = ".*"
    text: str = ""
    is_retryable: bool = False

    def fits(self, said: Said) -> bool:
        pairs = (
            (self.layer, said.layer),
            (self.call, said.call),
            (self.status, str(said.status)),
            (self.error, said.error),
            (self.reason, said.reason),
        )
        return all(re.fullmatch(pattern, value) for pattern, value in pairs) and bool(re.search(self.text, said.text, re.IGNORECASE))


SIGN_IN = "sts|iamcredentials"
ROWS = (
    # 403 is how the older parts of Compute say 429.
    Row("throttled", error="RESOURCE_EXHAUSTED|slow_down", is_retryable=True),
    Row("throttled", status="429|403", reason="RATE_LIMIT_EXCEEDED|rateLimitExceeded|userRateLimitExceeded", is_retryable=True),
    Row("throttled", status="429", is_retryable=True),
    # --- the token, at the security token service ---
    Row("kit_not_run", STS, error="invalid_target"),
    Row("issuer_unreachable", STS, error="invalid_grant", text="connecting to the given credential's issuer", is_retryable=True),
    Row("token_expired", STS, error="invalid_grant", text="stale|expired", is_retryable=True),
    Row("token_refused", STS, error="invalid_grant|invalid_request"),
    Row("trust_not_ready", STS, error="unauthorized_client"),
    # --- what may happen anywhere ---
    Row("account_deleted", reason="CONSUMER_INVALID"),
    Row("account_deleted", status="403|404", text=r"project .*has been deleted|is pending deletion|marked for deletion"),
    Row("api_disabled", reason="SERVICE_DISABLED|accessNotConfigured"),
    Row("perimeter_denied", reason="SECURITY_POLICY_VIOLATED"),
    Row("perimeter_denied", status="403", text="VPC Service Controls"),
    Row("denied_by_organisation", status="400|403", text=r"organi[sz]ation policy|constraints/|orgpolicy"),
    Row("denied_by_organisation", status="403", text="deny policy"),
    # --- opening the service account ---
    Row("identity_disabled", IMPERSONATION, status="400|403", text="service account .* is disabled"),
    Row("trust_not_ready", IMPERSONATION, status="403|404"),
    # --- with a session ---
    Row("trust_refused", status="401", reason="ACCOUNT_STATE_INVALID"),
    Row("session_expired", status="401", is_retryable=True),
    Row("provider_deleted", "iam", "pool|provider", status="404"),
    Row("role_deleted", "iam", status="404"),
    Row("policy_edited", "logging", "view", status="404"),
    Row("access_denied", status="403"),
    Row("cloud_unavailable", status="5[0-9][0-9]|408", is_retryable=True),
)
# What the pool's absence or a refusal means once a sign-in with this kit has worked.
ONCE_TRUSTED = {"kit_not_run": "provider_deleted", "trust_not_ready": "trust_refused"}


def classify(said: Said, *, was_trusted: bool = False) -> CloudError:
    """The CloudError for one refusal; Google's own text stays with it."""
    row = next((row for row in ROWS if row.fits(said)), None)
    if row is None:
        return CloudError("unknown_cloud_error", raw=said.raw, params=said.metadata)
    known = ONCE_TRUSTED.get(row.code, row.code) if was_trusted else row.code
    # A refused sign-in right after one that worked may be identity still spreading: worth another try within the budget.
    return CloudError(known, raw=said.raw, retryable=row.is_retryable or known == "trust_refused", params=said.metadata)


def of_sign_in(error: GoogleAuthError, *, was_trusted: bool) -> CloudError:
    """What google-auth raised while it signed in. The refusal's body is the second argument; no status comes with it."""
    if isinstance(error, TransportError):
        return CloudError("cloud_unavailable", raw=f"sign-in: {error}", retryable=True)
    body = error.args[1] if len(error.args) > 1 else ""
    if isinstance(error, OAuthError):
        return classify(said_in(body, layer=STS, call="exchange"), was_trusted=was_trusted)
    if isinstance(error, RefreshError):
        return classify(said_in(body, layer=IMPERSONATION, call="generateAccessToken"), was_trusted=was_trusted)
    return CloudError("unknown_cloud_error", raw=f"sign-in: {error}")


@contextmanager
def judging(*, layer: str, call: str, was_trusted: bool) -> Iterator[None]:
    """What stops a call on its way, be it JSON's or a library's. Raises CloudError."""
    try:
        yield
    except GoogleAuthError as error:  # a token that ended meanwhile is renewed on the way
        raise of_sign_in(error, was_trusted=was_trusted) from error
    except requests.RequestException as error:
        raise CloudError("cloud_unavailable", raw=f"{layer}: {call}: {error}", retryable=True) from error


def of_refusal(error: "GoogleAPICallError", *, layer: str, call: str, was_trusted: bool) -> CloudError:
    """What a library of Google's raised. Its class says nothing: over REST a failed precondition is a BadRequest.

    The body is read again for two things that no attribute has: google.rpc.Code's word, and the message without the address that the
    library puts before it, in which a pattern of ours would find words.
    """
    body: Any = getattr(error.response, "content", b"")
    said = said_in(body, layer=layer, call=call, status=int(error.code or 0))
    known = replace(said, status=int(error.code or said.status), reason=error.reason or said.reason)
    return classify(replace(known, metadata=dict(error.metadata or said.metadata)), was_trusted=was_trusted)


def unreadable(what: str, *, layer: str, call: str) -> CloudError:
    """An answer that is none: something in between spoke, or the answer was cut short."""
    return CloudError("cloud_unavailable", raw=f"{layer}: {call}: the answer is {what}", retryable=True)


def said_in(body: Any, *, layer: str, call: str, status: int = 0) -> Said:
    """A refusal's body, whatever it holds: Google's JSON, OAuth's, an HTML page of something in between, or nothing."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    error = told.get("error") if isinstance(told, dict) else None
    if isinstance(error, str):
        return Said(layer, call, status or 400, error, text=str(told.get("error_description", "")))
    if isinstance(error, dict):
        return _of_google(error, layer=layer, call=call, status=status)
    # Not Google's own words, so not Google's verdict: a proxy's page, or an answer cut short.
    return Said(layer, call, status if status >= 400 else 502, text=text[:500])  # noqa: PLR2004


def _of_google(error: dict[str, Any], *, layer: str, call: str, status: int) -> Said:
    details = [detail for detail in error.get("details") or [] if isinstance(detail, dict)]
    info = next((detail for detail in details if str(detail.get("@type", "")).endswith("google.rpc.ErrorInfo")), {})
    older = next((entry for entry in error.get("errors") or [] if isinstance(entry, dict)), {})
    code = error.get("code")
    return Said(
        layer,
        call,
        code if isinstance(code, int) else status,
        str(error.get("status", "")),
        str(info.get("reason") or older.get("reason", "")),
        str(error.get("message", "")),
        {str(name): str(value) for name, value in (info.get("metadata") or {}).items()},
    )
