"""Replies in each AWS service's own wire form, so that boto3 reads them as it reads AWS."""

import json
import secrets
from dataclasses import dataclass
from http import HTTPStatus
from uuid import uuid4
from xml.sax.saxutils import escape

JSON_1_1 = "application/x-amz-json-1.1"

NAMESPACES = {
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "cloudformation": "http://cloudformation.amazonaws.com/doc/2010-05-15/",
}


@dataclass(frozen=True)
class Reply:
    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def text(status: int, content: str, content_type: str = "text/plain; charset=utf-8") -> Reply:
    return Reply(status, content_type, content.encode())


def document(status: int, value: object) -> Reply:
    return Reply(status, "application/json", json.dumps(value).encode())


def result(service: str, action: str, inner: str) -> Reply:
    """A success of a query-protocol service; `inner` is ready XML."""
    xml = (
        f'<{action}Response xmlns="{NAMESPACES[service]}"><{action}Result>{inner}</{action}Result>'
        f"<ResponseMetadata><RequestId>{uuid4()}</RequestId></ResponseMetadata></{action}Response>"
    )
    return Reply(200, "text/xml", xml.encode())


def refusal(service: str, status: int, code: str, message: str) -> Reply:
    """An error as `service` words it. Unknown services speak JSON, as AWS's newer ones do."""
    number = str(uuid4())
    if service in NAMESPACES:
        fault = "Sender" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "Receiver"
        xml = (
            f'<ErrorResponse xmlns="{NAMESPACES[service]}"><Error><Type>{fault}</Type><Code>{escape(code)}</Code>'
            f"<Message>{escape(message)}</Message></Error><RequestId>{number}</RequestId></ErrorResponse>"
        )
        return Reply(status, "text/xml", xml.encode())
    if service == "s3":
        number = secrets.token_hex(8).upper()
        inner = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message><RequestId>{number}</RequestId>"
        xml = f'<?xml version="1.0" encoding="UTF-8"?><Error>{inner}</Error>'
        return Reply(status, "application/xml", xml.encode(), (("x-amz-request-id", number),))
    if service == "ec2":
        inner = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
        xml = f"<Response><Errors>{inner}</Errors><RequestID>{number}</RequestID></Response>"
        return Reply(status, "text/xml", xml.encode())
    body = json.dumps({"__type": code, "message": message, "Message": message}).encode()
    return Reply(status, JSON_1_1, body, (("x-amzn-errortype", code), ("x-amzn-requestid", number)))


_UNKNOWN_KEY = {"s3": ("InvalidAccessKeyId", 403), "ec2": ("AuthFailure", 401)}
_THROTTLED = {"s3": ("SlowDown", 503), "ec2": ("RequestLimitExceeded", 503)}


def unknown_key(service: str) -> Reply:
    """What a service answers to an access key it has never seen."""
    fallback = ("InvalidClientTokenId", 403) if service in NAMESPACES else ("UnrecognizedClientException", 403)
    code, status = _UNKNOWN_KEY.get(service, fallback)
    return refusal(service, status, code, "The security token included in the request is invalid.")


def throttled(service: str) -> Reply:
    fallback = ("Throttling", 400) if service in NAMESPACES else ("ThrottlingException", 400)
    code, status = _THROTTLED.get(service, fallback)
    return refusal(service, status, code, "Rate exceeded")


def denied(service: str, action: str, message: str = "") -> Reply:
    code = "AccessDenied" if service in NAMESPACES or service == "s3" else "AccessDeniedException"
    if service == "ec2":
        code = "UnauthorizedOperation"
    return refusal(service, 403, code, message or f"User is not authorized to perform: {service}:{action}")
