"""The table of Azure's errors: what Azure says, in its own words, and the stable code it becomes. The words stand in errors.json."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.exceptions import DecodeError, HttpResponseError, ServiceRequestError, ServiceResponseTimeoutError
from azure.core.rest import HttpRequest
from azure.core.rest._requests_basic import RestRequestsTransportResponse

from accounts.clouds.azure.errors import OTHER_AUDIENCE, OTHER_SUBJECT, ROWS, SIGN_IN, classify, is_refusal, translated
from accounts.clouds.base import CloudError

SAID: list[dict[str, Any]] = json.loads(Path(__file__).with_name("errors.json").read_text(encoding="utf-8"))["said"]
REFUSALS = {
    70021: [OTHER_SUBJECT, OTHER_AUDIENCE],
    700212: [OTHER_AUDIENCE],
    **{number: [OTHER_SUBJECT] for number in (700213, 7002137, 7002138)},
}


def name_of(said: dict[str, Any]) -> str:
    return f"{said['operation']}-{said.get('entra') or said.get('arm') or said['status']}"


def body_of(said: dict[str, Any]) -> str:
    if "html" in said:
        return said["html"]
    if "arm" in said:
        return json.dumps({"error": {"code": said["arm"], "message": said["text"], "details": said.get("details", [])}})
    number = said["entra"]
    described = f"{f'AADSTS{number}: ' if number else ''}{said['text']} Trace ID: 5e1 Correlation ID: 6f2 Timestamp: 2026-11-21 12:00:00Z"
    return json.dumps({"error": said["error"], "error_description": described, "error_codes": [number] if number else []})


def answer(status: int, body: str) -> HttpResponseError:
    """The exception as the SDK raises it, on an answer as its transport hands it over."""
    told = requests.Response()
    told.status_code, told.reason = status, "?"
    told._content = body.encode()
    told._content_consumed = True
    told.headers["content-type"] = "application/json; charset=utf-8"
    request = HttpRequest("GET", "https://management.azure.com/")
    response = RestRequestsTransportResponse(request=request, internal_response=told)
    response.read()
    return HttpResponseError(response=response)


@pytest.mark.parametrize("said", SAID, ids=name_of)
def test_error_becomes_its_code(said: dict[str, Any]) -> None:
    found = classify(said["operation"], answer(said["status"], body_of(said)))

    assert (found.code, found.retryable) == (said["code"], said.get("retryable", False))
    assert found.params == said.get("params", {})
    assert found.raw.startswith(f"{said['operation']}: ")
    assert "Trace ID" not in found.raw


@pytest.mark.parametrize("said", SAID, ids=name_of)
def test_error_once_trusted_means_that_something_was_lost(said: dict[str, Any]) -> None:
    found = classify(said["operation"], answer(said["status"], body_of(said)), was_trusted=True)

    assert found.code == said.get("once", said["code"])
    assert found.retryable == (said.get("retryable", False) or found.code == "trust_refused")


@pytest.mark.parametrize("said", SAID, ids=name_of)
def test_error_proves_a_refusal_only_where_entra_has_read_the_token(said: dict[str, Any]) -> None:
    found = [verdict for verdict in (OTHER_SUBJECT, OTHER_AUDIENCE) if is_refusal(answer(said["status"], body_of(said)), verdict)]

    assert found == REFUSALS.get(said.get("entra"), [])


def test_error_every_row_of_the_table_has_its_words() -> None:
    """A row that nothing in the catalogue reaches is a guess that nobody checks."""
    reached = {said["code"] for said in SAID} | {said["once"] for said in SAID if "once" in said}

    assert {row.code for row in ROWS} | {row.once for row in ROWS if row.once} <= reached
    assert all(said["source"] for said in SAID)


@pytest.mark.parametrize(
    "error",
    [
        ServiceRequestError("Connection refused"),
        ServiceResponseTimeoutError("Read timed out."),
        DecodeError("the answer is no JSON"),
        HttpResponseError("no response at all"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_error_without_an_answer_is_passing(error: Exception) -> None:
    found = classify(SIGN_IN, error)

    assert (found.code, found.retryable) == ("cloud_unavailable", True)
    assert not is_refusal(error, OTHER_SUBJECT)


@pytest.mark.parametrize(
    "body", ["", "null", "[]", '"text"', '{"error": null}', '{"error": {"details": [[]]}}', '{"error_codes": {}}', "\x00"]
)
def test_error_strange_body_is_no_crash(body: str) -> None:
    assert classify("Get", answer(400, body)).code == "unknown_cloud_error"
    assert classify("Get", answer(500, body)).code == "cloud_unavailable"


def test_error_deployment_inside_a_deployment_names_the_innermost_cause() -> None:
    said = SAID[-1]

    found = classify(said["operation"], answer(said["status"], body_of(said)))

    assert found.raw == "GetDeployment: RequestDisallowedByPolicy: Resource 'portal' was disallowed by policy."


def test_error_is_kept_as_the_cause() -> None:
    refused = answer(404, body_of(SAID[-1]))
    with pytest.raises(CloudError) as caught, translated("Get"):
        raise refused

    assert caught.value.__cause__ is refused
