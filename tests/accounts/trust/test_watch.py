"""The watch over a connected account, against the strict local AWS: what it notices, what it leaves alone, whom it tells and how often."""

import json
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from accounts.models import TrustChange, TrustCheck, TrustWatch
from accounts.steps.watch import watch_once
from portal.operations.models import Operation
from tests.accounts.trust.looking import TOLD, look, look_of, verdicts
from tests.activity import assert_no_event, assert_one_event
from tests.factories import make_cloud_account
from tests.standing import SECOND, told

pytestmark = pytest.mark.django_db(transaction=True)


def delete_support_role_boundary(customer, kit):
    customer.client("iam").delete_role_permissions_boundary(RoleName=f"byoc-{kit.suffix}-support")


def widen(customer, kit):
    wide = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    customer.client("iam").put_role_policy(RoleName=f"byoc-{kit.suffix}-operator", PolicyName="more", PolicyDocument=json.dumps(wide))


def narrow(customer, kit):
    """Take one permission out of the operator's own policy."""
    iam, role = customer.client("iam"), f"byoc-{kit.suffix}-operator"
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        document = json.loads(document) if isinstance(document, str) else document
        for statement in document["Statement"]:
            if isinstance(statement["Action"], list) and "ec2:CreateVpc" in statement["Action"]:
                statement["Action"].remove("ec2:CreateVpc")
                iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def test_watch_of_a_trust_that_holds_changes_nothing(account):
    checks, operations = list(TrustCheck.objects.order_by("pk").values()), Operation.objects.count()
    with assert_no_event():
        seen = look(account)

    assert (seen.state, seen.watch.verdict, seen.watch.unclear_since, seen.watch.lease_until) == ("connected", "holds", None, None)
    assert seen.watch.looked_at > account.watch.looked_at
    assert timedelta(minutes=50) < seen.watch.next_at - timezone.now() < timedelta(minutes=70)
    assert list(TrustCheck.objects.order_by("pk").values()) == checks, "A look without news costs no write"
    assert not TrustChange.objects.exists()
    assert Operation.objects.count() == operations
    assert told() == []


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (delete_support_role_boundary, "boundary_removed"),
        (widen, "policy_edited"),
        (narrow, "permission_missing"),
        (lambda customer, kit: customer.delete_provider(), "provider_deleted"),
    ],
    ids=["boundary", "widened", "narrowed", "provider"],
)
def test_watch_loss_counts_when_a_second_look_finds_it_again(account, customer, acme, edit, code):
    edit(customer, account.kits.get())

    with assert_no_event():
        seen = look(account)
        assert (seen.state, seen.watch.verdict, seen.watch.code) == ("connected", "doubted", code)
        # Asked for again a moment later: that is no second look.
        assert look(account).watch.verdict == "doubted"
    first = TrustWatch.objects.get().since
    with assert_one_event(acme, action="cloud_account.trust_lost"):
        seen = look(account, later=SECOND)

    assert (seen.state, seen.failure_code, seen.watch.verdict) == ("needs_attention", f"lost_{code}", "lost")
    assert seen.watch.lost_since == first - SECOND
    assert verdicts(seen) == [("lost", code)]
    subject = "Production needs attention: its trust is lost"
    assert told() == [(name, subject) for name in TOLD]
    with assert_no_event():
        look(account, later=timedelta(hours=1))
    assert len(told()) == len(TOLD)
    assert "Two looks found the same." in mail.outbox[0].body


