"""The table of AWS errors: what AWS says, in its own words, and the stable code it becomes.

`source` tells where the words were seen: "doc" the API reference, an issue of a public repository, or "sandbox".
"""

from dataclasses import dataclass

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError, SSLError
from botocore.parsers import ResponseParserError

from accounts.clouds.aws.errors import ONCE_TRUSTED, ROWS, classify

SIGN_IN = "AssumeRoleWithWebIdentity"
DENIED = "User: arn:aws:sts::111122223333:assumed-role/byoc-3f9a1c2e-g1-operator/byoc is not authorized to perform: "


@dataclass(frozen=True)
class Said:
    operation: str
    error: str
    text: str
    status: int
    code: str
    is_retryable: bool
    source: str


SAID = (
    # --- signing in ---
    Said(
        SIGN_IN,
        "InvalidIdentityToken",
        "No OpenIDConnect provider found in your account for https://id.portal.test/trust/a/g1",
        400,
        "kit_not_run",
        False,
        "aws-actions/configure-aws-credentials#721",
    ),
    Said(
        SIGN_IN,
        "AccessDenied",
        "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        403,
        "trust_not_ready",
        False,
        "aws-actions/configure-aws-credentials#318",
    ),
    Said(
        SIGN_IN,
        "IDPCommunicationError",
        "There was a problem communicating with the identity provider.",
        400,
        "issuer_unreachable",
        True,
        "doc",
    ),
    Said(
        SIGN_IN,
        "InvalidIdentityToken",
        "Couldn't retrieve verification key from your identity provider,  please reference "
        "AssumeRoleWithWebIdentity documentation for requirements",
        400,
        "issuer_unreachable",
        True,
        "awslabs/aws-sdk-rust#827",
    ),
    Said(SIGN_IN, "InvalidIdentityToken", "Incorrect token audience", 400, "token_refused", False, "doc"),
    Said(SIGN_IN, "InvalidIdentityToken", "Token signature invalid", 400, "token_refused", False, "sandbox"),
    Said(SIGN_IN, "IDPRejectedClaim", "The identity provider reported that authentication failed.", 403, "token_refused", False, "doc"),
    Said(
        SIGN_IN,
        "ExpiredTokenException",
        "Token expired: current date/time 1790000000 must be before the expiration date/time 1789999999",
        400,
        "token_expired",
        True,
        "sandbox",
    ),
    Said(
        SIGN_IN,
        "RegionDisabledException",
        "STS is not activated in this region for account:111122223333",
        403,
        "region_disabled",
        False,
        "doc",
    ),
    Said(SIGN_IN, "Throttling", "Rate exceeded", 400, "throttled", True, "sandbox"),
    Said(
        SIGN_IN,
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        400,
        "unknown_cloud_error",
        False,
        "doc",
    ),
    # --- stacks of cells ---
    Said(
        "UpdateStack",
        "ValidationError",
        "Stack:arn:aws:cloudformation:eu-west-1:111122223333:stack/byoc-3f9a1c2e-cell-eu-west-1/1 is in UPDATE_IN_PROGRESS state and can "
        "not be updated.",
        400,
        "stack_busy",
        True,
        "aws/aws-cdk#8126",
    ),
    Said("DeleteStack", "OperationInProgressException", "Another operation is in progress", 400, "stack_busy", True, "doc"),
    Said("CreateStack", "LimitExceededException", "Limit for stack has been exceeded", 400, "quota_exceeded", False, "doc"),
    # --- reading the kit ---
    Said("DescribeStacks", "ValidationError", "Stack with id byoc-3f9a1c2e-g1-kit does not exist", 400, "kit_not_found", False, "doc"),
    Said("DescribeStacks", "ValidationError", "1 validation error detected", 400, "unknown_cloud_error", False, "doc"),
    Said(
        "DescribeStacks",
        "AccessDenied",
        DENIED + "cloudformation:DescribeStacks on resource: arn:aws:cloudformation:eu-west-1:111122223333:"
        "stack/byoc-3f9a1c2e-g1-kit/* because no identity-based policy allows the cloudformation:DescribeStacks action",
        403,
        "access_denied",
        False,
        "sandbox",
    ),
    Said(
        "DescribeStacks",
        "AccessDenied",
        DENIED + "cloudformation:DescribeStacks with an explicit deny in a service control policy",
        403,
        "denied_by_organisation",
        False,
        "doc",
    ),
    Said(
        "DescribeVpcs",
        "UnauthorizedOperation",
        "You are not authorized to perform this operation. "
        + DENIED
        + "ec2:DescribeVpcs with an explicit deny in a service control policy",
        403,
        "denied_by_organisation",
        False,
        "doc",
    ),
    Said(
        "DescribeStacks",
        "InvalidClientTokenId",
        "The security token included in the request is invalid",
        403,
        "region_disabled",
        False,
        "doc",
    ),
    Said("DescribeRegions", "OptInRequired", "You are not subscribed to this service.", 401, "region_disabled", False, "doc"),
    Said("GetRole", "InvalidClientTokenId", "The security token included in the request is invalid", 403, "trust_refused", True, "doc"),
    # --- sessions that ended: three spellings of one thing ---
    Said("DescribeVpcs", "RequestExpired", "Request has expired.", 400, "session_expired", True, "sandbox"),
    Said(
        "DescribeStacks", "ExpiredToken", "The security token included in the request is expired", 403, "session_expired", True, "sandbox"
    ),
    Said(
        "DescribeCluster",
        "ExpiredTokenException",
        "The security token included in the request is expired",
        403,
        "session_expired",
        True,
        "sandbox",
    ),
    # --- comparing trust ---
    Said("GetRole", "NoSuchEntity", "The role with name byoc-3f9a1c2e-g1-support cannot be found.", 404, "role_deleted", False, "doc"),
    Said("SimulatePrincipalPolicy", "NoSuchEntity", "The user or role with name byoc cannot be found.", 404, "role_deleted", False, "doc"),
    Said(
        "GetPolicy",
        "NoSuchEntity",
        "Policy arn:aws:iam::111122223333:policy/byoc does not exist or is not attachable.",
        404,
        "boundary_removed",
        False,
        "doc",
    ),
    Said(
        "GetOpenIDConnectProvider",
        "NoSuchEntity",
        "OpenIDConnect Provider not found for arn arn:aws:iam::111122223333:oidc-provider/a",
        404,
        "provider_deleted",
        False,
        "doc",
    ),
    # --- faults of AWS's own ---
    Said("GetRole", "Throttling", "Rate exceeded", 400, "throttled", True, "doc"),
    Said("GetCluster", "TooManyRequestsException", "Too Many Requests", 429, "throttled", True, "doc"),
    Said("DescribeVpcs", "RequestLimitExceeded", "Request limit exceeded.", 503, "throttled", True, "doc"),
    Said("PutObject", "SlowDown", "Please reduce your request rate.", 503, "throttled", True, "doc"),
    Said(
        "GetRole", "ServiceFailure", "The request processing has failed because of an unknown error", 500, "cloud_unavailable", True, "doc"
    ),
    Said("DescribeStacks", "InternalFailure", "", 500, "cloud_unavailable", True, "doc"),
    Said("DescribeStacks", "ServiceUnavailable", "Service Unavailable", 503, "cloud_unavailable", True, "doc"),
    Said("DescribeStacks", "502", "Bad Gateway", 502, "cloud_unavailable", True, "sandbox"),
    Said("DescribeStacks", "SomethingNew", "nobody knows this", 599, "cloud_unavailable", True, "status alone"),
    Said("DescribeStacks", "SomethingNew", "nobody knows this", 400, "unknown_cloud_error", False, "nothing known"),
)


