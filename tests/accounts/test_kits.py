"""The AWS kit: what it asks for, what it refuses, what the customer is handed."""

import json
import re
import shlex
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from cfnlint.api import lint
from django.core.management import CommandError, call_command

from accounts import kits
from accounts.clouds.base import Target
from accounts.kits.aws import template
from accounts.kits.aws.manifest import GRANTS
from accounts.kits.manifest import Role
from tests.customer import Customer

KIT = kits.load("aws")
NUMBER = "111122223333"
TARGET = Target(
    account="3f9a1c2e-0000-4000-8000-000000000001",
    external_id=NUMBER,
    region="ap-southeast-4",
    suffix="3f9a1c2e-g9999",  # the longest there is
    generation=9999,
    kit_version=KIT.version,
    kit_hash=KIT.content_hash,
    issuer="https://identity.a-rather-long-name-of-a-provider.example.com/trust/3f9a1c2e-0000-4000-8000-000000000001/g9999",
    audience=KIT.audience,
)
PARAMETERS = KIT.parameters(
    account=TARGET.account,
    generation=TARGET.generation,
    suffix=TARGET.suffix,
    issuer_url=TARGET.issuer,
    external_id=TARGET.external_id,
    region=TARGET.region,
)


def rendered(**switches: str) -> template.Rendered:
    return template.Rendered(PARAMETERS | switches, account_id=NUMBER, region=TARGET.region, stack=KIT.stack_name(TARGET.suffix))


def characters(document: object) -> int:
    """As IAM counts them: white space is free."""
    return len(re.sub(r"\s", "", json.dumps(document)))


def identity_statements() -> dict[str, dict]:
    """Every Allow statement of both roles by Sid, switches on."""
    policies = [policy["PolicyDocument"] for role in ("OperatorRole", "SupportRole") for policy in rendered().properties(role)["Policies"]]
    return {statement["Sid"]: statement for document in policies for statement in document["Statement"]}


def as_list(value: object) -> list:
    return value if isinstance(value, list) else [value]


# --- The template --------------------------------------------------------------------------------------------------------


def test_kit_template_is_clean_for_cfn_lint():
    assert [str(problem) for problem in lint(KIT.template_text)] == []


def test_kit_every_action_has_a_reason_and_every_reason_an_action():
    asked = {sid: sorted(as_list(statement["Action"])) for sid, statement in identity_statements().items()}

    assert {grant.sid: sorted(grant.actions) for grant in GRANTS} == asked
    assert all(str(reason).endswith(".") and str(grant.limit).endswith(".") for grant in GRANTS for reason in grant.actions.values())


def test_kit_statements_only_allow_and_name_single_actions():
    for sid, statement in identity_statements().items():
        assert statement["Effect"] == "Allow", sid
        assert not any("*" in action for action in as_list(statement["Action"])), sid


def test_kit_resources_are_those_of_the_manifest():
    assert {(r.logical_id, r.type) for r in KIT.resources} == {
        (name, resource["Type"]) for name, resource in template.parsed()["Resources"].items()
    }


def test_kit_names_end_with_the_suffix_or_belong_to_it_and_fit():
    stack = rendered()
    for resource in KIT.resources:
        properties = stack.properties(resource.logical_id)
        named = properties.get("RoleName") or properties.get("ManagedPolicyName") or properties["Url"].removeprefix("https://")
        assert resource.name.format(suffix=TARGET.suffix, issuer_path=TARGET.issuer.removeprefix("https://")) == named
        if resource.type == "AWS::IAM::OIDCProvider":
            assert named.endswith("/g9999")
            assert len(TARGET.issuer) <= 255
        else:
            assert named.startswith(f"byoc-{TARGET.suffix}-")
            assert len(named) <= (64 if resource.type == "AWS::IAM::Role" else 128)


def test_kit_tags_are_those_of_the_manifest():
    for resource in KIT.resources:
        tags = {tag["Key"]: tag["Value"] for tag in rendered().properties(resource.logical_id).get("Tags", [])}
        assert ("byoc:account" in tags) == (resource.tag == "byoc:account"), resource.logical_id
        assert tags.get("byoc:account", TARGET.account) == TARGET.account


