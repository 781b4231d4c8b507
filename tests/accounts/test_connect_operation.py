"""Connecting against the strict local AWS: real tokens, real boto3, every way it can end."""

import json
import logging
import time
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from django.core import mail
from django.utils import timezone

from accounts import kits
from accounts.actions.connect import issue_kit
from accounts.failures import FAILURES
from accounts.issuer.tokens import KitReplaced, token_source
from accounts.models import CloudAccount, Kit, TrustCheck
from accounts.states import AccountState, KitState
from accounts.steps.connect import ELSEWHERE_EVERY
from portal.audit.models import Event
from portal.operations.actions import request_retry
from portal.operations.models import Operation, Step
from portal.operations.names import named
from portal.operations.states import OperationState, Party
from portal.operations.tasks import advance
from tests.customer import Customer
from tests.factories import make_cloud_account, make_contact

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "111122223333"
logger = logging.getLogger(__name__)


@pytest.fixture
def account(acme, alice):
    make_contact(organisation=acme, email="night@acme.example", confirmed_at=timezone.now())
    account = make_cloud_account(organisation=acme, external_id=NUMBER, name="Production")
    issue_kit(account, after_generation=0, by=alice)
    return CloudAccount.objects.get(pk=account.pk)


@pytest.fixture
def customer(sandbox):
    return Customer(sandbox, NUMBER)


def without_rules() -> str:
    """The template of a customer who took out what makes CloudFormation itself refuse the wrong account and region."""
    text = kits.load("aws").template_text
    return text[: text.index("\nRules:")] + text[text.index("\nConditions:") :]


def kit_of(account) -> Kit:
    return account.kits.first()


def drive() -> Operation:
    """Let a worker look at the newest operation once, now. What it found stands in the log of a test that fails."""
    operation = Operation.objects.order_by("-created_at").first()
    before = operation.fence
    Operation.objects.live().filter(pk=operation.pk).update(next_run_at=operation.created_at)
    advance(str(operation.pk))
    operation.refresh_from_db()
    logger.info("look: %s", story(operation))
    assert operation.fence > before, f"No worker got the lease: {story(operation)}"
    return operation


def story(operation: Operation) -> str:
    shown = ("state", "waiting_on", "waiting_why", "waiting_params", "failure_code", "failure_params", "failure_evidence", "lease_until")
    steps = [(step.name, step.state, step.attempt, step.tries) for step in operation.steps.in_order() if step.started_at]
    return f"{ {name: getattr(operation, name) for name in shown} } {steps}"


def ends_with(account, code) -> None:
    """The step failed with this code, and gave everything that the words for it name."""
    operation = drive()
    account.refresh_from_db()
    text = FAILURES[operation.failure_code]
    for part in (text.happened, text.means, text.act):
        assert str(part) % {"provider": "Fernhill", **named(operation, operation.failure_params)}
    assert (operation.state, operation.failure_code, account.state, account.failure_code) == (
        OperationState.FAILED,
        code,
        AccountState.FAILED,
        code,
    )


def test_connect_waits_for_the_kit_then_connects(account, customer, mailbox):
    operation = drive()
    assert (operation.state, operation.waiting_on, operation.waiting_why) == (OperationState.WAITING, Party.YOU, "kit_not_run")

    customer.run_kit(kit_of(account))
    operation = drive()

    account.refresh_from_db()
    assert (operation.state, operation.failure_evidence) == (OperationState.SUCCEEDED, "")
    assert account.state == AccountState.CONNECTED
    assert account.last_contact_at is not None
    permissions = account.trust_checks.filter(kind=TrustCheck.Kind.PERMISSION)
    assert permissions.count() > 20
    assert not permissions.filter(is_ok=False).exists()
    assert set(account.trust_checks.filter(kind=TrustCheck.Kind.REFUSAL).values_list("name", "is_ok")) == {
        ("wrong_subject", True),
        ("wrong_audience", True),
        ("support_as_ops", True),
        ("ops_as_support", True),
    }
    events = Event.objects.filter(subject_kind="cloud_account", subject_id=account.pk).order_by("sequence")
    told = ["cloud_account.kit_issued", "cloud_account.verifying", "cloud_account.connected", "operation.succeeded"]
    assert list(events.values_list("action", flat=True)) == told
    assert sorted(message.to[0] for message in mail.outbox) == ["alice@people.example", "night@acme.example"]


