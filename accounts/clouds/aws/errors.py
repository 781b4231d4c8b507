"""From what AWS says to our stable codes: one table, read from the top, the first row that fits decides."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from accounts.clouds.base import CloudError

# All that boto3 raises of a call: a refusal, no answer, or an answer that is none.
RAISED = (ClientError, BotoCoreError, ResponseParserError)


@dataclass(frozen=True)
class Row:
    """`operation` and `error` are patterns for the whole name, `text` one to be found in the message."""

    code: str
    operation: str = ".*"
    error: str = ".*"
    text: str = ""
    is_retryable: bool = False

    def fits(self, operation: str, error: str, text: str) -> bool:
        return bool(re.fullmatch(self.operation, operation) and re.fullmatch(self.error, error) and re.search(self.text, text))


SIGN_IN = "AssumeRoleWithWebIdentity"
ROWS = (
    Row("throttled", error=".*Throttl.*|TooManyRequests.*|RequestLimitExceeded|SlowDown|PriorRequestNotComplete", is_retryable=True),
    Row("issuer_unreachable", SIGN_IN, "IDPCommunicationError", is_retryable=True),
    Row("issuer_unreachable", SIGN_IN, "InvalidIdentityToken", "Couldn't retrieve verification key", is_retryable=True),
    Row("kit_not_run", SIGN_IN, "InvalidIdentityToken", "No OpenIDConnect provider found"),
    Row("trust_not_ready", SIGN_IN, "AccessDenied(Exception)?"),
    Row("token_expired", SIGN_IN, "ExpiredTokenException", is_retryable=True),
    Row("token_refused", SIGN_IN, "InvalidIdentityToken|IDPRejectedClaim"),
    Row("region_disabled", error="RegionDisabledException|OptInRequired"),
    # The session is new, so it is good: a regional endpoint that does not know it belongs to a region that is off.
    Row("region_disabled", "DescribeStacks", "InvalidClientTokenId|UnrecognizedClientException"),
    # Anywhere else it is a session whose role is gone.
    Row("trust_refused", error="InvalidClientTokenId|UnrecognizedClientException"),
    Row("session_expired", error="RequestExpired|ExpiredToken(Exception)?", is_retryable=True),
    Row("kit_not_found", "DescribeStacks", "ValidationError", "does not exist"),
    Row("stack_busy", ".*Stack|ContinueUpdateRollback", "ValidationError", r"_IN_PROGRESS state", is_retryable=True),
    Row("stack_busy", ".*Stack|ContinueUpdateRollback", "OperationInProgressException", is_retryable=True),
    Row("quota_exceeded", error="LimitExceeded(Exception)?|.*LimitExceeded"),
    Row("role_deleted", "GetRole|GetRolePolicy|ListRolePolicies|ListAttachedRolePolicies|SimulatePrincipalPolicy", "NoSuchEntity"),
    Row("boundary_removed", "GetPolicy|GetPolicyVersion", "NoSuchEntity"),
    Row("provider_deleted", "GetOpenIDConnectProvider", "NoSuchEntity"),
    Row("denied_by_organisation", error="AccessDenied.*|UnauthorizedOperation", text="service control policy"),
    Row("access_denied", error="AccessDenied.*|UnauthorizedOperation"),
    Row(
        "cloud_unavailable",
        error="Internal.*|ServiceUnavailable.*|ServiceFailure|Unavailable|RequestTimeout.*|5[0-9][0-9]",
        is_retryable=True,
    ),
)
# What the provider's absence or a refusal means once a sign-in with this kit has worked.
ONCE_TRUSTED = {"kit_not_run": "provider_deleted", "trust_not_ready": "trust_refused"}


@contextmanager
def translated(operation: str, *, was_trusted: bool = False) -> Iterator[None]:
    """Whatever boto3 raises leaves as a CloudError."""
    try:
        yield
    except RAISED as error:
        raise classify(operation, error, was_trusted=was_trusted) from error


def classify(operation: str, error: Exception, *, was_trusted: bool = False) -> CloudError:
    """The CloudError for what a call raised; the cloud's own text stays with it."""
    if not isinstance(error, ClientError):
        # No answer, half an answer, or an answer that is none: the next try may fare better.
        return CloudError("cloud_unavailable", raw=f"{operation}: {error}", retryable=True)
    told = error.response.get("Error", {})
    code, text = str(told.get("Code", "")), str(told.get("Message", ""))
    raw = f"{operation}: {code}: {text}"
    row = next((row for row in ROWS if row.fits(operation, code, text)), None)
    if row is None:
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        is_theirs = status >= 500  # noqa: PLR2004
        return CloudError("cloud_unavailable" if is_theirs else "unknown_cloud_error", raw=raw, retryable=is_theirs)
    known = ONCE_TRUSTED.get(row.code, row.code) if was_trusted else row.code
    # A refused sign-in right after one that worked may be identity still spreading: worth another try within the budget.
    return CloudError(known, raw=raw, retryable=row.is_retryable or known == "trust_refused")


# Why a resource of a stack failed, by CloudFormation's sentence.
REASONS = (
    ("denied_by_organisation", r"service control policy"),
    ("access_denied", r"not authorized to perform|AccessDenied|UnauthorizedOperation|Access denied for operation"),
    ("quota_exceeded", r"LimitExceeded|limit exceeded|exceeded? .*(quota|limit)|maximum number of|ServiceLimitExceeded|VcpuLimit"),
    ("capacity_missing", r"Insufficient\w*Capacity|sufficient (\S+ )?capacity|UnsupportedAvailabilityZone|Unsupported.*Availability Zone"),
    ("throttled", r"Throttl|Rate exceeded|RequestLimitExceeded"),
    ("name_taken", r"AlreadyExists|already exists|ResourceInUseException.*already"),
    (
        "still_in_use",
        r"DependencyViolation|has dependenc|dependent object|mapped public address|is currently in use|ResourceInUse|CannotDelete",
    ),
    ("region_disabled", r"OptInRequired|not subscribed to this service|RegionDisabled"),
)
# Not a cause but its echo: what had to stop because something else failed.
ECHO = re.compile(r"Resource (creation|update|deletion) cancelled|cancelled because|Delete canceled", re.IGNORECASE)


def code_of(reason: str) -> str:
    """The code of a resource that failed."""
    return next((code for code, pattern in REASONS if re.search(pattern, reason, re.IGNORECASE)), "stack_failed")
