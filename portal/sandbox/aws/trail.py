"""CloudTrail's event history: one line for each signed call, with the session's own identity, which ministack's recorder does not know."""

import json
import time
import uuid
from http import HTTPStatus
from typing import Any

from ministack.core.responses import _account_from_sts_session, request_scope
from ministack.services import cloudtrail
from ministack.services import sts as ministack_sts

from portal.sandbox.request import Request

READING = ("Get", "List", "Describe", "Simulate", "Head", "Lookup", "Filter")
KINDS = {"clusters": "Cluster", "node-groups": "Nodegroup", "addons": "Addon", "updates": "Update"}


def record(request: Request, status: int) -> None:
    """Calls of sessions alone: what the account's owner does in the played console is nobody's question here."""
    session = ministack_sts._sessions.get(request.access_key)
    account = _account_from_sts_session(request.access_key)
    if session is None or not account:
        return
    event = _event(request, session, account, status)
    name = session["Arn"].rpartition("/")[2]
    with request_scope(account, request.region):
        cloudtrail._get_event_queue().append(
            {
                "EventId": event["eventID"],
                "EventName": event["eventName"],
                "EventSource": event["eventSource"],
                "EventTime": time.time(),
                "Username": name,
                "AccessKeyId": request.access_key,
                "ReadOnly": str(event["readOnly"]).lower(),
                "Resources": [],
                "CloudTrailEvent": json.dumps(event),
            }
        )


def _event(request: Request, session: dict[str, Any], account: str, status: int) -> dict[str, Any]:
    _arn, role, _name = session["Arn"].split("/")
    issuer = {"type": "Role", "arn": f"arn:aws:iam::{account}:role/{role}", "accountId": account, "userName": role}
    context: dict[str, Any] = {"sessionIssuer": issuer, "attributes": {"mfaAuthenticated": "false"}}
    if session.get("SourceIdentity"):
        context["sourceIdentity"] = session["SourceIdentity"]
    event = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": session["UserId"],
            "arn": session["Arn"],
            "accountId": account,
            "accessKeyId": request.access_key,
            "sessionContext": context,
        },
        "eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "eventSource": f"{request.service}.amazonaws.com",
        "eventName": _name_of(request),
        "awsRegion": request.region,
        "sourceIPAddress": "127.0.0.1",
        "userAgent": request.headers.get("user-agent", ""),
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": _name_of(request).startswith(READING),
        "eventType": "AwsApiCall",
        "recipientAccountId": account,
    }
    if status >= HTTPStatus.BAD_REQUEST:
        event["errorCode"] = "AccessDenied" if status == HTTPStatus.FORBIDDEN else "ClientError"
    return event


def _name_of(request: Request) -> str:
    """REST services have no action in the request: EKS's is read from the path."""
    if " " not in request.action:
        return request.action
    parts = [part for part in request.path.split("/") if part]
    kind = KINDS.get(parts[-2], "") if len(parts) > 1 else ""
    return f"Describe{kind}" if kind and request.method == "GET" else request.action
