"""What every adapter must do, the same in every cloud: real tokens, the real way in, a strict local server.

`stands.py` says what each cloud brings; what only one cloud knows stands in tests of its own.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from accounts.clouds.base import CloudError, KitStatus, Needs, Verdict, require_current_kit
from accounts.kits.manifest import Phase
from tests.clouds.conftest import Cloud, SandboxProcess, TestIssuer
from tests.clouds.stands import STANDS, Stand

NEEDS = Needs(vcpus=2, networks=1, addresses=1, cidr="10.64.0.0/16", name_prefix="byoc-3f9a1c2e-")


@pytest.fixture(params=sorted(STANDS))
def stand(
    request: pytest.FixtureRequest, cloud: Cloud, sandbox: SandboxProcess, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch
) -> Stand:
    """An account in which nothing of ours stands yet."""
    make, addresses = STANDS[request.param]
    for name, value in addresses(sandbox).items():
        monkeypatch.setenv(name, value)
    return make(cloud, sandbox, issuer)


@pytest.fixture
def standing(stand: Stand) -> Stand:
    """The kit was run and stands as shipped."""
    stand.run_kit()
    return stand


def refusal(call: Callable[[], object]) -> CloudError:
    with pytest.raises(CloudError) as caught:
        call()
    return caught.value


# --- trust ---


def test_contract_kit_that_was_not_run(stand):
    error = refusal(stand.adapter().probe_trust)

    assert (error.code, error.retryable) == ("kit_not_run", False)
    assert error.raw


def test_contract_signs_in_as_the_operator(standing):
    identity = standing.adapter().probe_trust()

    assert identity.external_id == standing.target.external_id
    assert "byoc-3f9a1c2e-g1-operator" in identity.principal


def test_contract_identity_that_is_still_spreading_opens_later(stand):
    stand.run_kit()
    stand.spread(3600)
    error = refusal(stand.adapter().probe_trust)
    assert error.code in {"kit_not_run", "trust_not_ready"}
    assert not error.retryable

    stand.spread(0)

    assert stand.adapter().probe_trust().external_id == stand.target.external_id


def test_contract_operator_that_refuses_is_waited_for_at_first_and_lost_trust_later(standing):
    standing.refuse_operator()

    first, later = refusal(standing.adapter().probe_trust), refusal(standing.adapter(was_trusted=True).probe_trust)

    assert (first.code, first.retryable) == ("trust_not_ready", False)
    assert (later.code, later.retryable) == ("trust_refused", True)


def test_contract_provider_that_is_gone_is_no_kit_at_first_and_lost_trust_later(standing):
    standing.delete_provider()

    first, later = refusal(standing.adapter().probe_trust), refusal(standing.adapter(was_trusted=True).probe_trust)

    assert first.code in {"kit_not_run", "trust_not_ready"}  # where a report has named the identity, the kit was run: it is waited for
    assert not first.retryable
    assert (later.code, later.retryable) == ("provider_deleted", False)


def test_contract_issuer_out_of_reach(standing, sandbox, issuer):
    sandbox.control("POST", "forget-keys")
    issuer.is_down = True

    error = refusal(standing.adapter().probe_trust)

    assert (error.code, error.retryable) == ("issuer_unreachable", True)


def test_contract_finds_the_kit_in_another_account(stand):
    assert stand.adapter().find_kit_elsewhere([stand.place]) is None

    stand.run_kit(stand.place)

    assert stand.adapter().find_kit_elsewhere([stand.nowhere, stand.place]) == stand.place.external_id
    assert stand.adapter().find_kit_elsewhere([stand.nowhere]) is None


# --- the kit ---


def test_contract_describes_the_kit(standing):
    report = standing.adapter().describe_kit()

    assert (report.status, report.version, report.generation) == (KitStatus.COMPLETE, standing.kit.version, 1)
    assert (report.account, report.region) == (standing.target.account, standing.target.region)
    assert report.switches == {"AllowChanges": "yes", "AllowSupport": "yes"}
    assert standing.kit.made_name(standing.target.suffix) in report.made
    require_current_kit(report, standing.target)


@pytest.mark.parametrize(("change", "code"), [({"generation": 2}, "kit_generation_wrong"), ({"kit_version": "9.9.9"}, "kit_version_wrong")])
def test_contract_kit_of_an_earlier_attempt_is_told(standing, change, code):
    report = standing.adapter().describe_kit()

    assert refusal(lambda: require_current_kit(report, replace(standing.target, **change))).code == code


# --- trust as shipped ---


def test_contract_trust_as_shipped_passes(standing):
    standing.adapter().check_trust_unedited()


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        ("let_any_subject_in", "trust_policy_edited"),
        ("let_ops_open_support", "trust_policy_edited"),
        ("add_audience", "trust_policy_edited"),
        ("add_permission", "policy_edited"),
        ("give_more", "policy_edited"),
        ("delete_support", "role_deleted"),
    ],
)
def test_contract_edit_is_noticed(standing, edit, code):
    getattr(standing, edit)()

    error = refusal(standing.adapter().check_trust_unedited)

    assert (error.code, error.retryable) == (code, False)
    assert "3f9a1c2e" in error.raw


def test_contract_provider_deleted_while_a_session_is_open(standing):
    adapter = standing.adapter()
    adapter.probe_trust()
    standing.delete_provider()

    assert refusal(adapter.check_trust_unedited).code == "provider_deleted"


@pytest.mark.parametrize("switch", ["AllowChanges", "AllowSupport"])
def test_contract_switch_of_the_customer_is_no_edit(standing, switch):
    standing.switch_off(switch)

    adapter = standing.adapter()

    adapter.check_trust_unedited()
    assert adapter.describe_kit().switches == {"AllowChanges": "yes", "AllowSupport": "yes"} | {switch: "no"}


# --- permissions ---


def test_contract_holds_every_permission_of_the_manifest(standing):
    results = standing.adapter().check_permissions(standing.kit.probes(standing.target))

    assert [result.permission for result in results if not result.is_granted] == []
    assert [result.permission for result in results] == [permission.key for permission in standing.kit.permissions]


def test_contract_holds_nothing_that_the_manifest_forbids(standing):
    forbidden = standing.kit.forbidden_probes(standing.target)
    probes = [replace(probe, key=f"{probe.role} {probe.action} {probe.resource}") for probe in forbidden]

    results = standing.adapter().check_permissions(probes)

    assert len(results) == len({probe.key for probe in probes}) > 30
    assert [result.permission for result in results if result.is_granted] == []


def test_contract_missing_permission_is_named(standing):
    missing = standing.take_permission()

    results = standing.adapter().check_permissions(standing.kit.probes(standing.target))

    assert missing <= {result.permission for result in results if not result.is_granted}
    assert any(result.is_granted for result in results)


def test_contract_changes_switched_off_are_told_and_leave_the_checks(standing):
    standing.switch_off("AllowChanges")
    adapter = standing.adapter()

    assert refusal(lambda: require_current_kit(adapter.describe_kit(), standing.target)).code == "changes_switched_off"
    results = adapter.check_permissions(standing.kit.probes(standing.target))
    adapter.check_trust_unedited()

    assert standing.take_permission() <= {result.permission for result in results if not result.is_granted}
    assert any(result.is_granted for result in results)


def test_contract_support_switched_off_is_not_missing(standing):
    standing.switch_off("AllowSupport")
    adapter = standing.adapter()

    report = adapter.describe_kit()
    results = adapter.check_permissions(standing.kit.probes(standing.target, report.switches))

    require_current_kit(report, standing.target)
    asked = [result.permission for result in results]
    unasked = [found for found in standing.kit.permissions if found.key not in asked]
    assert {found.key for found in standing.kit.permissions if found.role == "support"} <= {found.key for found in unasked}
    assert {found.phase for found in unasked} == {Phase.SUPPORT}  # also what the operator opens it with
    assert all(result.is_granted for result in results)


# --- refusals ---


def test_contract_wrong_sign_ins_are_refused(standing):
    results = standing.adapter().check_refusals()

    assert [result.name for result in results] == ["wrong_subject", "wrong_audience", "support_as_ops", "ops_as_support"]
    assert all(result.is_refused and result.evidence for result in results)


def test_contract_too_wide_trust_is_found(standing):
    standing.let_any_subject_in()
    standing.let_ops_open_support()

    results = standing.adapter().check_refusals()

    assert [result.name for result in results if not result.is_refused] == ["wrong_subject", "support_as_ops", "ops_as_support"]


def test_contract_without_a_verdict_nothing_is_proven(standing, sandbox, issuer):
    sandbox.control("POST", "forget-keys")
    issuer.is_down = True
    assert refusal(standing.adapter().check_refusals).code == "issuer_unreachable"

    issuer.is_down = False
    standing.break_sign_in("throttle")
    assert refusal(standing.adapter().check_refusals).code == "throttled"

    standing.delete_provider()
    assert refusal(standing.adapter().check_refusals).code == "provider_deleted"


# --- the place ---


def test_contract_environment_that_is_fine(standing):
    findings = standing.adapter().check_environment(standing.target.region, NEEDS)

    assert [finding.check for finding in findings] == [check.name for check in standing.kit.environment_checks]
    assert {finding.check: finding.evidence for finding in findings if finding.verdict != Verdict.PASS} == {}


def test_contract_environment_is_looked_at_in_part(standing):
    findings = standing.adapter().check_environment(standing.target.region, NEEDS, only=["quota_networks"])

    assert [(finding.check, finding.verdict) for finding in findings] == [("quota_networks", Verdict.PASS)]


def test_contract_environment_that_nobody_may_ask(stand):
    assert refusal(lambda: stand.adapter().check_environment(stand.target.region, NEEDS)).code == "kit_not_run"


# --- faults ---


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
def test_contract_fault_of_the_cloud_is_passing(standing, kind, code):
    standing.break_kit_read(kind)

    error = refusal(standing.adapter().describe_kit)

    assert (error.code, error.retryable) == (code, True)
    assert standing.adapter().describe_kit().status == KitStatus.COMPLETE


@pytest.mark.parametrize(("kind", "code"), [("throttle", "throttled"), ("503", "cloud_unavailable"), ("lost_reply", "cloud_unavailable")])
def test_contract_fault_while_signing_in_is_passing(standing, kind, code):
    standing.break_sign_in(kind)

    error = refusal(standing.adapter().probe_trust)

    assert (error.code, error.retryable) == (code, True)
    assert standing.adapter().probe_trust().external_id == standing.target.external_id


def test_contract_errors_hold_no_token(standing):
    seen = []
    mint = standing.tokens(standing.target)
    standing.tokens = lambda _target: lambda **claims: seen.append(mint(**claims)) or seen[-1]
    standing.break_sign_in("lost_reply")

    error = refusal(standing.adapter().probe_trust)

    assert seen
    assert not any(token.split(".")[2] in f"{error!r} {error.raw} {error.__cause__!r}" for token in seen)