def test_connect_without_a_contact_waits_for_one(account, customer, acme):
    acme.contacts.all().delete()
    customer.run_kit(kit_of(account))

    operation = drive()
    assert (operation.waiting_on, operation.waiting_why) == (Party.YOU, "contact_missing")

    make_contact(organisation=acme)
    assert drive().state == OperationState.SUCCEEDED


def test_connect_kit_in_another_account_is_refused_by_cloudformation_itself(account, sandbox):
    stranger = Customer(sandbox, "999900001111")

    with pytest.raises(ClientError, match="This kit was made for another AWS account: the one in the parameter ExpectedAccountId"):
        stranger.run_kit(kit_of(account))

    assert stranger.client("cloudformation").list_stacks()["StackSummaries"] == []
    assert stranger.client("iam").list_roles()["Roles"] == []


def test_connect_kit_in_another_region_is_refused_by_cloudformation_itself(account, customer):
    with pytest.raises(ClientError, match="This kit was made for another region: the one in the parameter ExpectedRegion"):
        customer.run_kit(kit_of(account), region="eu-west-1")

    assert customer.client("iam").list_roles()["Roles"] == []


def test_connect_kit_run_in_another_account_is_named_when_reported(account, sandbox):
    stack = Customer(sandbox, "999900001111").run_kit(kit_of(account), template=without_rules())
    Kit.objects.update(reported={"external_id": "999900001111", "stack": stack})

    ends_with(account, "wrong_account")


def test_connect_retry_after_a_wrong_report_looks_at_aws_itself(account, customer, alice):
    Kit.objects.update(reported={"external_id": "999900001111", "region": "us-east-1"})
    ends_with(account, "wrong_account")
    customer.run_kit(kit_of(account))

    request_retry(Operation.objects.get(), by=alice)

    assert drive().state == OperationState.SUCCEEDED


def test_connect_kit_run_in_another_region_is_named(account, customer):
    customer.run_kit(kit_of(account), region="eu-west-1", template=without_rules())

    ends_with(account, "wrong_region")


def test_connect_kit_of_another_version(account, customer):
    customer.run_kit(kit_of(account))
    Kit.objects.update(version="0.0.9")

    ends_with(account, "kit_version_wrong")


def test_connect_kit_expired(account, customer):
    Kit.objects.update(expires_at=account.created_at)

    ends_with(account, "kit_expired")
    assert kit_of(account).state == "expired"


def looks_for(why, *, minutes) -> None:
    """The operation has been waiting for this reason for some minutes."""
    step = Operation.objects.get().steps.get(state="waiting")
    assert step.waiting_why == why
    Step.objects.filter(pk=step.pk).update(waiting_since=step.waiting_since - timedelta(minutes=minutes))


def test_connect_kit_run_in_another_account_of_the_organisation_is_found(account, sandbox, acme):
    other = make_cloud_account(organisation=acme, external_id="999900001111")
    make_cloud_account(organisation=acme, external_id="")
    make_cloud_account(external_id="888899990000")
    Customer(sandbox, other.external_id).run_kit(kit_of(account), template=without_rules())
    for _look in range(ELSEWHERE_EVERY - 1):
        assert drive().waiting_why == "kit_not_run"
    looks_for("kit_not_run", minutes=2)

    ends_with(account, "wrong_account")

    operation = Operation.objects.get()
    assert operation.failure_params == {"found": "999900001111", "expected": NUMBER}
    assert "No OpenIDConnect provider found" in operation.failure_evidence


