"""From what Azure says to our stable codes: one table, read from the top, the first row that fits decides.

Two parties answer: Entra, whose AADSTS number is the key, and the Resource Manager (ARM), whose code is.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError

from accounts.clouds.base import CloudError

ENTRA, ARM = "entra", "arm"
SIGN_IN = "SignIn"
# Entra's numbers for a token whose subject, or whose audience, is that of no federated credential. 70021 does not say which of the two;
# it counts, as the same identity has just taken a token that differs in nothing else. 700211 is the issuer's, and never counts.
OTHER_SUBJECT, OTHER_AUDIENCE = "70021|700213[0-9]?", "70021|700212"
SERVER_FAULT = 500
DEEPEST = 6  # deployments of deployments of deployments


@dataclass(frozen=True)
class Row:
    """`operation` and `error` are patterns for the whole name, `text` one to be found in the message.

    `once` is the code it becomes when this kit has let us in before: what was still to come then is now lost.
    """

    code: str
    layer: str
    error: str = ".*"
    operation: str = ".*"
    text: str = ""
    is_retryable: bool = False
    once: str = ""

    def fits(self, layer: str, operation: str, error: str, text: str) -> bool:
        named = re.fullmatch(self.operation, operation) and re.fullmatch(self.error, error)
        return bool(layer == self.layer and named and re.search(self.text, text))


ROWS = (
    # --- Entra ---
    Row("throttled", ENTRA, "429|50196|90055", is_retryable=True),
    Row("issuer_unreachable", ENTRA, "50166|501661|90061|7000272", is_retryable=True),
    Row("trust_not_ready", ENTRA, "70021|700211", once="provider_deleted"),
    Row("trust_not_ready", ENTRA, "700212|700213|700213[0-9]", once="trust_refused"),
    # The identity is not there yet, or no longer.
    Row("trust_not_ready", ENTRA, "700016|7000229", once="role_deleted"),
    Row("token_expired", ENTRA, "700024", is_retryable=True),
    Row("token_refused", ENTRA, "700027|50013|50027|5002[0-9]{3}"),
    Row("account_deleted", ENTRA, "90002|900023"),
    Row("conditional_access", ENTRA, "53[0-9]{3,4}"),
    Row("cloud_unavailable", ENTRA, "90033|5[0-9][0-9]", is_retryable=True),
    # --- ARM ---
    Row("throttled", ARM, ".*Throttled|TooManyRequests|429", is_retryable=True),
    Row("account_deleted", ARM, "SubscriptionNotFound|InvalidSubscriptionId"),
    Row("account_disabled", ARM, "ReadOnlyDisabledSubscription"),
    Row("wrong_tenant", ARM, "InvalidAuthenticationTokenTenant"),
    Row("session_expired", ARM, "ExpiredAuthenticationToken|TokenIssuedBeforeRevocationTimestamp", is_retryable=True),
    Row("trust_refused", ARM, "InvalidAuthenticationToken|AuthenticationFailed", is_retryable=True),
    Row("provider_not_registered", ARM, "MissingSubscriptionRegistration"),
    Row("denied_by_organisation", ARM, "RequestDisallowedByPolicy|DenyAssignmentAuthorizationFailed"),
    # Signed in, and no role yet: assignments spread after identities.
    Row("trust_not_ready", ARM, "AuthorizationFailed", "GetSubscription", once="role_deleted"),
    Row("access_denied", ARM, "AuthorizationFailed|LinkedAuthorizationFailed|Forbidden|403"),
    # The same role for the same identity in the same place: somebody else has just given it.
    Row("door_busy", ARM, "RoleAssignmentExists", "LeaseIdentity", is_retryable=True),
    Row("kit_not_found", ARM, "ResourceGroupNotFound|DeploymentNotFound", "GetGroup|GetDeployment"),
    Row("kit_not_found", ARM, "ResourceGroupNotFound|(Parent)?ResourceNotFound|DeploymentStackNotFound", ".*Stack"),
    Row("stack_busy", ARM, "DeploymentStackInNonTerminalState|DeploymentActive", ".*Stack", is_retryable=True),
    Row("role_deleted", ARM, "ResourceGroupNotFound|(Parent)?ResourceNotFound", "GetIdentity|ListCredentials|ListPermissions|GetWorkflow"),
    Row("cloud_unavailable", ARM, "Internal.*|Server.*|Service.*|Gateway.*|BadGateway|5[0-9][0-9]", is_retryable=True),
)
_TENANT = re.compile(r"must match (?:the tenant|one of the tenants) 'https://sts\.windows\.net/(?P<found>[0-9a-f-]{36})/", re.IGNORECASE)


@contextmanager
def translated(operation: str, *, was_trusted: bool = False) -> Iterator[None]:
    """Whatever Azure's libraries raise leaves as a CloudError."""
    try:
        yield
    except AzureError as error:
        raise classify(operation, error, was_trusted=was_trusted) from error


