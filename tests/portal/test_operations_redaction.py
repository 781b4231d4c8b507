"""No secret reaches a row, whatever a cloud or a step says."""

import pytest

from portal.operations.redaction import redact

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhY2NvdW50In0.c2lnbmF0dXJl-_1"
CANARY = "hunter2-canary/+=VALUE"


@pytest.mark.parametrize(
    "text",
    [
        f"token {JWT} was refused",
        f"Authorization: Bearer {CANARY}",
        f"aws_secret_access_key = {CANARY}",
        f'{{"SecretAccessKey": "{CANARY}", "x": 1}}',
        f"<SessionToken>{CANARY}</SessionToken>",
        f"https://s3/?X-Amz-Signature={CANARY}&X-Amz-Date=1",
        f"https://s3/?X-Amz-Security-Token={CANARY}",
        f"postgres://portal:{CANARY.replace('/', '')}@db/portal",
        f"password: {CANARY}",
        f"client_secret='{CANARY}'",
        "key AKIAIOSFODNN7EXAMPLE of",
        "key ASIAIOSFODNN7EXAMPLE of",
        f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{CANARY}",
    ],
)
def test_redact_removes(text: str) -> None:
    said = redact(text)
    assert "canary" not in said
    assert JWT not in said
    assert "IOSFODNN7EXAMPLE" not in said
    assert "[removed]" in said


@pytest.mark.parametrize(
    "text",
    [
        "AccessDenied: User arn:aws:sts::111122223333:assumed-role/byoc-3f9a1c2e-g1-operator is not authorized to perform iam:CreateRole",
        "Stack arn:aws:cloudformation:eu-west-1:111122223333:stack/byoc-3f9a1c2e-g1-kit/0f3b CREATE_COMPLETE",
        "wrong_subject: refused (InvalidIdentityToken)",
        "12 of 12 permissions held",
    ],
)
def test_redact_leaves_what_helps(text: str) -> None:
    assert redact(text) == text


def test_redact_drops_what_a_row_cannot_hold() -> None:
    assert redact("a\x00b") == "ab"
