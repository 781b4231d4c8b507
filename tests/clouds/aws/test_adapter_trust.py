"""Edits of what the kit made on AWS, each noticed, and the permissions that it gives."""

from dataclasses import replace

import pytest

from accounts.clouds.base import require_current_kit
from tests.clouds.aws.played import EVERYBODY, PlayedAws, played, refusal, standing

__all__ = ["played", "standing"]  # fixtures


# --- trust as shipped ---


def test_adapter_trust_as_shipped_passes(standing):
    standing.adapter().check_trust_unedited()


EDITS = [
    (PlayedAws.let_any_subject_in, "trust_policy_edited"),
    (PlayedAws.let_ops_open_support, "trust_policy_edited"),
    (PlayedAws.add_audience, "trust_policy_edited"),
    (PlayedAws.lengthen_sessions, "trust_policy_edited"),
    (PlayedAws.remove_boundary, "boundary_removed"),
    (PlayedAws.widen_boundary, "boundary_removed"),
    (PlayedAws.attach_policy, "policy_edited"),
    (PlayedAws.attach_policy_to_machines, "policy_edited"),
    (PlayedAws.detach_policy_of_machines, "policy_edited"),
    (PlayedAws.let_somebody_be_a_cluster, "trust_policy_edited"),
    (PlayedAws.remove_boundary_of_machines, "boundary_removed"),
    (PlayedAws.add_inline_policy, "policy_edited"),
    (PlayedAws.change_inline_policy, "policy_edited"),
    (PlayedAws.remove_inline_policy, "policy_edited"),
    (PlayedAws.delete_support_role, "role_deleted"),
]


@pytest.mark.parametrize(("edit", "code"), EDITS, ids=lambda value: getattr(value, "__name__", ""))
def test_adapter_edited_trust_is_noticed(standing, edit, code):
    edit(standing)

    error = refusal(standing.adapter().check_trust_unedited)

    assert (error.code, error.retryable) == (code, False)
    assert "byoc-3f9a1c2e-g1" in error.raw or "id.portal.test" in error.raw


def test_adapter_provider_deleted_while_a_session_is_open(standing):
    adapter = standing.adapter()
    adapter.probe_trust()
    standing.delete_provider()

    assert refusal(adapter.check_trust_unedited).code == "provider_deleted"


def test_adapter_same_trust_in_other_words_passes(standing):
    standing.rewrite_trust_in_other_words()

    standing.adapter().check_trust_unedited()


def test_adapter_switch_of_the_customer_is_no_edit(standing):
    standing.turn("AllowChanges", "no")
    standing.turn("AllowSupport", "no")

    adapter = standing.adapter()

    adapter.check_trust_unedited()
    assert adapter.describe_kit().switches["AllowSupport"] == "no"


# --- permissions ---


def test_adapter_holds_every_permission_of_the_manifest(standing):
    results = standing.adapter().check_permissions(standing.kit.probes(standing.target))

    assert [result.permission for result in results if not result.is_granted] == []
    assert [result.permission for result in results] == [permission.key for permission in standing.kit.permissions]


def test_adapter_holds_nothing_that_the_manifest_forbids(standing):
    probes = [
        replace(probe, key=f"{probe.role} {probe.action} {probe.resource}") for probe in standing.kit.forbidden_probes(standing.target)
    ]

    results = standing.adapter().check_permissions(probes)

    assert len(results) == len(probes) > 40
    assert [result.permission for result in results if result.is_granted] == []


