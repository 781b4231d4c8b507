"""The OpenAPI description of `/agent/v1/`, made from the very types that requests are checked against."""

from functools import cache
from typing import Any

import msgspec

from cells.protocol import backup_documents, documents, order_documents
from cells.protocol.parsing import MOST_BYTES
from cells.protocol.problems import KINDS, MEDIA_TYPE

VERSION = "1.2.0"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
DOCUMENTS = (
    documents.EnrolmentRequest,
    documents.KeyRequest,
    documents.Registered,
    documents.TokenRequest,
    documents.TokenAnswer,
    documents.Desired,
    documents.Reports,
    documents.ReportsAnswer,
    order_documents.OrdersRequest,
    order_documents.Orders,
    order_documents.OrderResult,
    order_documents.OrderAnswer,
    backup_documents.BackupResult,
    backup_documents.BackupAnswer,
    documents.ProblemDocument,
)
SUMMARY = (
    "What the agent of a deployment cell speaks with the portal. The agent dials out; nothing dials in. Reports carry metadata only: "
    "only the result of an order that asks for lines holds them, redacted by the agent before they leave the cell. "
    f"A field that is not described is refused. A body has at most {MOST_BYTES} bytes. All times are UTC."
)


@cache
def description() -> dict[str, Any]:
    _, schemas = msgspec.json.schema_components(DOCUMENTS, ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {"title": "Agent protocol", "version": VERSION, "description": SUMMARY},
        "paths": _paths(),
        "components": {
            "schemas": schemas,
            "responses": {"Problem": _answer("Refused. `code` is stable.", "ProblemDocument", MEDIA_TYPE)},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "From /agent/v1/token, for ten minutes."}},
        },
        "x-problem-codes": {code: {"status": kind.status, "title": kind.title} for code, kind in sorted(KINDS.items())},
    }


def _paths() -> dict[str, Any]:
    asks_token: list[dict[str, list[str]]] = [{"token": []}]
    return {
        "/agent/v1/enrolments": {
            "post": {
                "operationId": "enrol",
                "summary": "Register the agent's own public key, once for each enrolment token. The same key again is answered alike.",
                "security": [],
                "requestBody": _body("EnrolmentRequest"),
                "responses": {"201": _answer("Registered.", "Registered"), **_problems("enrolment")},
            }
        },
        "/agent/v1/token": {
            "post": {
                "operationId": "fetchToken",
                "summary": "OAuth2 client credentials with private_key_jwt (RFC 7523): iss and sub are the cell, kid the key, ES256.",
                "security": [],
                "requestBody": _body("TokenRequest", FORM),
                "responses": {"200": _answer("An access token.", "TokenAnswer"), **_problems("token")},
            }
        },
        "/agent/v1/keys": {
            "post": {
                "operationId": "addKey",
                "summary": "Register the key that follows. The keys before it end when it is first used at /agent/v1/token.",
                "security": asks_token,
                "requestBody": _body("KeyRequest"),
                "responses": {"201": _answer("Registered.", "Registered"), **_problems("key")},
            }
        },
        "/agent/v1/desired": {
            "get": {
                "operationId": "fetchDesired",
                "summary": "What the agent shall bring about. With If-None-Match and wait, the answer comes when it changes.",
                "security": asks_token,
                "parameters": [_header("If-None-Match"), _wait()],
                "responses": {
                    "200": {**_answer("The whole of it.", "Desired"), "headers": {"ETag": {"schema": {"type": "string"}}}},
                    "304": {"description": "Nothing has changed. Retry-After, where it is set, says when to ask again."},
                    **_problems("desired"),
                },
            }
        },
        "/agent/v1/reports": {
            "post": {
                "operationId": "sendReports",
                "summary": "What was seen, numbered by the agent. It is stored once this answers; a number that was stored is no error.",
                "security": asks_token,
                "requestBody": _body("Reports"),
                "responses": {"200": _answer("Stored.", "ReportsAnswer"), **_problems("reports")},
            }
        },
        "/agent/v1/orders": {
            "post": {
                "operationId": "takeOrders",
                "summary": "Orders that wait. A new desired state says that there may be some. Taken again, an order is the same.",
                "security": asks_token,
                "requestBody": _body("OrdersRequest"),
                "responses": {"200": _answer("Those that may be done now.", "Orders"), **_problems("orders")},
            }
        },
        "/agent/v1/orders/results": {
            "post": {
                "operationId": "sendResult",
                "summary": "What came of one order. The same result again is answered alike. What is dropped must not stay in the cluster.",
                "security": asks_token,
                "requestBody": _body("OrderResult"),
                "responses": {"200": _answer("Kept or dropped.", "OrderAnswer"), **_problems("results")},
            }
        },
        "/agent/v1/backups": {
            "post": {
                "operationId": "sendBackup",
                "summary": "What came of a last backup that the desired state asks for: where it lies, or why there is none.",
                "security": asks_token,
                "requestBody": _body("BackupResult"),
                "responses": {"200": _answer("Kept, or dropped where nobody waits for it.", "BackupAnswer"), **_problems("backups")},
            }
        },
        "/agent/v1/agent.pyz": {
            "get": {
                "operationId": "fetchAgent",
                "summary": "The reference agent, one file for Python 3.9 or newer. With `sha256`, the one that a machine was ordered with.",
                "security": [],
                "parameters": [{"name": "sha256", "in": "query", "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"}}],
                "responses": {
                    "200": {"description": "The file.", "content": {"application/octet-stream": {}}},
                    **_problems("agent.pyz"),
                },
            }
        },
        "/agent/v1/openapi.json": {
            "get": {
                "operationId": "fetchDescription",
                "summary": "This description.",
                "security": [],
                "responses": {"200": {"description": "OpenAPI 3.1.", "content": {JSON: {}}}},
            }
        },
    }


# What each path may refuse, beside 400 for a bad document and 429 when it is asked too much.
REFUSALS = {
    "agent.pyz": (404, 429),
    "enrolment": (400, 401, 403, 409, 413, 415, 429),
    "token": (400, 401, 403, 413, 415, 429),
    "key": (400, 401, 403, 409, 413, 415, 429),
    "desired": (400, 401, 403, 429),
    "orders": (400, 401, 403, 413, 415, 429),
    "backups": (400, 401, 403, 404, 413, 415, 429),
    "results": (400, 401, 403, 404, 413, 415, 429),
    "reports": (400, 401, 403, 413, 415, 429, 503),
}


def _problems(path: str) -> dict[str, Any]:
    return {str(status): {"$ref": "#/components/responses/Problem"} for status in REFUSALS[path]}


def _body(name: str, media_type: str = JSON) -> dict[str, Any]:
    return {"required": True, "content": {media_type: {"schema": _schema(name)}}}


def _answer(words: str, name: str, media_type: str = JSON) -> dict[str, Any]:
    return {"description": words, "content": {media_type: {"schema": _schema(name)}}}


def _schema(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _header(name: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "schema": {"type": "string"}}


def _wait() -> dict[str, Any]:
    return {"name": "wait", "in": "query", "schema": {"type": "integer", "minimum": 0, "maximum": 30, "default": 0}}