def test_connect_looks_elsewhere_now_and_then_and_not_in_the_first_minute(account, sandbox, acme):
    other = make_cloud_account(organisation=acme, external_id="999900001111")
    Customer(sandbox, other.external_id).run_kit(kit_of(account), template=without_rules())

    for _look in range(ELSEWHERE_EVERY):
        assert drive().waiting_why == "kit_not_run"
    looks_for("kit_not_run", minutes=2)
    for _look in range(ELSEWHERE_EVERY - 1):
        assert drive().waiting_why == "kit_not_run"
    assert drive().failure_code == "wrong_account"


def test_connect_rights_still_spreading_are_waited_for_then_named(account, customer, sandbox):
    customer.run_kit(kit_of(account))
    sandbox.control("POST", "faults", {"action": "DescribeStacks", "kind": "access_denied", "count": None})

    operation = drive()
    assert (operation.waiting_on, operation.waiting_why) == (Party.CLOUD, "trust_not_ready")

    looks_for("trust_not_ready", minutes=4)
    ends_with(account, "access_denied")


def test_connect_stack_that_does_not_finish_is_named(account, customer, sandbox):
    kit = kit_of(account)
    sandbox.control("POST", "knobs", {"type_seconds": {"AWS::S3::Bucket": 30}})
    customer.run_kit(kit, template=with_something_slow_last(), is_waited_for=False)
    until = time.monotonic() + 15
    while drive().waiting_why != "kit_finishing":
        assert time.monotonic() < until
        time.sleep(0.1)

    Step.objects.filter(state="waiting").update(deadline=timezone.now())

    ends_with(account, "kit_not_finished")


def with_something_slow_last() -> str:
    """The kit with one more resource after its roles: the trust opens while the stack is still being made."""
    slow = '  Slow: { Type: "AWS::S3::Bucket", DependsOn: [OperatorRole, SupportRole] }\n'
    return kits.load("aws").template_text.replace("\nOutputs:", f"\n{slow}\nOutputs:")


def test_connect_trust_policy_edited(account, customer):
    def allow_anybody(document):
        document["Statement"][0]["Condition"] = {"StringLike": dict.fromkeys(document["Statement"][0]["Condition"]["StringEquals"], "*")}

    kit = kit_of(account)
    customer.run_kit(kit)
    customer.edit_trust(kit, "operator", allow_anybody)

    ends_with(account, "trust_policy_edited")


def test_connect_missing_permission_is_waited_for_then_named(account, customer):
    text = kits.load("aws").template_text
    assert text.count("- ec2:CreateVpc\n") == 1
    customer.run_kit(kit_of(account), template=text.replace("- ec2:CreateVpc\n", "- ec2:DescribeVpcs\n"))

    operation = drive()
    assert (operation.waiting_on, operation.waiting_why) == (Party.CLOUD, "permissions_spreading")

    operation.steps.filter(state="waiting").update(waiting_since=account.created_at - kits.load("aws").spreads_within)
    ends_with(account, "permission_missing")
    operation.refresh_from_db()
    assert operation.failure_evidence == "ec2:CreateVpc"
    assert list(account.trust_checks.filter(is_ok=False).values_list("name", flat=True)) == ["ec2:CreateVpc"]


def test_connect_permission_added_by_hand(account, customer):
    kit = kit_of(account)
    customer.run_kit(kit)
    wide = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    customer.client("iam").put_role_policy(RoleName=f"byoc-{kit.suffix}-operator", PolicyName="more", PolicyDocument=json.dumps(wide))

    ends_with(account, "policy_edited")


def test_connect_boundary_removed(account, customer):
    kit = kit_of(account)
    customer.run_kit(kit)
    customer.client("iam").delete_role_permissions_boundary(RoleName=f"byoc-{kit.suffix}-support")

    ends_with(account, "boundary_removed")


def test_connect_provider_deleted_during_verification(account, customer, sandbox):
    customer.run_kit(kit_of(account))
    sandbox.control("POST", "faults", {"action": "DescribeStacks", "kind": "throttle", "count": 2})
    assert drive().waiting_params["code"] == "throttled"
    customer.delete_provider()

    ends_with(account, "provider_deleted")


