"""The table of Google's errors: what Google says, in its own words, and the stable code it becomes. The words stand in errors.json."""

import json
from pathlib import Path

import pytest
from google.auth.exceptions import OAuthError, RefreshError, TransportError

from accounts.clouds.gcp.errors import ONCE_TRUSTED, ROWS, Said, classify, of_sign_in, said_in
from accounts.failures import FAILURES as COMMON
from accounts.kits.gcp.failures import FAILURES

FOUND = json.loads(Path(__file__).with_name("errors.json").read_text())
SOURCES = {"source", "run", "memory"}


def body_of(entry):
    error = {"code": entry["status"], "message": entry["text"], "status": entry["name"]}
    if entry.get("older"):
        error["errors"] = [{"message": entry["text"], "domain": "global", "reason": entry["older"]}]
    if entry["reason"]:
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": entry["reason"], "metadata": entry.get("metadata", {})}
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.Help", "links": []}, info]
    return json.dumps({"error": error})


def name_of(entry):
    return f"{entry['code']}-{entry['source']}" if isinstance(entry, dict) else ""


@pytest.mark.parametrize("entry", FOUND["sts"], ids=name_of)
def test_gcp_refused_token_has_its_code(entry):
    body = json.dumps({"error": entry["error"], "error_description": entry["text"]})
    raised = OAuthError(f"Error code {entry['error']}: {entry['text']}", body)

    before, once = of_sign_in(raised, was_trusted=False), of_sign_in(raised, was_trusted=True)

    assert (before.code, before.retryable) == (entry["code"], entry.get("retryable", False))
    assert once.code == entry.get("once", entry["code"])
    assert once.retryable == entry.get("once_retryable", entry.get("retryable", False))
    assert entry["text"] in before.raw
    assert entry["source"] in SOURCES


@pytest.mark.parametrize("entry", FOUND["apis"], ids=name_of)
def test_gcp_refused_call_has_its_code(entry):
    said = said_in(body_of(entry), layer=entry["layer"], call=entry["call"], status=entry["status"])

    before, once = classify(said), classify(said, was_trusted=True)

    assert (before.code, before.retryable) == (entry["code"], entry.get("retryable", False))
    assert once.code == entry.get("once", entry["code"])
    assert once.retryable == entry.get("once_retryable", entry.get("retryable", False))
    assert before.params == entry.get("metadata", {})
    assert entry["text"] in before.raw
    assert entry["source"] in SOURCES


def test_gcp_refused_impersonation_is_told_from_a_refused_token():
    entry = FOUND["apis"][0]

    refused = of_sign_in(RefreshError("Unable to acquire impersonated credentials", body_of(entry)), was_trusted=False)

    assert refused.code == "trust_not_ready"
    assert refused.raw.startswith("iamcredentials: generateAccessToken: PERMISSION_DENIED: IAM_PERMISSION_DENIED:")


@pytest.mark.parametrize(
    ("body", "status"),
    [("", 502), ("<html><h1>Bad gateway</h1></html>", 502), (b"\xff\xfe", 503), ('{"error": ', 500), ("[]", 504), ("[" * 100_000, 500)],
    ids=["empty", "page", "bytes", "half", "list", "deep"],
)
def test_gcp_answer_that_is_none_is_a_passing_fault(body, status):
    found = classify(said_in(body, layer="iam", call="role", status=status))

    assert (found.code, found.retryable) == ("cloud_unavailable", True)
    assert len(found.raw) < 600


def test_gcp_sign_in_without_a_status_and_without_google_s_words_is_a_passing_fault():
    for raised in (OAuthError("<html>", "<html>"), RefreshError("Unable to acquire impersonated credentials", "<html>")):
        assert of_sign_in(raised, was_trusted=True).code == "cloud_unavailable"
    assert of_sign_in(TransportError("timed out"), was_trusted=False).code == "cloud_unavailable"
    assert of_sign_in(RefreshError("no body at all"), was_trusted=False).code == "cloud_unavailable"


@pytest.mark.parametrize(
    "error", [{"error": {"details": [None, 1], "errors": ["x"], "code": "1"}}, {"error": {"details": {}}}, {"error": None}]
)
def test_gcp_hostile_body_is_read(error):
    assert classify(said_in(json.dumps(error), layer="crm", call="project", status=418)).code == "unknown_cloud_error"


def test_gcp_every_row_of_the_table_is_tried():
    said = [said_in(body_of(entry), layer=entry["layer"], call=entry["call"], status=entry["status"]) for entry in FOUND["apis"]]
    said += [Said("sts", "token", 400, entry["error"], text=entry["text"]) for entry in FOUND["sts"]]
    used = {next((row for row in ROWS if row.fits(one)), None) for one in said}

    assert [row for row in ROWS if row not in used] == []


def test_gcp_every_code_has_words():
    codes = (
        {row.code for row in ROWS} | set(ONCE_TRUSTED.values()) | {"unknown_cloud_error", "account_recreated", "key_found", "policy_edited"}
    )
    waited_for = {"kit_not_run", "trust_not_ready"}

    assert codes - waited_for - set(FAILURES) - set(COMMON) == set()
