"""Everything the agent protocol refuses, by stable code, in the form of RFC 9457."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cells.protocol.documents import ProblemDocument

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Kind:
    status: int
    title: str
    error: str | None = None


KINDS = {
    "malformed": Kind(400, "The document is not as described", "invalid_request"),
    "unknown_field": Kind(400, "The document holds a field that is not accepted", "invalid_request"),
    "wrong_media_type": Kind(415, "The body has another media type than described"),
    "too_large": Kind(413, "The document is too large"),
    "token_missing": Kind(401, "An access token is needed"),
    "token_invalid": Kind(401, "The access token is not valid"),
    "token_expired": Kind(401, "The access token has expired"),
    "assertion_invalid": Kind(401, "The signed statement is not valid", "invalid_client"),
    "replay": Kind(401, "The signed statement was used before", "invalid_client"),
    "clock_skew": Kind(401, "The clock of the agent is wrong", "invalid_client"),
    "enrolment_invalid": Kind(401, "The enrolment token is not valid"),
    "enrolment_expired": Kind(403, "The enrolment token has expired"),
    "enrolment_used": Kind(409, "The enrolment token was used by another agent"),
    "too_many_keys": Kind(409, "The agent has registered too many keys"),
    "agent_revoked": Kind(403, "The access of this agent has ended", "invalid_client"),
    "agent_disabled": Kind(403, "The agent is switched off", "invalid_client"),
    "wrong_cell": Kind(403, "The document is about another cell"),
    "order_unknown": Kind(404, "This agent was given no such order"),
    "backup_unknown": Kind(404, "This agent was asked for no such backup"),
    "package_unknown": Kind(404, "This portal has never had such a file"),
    "too_many_requests": Kind(429, "Too many requests"),
    "not_stored": Kind(503, "The report was not stored"),
}


@dataclass(eq=False)  # not frozen: what raises an exception writes its traceback into it
class Problem(Exception):
    """Raised wherever a request is found wanting; answered by whatever took the request."""

    code: str
    detail: str
    retry_after: int = 0
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> int:
        return KINDS[self.code].status

    @property
    def headers(self) -> dict[str, str]:
        headers = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"}
        if self.status == 401:  # noqa: PLR2004
            headers["WWW-Authenticate"] = "Bearer"
        if self.retry_after:
            headers["Retry-After"] = str(self.retry_after)
        return headers

    def body(self) -> bytes:
        kind = KINDS[self.code]
        document = ProblemDocument(
            type="about:blank", title=kind.title, status=kind.status, code=self.code, detail=self.detail, error=kind.error, **self.more
        )
        return msgspec.json.encode(document)
