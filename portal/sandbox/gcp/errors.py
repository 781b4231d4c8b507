"""What Google refuses with: the bodies as they stand on the wire.

Words of STS, of `getAccessToken`, of SERVICE_DISABLED, CONSUMER_INVALID and of both organisation policies are those of public issue
threads. From memory, and to be looked at on a real account: Service Usage's refusal, compute's, 429, the words for a deleted role, for a
disabled account, for a condition that does not compile, and STS's for a project that was deleted.
"""

import json
from typing import Any
from urllib.parse import quote

from portal.sandbox import wire

JSON = "application/json; charset=UTF-8"
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
PRECONDITION = "type.googleapis.com/google.rpc.PreconditionFailure"
STATUS_CODES = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
}
# Compute's older errors name a reason of their own beside the status.
OLD_REASONS = {400: "invalid", 401: "authError", 403: "forbidden", 404: "notFound", 409: "conditionNotMet", 429: "rateLimitExceeded"}
NO_CREDENTIALS = (
    "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid authentication "
    "credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
BAD_CREDENTIALS = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication "
    "credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
TITLES = {
    "iam.googleapis.com": "Identity and Access Management (IAM) API",
    "iamcredentials.googleapis.com": "IAM Service Account Credentials API",
    "cloudresourcemanager.googleapis.com": "Cloud Resource Manager API",
    "serviceusage.googleapis.com": "Service Usage API",
    "sts.googleapis.com": "Security Token Service API",
    "compute.googleapis.com": "Compute Engine API",
    "orgpolicy.googleapis.com": "Organization Policy API",
    "config.googleapis.com": "Infrastructure Manager API",
    "container.googleapis.com": "Kubernetes Engine API",
    "cloudbuild.googleapis.com": "Cloud Build API",
    "storage.googleapis.com": "Cloud Storage API",
    "logging.googleapis.com": "Cloud Logging API",
    "monitoring.googleapis.com": "Cloud Monitoring API",
    "cloudquotas.googleapis.com": "Cloud Quotas API",
    "artifactregistry.googleapis.com": "Artifact Registry API",
}


class GoogleError(Exception):
    """A refusal of an API: `status` is google.rpc.Code's name."""

    def __init__(self, status: str, message: str, *details: dict[str, Any]) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.details = list(details)

    @property
    def code(self) -> int:
        return STATUS_CODES[self.status]

    def reply(self, api: str) -> wire.Reply:
        error: dict[str, Any] = {"code": self.code, "message": self.message, "status": self.status}
        if api == "compute":
            error["errors"] = [{"message": self.message, "domain": "global", "reason": OLD_REASONS.get(self.code, "backendError")}]
        if self.details:
            error["details"] = self.details
        return document(self.code, {"error": error})


class OAuthRefusal(Exception):
    """STS speaks OAuth: two words, and HTTP 400."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error, description)
        self.error = error
        self.description = description

    def reply(self, _api: str) -> wire.Reply:
        return document(400, {"error": self.error, "error_description": self.description})


def document(status: int, value: object, *headers: tuple[str, str]) -> wire.Reply:
    return wire.Reply(status, JSON, json.dumps(value, indent=2, ensure_ascii=False).encode(), headers)


def info(reason: str, domain: str, **metadata: str) -> dict[str, Any]:
    return {"@type": ERROR_INFO, "reason": reason, "domain": domain, **({"metadata": metadata} if metadata else {})}


def violation(kind: str, subject: str, description: str) -> dict[str, Any]:
    return {"@type": PRECONDITION, "violations": [{"type": kind, "subject": subject, "description": description}]}


def invalid(message: str, field: str = "") -> GoogleError:
    details = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": field, "description": message}]}]
    return GoogleError("INVALID_ARGUMENT", message, *(details if field else []))


def missing(message: str = "Requested entity was not found.") -> GoogleError:
    return GoogleError("NOT_FOUND", message)


def taken(message: str = "Requested entity already exists") -> GoogleError:
    return GoogleError("ALREADY_EXISTS", message)


def conflict() -> GoogleError:
    return GoogleError(
        "ABORTED", "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff."
    )


def unauthenticated(host: str, method: str, reason: str) -> GoogleError:
    message = NO_CREDENTIALS if reason == "CREDENTIALS_MISSING" else BAD_CREDENTIALS
    return GoogleError("UNAUTHENTICATED", message, info(reason, "googleapis.com", service=host, method=method))


def denied(api: str, permission: str, resource: str) -> GoogleError:
    """The caller lacks a permission; each API words it in its own way. Unknown resources answer the same."""
    if api == "serviceusage":
        subject = violation("googleapis.com", "110002", f"Permission denied to use Service Usage on [{resource}]")
        reason = info("AUTH_PERMISSION_DENIED", "serviceusage.googleapis.com")
        return GoogleError(
            "PERMISSION_DENIED", f"Permission denied to access services for consumer container [{resource}]", subject, reason
        )
    if api == "compute":
        return GoogleError("PERMISSION_DENIED", f"Required '{permission}' permission for '{resource}'")
    # Service accounts and roles do not repeat the resource's name.
    if api == "iamcredentials" or permission.startswith(("iam.serviceAccounts.", "iam.roles.")):
        message = f"Permission '{permission}' denied on resource (or it may not exist)."
        return GoogleError("PERMISSION_DENIED", message, info("IAM_PERMISSION_DENIED", "iam.googleapis.com", permission=permission))
    host = {"crm": "cloudresourcemanager.googleapis.com"}.get(api, f"{api}.googleapis.com")
    message = f"Permission '{permission}' denied on resource '//{host}/{resource}' (or it may not exist)."
    return GoogleError("PERMISSION_DENIED", message, info("IAM_PERMISSION_DENIED", host, permission=permission, resource=resource))


def service_disabled(host: str, consumer: str) -> GoogleError:
    number = consumer.removeprefix("projects/")
    url = f"https://console.developers.google.com/apis/api/{host}/overview?project={quote(number)}"
    message = (
        f"{TITLES.get(host, host)} has not been used in project {number} before or it is disabled. Enable it by visiting {url} then retry. "
        "If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry."
    )
    links = [{"description": "Google developers console API activation", "url": url}]
    why = info("SERVICE_DISABLED", "googleapis.com", service=host, consumer=consumer)
    return GoogleError("PERMISSION_DENIED", message, {"@type": "type.googleapis.com/google.rpc.Help", "links": links}, why)


def project_deleted(host: str, number: str) -> GoogleError:
    why = info("CONSUMER_INVALID", "googleapis.com", service=host, consumer=f"projects/{number}")
    return GoogleError("PERMISSION_DENIED", f"Project #{number} has been deleted.", why)


def throttled(host: str, number: str) -> GoogleError:
    message = (
        f"Quota exceeded for quota metric 'Requests' and limit 'Requests per minute' of service '{host}' for consumer 'projects/{number}'."
    )
    return GoogleError(
        "RESOURCE_EXHAUSTED", message, info("RATE_LIMIT_EXCEEDED", "googleapis.com", service=host, consumer=f"projects/{number}")
    )