def classify(operation: str, error: Exception, *, was_trusted: bool = False) -> CloudError:
    """The CloudError for what a call raised; the cloud's own text stays with it."""
    if not isinstance(error, HttpResponseError) or error.response is None:
        # No answer, half an answer, or an answer that is none: the next try may fare better.
        return CloudError("cloud_unavailable", raw=f"{operation}: {error}", retryable=True)
    status = int(error.response.status_code or 0)
    body = body_of(error)
    layer = ENTRA if "error_codes" in body or isinstance(body.get("error"), str) else ARM
    code, text = entra_code(body) if layer == ENTRA else arm_code(body)
    raw = f"{operation}: {'AADSTS' if layer == ENTRA and code else ''}{code or status}: {text or error.message}"
    row = next((row for row in ROWS if row.fits(layer, operation, code or str(status), text)), None)
    if row is None:
        is_theirs = status >= SERVER_FAULT
        return CloudError("cloud_unavailable" if is_theirs else "unknown_cloud_error", raw=raw, retryable=is_theirs)
    known = row.once if was_trusted and row.once else row.code
    # A refusal right after a sign-in that worked may be a change still spreading: worth another try within the budget.
    return CloudError(known, raw=raw, retryable=row.is_retryable or known == "trust_refused", params=_params(code, text))


def is_refusal(error: Exception, verdict: str) -> bool:
    """Whether Entra could read the token and said that this identity does not trust its subject, or its audience: `verdict`.

    Nothing else proves a refusal. Least of all an issuer that the identity does not know: whatever we sent, it would be refused.
    """
    if not isinstance(error, HttpResponseError) or error.response is None:
        return False
    return re.fullmatch(verdict, entra_code(body_of(error))[0]) is not None


def body_of(error: HttpResponseError) -> dict[str, Any]:
    """What was answered, if it was JSON. A proxy's error page is none."""
    assert error.response is not None
    try:
        body = json.loads(error.response.text())
    except (ValueError, UnicodeDecodeError):
        return {}
    return body if isinstance(body, dict) else {}


def entra_code(body: Mapping[str, Any]) -> tuple[str, str]:
    """The AADSTS number, without its letters, and the sentence alone: a trace follows it."""
    named = re.match(r"(?:AADSTS(?P<code>\d+): )?(?P<text>.*?)\s*(?:Trace ID:|$)", str(body.get("error_description") or ""), re.DOTALL)
    codes = body.get("error_codes")
    text = named["text"] if named else ""
    if isinstance(codes, list) and codes:
        return str(codes[0]), text
    return (named["code"] or "" if named else ""), text


def arm_code(body: Mapping[str, Any]) -> tuple[str, str]:
    """The innermost code and message: a deployment that failed hands on the provider's own error, as text inside text."""
    error = body.get("error")
    found = error if isinstance(error, Mapping) else body
    for _level in range(DEEPEST):
        inner = _inside(found)
        if inner is None:
            break
        found = inner
    return str(found.get("code") or ""), str(found.get("message") or "")


def _inside(error: Mapping[str, Any]) -> Mapping[str, Any] | None:
    details = error.get("details")
    first = details[0] if isinstance(details, list) and details and isinstance(details[0], Mapping) else None
    try:
        told = json.loads(str(error.get("message") or ""))
    except ValueError:
        return first
    if not isinstance(told, Mapping):
        return first
    inner = told.get("error", told)
    return inner if isinstance(inner, Mapping) else first


def _params(code: str, text: str) -> dict[str, str]:
    """What the sentences of a failure name: a tenant, a namespace. And what is the matter with a client id that was reported."""
    if re.fullmatch("700016|7000229", code):
        return {"client_id_is": "unknown"}
    if code == "700213":
        return {"client_id_is": "refused"}
    if code == "InvalidAuthenticationTokenTenant" and (match := _TENANT.search(text)):
        return {"found": match["found"].lower()}
    if code == "MissingSubscriptionRegistration":
        named = re.search(r"namespace '([A-Za-z.]+)'", text)
        return {"namespace": named[1]} if named else {}
    return {}


# Why a resource of a stack failed: by its provider's code, or by Azure's sentence where one code stands for everything.
REASONS = (
    ("denied_by_organisation", "RequestDisallowedByPolicy|DenyAssignmentAuthorizationFailed"),
    ("access_denied", "AuthorizationFailed|LinkedAuthorizationFailed|Forbidden|403|.*Authorization failed for template resource .*"),
    ("quota_exceeded", ".*QuotaExceeded.*|.*Insufficient[A-Za-z]*Quota|.*Limit(Reached|Exceeded)"),
    ("capacity_missing", "SkuNotAvailable|.*AllocationFailed|OverconstrainedAllocationRequest|.*NotAvailableForSubscription"),
    ("provider_not_registered", "MissingSubscriptionRegistration"),
    ("still_in_use", "InUse.*|NicInUse|.*CannotBeDeleted|.*HasActive.*|ScopeLocked"),
    ("name_taken", ".*AlreadyExists|.*AlreadyTaken"),
    ("throttled", ".*Throttled|TooManyRequests"),
)


def reason_of(error: Mapping[str, Any]) -> tuple[str, str]:
    """The stable code of what went wrong with a stack, and Azure's own words for it."""
    code, text = arm_code(error)
    raw = f"{code}: {text}"
    found = (stable for stable, pattern in REASONS if re.fullmatch(pattern, code) or re.fullmatch(pattern, raw, re.DOTALL))
    return next(found, "stack_failed"), raw
