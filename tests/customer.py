"""The customer at the local AWS: runs, edits and deletes what the portal gave it, with the rights of the account's own root."""

import json
from dataclasses import dataclass
from typing import Any

import boto3

from accounts.kits.aws.kit import AwsKit
from accounts.models import Kit
from accounts.targets import target_of
from tests.local_cloud import LocalCloud


@dataclass(frozen=True)
class Customer:
    """Signed in to one AWS account."""

    cloud: LocalCloud
    account_id: str

    def client(self, service: str, region: str = "us-east-1") -> Any:
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.cloud.customer_url,
            aws_access_key_id=self.account_id,
            aws_secret_access_key="root",
        )

    def run_kit(self, kit: Kit, *, region: str = "", template: str = "", is_waited_for: bool = True, **parameters: str) -> str:
        """Create the kit's stack as the launch link would and wait for its end; the stack's id. `parameters` overrides."""
        shipped = AwsKit()
        given = shipped.parameters_of(target_of(kit.account, kit)) | parameters
        cloudformation = self.client("cloudformation", region or kit.region)
        stack: str = cloudformation.create_stack(
            StackName=shipped.stack_name(kit.suffix),
            TemplateBody=template or shipped.template_text,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )["StackId"]
        if is_waited_for:
            cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})
        return stack

    def edit_trust(self, kit: Kit, role: str, edit: Any) -> None:
        """Change a role's trust policy: `edit` gets the document and changes it in place."""
        iam, name = self.client("iam"), f"byoc-{kit.suffix}-{role}"
        document = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        document = json.loads(document) if isinstance(document, str) else document
        edit(document)
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))

    def delete_provider(self) -> None:
        iam = self.client("iam")
        for provider in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
            iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider["Arn"])