def test_adapter_permission_needs_its_tag_and_its_name(standing):
    probes = {probe.key: probe for probe in standing.kit.probes(standing.target)}
    stranger = {"aws:RequestTag/byoc:account": "somebody-else", "aws:ResourceTag/byoc:account": "somebody-else"}
    role, stack, entry = probes["iam:PassRole"], probes["cloudformation:DeleteStack"], probes["eks:CreateAccessEntry"]

    results = standing.adapter().check_permissions([
        replace(probes["ec2:DeleteVpc"], context=stranger),
        replace(role, resource=role.resource.replace("byoc-3f9a1c2e-g1-cell-", "byoc-ffffffff-g1-cell-")),
        replace(role, key="other service", context={"iam:PassedToService": "lambda.amazonaws.com"}),
        replace(entry, context=entry.context | {"eks:principalArn": standing.arn("role/byoc-3f9a1c2e-g1-support")}),
        replace(stack, resource=stack.resource.replace("byoc-3f9a1c2e-cell-", "orders-")),
    ])  # fmt: skip

    assert [(result.permission, result.is_granted) for result in results] == [
        ("ec2:DeleteVpc", False),
        ("iam:PassRole", False),
        ("other service", False),
        ("eks:CreateAccessEntry", False),
        ("cloudformation:DeleteStack", False),
    ]


def test_adapter_changes_switched_off_leave_reading(standing):
    standing.turn("AllowChanges", "no")

    results = {result.permission: result for result in standing.adapter().check_permissions(standing.kit.probes(standing.target))}

    assert results["ec2:DescribeVpcs"].is_granted
    assert (results["ec2:CreateVpc"].is_granted, results["ec2:CreateVpc"].detail) == (False, "explicitDeny")
    reading = ("Describe", "Detect", "Get", "List", "Simulate")
    ending = {"iam:PutRolePolicy", "iam:DeleteRolePolicy"}  # of the support role's sessions, which must not wait for changes to be allowed
    others = [key for key in results if not key.startswith("support/") and key not in ending]
    writing = [key for key in others if not key.split(":")[1].startswith(reading)]
    assert [key for key in writing if results[key].is_granted] == []


def test_adapter_kit_with_changes_switched_off_says_so(standing):
    standing.turn("AllowChanges", "no")

    error = refusal(lambda: require_current_kit(standing.adapter().describe_kit(), standing.target))

    assert (error.code, error.retryable) == ("changes_switched_off", False)


def test_adapter_support_switched_off_by_the_customer_is_not_missing(standing):
    standing.turn("AllowSupport", "no")
    adapter = standing.adapter()

    report = adapter.describe_kit()
    results = adapter.check_permissions(standing.kit.probes(standing.target, report.switches))

    require_current_kit(report, standing.target)
    operators = [permission.key for permission in standing.kit.permissions if permission.role == "operator"]
    assert [result.permission for result in results] == operators
    assert all(result.is_granted for result in results)


def test_adapter_permission_that_the_organisation_denies(standing, sandbox):
    deny = {"Version": "2012-10-17", "Statement": [*EVERYBODY["Statement"], {"Effect": "Deny", "Action": "eks:*", "Resource": "*"}]}
    sandbox.control("POST", "knobs", {"scps": {standing.cloud.account: deny}})

    results = standing.adapter().check_permissions(standing.kit.probes(standing.target))

    denied = {result.permission for result in results if not result.is_granted}
    assert denied == {permission.key for permission in standing.kit.permissions if permission.service == "eks"}
    assert all(result.is_denied_by_organisation for result in results if not result.is_granted)


def test_adapter_asks_for_all_permissions_in_few_calls(standing, sandbox):
    (fault,) = [sandbox.control("POST", "faults", {"kind": "delay", "action": "SimulatePrincipalPolicy", "count": None, "seconds": 0})]

    standing.adapter().check_permissions(standing.kit.probes(standing.target))

    (counted,) = (entry for entry in sandbox.control("GET", "faults") if entry["id"] == fault["id"])
    assert counted["hits"] == len(
        {(probe.role, probe.resource, *sorted(probe.context.items())) for probe in standing.kit.probes(standing.target)}
    )
    # Every narrowing of its own costs one call; a new one must be worth it. The newest is that start-up data are read through
    # CloudFormation alone (ec2:DescribeLaunchTemplateVersions with aws:CalledViaFirst). The group of kms:CreateKey has that key too, but a
    # tag with it, which the real call never carries: asked with it, a rule that wants the tag would be taken for one that lets it pass.
    # Ending support asks with the boundary of the support role, which no other narrowing has.
    assert counted["hits"] <= 32
