"""The AWS kit and one account that it is made for."""

import json
import re

import pytest

from accounts.clouds.aws.adapter import CONTEXT_TYPES
from accounts.clouds.base import Target
from accounts.kits.aws import template
from accounts.kits.aws.kit import AUDIENCE, AwsKit
from tests.customer import Customer

KIT = AwsKit()
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
    audience=AUDIENCE,
)
PARAMETERS = KIT.parameters(
    account=TARGET.account,
    generation=TARGET.generation,
    suffix=TARGET.suffix,
    issuer_url=TARGET.issuer,
    external_id=TARGET.external_id,
    region=TARGET.region,
)
ADMIN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def rendered(**switches: str) -> template.Rendered:
    return template.Rendered(PARAMETERS | switches, account_id=NUMBER, region=TARGET.region, stack=KIT.stack_name(TARGET.suffix))


def characters(document: object) -> int:
    """As IAM counts them: white space is free."""
    return len(re.sub(r"\s", "", json.dumps(document)))


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


def simulated(
    iam, who: str, action: str, resource: str = "*", context: dict[str, str] | None = None, *, attached: dict | None = None
) -> str:
    """AWS's own word on what a role or user of the account may do, with one more policy attached if given."""
    entries = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": CONTEXT_TYPES.get(key, "string")}
        for key, value in (context or {}).items()
    ]
    found = iam.simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{NUMBER}:{who}",
        ActionNames=[action],
        ResourceArns=[resource],
        ContextEntries=entries,
        PolicyInputList=[json.dumps(attached)] if attached else [],
    )
    return found["EvaluationResults"][0]["EvalDecision"]


_EC2 = f"arn:aws:ec2:{TARGET.region}:{NUMBER}"
GROUP, VOLUME, INTERFACE, MACHINE = (
    f"{_EC2}:{kind}" for kind in ("security-group/sg-1", "volume/vol-1", "network-interface/eni-1", "instance/i-1")
)
BALANCER = f"arn:aws:elasticloadbalancing:{TARGET.region}:{NUMBER}:loadbalancer/net/a/1"
