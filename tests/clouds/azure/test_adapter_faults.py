"""Sign-ins that Azure must refuse, and an Azure that fails."""

import logging
import subprocess
import sys
import weakref

import pytest

from accounts.clouds.base import KitStatus
from tests.clouds.azure.played import PlayedAzure
from tests.clouds.azure.standing import delete_support_credential, let_ops_open_support_too, played, refusal, standing

__all__ = ["played", "standing"]  # fixtures


# --- refusals ------------------------------------------------------------------------------------------------------------


def test_azure_wrong_sign_ins_are_refused(standing: PlayedAzure) -> None:
    results = standing.adapter().check_refusals()

    assert [(result.name, result.is_refused) for result in results] == [
        ("wrong_subject", True),
        ("wrong_audience", True),
        ("support_as_ops", True),
        ("ops_as_support", True),
    ]
    numbers = [result.evidence.split(":")[1].strip() for result in results]
    assert numbers == ["AADSTS700213", "AADSTS700212", "AADSTS700213", "AADSTS700213"]


def test_azure_refusals_of_an_identity_that_lets_nobody_in_prove_nothing(standing: PlayedAzure) -> None:
    """Support would refuse the operator's token in any case."""
    delete_support_credential(standing)

    assert refusal(standing.adapter().check_refusals).code == "provider_deleted"


def test_azure_too_wide_trust_is_found(standing: PlayedAzure) -> None:
    let_ops_open_support_too(standing)

    results = {result.name: result.is_refused for result in standing.adapter().check_refusals()}

    assert results == {"wrong_subject": True, "wrong_audience": True, "support_as_ops": False, "ops_as_support": True}


@pytest.mark.parametrize("kind", ["throttle", "500", "502_html", "access_denied"])
def test_azure_without_a_verdict_proves_no_refusal(standing: PlayedAzure, kind: str) -> None:
    adapter = standing.adapter()
    adapter.probe_trust()
    standing.account.control("POST", "faults", {"kind": kind, "service": "entra", "action": "token"})

    assert refusal(adapter.check_refusals).code in {"throttled", "cloud_unavailable", "conditional_access"}


# --- faults --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["entra", "arm"])
@pytest.mark.parametrize(
    ("kind", "code"),
    [("throttle", "throttled"), ("500", "cloud_unavailable"), ("503", "cloud_unavailable"), ("502_html", "cloud_unavailable"),
     ("lost_reply", "cloud_unavailable")],
)  # fmt: skip
def test_azure_fault_of_the_cloud_is_passing(standing: PlayedAzure, service: str, kind: str, code: str) -> None:
    standing.account.control("POST", "faults", {"kind": kind, "service": service, "seconds": 120, "count": None})

    found = refusal(standing.adapter().probe_trust)

    assert (found.code, found.retryable) == (code, True)
    (fault,) = standing.account.control("GET", "faults")
    assert fault["hits"] == 1  # the engine tries again, with words on the page; not the SDK, by sleeping


def test_azure_token_revoked_in_the_middle_is_renewed(standing: PlayedAzure) -> None:
    """Continuous access evaluation: Azure asks for a new token, and gets one."""
    adapter = standing.adapter()
    adapter.probe_trust()
    standing.account.control("POST", "faults", {"kind": "401_claims", "service": "arm"})

    assert adapter.describe_kit().status is KitStatus.COMPLETE


def test_azure_session_that_ends_in_the_middle(standing: PlayedAzure) -> None:
    adapter = standing.adapter()
    adapter.probe_trust()
    standing.account.control("POST", "revoke", {"client": "*"})

    found = refusal(adapter.describe_kit)

    assert (found.code, found.retryable) == ("trust_refused", True)


def test_azure_nothing_listens(played: PlayedAzure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_AZURE_AUTHORITY_URL", "https://127.0.0.1:9")

    found = refusal(played.adapter(reported={"client_id": "99999999-9999-4999-8999-999999999999"}).probe_trust)

    assert (found.code, found.retryable) == ("cloud_unavailable", True)


def test_azure_foreign_certificate_is_not_trusted(standing: PlayedAzure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORTAL_AZURE_CA_FILE")

    found = refusal(standing.adapter().probe_trust)

    assert found.code == "cloud_unavailable"
    assert "certificate" in found.raw.lower()


def test_azure_errors_and_logs_hold_no_token(standing: PlayedAzure, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    minted: list[str] = []
    mint = standing.tokens(standing.target)

    def tokens(*, subject: str, audience: str) -> str:
        minted.append(mint(subject=subject, audience=audience))
        return minted[-1]

    standing.tokens = lambda _target: tokens  # type: ignore[method-assign]
    adapter = standing.adapter(reported={"client_id": standing.target.reported["support_client_id"]})
    found = refusal(adapter.probe_trust)
    standing.adapter().probe_trust()

    assert len(minted) == 2
    texts = [found.raw, repr(found), str(found.__cause__), repr(adapter.__dict__), caplog.text]
    assert not any(token in text or token.split(".")[2] in text for token in minted for text in texts)
    assert "AADSTS" not in caplog.text


def test_azure_sdk_loads_with_the_first_adapter_only() -> None:
    """Start-up of the portal imports no SDK."""
    ask = (
        "import sys, accounts.clouds, accounts.kits.azure.template; print(sorted(name for name in sys.modules if name.startswith('azure')))"
    )

    found = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True, timeout=30)

    assert found.stdout.strip() == "[]"


def test_azure_adapter_is_let_go_with_its_connections(standing: PlayedAzure) -> None:
    """Without the collector's help: a worker makes one for each step."""
    adapter = standing.adapter()
    adapter.probe_trust()
    session = weakref.ref(adapter.operator)

    del adapter

    assert session() is None