def said(case: Said) -> ClientError:
    answer = {"Error": {"Code": case.error, "Message": case.text}, "ResponseMetadata": {"HTTPStatusCode": case.status}}
    return ClientError(answer, case.operation)


@pytest.mark.parametrize("case", SAID, ids=lambda case: f"{case.operation}-{case.error}-{case.code}")
def test_aws_error_becomes_its_stable_code(case):
    error = classify(case.operation, said(case))

    assert (error.code, error.retryable) == (case.code, case.is_retryable)
    assert error.raw == f"{case.operation}: {case.error}: {case.text}"


@pytest.mark.parametrize(
    ("first", "later"),
    [("kit_not_run", ("provider_deleted", False)), ("trust_not_ready", ("trust_refused", True))],
    ids=str,
)
def test_aws_refused_sign_in_means_something_else_once_trusted(first, later):
    (case,) = (case for case in SAID if case.code == first)

    error = classify(case.operation, said(case), was_trusted=True)

    assert (error.code, error.retryable) == later


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://sts.eu-west-1.amazonaws.com"),
        ConnectTimeoutError(endpoint_url="https://sts.eu-west-1.amazonaws.com"),
        ReadTimeoutError(endpoint_url="https://sts.eu-west-1.amazonaws.com"),
        SSLError(endpoint_url="https://sts.eu-west-1.amazonaws.com", error="handshake"),
        ResponseParserError("Unable to parse response (not well-formed), invalid XML received: <html>"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_aws_without_a_usable_answer_is_unavailable_and_retried(error):
    found = classify("DescribeStacks", error)

    assert (found.code, found.retryable) == ("cloud_unavailable", True)
    assert found.raw == f"DescribeStacks: {error}"


def test_aws_error_without_any_detail_is_unknown():
    error = classify("DescribeStacks", ClientError({}, "DescribeStacks"))

    assert (error.code, error.retryable, error.raw) == ("unknown_cloud_error", False, "DescribeStacks: : ")


def test_aws_every_row_of_the_table_has_a_case():
    reached = {case.code for case in SAID}

    assert {row.code for row in ROWS} - reached == set()
    assert set(ONCE_TRUSTED) <= reached