def test_connect_stack_deleted_again_waits_for_the_kit(account, customer):
    kit = kit_of(account)
    customer.run_kit(kit)
    customer.client("cloudformation", kit.region).delete_stack(StackName=f"byoc-{kit.suffix}-kit")
    customer.client("cloudformation", kit.region).get_waiter("stack_delete_complete").wait(
        StackName=f"byoc-{kit.suffix}-kit", WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )

    assert drive().waiting_why == "kit_not_run"


def test_connect_denied_by_the_organisation(account, customer, sandbox):
    customer.run_kit(kit_of(account))
    deny = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "ec2:CreateVpc", "Resource": "*"},
    ]}  # fmt: skip
    sandbox.control("POST", "knobs", {"scps": {NUMBER: deny}})

    operation = drive()
    assert operation.waiting_why == "permissions_spreading"
    operation.steps.filter(state="waiting").update(waiting_since=account.created_at - kits.load("aws").spreads_within)

    ends_with(account, "denied_by_organisation")


def test_connect_account_another_organisation_has_proven(account, customer):
    make_cloud_account(external_id=NUMBER, state=AccountState.CONNECTED)
    customer.run_kit(kit_of(account))

    ends_with(account, "duplicate_account")


def test_connect_run_again_kills_the_old_kit(account, customer, alice):
    first = kit_of(account)
    customer.run_kit(first)
    issue_kit(account, after_generation=1, by=alice)

    operation = drive()

    assert (operation.waiting_why, kit_of(account).generation) == ("kit_not_run", 2)
    customer.run_kit(kit_of(account))
    assert drive().state == OperationState.SUCCEEDED


def test_connect_does_not_rest_on_checks_made_before_a_wait(account, customer, acme):
    acme.contacts.all().delete()
    kit = kit_of(account)
    customer.run_kit(kit)
    operation = drive()
    assert (operation.waiting_on, operation.waiting_why) == (Party.YOU, "contact_missing")
    assert not account.trust_checks.exists()
    customer.delete_provider()
    make_contact(organisation=acme)

    ends_with(account, "provider_deleted")


def test_connect_retry_makes_every_check_again(account, customer, alice):
    kit = kit_of(account)
    customer.run_kit(kit)
    other = make_cloud_account(external_id=NUMBER, state=AccountState.CONNECTED)
    ends_with(account, "duplicate_account")
    CloudAccount.objects.filter(pk=other.pk).update(state=AccountState.OFFBOARDED)
    customer.client("iam").delete_role_permissions_boundary(RoleName=f"byoc-{kit.suffix}-support")
    request_retry(Operation.objects.get(), by=alice)

    ends_with(account, "boundary_removed")


def test_connect_kit_replaced_at_the_last_moment_does_not_connect(account, customer):
    customer.run_kit(kit_of(account))
    stale = kit_of(account)
    Kit.objects.update(state=KitState.OUTDATED)

    with pytest.raises(KitReplaced):
        token_source(stale)(subject="account:x:ops", audience="sts.amazonaws.com")
    ends_with(account, "kit_replaced")


@pytest.mark.parametrize("fault", ["throttle", "500", "lost_reply"])
def test_connect_passing_fault_is_waited_out(account, customer, sandbox, fault):
    customer.run_kit(kit_of(account))
    sandbox.control("POST", "faults", {"action": "DescribeStacks", "kind": fault, "count": 1})

    operation = drive()
    for _turn in range(5):
        if operation.state == OperationState.SUCCEEDED:
            break
        assert operation.state == OperationState.WAITING
        operation = drive()

    assert operation.state == OperationState.SUCCEEDED


def test_connect_with_the_customers_own_switches(account, customer):
    customer.run_kit(kit_of(account), AllowChanges="no", AllowSupport="no")
    ends_with(account, "changes_switched_off")


def test_connect_with_support_switched_off_by_the_customer(account, customer):
    customer.run_kit(kit_of(account), AllowSupport="no")

    assert drive().state == OperationState.SUCCEEDED
    assert not account.trust_checks.filter(kind=TrustCheck.Kind.PERMISSION, name__startswith="support/").exists()