@pytest.mark.parametrize("switch", ["yes", "no"])
def test_kit_policies_fit_into_what_iam_takes(switch):
    stack = rendered(AllowChanges=switch, AllowSupport=switch)

    for logical_id in stack.logical_ids("AWS::IAM::ManagedPolicy"):
        assert characters(stack.properties(logical_id)["PolicyDocument"]) <= 6_144, logical_id
    for logical_id in stack.logical_ids("AWS::IAM::Role"):
        role = stack.properties(logical_id)
        assert sum(characters(policy["PolicyDocument"]) for policy in role["Policies"]) <= 10_240, logical_id
        assert characters(role["AssumeRolePolicyDocument"]) <= 2_048, logical_id
        assert len(role["Description"]) <= 1_000
    assert len(KIT.template_text.encode()) <= 51_200  # also fits --template-body


def test_kit_roles_have_a_boundary_one_hour_and_trust_one_subject_each():
    stack = rendered()
    for logical_id, subject in (("OperatorRole", "ops"), ("SupportRole", "support")):
        role = stack.properties(logical_id)
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        path = TARGET.issuer.removeprefix("https://")
        assert statement["Condition"] == {
            "StringEquals": {f"{path}:sub": f"account:{TARGET.account}:{subject}", f"{path}:aud": "sts.amazonaws.com"}
        }
        assert statement["Principal"] == {"Federated": f"arn:aws:iam::{NUMBER}:oidc-provider/{path}"}
        assert role["PermissionsBoundary"].endswith(f"byoc-{TARGET.suffix}-{logical_id.removesuffix('Role').lower()}-boundary")
        assert role["MaxSessionDuration"] == 3600


