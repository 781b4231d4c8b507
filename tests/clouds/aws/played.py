"""A customer's AWS account in the strict local AWS, the kit in it, and our adapter."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from accounts.clouds import open_account
from accounts.clouds.base import CloudAdapter, CloudError, Subject, Target
from accounts.kits.aws.kit import AUDIENCE, AwsKit
from tests.clouds.conftest import ISSUER_HOST, Cloud

ACCOUNT = "3f9a1c2e-0b5d-4c1e-9a57-6a1f0c2d3e4b"
EVERYBODY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class PlayedAws:
    """A customer's AWS account, the kit in it, and our adapter."""

    name = "aws"
    elsewhere = "999900001111"

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.kit = AwsKit()
        self.target = Target(
            account=ACCOUNT,
            external_id=cloud.account,
            region="eu-central-1",
            suffix="3f9a1c2e-g1",
            generation=1,
            kit_version=self.kit.version,
            kit_hash=self.kit.content_hash,
            issuer=f"{ISSUER_HOST}/trust/{ACCOUNT}/g1",
            audience=AUDIENCE,
        )

    # --- ours ---

    def adapter(self, **changes: Any) -> CloudAdapter:
        target = replace(self.target, **changes)
        return open_account("aws", target, self.tokens(target), self.kit.shipped(target))

    def tokens(self, target: Target) -> Callable[..., str]:
        def mint(*, subject: str, audience: str, claims: Mapping[str, Any] | None = None) -> str:
            return self.cloud.issuer.token(issuer=target.issuer, subject=subject, audience=audience, **(claims or {}))

        return mint

    # --- the customer's ---

    def run_kit(self, *, account: str = "", region: str = "", template: str = "", **parameters: str) -> str:
        account, region = account or self.cloud.account, region or self.target.region
        given = self.kit.parameters(
            account=ACCOUNT, generation=1, suffix="3f9a1c2e-g1", issuer_url=self.target.issuer, external_id=account, region=region
        )
        return self._stack(
            "create_stack", given | parameters, account=account, region=region, TemplateBody=template or self.kit.template_text
        )

    def turn(self, switch: str, to: str) -> None:
        given = self.kit.parameters(
            account=ACCOUNT,
            generation=1,
            suffix="3f9a1c2e-g1",
            issuer_url=self.target.issuer,
            external_id=self.cloud.account,
            region=self.target.region,
        )
        self._stack("update_stack", given | {switch: to}, account=self.cloud.account, region=self.target.region, UsePreviousTemplate=True)

    def _stack(self, call: str, given: dict[str, str], *, account: str, region: str, **more: Any) -> str:
        cloudformation = self.cloud.owner("cloudformation", region, account)
        parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()]
        made = getattr(cloudformation, call)(
            StackName="byoc-3f9a1c2e-g1-kit", Parameters=parameters, Capabilities=["CAPABILITY_NAMED_IAM"], **more
        )
        return self.cloud.finish(cloudformation, made["StackId"])["StackStatus"]

    @property
    def iam(self) -> Any:
        return self.cloud.owner("iam")

    def arn(self, name: str) -> str:
        return f"arn:aws:iam::{self.cloud.account}:{name}"

    def write_trust(self, role: str, edit: Callable[[dict[str, Any]], None]) -> None:
        document = json.loads(json.dumps(self.kit.shipped(self.target).roles[role].trust))
        edit(document["Statement"][0])
        self.iam.update_assume_role_policy(RoleName=f"byoc-3f9a1c2e-g1-{role}", PolicyDocument=json.dumps(document))

    # What a customer may do by hand to a kit that stands.

    def let_any_subject_in(self) -> None:
        def edit(statement: dict[str, Any]) -> None:
            wanted = statement["Condition"]["StringEquals"]
            statement["Condition"] = {"StringLike": {key: "*" if key.endswith(":sub") else value for key, value in wanted.items()}}

        self.write_trust("operator", edit)

    def let_ops_open_support(self) -> None:
        def edit(statement: dict[str, Any]) -> None:
            wanted = statement["Condition"]["StringEquals"]
            (key,) = (key for key in wanted if key.endswith(":sub"))
            wanted[key] = [wanted[key], self.target.subject(Subject.OPS)]

        self.write_trust("support", edit)

    def add_audience(self) -> None:
        provider = self.kit.shipped(self.target).provider
        self.iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=provider, ClientID="other.example")

    def lengthen_sessions(self) -> None:
        self.iam.update_role(RoleName="byoc-3f9a1c2e-g1-support", MaxSessionDuration=43200)

    def remove_boundary(self) -> None:
        self.iam.delete_role_permissions_boundary(RoleName="byoc-3f9a1c2e-g1-operator")

    def widen_boundary(self) -> None:
        self.iam.create_policy_version(
            PolicyArn=self.arn("policy/byoc-3f9a1c2e-g1-support-boundary"), PolicyDocument=json.dumps(EVERYBODY), SetAsDefault=True
        )

    def attach_policy(self) -> None:
        self.iam.attach_role_policy(RoleName="byoc-3f9a1c2e-g1-support", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")

    def attach_policy_to_machines(self) -> None:
        self.iam.attach_role_policy(RoleName="byoc-3f9a1c2e-g1-cell-node", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")

    def detach_policy_of_machines(self) -> None:
        self.iam.detach_role_policy(RoleName="byoc-3f9a1c2e-g1-cell-node", PolicyArn="arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy")

    def let_somebody_be_a_cluster(self) -> None:
        def edit(statement: dict[str, Any]) -> None:
            statement["Principal"] = {"AWS": "arn:aws:iam::999900001111:root"}

        self.write_trust("cell-cluster", edit)

    def remove_boundary_of_machines(self) -> None:
        self.iam.delete_role_permissions_boundary(RoleName="byoc-3f9a1c2e-g1-cell-node")

    def add_inline_policy(self) -> None:
        self.iam.put_role_policy(RoleName="byoc-3f9a1c2e-g1-support", PolicyName="more", PolicyDocument=json.dumps(EVERYBODY))

    def change_inline_policy(self) -> None:
        self.iam.put_role_policy(RoleName="byoc-3f9a1c2e-g1-support", PolicyName="logs", PolicyDocument=json.dumps(EVERYBODY))

    def remove_inline_policy(self) -> None:
        self.iam.delete_role_policy(RoleName="byoc-3f9a1c2e-g1-support", PolicyName="logs")

    def delete_support_role(self) -> None:
        for policy in self.iam.list_role_policies(RoleName="byoc-3f9a1c2e-g1-support")["PolicyNames"]:
            self.iam.delete_role_policy(RoleName="byoc-3f9a1c2e-g1-support", PolicyName=policy)
        self.iam.delete_role(RoleName="byoc-3f9a1c2e-g1-support")

    def delete_provider(self) -> None:
        self.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=self.kit.shipped(self.target).provider)

    def rewrite_trust_in_other_words(self) -> None:
        """Says the same: lists of one, another order."""

        def edit(statement: dict[str, Any]) -> None:
            statement["Action"] = [statement["Action"]]
            wanted = statement["Condition"]["StringEquals"]
            statement["Condition"]["StringEquals"] = {key: [wanted[key]] for key in reversed(wanted)}

        self.write_trust("operator", edit)


# Another account to play, say a real one, is a subclass here.
CLOUDS = {"aws": PlayedAws}


@pytest.fixture(params=sorted(CLOUDS))
def played(request: pytest.FixtureRequest, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> PlayedAws:
    if cloud.sandbox is not None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.sandbox.portal)
    return CLOUDS[request.param](cloud)


@pytest.fixture
def standing(played: PlayedAws) -> PlayedAws:
    """The kit was run and stands as shipped."""
    assert played.run_kit() == "CREATE_COMPLETE"
    return played


def refusal(call: Callable[[], object]) -> CloudError:
    with pytest.raises(CloudError) as caught:
        call()
    return caught.value
