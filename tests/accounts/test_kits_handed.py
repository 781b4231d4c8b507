"""What the customer is handed of the AWS kit: links, commands, the rights of who runs it."""

import hashlib
import json
import re
import shlex
import subprocess
from urllib.parse import parse_qs, urlsplit

import pytest

from accounts.kits.aws.words import clean_account_id
from accounts.kits.base import Publication
from tests.accounts.aws_kit import KIT, NUMBER, PARAMETERS, TARGET, characters, rendered, simulated
from tests.customer import Customer

PUBLISHED = Publication("fernhill-kits", "us-east-1", "", "")
UNPUBLISHED = Publication("", "us-east-1", "", "")


def test_kit_links_and_commands_carry_every_parameter_and_one_version():
    url = PUBLISHED.url(KIT.object_key())
    given = {"template_url": url, "stack_name": KIT.stack_name(TARGET.suffix), "parameters": PARAMETERS, "region": TARGET.region}
    launch, command = KIT.launch_url(**given), KIT.cli_command(**given)
    snippet = KIT.terraform_snippet(parameters=PARAMETERS, module_url=PUBLISHED.url(KIT.object_key("terraform.zip")))

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
    assert UNPUBLISHED.url(KIT.object_key()) == ""
    command = KIT.cli_command(template_url="", stack_name="byoc-x-kit", parameters=PARAMETERS, region="us-east-1")
    assert f"--template-body file://byoc-kit-{KIT.version}.yaml" in command
    assert 'source = "./byoc-aws-kit"' in KIT.terraform_snippet(parameters=PARAMETERS)


TEMPLATE_URL = PUBLISHED.url(KIT.object_key())
INSTALLER = KIT.installer_rights(PUBLISHED, "https://id.portal.test")


def test_kit_installer_policy_names_single_actions_and_fits():
    document = json.loads(INSTALLER)

    assert not any("*" in action for statement in document["Statement"] for action in statement["Action"])
    assert characters(document) <= 6_144


def test_kit_installer_policy_needs_a_template_to_name():
    assert KIT.installer_rights(UNPUBLISHED, "https://id.portal.test") == ""


@pytest.fixture
def installer(sandbox):
    """Asks the customer's IAM about a person who has the installer policy and nothing else."""
    iam = Customer(sandbox, NUMBER).client("iam")
    iam.create_user(UserName="installer")
    iam.put_user_policy(UserName="installer", PolicyName="installer", PolicyDocument=INSTALLER)
    return lambda action, resource, context=None: simulated(iam, "user/installer", action, resource, context)


IAM_ARN = f"arn:aws:iam::{NUMBER}"
STACK_ARN = f"arn:aws:cloudformation:{TARGET.region}:{NUMBER}:stack/byoc-{TARGET.suffix}-kit/1"
BY_STACK = {"aws:CalledViaFirst": "cloudformation.amazonaws.com"}


def made_by_the_stack():
    """Every call that CloudFormation makes for the kit's resources with the rights of the person: action, resource, context."""
    stack = rendered()
    for resource in KIT.resources:
        properties = stack.properties(resource.logical_id)
        match resource.type:
            case "AWS::IAM::OIDCProvider":
                yield "iam:CreateOpenIDConnectProvider", f"{IAM_ARN}:oidc-provider/id.portal.test/trust/a/g1", BY_STACK
            case "AWS::IAM::ManagedPolicy":
                for action in ("iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicyVersion", "iam:DeletePolicy"):
                    yield action, f"{IAM_ARN}:policy/{properties['ManagedPolicyName']}", BY_STACK
            case "AWS::IAM::InstanceProfile":
                (role,) = properties["Roles"]
                for action in ("Create", "Delete", "Get"):
                    yield f"iam:{action}InstanceProfile", f"{IAM_ARN}:instance-profile/{properties['InstanceProfileName']}", BY_STACK
                for action in ("AddRoleTo", "RemoveRoleFrom"):
                    yield f"iam:{action}InstanceProfile", f"{IAM_ARN}:instance-profile/{properties['InstanceProfileName']}", BY_STACK
                yield "iam:PassRole", f"{IAM_ARN}:role/{role}", BY_STACK
            case _:
                arn, limited = (
                    f"{IAM_ARN}:role/{properties['RoleName']}",
                    BY_STACK | {"iam:PermissionsBoundary": properties["PermissionsBoundary"]},
                )
                for action in ("iam:CreateRole", "iam:PutRolePolicy", "iam:DeleteRolePolicy"):
                    yield action, arn, limited
                for policy in properties.get("ManagedPolicyArns", []):
                    for action in ("iam:AttachRolePolicy", "iam:DetachRolePolicy"):
                        yield action, arn, limited | {"iam:PolicyARN": policy}
                for action in ("iam:TagRole", "iam:UpdateAssumeRolePolicy", "iam:DeleteRole", "iam:GetRole"):
                    yield action, arn, BY_STACK