def test_watch_names_each_permission_that_is_lost_and_that_comes_back(account, customer, acme, alice):
    kit = account.kits.get()
    iam, role = customer.client("iam"), f"byoc-{kit.suffix}-operator"
    before = {
        name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    }
    narrow(customer, kit)
    look(account)
    seen = look(account, later=SECOND)
    lost = seen.trust_checks.get(is_ok=False)
    assert (lost.name, lost.since) == ("ec2:CreateVpc", seen.watch.lost_since)
    assert (seen.watch.params, seen.watch.evidence) == ({"count": "1", "permissions": "ec2:CreateVpc"}, "ec2:CreateVpc")

    for name, document in before.items():
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document if isinstance(document, str) else json.dumps(document))
    mail.outbox.clear()
    with assert_no_event():
        seen = look(account)
        assert (seen.state, seen.watch.verdict) == ("needs_attention", "recovering")
    with assert_one_event(acme, action="cloud_account.trust_restored"):
        seen = look(account, later=timedelta(minutes=2))

    assert (seen.state, seen.failure_code, seen.watch.verdict, seen.watch.lost_since) == ("connected", "", "holds", None)
    assert seen.connected_at == account.connected_at
    history = seen.trust_changes.filter(kind=TrustChange.Kind.PERMISSION).order_by("id").values_list("name", "was", "now")
    assert list(history) == [("ec2:CreateVpc", "held", "missing"), ("ec2:CreateVpc", "missing", "held")]
    assert not seen.trust_checks.filter(is_ok=False).exists()
    subject = "Production is connected again"
    assert told() == [(name, subject) for name in TOLD]


def test_watch_a_doubt_that_passes_was_nothing(account, customer):
    kit = account.kits.get()
    widen(customer, kit)
    assert look(account).watch.verdict == "doubted"
    customer.client("iam").delete_role_policy(RoleName=f"byoc-{kit.suffix}-operator", PolicyName="more")

    with assert_no_event():
        seen = look(account, later=SECOND)

    assert (seen.state, seen.watch.verdict, seen.watch.code) == ("connected", "holds", "")
    assert not TrustChange.objects.exists()
    assert told() == []


def test_watch_a_recovery_that_does_not_last_is_not_told(account, customer, acme):
    kit = account.kits.get()
    widen(customer, kit)
    look(account)
    since = look(account, later=SECOND).watch.lost_since
    customer.client("iam").delete_role_policy(RoleName=f"byoc-{kit.suffix}-operator", PolicyName="more")
    assert look(account).watch.verdict == "recovering"
    widen(customer, kit)

    mail.outbox.clear()
    with assert_no_event():
        seen = look(account, later=SECOND)

    assert (seen.state, seen.watch.verdict, seen.watch.lost_since) == ("needs_attention", "lost", since)
    assert verdicts(seen) == [("lost", "policy_edited")]
    assert told() == []


@pytest.mark.parametrize("action", ["AssumeRoleWithWebIdentity", "DescribeStacks", "SimulatePrincipalPolicy", "GetRole"])
@pytest.mark.parametrize("fault", ["throttle", "500"])
def test_watch_a_fault_of_the_cloud_is_nobodys_loss(account, sandbox, action, fault):
    sandbox.control("POST", "faults", {"action": action, "kind": fault, "count": None})

    with assert_no_event():
        for _look in range(3):
            seen = look(account, later=timedelta(hours=2))

    assert (seen.state, seen.watch.verdict, seen.watch.code) == ("connected", "holds", "")
    assert seen.watch.unclear_code == {"throttle": "throttled", "500": "cloud_unavailable"}[fault]
    assert seen.watch.unclear_since <= seen.watch.last_try_at
    assert timedelta(minutes=1) < seen.watch.next_at - timezone.now() <= timedelta(minutes=66)
    sandbox.control("DELETE", "faults")
    assert look(account).watch.unclear_since is None


def test_watch_an_issuer_out_of_reach_is_our_fault(account, sandbox, settings):
    sandbox.control("POST", "forget-keys")
    settings.ALLOWED_HOSTS = []

    with assert_no_event():
        seen = [look(account, later=SECOND) for _look in range(3)][-1]

    assert (seen.state, seen.watch.verdict, seen.watch.unclear_code) == ("connected", "holds", "issuer_unreachable")


def test_watch_the_customers_own_switch_is_no_outage(account, customer, acme):
    kit = account.kits.get()
    update(customer, kit, AllowChanges="no")
    with assert_one_event(acme, action="cloud_account.switched_off"):
        seen = look(account)

    assert (seen.state, seen.switched_off, seen.is_disabled, seen.badge, seen.state_words) == (
        "connected", "changes", True, "neutral", "Disabled by you",
    )  # fmt: skip
    assert (seen.watch.verdict, seen.failure_code) == ("switched_off", "")
    with assert_no_event():
        look(account, later=SECOND)
    subject = "Production was switched off in your cloud"
    assert told() == [(name, subject) for name in TOLD]
    assert "You have switched off changes" in mail.outbox[0].body or "AllowChanges is set to" in mail.outbox[0].body
    mail.outbox.clear()

    update(customer, kit, AllowChanges="yes")
    with assert_one_event(acme, action="cloud_account.switched_on"):
        seen = look(account)
    subject = "Production is switched on again"
    assert told() == [(name, subject) for name in TOLD]

    assert (seen.switched_off, seen.badge, seen.state_words, seen.watch.verdict) == ("", "ok", "Connected", "holds")
    assert verdicts(seen) == [("switched_off", "changes"), ("holds", "")]