def test_kit_boundaries_allow_what_the_roles_need_and_deny_the_rest_for_ever():
    stack = rendered()

    def denied(logical_id: str) -> set[str]:
        statements = stack.properties(logical_id)["PolicyDocument"]["Statement"]
        return {action for statement in statements if statement["Effect"] == "Deny" for action in as_list(statement["Action"])}

    assert {"iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "organizations:*", "sts:AssumeRole*", "cloudformation:Delete*"} <= denied(
        "OperatorBoundary"
    )
    assert {"iam:*", "kms:*", "s3:*", "secretsmanager:*", "ssm:*", "sts:AssumeRole*"} <= denied("SupportBoundary")
    assert {"iam:*", "organizations:*", "sts:AssumeRole*"} <= denied("CellBoundary")
    for boundary in stack.logical_ids("AWS::IAM::ManagedPolicy"):
        allowed = [s for s in stack.properties(boundary)["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
        assert not any(action in {"*", "iam:*", "sts:*"} for s in allowed for action in as_list(s["Action"])), boundary


def test_kit_rules_hold_the_stack_to_its_place():
    rules = template.parsed()["Rules"]

    asserted = [assertion["Assert"]["Fn::Equals"] for rule in rules.values() for assertion in rule["Assertions"]]
    assert asserted == [[{"Ref": "AWS::AccountId"}, {"Ref": "ExpectedAccountId"}], [{"Ref": "AWS::Region"}, {"Ref": "ExpectedRegion"}]]


def test_kit_version_and_hash_are_of_the_text():
    assert re.fullmatch(r"[1-9]\d*\.\d+\.\d+", KIT.version)
    assert f'Version: "{KIT.version}"' in KIT.template_text
    assert KIT.object_key() == f"kits/aws/{KIT.version}/{KIT.content_hash}/template.yaml"


def test_kit_parameters_are_those_of_the_template_and_valid():
    declared = template.parsed()["Parameters"]

    assert set(PARAMETERS) == set(declared)
    for name, value in PARAMETERS.items():
        shape = declared[name]
        assert re.fullmatch(shape.get("AllowedPattern", ".*"), value), name
        assert value in shape.get("AllowedValues", [value]), name
        assert len(value) <= shape.get("MaxLength", 4096), name
    assert all(re.fullmatch(declared["ExpectedRegion"]["AllowedPattern"], region.code) for region in KIT.regions)


# --- What it may do, asked of AWS ----------------------------------------------------------------------------------------


def test_kit_probes_ask_about_every_action_in_full():
    probes = KIT.probes(TARGET)

    assert {(probe.role, probe.action) for probe in probes} == {(grant.role.value, action) for grant in GRANTS for action in grant.actions}
    assert {probe.key for probe in probes} == {permission.key for permission in KIT.permissions}
    assert not any("{" in probe.resource or "{" in "".join(probe.context.values()) for probe in (*probes, *KIT.forbidden_probes(TARGET)))


def test_kit_review_lists_every_permission_once_and_finds_it():
    keys = [permission.key for permission in KIT.permissions]

    assert len(keys) == len(set(keys))
    assert {*KIT.operator_permissions(), *KIT.support_permissions()} == set(KIT.permissions)
    assert [permission.key for permission in KIT.search_permissions("CREATEVPC operator")] == ["ec2:CreateVpc"]
    assert KIT.search_permissions("no such thing") == ()


@pytest.mark.parametrize("role", list(Role))
def test_kit_policy_shown_is_the_templates(role):
    shown = json.loads(KIT.policy_json(role))["Statement"]

    assert [statement["Sid"] for statement in shown] == [grant.sid for grant in GRANTS if grant.role == role]
    assert NUMBER not in json.dumps(shown)
    assert {s["Sid"]: s["Action"] for s in shown} == {
        s["Sid"]: s["Action"] for s in identity_statements().values() if s["Sid"] in str(shown)
    }


@pytest.fixture
def installed(sandbox):
    """The customer's IAM after the kit was run as shipped."""
    customer = Customer(sandbox, NUMBER)
    cloudformation = customer.client("cloudformation", TARGET.region)
    cloudformation.create_stack(
        StackName=KIT.stack_name(TARGET.suffix),
        TemplateBody=KIT.template_text,
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in PARAMETERS.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    waiter = cloudformation.get_waiter("stack_create_complete")
    waiter.wait(StackName=KIT.stack_name(TARGET.suffix), WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return customer.client("iam")


def decision(iam, probe, role: str = "") -> str:
    entries = [{"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"} for key, value in probe.context.items()]
    role = role or probe.role
    found = iam.simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{NUMBER}:role/byoc-{TARGET.suffix}-{role}",
        ActionNames=[probe.action],
        ResourceArns=[probe.resource],
        ContextEntries=entries,
    )
    return found["EvaluationResults"][0]["EvalDecision"]


@pytest.mark.django_db(transaction=True)
def test_kit_grants_what_it_says_and_refuses_what_it_promises(installed):
    granted = {(probe.role, probe.action, probe.resource): decision(installed, probe) for probe in KIT.probes(TARGET)}
    assert {question: answer for question, answer in granted.items() if answer != "allowed"} == {}

    refused = {(probe.role, probe.action, probe.resource): decision(installed, probe) for probe in KIT.forbidden_probes(TARGET)}
    assert [question for question, answer in refused.items() if answer == "allowed"] == []
    assert "explicitDeny" in refused.values()

    # Neither role can do the other's work.
    changes = [
        probe for probe in KIT.probes(TARGET) if probe.role == "operator" and not re.search(r":(Describe|Get|List|Simulate)", probe.action)
    ]
    assert {decision(installed, probe, role="support") for probe in changes} <= {"implicitDeny", "explicitDeny"}
    logs = [probe for probe in KIT.probes(TARGET) if probe.role == "support" and probe.action.startswith("logs:")]
    assert {decision(installed, probe, role="operator") for probe in logs} == {"implicitDeny"}


@pytest.mark.django_db(transaction=True)
def test_kit_switches_cut_changes_and_support(sandbox, installed):
    cloudformation = Customer(sandbox, NUMBER).client("cloudformation", TARGET.region)
    stack = KIT.stack_name(TARGET.suffix)
    off = PARAMETERS | {"AllowChanges": "no", "AllowSupport": "no"}
    cloudformation.update_stack(
        StackName=stack,
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in off.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    cloudformation.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 30})

    answers = {(probe.role, probe.action): decision(installed, probe) for probe in KIT.probes(TARGET)}

    assert answers["operator", "ec2:CreateVpc"] == "explicitDeny"
    assert answers["operator", "iam:PassRole"] == "explicitDeny"
    assert answers["operator", "cloudformation:DescribeStacks"] == "allowed"
    assert answers["operator", "iam:GetRole"] == "allowed"
    assert {answer for (role, _action), answer in answers.items() if role == "support"} == {"explicitDeny"}


# --- What the customer is handed -----------------------------------------------------------------------------------------


def test_kit_links_and_commands_carry_every_parameter_and_one_version():
    url = KIT.template_url(bucket="fernhill-kits", region="us-east-1")
    given = {"template_url": url, "stack_name": KIT.stack_name(TARGET.suffix), "parameters": PARAMETERS, "region": TARGET.region}
    launch, command = KIT.launch_url(**given), KIT.cli_command(**given)
    snippet = KIT.terraform_snippet(parameters=PARAMETERS, module_url=KIT.module_url(bucket="fernhill-kits", region="us-east-1"))

    query = parse_qs(urlsplit(urlsplit(launch).fragment).query)
    assert urlsplit(launch).hostname == "ap-southeast-4.console.aws.amazon.com"
    assert query == {"templateURL": [url], "stackName": ["byoc-3f9a1c2e-g9999-kit"]} | {f"param_{k}": [v] for k, v in PARAMETERS.items()}
    words = shlex.split(command.replace("\\\n", " "))
    assert words[:3] == ["aws", "cloudformation", "create-stack"]
    assert words[words.index("--template-url") + 1] == url
    assert words[words.index("--parameters") + 1 :] == [f"ParameterKey={k},ParameterValue={v}" for k, v in PARAMETERS.items()]
    assert sorted(re.findall(r'= "(.*)"$', snippet, re.MULTILINE)[1:]) == sorted(PARAMETERS.values())
    assert all(f"/{KIT.version}/{KIT.content_hash}/" in text for text in (query["templateURL"][0], command, snippet))


def test_kit_that_is_not_published_is_run_from_files():
    assert KIT.template_url(bucket="", region="us-east-1") == ""
    assert KIT.module_url(bucket="", region="us-east-1") == ""
    command = KIT.cli_command(template_url="", stack_name="byoc-x-kit", parameters=PARAMETERS, region="us-east-1")
    assert f"--template-body file://byoc-kit-{KIT.version}.yaml" in command
    assert 'source = "./byoc-aws-kit"' in KIT.terraform_snippet(parameters=PARAMETERS)


def test_kit_installer_policy_covers_what_the_template_makes():
    document = json.loads(KIT.installer_policy(suffix=TARGET.suffix, bucket="fernhill-kits"))
    actions = {action for statement in document["Statement"] for action in statement["Action"]}

    assert {"cloudformation:CreateStack", "iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:CreatePolicy"} <= actions
    assert "iam:CreateOpenIDConnectProvider" in actions
    assert not any("*" in action for action in actions)
    assert characters(document) <= 6_144


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("111122223333", "111122223333"),
        ("  1111-2222-3333\n", "111122223333"),
        ("1111 2222 3333", "111122223333"),
        ("1111\u00a02222\u20113333", "111122223333"),
        ("012345678901", "012345678901"),
    ],
)
def test_kit_account_number_is_read_as_people_paste_it(text, digits):
    assert KIT.clean_account_id(text) == digits