@pytest.mark.django_db(transaction=True)
def test_kit_installer_policy_runs_the_kit(installer):
    calls = [*made_by_the_stack(), ("cloudformation:DeleteStack", STACK_ARN, {})]
    calls += [(f"cloudformation:{action}Stack", STACK_ARN, {"cloudformation:TemplateUrl": TEMPLATE_URL}) for action in ("Create", "Update")]

    assert [(action, resource) for action, resource, context in calls if installer(action, resource, context) != "allowed"] == []


@pytest.mark.django_db(transaction=True)
def test_kit_installer_policy_is_no_administrator(installer):
    operator, boundary = f"{IAM_ARN}:role/byoc-{TARGET.suffix}-operator", f"{IAM_ARN}:policy/byoc-{TARGET.suffix}-operator-boundary"
    by_hand = [
        (action, resource, {key: value for key, value in context.items() if key not in BY_STACK})
        for action, resource, context in made_by_the_stack()
    ]
    unlimited = [(action, operator, BY_STACK) for action in ("iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary")]
    other_limit = [
        (action, operator, BY_STACK | {"iam:PermissionsBoundary": f"{IAM_ARN}:policy/mine"}) for action, _arn, _context in unlimited
    ]
    templates = ("https://evil.s3.us-east-1.amazonaws.com/kits/aws/1/template.yaml", TEMPLATE_URL.replace(KIT.content_hash, "0" * 64))
    stacks = [
        (f"cloudformation:{action}Stack", STACK_ARN, {"cloudformation:TemplateUrl": url})
        for action in ("Create", "Update")
        for url in templates
    ]
    inline = [(f"cloudformation:{action}Stack", STACK_ARN, {}) for action in ("Create", "Update")]
    within = BY_STACK | {"iam:PermissionsBoundary": boundary}
    others = [
        ("iam:AttachRolePolicy", operator, within | {"iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"}),
        (
            "iam:AttachRolePolicy",
            f"{operator.removesuffix('operator')}cell-node",
            within | {"iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"},
        ),
        ("iam:CreateRole", f"{IAM_ARN}:role/mine", within),
        ("iam:DeleteRolePermissionsBoundary", operator, within),
        ("iam:CreateOpenIDConnectProvider", f"{IAM_ARN}:oidc-provider/evil.example/trust/a/g1", BY_STACK),
        ("iam:PassRole", operator, BY_STACK),
        ("sts:AssumeRole", operator, {}),
        ("cloudformation:CreateStack", STACK_ARN.replace("byoc-", "mine-"), {"cloudformation:TemplateUrl": TEMPLATE_URL}),
    ]

    refused = by_hand + unlimited + other_limit + stacks + inline + others
    assert [(action, resource) for action, resource, context in refused if installer(action, resource, context) == "allowed"] == []


def test_kit_files_are_compared_by_their_hash(tmp_path):
    """The command as a shell runs it, on the very file and on another."""
    (tmp_path / "kit.yaml").write_bytes(KIT.template_text.encode())
    command = KIT.check_command(file="kit.yaml", sha256=KIT.content_hash)

    assert subprocess.run(["sh", "-c", command], cwd=tmp_path, check=False, capture_output=True).returncode == 0
    (tmp_path / "kit.yaml").write_text("something else")
    assert subprocess.run(["sh", "-c", command], cwd=tmp_path, check=False, capture_output=True).returncode == 1
    assert KIT.check_command(file="a.zip", url="https://x/a.zip", sha256="0" * 64) == (
        f"curl -fsS -o a.zip 'https://x/a.zip' && \\\n  echo '{'0' * 64}  a.zip' | sha256sum --check"
    )


def test_kit_hash_of_the_module_is_of_the_published_file():
    published = KIT.files()[KIT.object_key("terraform.zip")]

    assert KIT.module_hash == hashlib.sha256(published).hexdigest()


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
    assert clean_account_id(text) == digits


@pytest.mark.parametrize(
    "text",
    [
        "",
        "000000000000",
        "11112222333",
        "1111222233334",
        "١١١١٢٢٢٢٣٣٣٣",
        "１１１１２２２２３３３３",
        "11112222333x",
        "1.1e11",
        "²11122223333",
    ],
)
def test_kit_account_number_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="12 digits"):
        clean_account_id(text)


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