def update(customer, kit, **switches):
    cloudformation = customer.client("cloudformation", kit.region)
    (stack,) = cloudformation.describe_stacks(StackName=f"byoc-{kit.suffix}-kit")["Stacks"]
    given = [
        {"ParameterKey": p["ParameterKey"], "ParameterValue": switches.get(p["ParameterKey"], p["ParameterValue"])}
        for p in stack["Parameters"]
    ]
    cloudformation.update_stack(
        StackName=stack["StackName"], UsePreviousTemplate=True, Parameters=given, Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    cloudformation.get_waiter("stack_update_complete").wait(StackName=stack["StackName"], WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def test_watch_support_switched_off_leaves_the_rest_alone(account, customer):
    update(customer, account.kits.get(), AllowSupport="no")

    with assert_no_event():
        seen = look(account)

    assert (seen.state, seen.switched_off, seen.watch.verdict) == ("connected", "", "holds")
    assert seen.watch.switches["AllowSupport"] == "no"


def test_watch_an_edit_behind_the_switch_is_still_found(account, customer):
    kit = account.kits.get()
    update(customer, kit, AllowChanges="no")
    look(account)
    widen(customer, kit)

    assert look(account).watch.verdict == "doubted"
    seen = look(account, later=SECOND)

    assert (seen.state, seen.switched_off, seen.failure_code) == ("needs_attention", "", "lost_policy_edited")


def test_watch_the_customers_own_deletion_of_the_kit_is_disabled_by_the_customer(account, customer, sandbox, acme):
    sandbox.control("POST", "knobs", {"pace_seconds": 3})
    kit = account.kits.get()
    cloudformation = customer.client("cloudformation", kit.region)
    cloudformation.delete_stack(StackName=f"byoc-{kit.suffix}-kit")
    with assert_one_event(acme, action="cloud_account.switched_off"):
        seen = look(account)
    assert (seen.state, seen.switched_off) == ("connected", "kit")

    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=f"byoc-{kit.suffix}-kit", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    with assert_no_event():
        seen = look(account, later=SECOND)

    assert (seen.state, seen.switched_off, seen.watch.verdict) == ("connected", "kit", "switched_off")
    assert told() == [(name, "Production was switched off in your cloud") for name in TOLD]


def test_watch_tokens_that_nobody_accepts_are_our_fault_and_those_that_one_refuses_are_not(account, customer):
    iam = customer.client("iam")
    (provider,) = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=provider["Arn"], ClientID="sts.amazonaws.com")
    other = TrustWatch.objects.create(account=make_cloud_account(state="connected"), last_try_at=timezone.now())
    other.unclear_since, other.unclear_code = timezone.now(), "token_refused"
    other.save()

    assert look_of(account).unclear_code == "token_refused"

    TrustWatch.objects.filter(pk=other.pk).update(unclear_since=None, unclear_code="")
    assert (look_of(account).verdict, look_of(account).code) == ("doubted", "token_refused")

    # The other's good answer is from before the doubt: it does not prove that our tokens of now are good.
    TrustWatch.objects.filter(pk=account.watch.pk).update(since=timezone.now() - timedelta(hours=1), next_at=timezone.now())
    TrustWatch.objects.filter(pk=other.pk).update(last_try_at=timezone.now() - timedelta(hours=2))
    assert (look_of(account).verdict, look_of(account).unclear_code) == ("doubted", "token_refused")


def test_watch_asked_during_a_look_looks_once_more(account):
    TrustWatch.objects.filter(pk=account.watch.pk).update(asked_at=timezone.now() + timedelta(seconds=30), next_at=timezone.now())

    watch_once(account.watch.pk)

    assert TrustWatch.objects.get(account=account).next_at <= timezone.now()
