"""The way in: a web identity token becomes a session of the customer's own role. One unsigned call, and nothing is kept."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore import UNSIGNED
from botocore.config import Config

from accounts.clouds.aws.clients import open_client
from accounts.clouds.aws.errors import SIGN_IN, translated
from accounts.clouds.aws.shipped import ShippedKit
from accounts.clouds.base import Subject, Target, TokenSource

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

SESSION_SECONDS = 900


class OperatorSession:
    """The operator role of one account, opened when the first client is asked for. Lives for one step."""

    def __init__(self, target: Target, tokens: TokenSource, shipped: ShippedKit) -> None:
        self.target = target
        self.tokens = tokens
        self.shipped = shipped

    @cached_property
    def credentials(self) -> Mapping[str, Any]:
        return self.assume(self.role_arn("operator"), self.token(Subject.OPS))

    @cached_property
    def sts(self) -> "STSClient":
        client: STSClient = open_client("sts", region=self.target.region, config=Config(signature_version=UNSIGNED))
        return client

    def assume(self, role_arn: str, token: str) -> Mapping[str, Any]:
        with translated(SIGN_IN, was_trusted=self.target.was_trusted):
            return self.try_role(role_arn, token)

    def try_role(self, role_arn: str, token: str) -> Mapping[str, Any]:
        """The session's keys. Raises what boto3 raises."""
        told = self.sts.assume_role_with_web_identity(
            RoleArn=role_arn,
            RoleSessionName=f"byoc-{self.target.suffix}",
            WebIdentityToken=token,
            DurationSeconds=SESSION_SECONDS,
        )
        return told["Credentials"]

    def client(self, service: str, region: str = "") -> Any:
        return open_client(service, region=region or self.target.region, credentials=self.credentials)

    def token(self, subject: Subject, claims: Mapping[str, Any] | None = None) -> str:
        return self.tokens(subject=self.target.subject(subject), audience=self.target.audience, claims=claims)

    def role_arn(self, role: str, external_id: str = "") -> str:
        return f"arn:aws:iam::{external_id or self.target.external_id}:role/{self.shipped.roles[role].name}"
