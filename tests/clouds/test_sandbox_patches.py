"""Every patch of ministack still bites: each replaced name, and the test that fails when the replacement no longer does."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError
from ministack.services.cloudformation import engine

from accounts.clouds.aws.publish import publish
from accounts.kits.aws import template
from portal.sandbox.aws.cloudformation import _parsing_in_c
from tests.clouds.aws import kit
from tests.clouds.conftest import ISSUER_HOST, Cloud, SandboxProcess, TestIssuer
from tests.clouds.orders import ACCOUNT, _start

BITES = {
    "app._resolve_custom_domain_request": "test_web_identity_opens_a_session_of_the_role",
    "services.iam.CreateOpenIDConnectProvider": "test_provider_answers_its_url_without_the_scheme",
    "services.iam.DeletePolicy": "test_policy_used_as_a_boundary_cannot_be_deleted",
    "services.iam.UpdateAssumeRolePolicy": "test_iam_refuses_a_policy_that_is_none",
    "services.iam.PutRolePolicy": "test_iam_refuses_a_policy_that_is_none",
    "services.iam.CreateRole": "test_iam_refuses_a_policy_that_is_none",
    "services.iam.CreatePolicy": "test_iam_refuses_a_policy_that_is_none",
    "services.iam.CreatePolicyVersion": "test_iam_refuses_a_policy_that_is_none",
    "services.iam.SimulatePrincipalPolicy": "test_simulation_counts_the_boundary",
    "services.iam.AddClientIDToOpenIDConnectProvider": "test_audience_taken_from_the_provider_is_refused",
    "services.iam.RemoveClientIDFromOpenIDConnectProvider": "test_audience_taken_from_the_provider_is_refused",
    "core.iam_actions.request_tag_context": "test_writing_policies_may_be_held_to_roles_with_a_boundary",
    "core.iam_actions.extract_resource_arn": "test_patch_names_the_provider_and_the_policy_source_as_resources",
    "core.iam_evaluator.resolve_principal": "test_service_control_policy_limits_the_role_and_the_owner",
    "core.iam_actions._TAG_MEMBERS": "test_fresh_account_passes_every_check_in_the_order_of_the_kit",
    "services.ec2.CreateVpc": "test_looking_creates_nothing",
    "services.ec2.DescribeAvailabilityZones": "test_zones",
    "services.ec2.DescribeRegions": "test_region_that_is_off_blocks_and_silences_what_it_would_have_to_answer",
    "services.ec2.DescribeTransitGatewayVpcAttachments": "test_overlapping_network_on_a_transit_gateway_blocks",
    "services.ec2.GetEbsDefaultKmsKeyId": "test_disks_encrypted_with_the_clouds_key_pass",
    "services.ec2.GetEbsEncryptionByDefault": "test_disks_encrypted_with_a_key_of_the_customers_are_a_warning",
    "services.ec2._instance_xml": "test_vcpus_in_use_count_against_the_limit",
    "services.sts._evict_expired_sessions": "test_ended_session_is_refused_in_each_services_own_words",
    "services.cloudformation.stacks._deploy_stack_async": "test_contract_cell_that_is_still_being_built_is_deleted_whole",
    "services.cloudformation.handlers._deploy_stack_async": "test_contract_cell_that_is_still_being_built_is_deleted_whole",
    "services.cloudformation.changesets._deploy_stack_async": "test_contract_cell_that_is_still_being_built_is_deleted_whole",
    "services.cloudformation.stacks._delete_stack_async": "test_contract_cell_that_is_still_being_built_is_deleted_whole",
    "services.cloudformation.handlers._delete_stack_async": "test_contract_cell_that_is_still_being_built_is_deleted_whole",
    "services.cloudformation.engine.CfnLoader": "test_patch_reads_templates_with_the_parser_in_c",
    "services.cloudformation.stacks._runs_on_worker_thread": "test_patch_keeps_the_server_answering_while_a_resource_is_made",
    "services.cloudformation.stacks._provision_resource": "test_injected_failure_rolls_back_with_its_reason_and_nothing_stays",
    "services.cloudformation.stacks._update_resource": "test_patch_fails_updates_on_order",
    "services.cloudformation.stacks._delete_resource": "test_patch_fails_deletions_on_order",
    "services.cloudformation.stacks._roll_back_operation": "test_injected_failure_rolls_back_with_its_reason_and_nothing_stays",
    "services.cloudformation.helpers._resolve_document": "test_template_of_another_account_needs_its_grant",
    "services.cloudformation.handlers.CreateStack": "test_stack_is_created_once_for_the_same_request_token",
    "services.cloudformation.provisioners.AWS::IAM::OIDCProvider": "test_web_identity_opens_a_session_of_the_role",
    "services.cloudformation.provisioners.AWS::IAM::Role": "test_role_name_clash_rolls_back",
    "services.cloudformation.provisioners.AWS::IAM::ManagedPolicy": "test_patch_refuses_a_taken_policy_name",
    "services.cloudformation.provisioners.AWS::EC2::EIP": "test_part_that_is_gone_is_drift",
    "services.cloudformation.provisioners.AWS::EC2::NatGateway": "test_part_that_is_gone_is_drift",
    "services.cloudformation.provisioners.AWS::EC2::Instance": "test_agents_machine_has_no_public_address_and_no_key",
    "services.cloudformation.provisioners.AWS::EKS::Addon": "test_contract_cell_is_built_as_ordered",
    "services.cloudformation.provisioners.AWS::EKS::AccessEntry": "test_agents_entry_that_was_taken_away_is_drift",
    "services.cloudformation.provisioners.AWS::EC2::Subnet": "test_contract_deletion_that_something_blocks_says_what_and_is_tried_again",
    "services.cloudformation.provisioners.AWS::EC2::SecurityGroup": "test_group_that_is_in_use_is_not_deleted",
    "services.cloudformation.provisioners.AWS::EC2::VPC": "test_quota_of_the_account_counts",
    "services.cloudformation.provisioners.AWS::EKS::Cluster": "test_cluster_stands_as_ordered",
    "services.cloudformation.drift.AWS::EC2::EIP": "test_part_that_is_gone_is_drift",
    "services.cloudformation.drift.AWS::EC2::Instance": "test_contract_part_removed_by_hand_is_drift",
    "services.cloudformation.drift.AWS::EC2::InternetGateway": "test_contract_cell_in_sync_has_no_drift",
    "services.cloudformation.drift.AWS::EC2::LaunchTemplate": "test_part_that_is_gone_is_drift",
    "services.cloudformation.drift.AWS::EC2::NatGateway": "test_part_that_is_gone_is_drift",
    "services.cloudformation.drift.AWS::EC2::RouteTable": "test_contract_cell_in_sync_has_no_drift",
    "services.cloudformation.drift.AWS::EC2::SecurityGroup": "test_rule_added_by_hand_is_drift",
    "services.cloudformation.drift.AWS::EC2::Subnet": "test_contract_cell_in_sync_has_no_drift",
    "services.cloudformation.drift.AWS::EC2::VPC": "test_contract_property_changed_by_hand_is_drift",
    "services.cloudformation.drift.AWS::EKS::AccessEntry": "test_agents_entry_that_was_taken_away_is_drift",
    "services.cloudformation.drift.AWS::EKS::Addon": "test_contract_cell_in_sync_has_no_drift",
    "services.cloudformation.drift.AWS::EKS::Cluster": "test_contract_cell_in_sync_has_no_drift",
    "services.cloudformation.drift.AWS::EKS::Nodegroup": "test_contract_cell_in_sync_has_no_drift",
    "services.cloudformation.handlers.UpdateStack": "test_contract_retry_of_the_same_order_goes_on",
    "services.cloudformation.handlers._stack_has_no_updates": "test_contract_retry_of_the_same_order_goes_on",
    "services.cloudformation.handlers.DescribeStackResources": "test_contract_failure_says_why_and_keeps_what_was_built",
    "services.eks._get_docker": "test_cluster_stands_as_ordered",
    "services.tagging.cloudformation": "test_contract_cell_is_deleted_whole",
    "services.tagging.ec2": "test_contract_cell_is_deleted_whole",
    "services.tagging.eks": "test_contract_cell_is_deleted_whole",
    "services.tagging.kms": "test_contract_cell_is_deleted_whole",
}


def test_every_patch_has_a_test_that_it_still_bites(sandbox: SandboxProcess) -> None:
    here = Path(__file__).parent
    tests = "".join(path.read_text() for folder in (here, here / "aws") for path in folder.glob("test_*.py"))

    assert {patch["name"] for patch in sandbox.control("GET", "patches")} == set(BITES)
    assert [name for name in BITES.values() if f"def {name}(" not in tests] == []


def test_writing_policies_may_be_held_to_roles_with_a_boundary(cloud: Cloud) -> None:
    boundary = {"StringEquals": {"iam:PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/fidelity-boundary"}}
    ending = {"Effect": "Allow", "Action": ["iam:PutRolePolicy"], "Resource": "*", "Condition": boundary}
    kit.create(cloud, body=kit.template(policy=[ending]))
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
    cloud.owner("iam").create_role(RoleName="unbounded", AssumeRolePolicyDocument=json.dumps(trust))
    iam = cloud.portal("iam", cloud.assume("fidelity-operator"))
    denial = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})

    iam.put_role_policy(RoleName="fidelity-operator", PolicyName="ended", PolicyDocument=denial)
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.put_role_policy(RoleName="unbounded", PolicyName="ended", PolicyDocument=denial)


def test_patch_names_the_provider_and_the_policy_source_as_resources(cloud: Cloud) -> None:
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/id.portal.test/trust/a/g1"
    role = f"arn:aws:iam::{ACCOUNT}:role/fidelity-operator"
    narrow = {"Effect": "Allow", "Action": ["iam:GetOpenIDConnectProvider", "iam:SimulatePrincipalPolicy"], "Resource": [provider, role]}
    kit.create(cloud, body=kit.template(policy=[narrow]))
    iam = cloud.portal("iam", cloud.assume("fidelity-operator"))

    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider)["ClientIDList"] == ["sts.amazonaws.com"]
    assert iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=["iam:GetRole"])["EvaluationResults"]
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider + "2")


def test_patch_keeps_the_server_answering_while_a_resource_is_made(sandbox: SandboxProcess, cloud: Cloud) -> None:
    sandbox.control("POST", "knobs", {"pace_seconds": 1.0})
    cloudformation = cloud.owner("cloudformation")
    body = json.dumps(
        {
            "Resources": {
                "Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": kit.document(kit.statement(["s3:*"]))}}
            }
        }
    )
    cloudformation.create_stack(StackName="slow", TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
    began = time.monotonic()

    cloudformation.describe_stacks(StackName="slow")

    assert time.monotonic() - began < 0.7
    cloud.finish(cloudformation, "slow")


def test_patch_reads_templates_with_the_parser_in_c(cloud: Cloud) -> None:
    """Both read the same; only their complaints differ."""
    text = template.text()
    assert yaml.load(text, Loader=_parsing_in_c(engine.CfnLoader)) == yaml.load(text, Loader=engine.CfnLoader)

    with pytest.raises(ClientError, match="did not find expected ',' or ']'"):
        cloud.owner("cloudformation").validate_template(TemplateBody="Resources: [a")


def test_patch_fails_updates_on_order(sandbox: SandboxProcess, cloud: Cloud) -> None:
    kit.create(cloud)
    sandbox.control("POST", "knobs", {"failures": [{"type": "AWS::IAM::Role", "action": "update", "reason": "on order"}]})
    cloudformation = cloud.owner("cloudformation")
    parameters = [{"ParameterKey": "Issuer", "UsePreviousValue": True}]
    body = kit.template(MaxSessionDuration=7200)

    cloudformation.update_stack(StackName="fidelity", TemplateBody=body, Parameters=parameters, Capabilities=["CAPABILITY_NAMED_IAM"])

    assert cloud.finish(cloudformation, "fidelity")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"


def test_patch_fails_deletions_on_order(sandbox: SandboxProcess, cloud: Cloud) -> None:
    kit.create(cloud)
    sandbox.control("POST", "knobs", {"failures": [{"type": "AWS::IAM::Role", "action": "delete", "reason": "on order"}]})
    cloudformation = cloud.owner("cloudformation")

    cloudformation.delete_stack(StackName="fidelity")

    assert cloud.finish(cloudformation, "fidelity")["StackStatus"] == "DELETE_FAILED"


def test_patch_refuses_a_taken_policy_name(cloud: Cloud) -> None:
    kit.create(cloud)
    policy = {"ManagedPolicyName": "fidelity-boundary", "PolicyDocument": kit.document(kit.statement(["s3:*"]))}
    body = json.dumps({"Resources": {"Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": policy}}})

    stack = kit.create(cloud, "taken", body=body, Parameters=[])

    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"


def test_published_template_kept_on_disk_is_read_by_another_account(tmp_path: Path, issuer: TestIssuer, monkeypatch: Any) -> None:
    running = _start(tmp_path, issuer, "--pace", "0")
    provider = {"AWS_ACCESS_KEY_ID": "999900001111", "AWS_SECRET_ACCESS_KEY": "x", "AWS_ENDPOINT_URL": running.customer}
    for name, value in provider.items():
        monkeypatch.setenv(name, value)
    publish({"kits/a/template.yaml": kit.template().encode()}, bucket="fernhill-kits", region="us-east-1")
    cloud = Cloud(ACCOUNT, issuer, f"{ISSUER_HOST}/trust/a/g1", running)
    url = "https://fernhill-kits.s3.us-east-1.amazonaws.com/kits/a/template.yaml"
    given = [{"ParameterKey": "Issuer", "ParameterValue": cloud.issuer_url.removeprefix("https://")}]

    stack = cloud.owner("cloudformation").create_stack(
        StackName="read", TemplateURL=url, Parameters=given, Capabilities=["CAPABILITY_NAMED_IAM"]
    )

    assert stack["StackId"].startswith(f"arn:aws:cloudformation:eu-central-1:{ACCOUNT}:stack/read/")
    running.stop()
