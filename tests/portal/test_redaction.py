"""What a secret looks like, wherever it stands: in what a cloud or a step says, in a log line, in a value somebody pasted."""

import subprocess
import sys

import pytest

from portal.redaction import looks_secret, names_secret, without_secrets

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
        f"password=';&<{CANARY}'",
        f"secret_key={CANARY}",
        f"session-key: {CANARY}",
        f'{{\\"SecretAccessKey\\": \\"{CANARY}\\"}}',
        f"'password': '{CANARY} and cut",
        f"token of github ghp_{'canary' * 4}",
        "key AKIAIOSFODNN7EXAMPLE of",
        "key ASIAIOSFODNN7EXAMPLE of",
        f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{CANARY}",
    ],
)
def test_redaction_removes(text: str) -> None:
    said = without_secrets(text)
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
def test_redaction_leaves_what_helps(text: str) -> None:
    assert without_secrets(text) == text


def test_redaction_drops_what_a_row_cannot_hold() -> None:
    assert without_secrets("a\x00b") == "ab"


@pytest.mark.parametrize("text", [JWT, JWT[:20], f"x_{JWT}", "AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", "-----BEGIN PRIVATE KEY-----"])
def test_what_is_removed_by_its_shape_looks_secret_too(text: str) -> None:
    assert looks_secret(text)
    assert without_secrets(text).removeprefix("x_") == "[removed]"


@pytest.mark.parametrize(
    "key", ["password", "newPassword", "X-API-Key", "session_key", "AWS_SECRET_ACCESS_KEY", "Set-Cookie", "webIdentityToken"]
)
def test_key_names_a_secret(key: str) -> None:
    assert names_secret(key)


@pytest.mark.parametrize("key", ["key", "state", "kid", "account", "secretary", "tokenised_at", "idempotency_key"])
def test_key_names_no_secret(key: str) -> None:
    assert not names_secret(key)


KEEP_BUSY = """
import resource
from portal.redaction import looks_secret, without_secrets
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
names = ("password0", "password_", "token ", "token:", "token=\\\\", "<secret_")
shapes = ("eyJ-", "://a:", "-----BEGIN ", "-----END PRIVATE ", "bearer ", "aB0")
for part in names + shapes:
    for text in (part * (400_000 // len(part)), "token" + part[-1] * 400_000):
        without_secrets(text)
        looks_secret(text)
print("done")
"""


def test_no_text_keeps_a_process_busy():
    """Tried in a process that may use a minute of CPU for all of them: what grows with the square of the length would take hours."""
    done = subprocess.run([sys.executable, "-c", KEEP_BUSY], capture_output=True, text=True, check=False)

    assert done.stdout == "done\n", done.stderr
