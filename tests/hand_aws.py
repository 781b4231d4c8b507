"""The customer's hand in AWS: run the issued kit, break what it made, put it back."""

import json
from collections.abc import Callable
from typing import Any

from accounts import kits
from accounts.kits.aws import template
from accounts.models import Kit
from accounts.targets import target_of
from tests.customer import Customer
from tests.local_cloud import LocalCloud

FOR_EVER = None  # a fault that stays until it is dropped


class AwsHand:
    cloud = "aws"
    external_id, region, belongs = "111122223333", "us-east-1", {}
    another_id, another_region = "999900001111", "eu-west-1"
    kit_read, sign_in = {"action": "DescribeStacks"}, {"action": "AssumeRoleWithWebIdentity"}

    def __init__(self, sandbox: LocalCloud, tell: Callable[[str], object]) -> None:
        self.sandbox, self.tell = sandbox, tell
        self.customer = Customer(sandbox, self.external_id)

    @staticmethod
    def environment(sandbox: LocalCloud) -> dict[str, str]:
        return {"AWS_ENDPOINT_URL": sandbox.aws_url}

    def take(self, kit: Kit) -> None:
        """From now on it is this kit that is run, broken and mended."""
        self.kit = kit

    @property
    def name(self) -> str:
        return f"byoc-{self.kit.suffix}"

    @property
    def iam(self) -> Any:
        return self.customer.client("iam")

    # --- the kit ---

    def run_kit(self, **more: str) -> None:
        self.customer.run_kit(self.kit, **more)

    def run_elsewhere(self) -> None:
        stack = Customer(self.sandbox, self.another_id).run_kit(self.kit, template=self._unruled())
        self.tell(stack)

    def _unruled(self) -> str:
        """The template of a customer who took out what makes CloudFormation itself refuse the wrong account and region."""
        text = kits.load("aws").template_text
        return text[: text.index("\nRules:")] + text[text.index("\nConditions:") :]

    def run_in_another_region(self) -> None:
        self.customer.run_kit(self.kit, region=self.another_region, template=self._unruled())

    def run_of_earlier_generation(self) -> None:
        self.run_kit(Generation="1")

    def run_of_another_version(self) -> None:
        shipped = kits.load("aws")
        self.run_kit(template=shipped.template_text.replace("!FindInMap [Kit, This, Version]", '"0.0.9"'))

    def run_with_changes_off(self) -> None:
        self.run_kit(AllowChanges="no")

    def allow_changes(self) -> None:
        self.update()

    def run_earlier(self, version: str) -> None:
        """The kit of an earlier version, which the issued kit is of."""
        self.customer.run_kit(self.kit, template=template.text(version))

    def update(self, **switches: str) -> None:
        """The stack with its own template; what is not named is as the portal gave it."""
        given = kits.load("aws").parameters_of(target_of(self.kit.account, self.kit)) | switches
        self._cloudformation.update_stack(
            StackName=self._stack,
            UsePreviousTemplate=True,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        self._wait("stack_update_complete")

    @property
    def _cloudformation(self) -> Any:
        return self.customer.client("cloudformation", self.kit.region)

    @property
    def _stack(self) -> str:
        return f"{self.name}-kit"

    def _wait(self, end: str) -> None:
        self._cloudformation.get_waiter(end).wait(StackName=self._stack, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})

    def start_deleting_kit(self) -> None:
        """Slowly enough to be seen at it."""
        self.sandbox.control("POST", "knobs", {"pace_seconds": 3})
        self._cloudformation.delete_stack(StackName=self._stack)

    def wait_until_kit_is_gone(self) -> None:
        self._wait("stack_delete_complete")

    # --- what is done to it ---

    def delete_provider(self) -> None:
        self.customer.delete_provider()

    def widen_trust(self) -> None:
        def edit(document: dict[str, Any]) -> None:
            wanted = document["Statement"][0]["Condition"].pop("StringEquals")
            document["Statement"][0]["Condition"]["StringLike"] = dict.fromkeys(wanted, "*")

        self.customer.edit_trust(self.kit, "operator", edit)

    def restore_trust(self) -> None:
        trust = self._shipped.roles["operator"].trust
        self.iam.update_assume_role_policy(RoleName=f"{self.name}-operator", PolicyDocument=json.dumps(trust))

    @property
    def _shipped(self) -> Any:
        return kits.load("aws").shipped(target_of(self.kit.account, self.kit))

    def add_audience(self) -> None:
        self.iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=self._shipped.provider, ClientID="other.example")

    def take_audience_back(self) -> None:
        self.iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=self._shipped.provider, ClientID="other.example")

    def take_permission(self) -> None:
        self.iam.delete_role_policy(RoleName=f"{self.name}-operator", PolicyName="network")

    def restore_permission(self) -> None:
        policy = self._shipped.roles["operator"].policies | {
            name: pair[0] for name, pair in self._shipped.roles["operator"].switches.items()
        }
        self.iam.put_role_policy(RoleName=f"{self.name}-operator", PolicyName="network", PolicyDocument=json.dumps(policy["network"]))

    def add_permission(self) -> None:
        wide = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        self.iam.put_role_policy(RoleName=f"{self.name}-operator", PolicyName="more", PolicyDocument=json.dumps(wide))

    def take_permission_back(self) -> None:
        self.iam.delete_role_policy(RoleName=f"{self.name}-operator", PolicyName="more")

    def remove_limit(self) -> None:
        self.iam.delete_role_permissions_boundary(RoleName=f"{self.name}-support")

    def restore_limit(self) -> None:
        boundary = self._shipped.roles["support"].boundary
        self.iam.put_role_permissions_boundary(RoleName=f"{self.name}-support", PermissionsBoundary=boundary)

    def delete_support_identity(self) -> None:
        self.delete_identity("support")

    def delete_identity(self, name: str) -> None:
        role = f"{self.name}-{name}"
        for policy in self.iam.list_role_policies(RoleName=role)["PolicyNames"]:
            self.iam.delete_role_policy(RoleName=role, PolicyName=policy)
        self.iam.delete_role(RoleName=role)

    # --- what is above it, and the cloud ---

    def forbid(self) -> None:
        """As the customer's organisation does."""
        statements = [{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "ec2:CreateVpc", "Resource": "*"}]
        self.sandbox.control("POST", "knobs", {"scps": {self.external_id: {"Version": "2012-10-17", "Statement": statements}}})

    def allow(self) -> None:
        self.sandbox.control("POST", "knobs", {"scps": {}})

    def fault(self, kind: str, count: int | None = FOR_EVER, **where: str) -> None:
        self.sandbox.control("POST", "faults", {"kind": kind, "count": count, **(where or self.kit_read)})

    def drop_faults(self) -> None:
        self.sandbox.control("DELETE", "faults")
