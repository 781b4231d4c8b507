"""Why a deployment failed: from Terraform's words to our stable codes, by the same kind of table as refusals of an API."""

from typing import Any

from accounts.clouds.gcp.errors import Row, Said

TERRAFORM = "terraform"
ROWS = (
    Row("stack_busy", error="DEPLOYMENT_LOCK_ACQUIRE_FAILED"),
    Row("throttled", text="rateLimitExceeded|rate limit|RATE_LIMIT_EXCEEDED|Quota exceeded for quota metric"),
    Row("denied_by_organisation", text=r"organi[sz]ation policy|constraints/|orgpolicy"),
    Row("quota_exceeded", text=r"quota|limit exceeded"),
    Row("capacity_missing", text="ZONE_RESOURCE_POOL_EXHAUSTED|does not have enough resources|stockout|GCE_STOCKOUT"),
    Row("still_in_use", text="resourceInUseByAnotherResource|already being used by|in use by"),
    Row("api_disabled", text="SERVICE_DISABLED|has not been used in project|accessNotConfigured"),
    Row("name_taken", status="409", text="alreadyExists|already exists"),
    Row("access_denied", status="403"),
    Row("access_denied", error="CLOUD_BUILD_PERMISSION_DENIED|BUCKET_CREATION_PERMISSION_DENIED"),
    Row("access_denied", text="permission|forbidden"),
    Row("cloud_unavailable", status="5[0-9][0-9]"),
    Row("cloud_unavailable", error=".*_API_FAILED"),
)
RETRYABLE = {"stack_busy", "throttled", "cloud_unavailable"}


def failure(found: Any, revision: Any) -> tuple[str, str]:
    """Code and Google's own words of the first resource that failed; of the whole where none is named.

    `found` is a deployment or a preview: the errors of a deletion and of a preview stand on itself, those of a build on the revision.
    """
    holder = found if found.tf_errors or revision is None else revision
    first = next(iter(holder.tf_errors), None)
    reason = type(holder).ErrorCode(holder.error_code).name
    said = Said(
        TERRAFORM,
        first.resource_address if first else "",
        first.http_response_code if first else 0,
        "" if reason == "ERROR_CODE_UNSPECIFIED" else reason,
        text=first.error_description if first else getattr(holder, "state_detail", ""),
    )
    row = next((row for row in ROWS if row.fits(said)), None)
    return (row.code if row else "unknown_cloud_error"), said.raw
