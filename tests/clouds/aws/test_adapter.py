"""The AWS adapter on the strict local AWS: signing in, what it says of the kit, refusals and faults."""

from dataclasses import replace

import pytest

from accounts.clouds.base import KitStatus, Place, require_current_kit
from tests.clouds.aws.played import ACCOUNT, played, refusal, standing

__all__ = ["played", "standing"]  # fixtures


# --- trust ---


def test_adapter_kit_not_run_yet(played):
    error = refusal(played.adapter().probe_trust)

    assert (error.code, error.retryable) == ("kit_not_run", False)
    assert "No OpenIDConnect provider found" in error.raw


def test_adapter_signs_in_as_the_operator(standing):
    identity = standing.adapter().probe_trust()

    assert identity.external_id == standing.cloud.account
    assert identity.principal == f"arn:aws:sts::{standing.cloud.account}:assumed-role/byoc-3f9a1c2e-g1-operator/byoc-3f9a1c2e-g1"


def test_adapter_never_uses_credentials_of_the_environment(standing, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", standing.elsewhere)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "root")

    assert standing.adapter().probe_trust().external_id == standing.cloud.account


def test_adapter_new_role_still_spreading_is_not_ready_then_opens(played, sandbox):
    sandbox.control("POST", "knobs", {"propagation_seconds": 3600})
    played.run_kit()
    error = refusal(played.adapter().probe_trust)
    assert (error.code, error.retryable) == ("trust_not_ready", False)

    sandbox.control("POST", "knobs", {"propagation_seconds": 0})

    assert played.adapter().probe_trust().external_id == played.cloud.account


def test_adapter_provider_gone_once_trusted(standing):
    standing.delete_provider()

    error = refusal(standing.adapter(was_trusted=True).probe_trust)

    assert (error.code, error.retryable) == ("provider_deleted", False)


def test_adapter_refused_once_trusted_may_be_spreading(standing):
    standing.write_trust("operator", lambda statement: statement["Condition"]["StringEquals"].update({"sts:RoleSessionName": "somebody"}))

    error = refusal(standing.adapter(was_trusted=True).probe_trust)

    assert (error.code, error.retryable) == ("trust_refused", True)


def test_adapter_issuer_out_of_reach(standing, sandbox, issuer):
    sandbox.control("POST", "forget-keys")
    issuer.is_down = True

    error = refusal(standing.adapter().probe_trust)

    assert (error.code, error.retryable) == ("issuer_unreachable", True)


def test_adapter_finds_the_kit_in_another_account(played):
    assert played.adapter().find_kit_elsewhere([Place(played.elsewhere)]) is None

    played.run_kit(account=played.elsewhere)

    assert played.adapter().find_kit_elsewhere([Place("123456789012"), Place(played.elsewhere)]) == played.elsewhere


# --- the kit ---


def test_adapter_describes_the_kit(standing):
    report = standing.adapter().describe_kit()

    assert (report.status, report.version, report.generation) == (KitStatus.COMPLETE, standing.kit.version, 1)
    assert (report.account, report.region) == (ACCOUNT, "eu-central-1")
    assert report.switches == {"AllowChanges": "yes", "AllowSupport": "yes"}
    assert report.made.startswith(f"arn:aws:cloudformation:eu-central-1:{standing.cloud.account}:stack/byoc-3f9a1c2e-g1-kit/")
    require_current_kit(report, standing.target)


def test_adapter_kit_in_another_region_is_named(played):
    played.run_kit(region="eu-west-1")

    error = refusal(played.adapter().describe_kit)

    assert (error.code, error.params) == ("wrong_region", {"found": "eu-west-1", "expected": "eu-central-1"})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"account": "00000000-0b5d-4c1e-9a57-6a1f0c2d3e4b"}, "kit_of_another_account"),
        ({"generation": 2}, "kit_generation_wrong"),
        ({"version": "0.9.0"}, "kit_version_wrong"),
        ({"region": "eu-west-1"}, "wrong_region"),
        ({"status": KitStatus.FAILED}, "kit_failed"),
        ({"status": KitStatus.DELETING}, "kit_deleting"),
        ({"status": KitStatus.CREATING}, "kit_not_finished"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_adapter_kit_that_is_not_the_current_one(standing, change, code):
    report = replace(standing.adapter().describe_kit(), **change)

    error = refusal(lambda: require_current_kit(report, standing.target))

    assert (error.code, error.retryable) == (code, code == "kit_not_finished")


# --- refusals ---


def test_adapter_wrong_sign_ins_are_refused(standing):
    results = standing.adapter().check_refusals()

    assert [(result.name, result.is_refused) for result in results] == [
        ("wrong_subject", True),
        ("wrong_audience", True),
        ("support_as_ops", True),
        ("ops_as_support", True),
    ]
    assert [result.evidence.split("(")[1].split(")")[0] for result in results] == [
        "AccessDenied",
        "InvalidIdentityToken",
        "AccessDenied",
        "AccessDenied",
    ]


def test_adapter_too_wide_trust_is_found(standing):
    standing.let_any_subject_in()
    standing.let_ops_open_support()

    results = standing.adapter().check_refusals()

    assert [result.name for result in results if not result.is_refused] == ["wrong_subject", "support_as_ops", "ops_as_support"]


def test_adapter_without_a_verdict_proves_no_refusal(standing, sandbox, issuer):
    sandbox.control("POST", "forget-keys")
    issuer.is_down = True
    assert refusal(standing.adapter().check_refusals).code == "issuer_unreachable"

    issuer.is_down = False
    sandbox.control("POST", "faults", {"kind": "throttle", "action": "AssumeRoleWithWebIdentity", "count": 2})
    assert refusal(standing.adapter().check_refusals).code == "throttled"

    standing.delete_provider()
    assert refusal(standing.adapter().check_refusals).code == "provider_deleted"


# --- faults of the cloud ---


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("throttle", "throttled"),
        ("500", "cloud_unavailable"),
        ("503", "cloud_unavailable"),
        ("502_html", "cloud_unavailable"),
        ("lost_reply", "cloud_unavailable"),
    ],
)
def test_adapter_fault_of_the_cloud_is_passing(standing, sandbox, kind, code):
    sandbox.control("POST", "faults", {"kind": kind, "action": "DescribeStacks", "count": 2})

    error = refusal(standing.adapter().describe_kit)

    assert (error.code, error.retryable) == (code, True)
    assert standing.adapter().describe_kit().status == KitStatus.COMPLETE


def test_adapter_session_that_ends_in_the_middle(standing, sandbox):
    adapter = standing.adapter()
    adapter.probe_trust()
    sandbox.control("POST", "age-sessions", {"seconds": 3700})

    error = refusal(adapter.describe_kit)

    assert (error.code, error.retryable) == ("session_expired", True)
    assert standing.adapter().describe_kit().status == KitStatus.COMPLETE


def test_adapter_errors_hold_no_token_and_no_key(standing, sandbox):
    seen = []
    adapter = standing.adapter()
    minted = adapter.session.tokens
    adapter.session.tokens = lambda **claims: seen.append(minted(**claims)) or seen[-1]
    sandbox.control("POST", "faults", {"kind": "lost_reply", "action": "AssumeRoleWithWebIdentity", "count": 2})

    error = refusal(adapter.probe_trust)

    assert len(seen) == 1
    assert seen[0].split(".")[2] not in f"{error!r} {error.raw} {error.__cause__!r}"