@pytest.mark.parametrize(
    "text", ["", "11112222333", "1111222233334", "١١١١٢٢٢٢٣٣٣٣", "１１１１２２２２３３３３", "11112222333x", "1.1e11", "²11122223333"]
)
def test_kit_account_number_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="12 digits"):
        KIT.clean_account_id(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("arn:aws:cloudformation:eu-west-1:111122223333:stack/byoc-a-g1-kit/0a1b", ("111122223333", "eu-west-1")),
        ("  It says arn:aws:iam::999900001111:role/byoc-a-g1-operator, see?", ("999900001111", "")),
        ("arn:aws-cn:cloudformation:cn-north-1:111122223333:stack/x/y", ("111122223333", "cn-north-1")),
    ],
)
def test_kit_evidence_tells_where_it_stands(text, found):
    evidence = KIT.read_evidence(text)

    assert (evidence.external_id, evidence.region) == found


@pytest.mark.parametrize("text", ["", "my-stack", "arn:aws:cloudformation:eu-west-1:١١١١٢٢٢٢٣٣٣٣:stack/x/y", "arn:aws:s3:::bucket"])
def test_kit_evidence_that_names_no_account_is_none(text):
    assert KIT.read_evidence(text) is None


# --- Publishing ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def provider(sandbox, settings, monkeypatch):
    """The provider's own AWS account, with keys in the environment as boto3 reads them. `settings` name its bucket."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", sandbox.customer_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "555566667777")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "root")
    settings.KITS_BUCKET, settings.KITS_REGION = "fernhill-kits", "eu-central-1"
    return boto3.Session().client("s3", region_name="eu-central-1")


@pytest.mark.django_db(transaction=True)
def test_publish_kits_uploads_once_and_changes_nothing_again(provider, capsys):
    call_command("publish_kits")
    first = capsys.readouterr().out.splitlines()
    call_command("publish_kits")
    again = capsys.readouterr().out.splitlines()

    keys = [KIT.object_key("template.yaml"), KIT.object_key("terraform.zip"), f"kits/aws/{KIT.version}/template.sha256"]
    assert first == [f"uploaded  fernhill-kits/{key}" for key in keys]
    assert again == [f"there already  fernhill-kits/{key}" for key in keys]
    assert provider.get_object(Bucket="fernhill-kits", Key=keys[0])["Body"].read().decode() == KIT.template_text


@pytest.mark.django_db(transaction=True)
def test_publish_kits_never_overwrites_what_customers_may_have_read(provider):
    call_command("publish_kits")
    provider.put_object(Bucket="fernhill-kits", Key=KIT.object_key(), Body=b"something else")

    with pytest.raises(CommandError, match=r"template\.yaml holds other content.*raise the kit's version instead"):
        call_command("publish_kits")

    assert provider.get_object(Bucket="fernhill-kits", Key=KIT.object_key())["Body"].read() == b"something else"


@pytest.mark.django_db(transaction=True)
def test_publish_kits_refuses_other_content_under_the_same_version(provider):
    call_command("publish_kits")
    provider.delete_object(Bucket="fernhill-kits", Key=KIT.object_key("template.yaml"))
    provider.put_object(Bucket="fernhill-kits", Key=f"kits/aws/{KIT.version}/template.sha256", Body=b"0" * 64)

    with pytest.raises(CommandError, match=r"template\.sha256 holds other content.*raise the kit's version instead"):
        call_command("publish_kits")

    listed = provider.list_objects_v2(Bucket="fernhill-kits")["Contents"]
    assert KIT.object_key("template.yaml") not in {entry["Key"] for entry in listed}


def test_publish_kits_without_a_bucket_names_the_variable(settings):
    settings.KITS_BUCKET = ""

    with pytest.raises(CommandError, match="Set PORTAL_KITS_BUCKET"):
        call_command("publish_kits")


@pytest.mark.django_db(transaction=True)
def test_publish_kits_into_somebody_elses_bucket_says_so(provider, monkeypatch):
    provider.create_bucket(Bucket="fernhill-kits", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "888899990000")

    with pytest.raises(
        CommandError, match=r"S3 refused: .*Check the credentials of this command, and that bucket fernhill-kits in eu-central-1 is yours"
    ):
        call_command("publish_kits")


@pytest.mark.django_db(transaction=True)
def test_publish_kits_without_credentials_says_so(sandbox, settings, monkeypatch):
    settings.KITS_BUCKET = "fernhill-kits"

    with pytest.raises(CommandError, match=r"Unable to locate credentials.*Check the credentials of this command"):
        call_command("publish_kits")
