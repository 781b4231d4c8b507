"""What AWS says of a stack and what the adapter makes of it: under way, rolled back, deleted, renamed, made by Terraform."""

import time

import pytest
from botocore.session import get_session

from accounts.clouds.aws.adapter import STATUSES
from accounts.clouds.base import CloudError, KitReport, KitStatus, require_current_kit
from tests.clouds.aws.played import PlayedAws

STACK = "byoc-3f9a1c2e-g1-kit"


@pytest.fixture
def customer(cloud, only_sandbox, monkeypatch):
    """An account whose kit can be run in any way."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.sandbox.portal)
    return PlayedAws(cloud)


@pytest.fixture
def only_sandbox(cloud):
    if cloud.sandbox is None:
        pytest.skip("needs the sandbox's control endpoint")
    return cloud.sandbox


def template(customer: PlayedAws, *edits: tuple[str, str]) -> str:
    """The kit's template, edited."""
    text = customer.kit.template_text
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def delete(customer: PlayedAws) -> str:
    cloudformation = customer.cloud.owner("cloudformation")
    stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName=STACK)
    return customer.cloud.finish(cloudformation, stack)["StackStatus"]


def test_kit_status_of_every_word_of_cloudformation():
    shape = get_session().get_service_model("cloudformation").shape_for("StackStatus")

    told = {status: STATUSES.get(status, KitStatus.FAILED) for status in shape.enum}

    assert {status for status, meant in told.items() if meant == KitStatus.FAILED} == {
        "CREATE_FAILED",
        "DELETE_FAILED",
        "ROLLBACK_IN_PROGRESS",
        "ROLLBACK_FAILED",
        "ROLLBACK_COMPLETE",
        "UPDATE_FAILED",
        "UPDATE_ROLLBACK_FAILED",
        "IMPORT_IN_PROGRESS",
        "IMPORT_ROLLBACK_IN_PROGRESS",
        "IMPORT_ROLLBACK_FAILED",
    }
    assert set(STATUSES) <= set(shape.enum)


def first_report(customer: PlayedAws) -> KitReport:
    """What the adapter sees as soon as the trust opens."""
    until, codes = time.monotonic() + 10, set()
    while time.monotonic() < until:
        try:
            return customer.adapter().describe_kit()
        except CloudError as early:
            codes.add(early.code)
            time.sleep(0.05)
    raise AssertionError(codes)


def test_kit_status_while_the_stack_is_created(customer, only_sandbox):
    only_sandbox.control("POST", "knobs", {"type_seconds": {"AWS::IAM::ManagedPolicy": 0.5}})
    cloudformation = customer.cloud.owner("cloudformation")
    given = customer.kit.parameters(
        account=customer.target.account,
        generation=1,
        suffix=customer.target.suffix,
        issuer_url=customer.target.issuer,
        external_id=customer.cloud.account,
        region=customer.target.region,
    )
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=template(
            customer, ("  CellBoundary:\n    Type", "  CellBoundary:\n    DependsOn: [OperatorRole, SupportRole]\n    Type")
        ),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )

    report = first_report(customer)

    assert (report.status, report.version, report.generation) == (KitStatus.CREATING, "", 0)
    assert report.detail.startswith("CREATE_IN_PROGRESS")
    assert customer.cloud.finish(cloudformation, STACK)["StackStatus"] == "CREATE_COMPLETE"
    assert customer.adapter().describe_kit().status == KitStatus.COMPLETE


def test_kit_status_after_an_update_that_was_rolled_back(customer, only_sandbox):
    customer.run_kit()
    only_sandbox.control("POST", "knobs", {"failures": [{"type": "AWS::IAM::Role", "logical_id": "SupportRole", "action": "update"}]})
    customer.turn("AllowSupport", "no")

    report = customer.adapter().describe_kit()

    assert report.detail.startswith("UPDATE_ROLLBACK_COMPLETE")
    require_current_kit(report, customer.target)
    customer.adapter().check_trust_unedited()


def test_kit_status_after_the_stack_was_deleted(customer):
    customer.run_kit()
    assert delete(customer) == "DELETE_COMPLETE"

    with pytest.raises(CloudError) as first:
        customer.adapter().describe_kit()
    with pytest.raises(CloudError) as later:
        customer.adapter(was_trusted=True).describe_kit()

    assert (first.value.code, later.value.code) == ("kit_not_run", "provider_deleted")


def test_kit_status_whose_words_were_edited_is_nobodys_crash(customer):
    outputs = "    Description: Which of the kits issued for this cloud account this is.\n    Value: !Ref Generation"
    customer.run_kit(template=template(customer, (outputs, outputs.replace("!Ref Generation", "a dozen"))))

    report = customer.adapter().describe_kit()

    assert report.generation == 0
    with pytest.raises(CloudError, match="kit_generation_wrong"):
        require_current_kit(report, customer.target)


def run_under_another_name(customer: PlayedAws, body: str) -> None:
    cloudformation = customer.cloud.owner("cloudformation")
    given = customer.kit.parameters(
        account=customer.target.account,
        generation=1,
        suffix=customer.target.suffix,
        issuer_url=customer.target.issuer,
        external_id=customer.cloud.account,
        region=customer.target.region,
    )
    parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()]
    cloudformation.create_stack(StackName="mine", TemplateBody=body, Parameters=parameters, Capabilities=["CAPABILITY_NAMED_IAM"])
    assert customer.cloud.finish(cloudformation, "mine")["StackStatus"] == "CREATE_COMPLETE"


def test_kit_status_of_a_stack_under_another_name_is_not_found(customer):
    run_under_another_name(customer, customer.kit.template_text)

    with pytest.raises(CloudError) as refused:
        customer.adapter().describe_kit()

    assert refused.value.code == "kit_not_found"
    assert "does not exist" in refused.value.raw


def test_kit_status_without_a_stack_is_told_by_the_roles_tags_when_terraform_made_it(customer):
    run_under_another_name(
        customer,
        template(customer, ('{ Key: "byoc:kit-stack", Value: !Ref "AWS::StackName" }', '{ Key: "byoc:kit-stack", Value: terraform }')),
    )

    report = customer.adapter().describe_kit()

    assert (report.status, report.detail) == (KitStatus.COMPLETE, "terraform")
    assert report.made == customer.arn("role/byoc-3f9a1c2e-g1-operator")
    assert report.switches == {"AllowChanges": "yes", "AllowSupport": "yes"}
    require_current_kit(report, customer.target)
