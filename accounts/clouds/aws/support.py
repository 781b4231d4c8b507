"""Support access to one AWS account: a session of the kit's support role, which AWS itself ends.

Its session policy holds every Allow to the grant's end, so the credential is worth nothing one second later, whoever is up or down. The
session's tag and source identity name the grant in each line of CloudTrail, and a denial by that tag ends it early.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from accounts.clouds.aws import reading
from accounts.clouds.aws.clients import open_client
from accounts.clouds.aws.errors import RAISED, SIGN_IN, classify, translated
from accounts.clouds.aws.session import OperatorSession
from accounts.clouds.aws.shipped import ShippedKit
from accounts.clouds.base import CloudError, Subject, Target, TokenSource
from accounts.clouds.support import ActResult, DoorProbe, OpenDoor, SupportGrant, Trace

# STS takes nothing shorter; the support role nothing longer.
SHORTEST, LONGEST = timedelta(minutes=15), timedelta(hours=1)
POLICY_CHARACTERS = 2048
TAG = "byoc:grant"
ENDED = "byoc-ended-"  # begins the names of denials, each followed by its grant
RAW_CHARACTERS = 4000
REFUSED = re.compile(r"AccessDenied.*|UnauthorizedOperation|ExpiredToken.*|InvalidClientTokenId|UnrecognizedClientException")


class AwsSupport:
    """`SupportCloud` of one account. Lives for one step."""

    def __init__(self, target: Target, tokens: TokenSource, shipped: ShippedKit) -> None:
        self.target = target
        self.session = OperatorSession(target, tokens, shipped)

    # --- opening ---

    def policy(self, grant: SupportGrant) -> str:
        until = {"DateLessThan": {"aws:CurrentTime": f"{grant.ends_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}}
        statements = reading.statements(grant, self.target.external_id, self.target.suffix.partition("-")[0])
        allowed = [{"Effect": "Allow", **statement, "Condition": until} for statement in statements]
        return json.dumps({"Version": "2012-10-17", "Statement": allowed}, separators=(",", ":"))

    def open(self, grant: SupportGrant) -> OpenDoor:
        policy, now = self.policy(grant), datetime.now(UTC)
        if len(policy) > POLICY_CHARACTERS:
            raise CloudError("policy_too_long", raw=f"{len(policy)} characters")
        if grant.ends_at <= now:
            raise CloudError("grant_is_over")
        seconds = int(min(max(grant.ends_at - now, SHORTEST), LONGEST).total_seconds())
        try:
            told = self.session.sts.assume_role_with_web_identity(
                RoleArn=self.session.role_arn("support"),
                RoleSessionName=grant.grant,
                WebIdentityToken=self.session.token(Subject.SUPPORT, claims_of(grant.grant, grant.engineer)),
                DurationSeconds=seconds,
                Policy=policy,
            )
        except RAISED as error:
            raise self._not_opened(error) from error
        keys = told["Credentials"]
        secret = {name: str(keys[name]) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
        door = OpenDoor(told["AssumedRoleUser"]["Arn"], policy, min(keys["Expiration"].astimezone(UTC), grant.ends_at), secret)
        self._check_switch(door, grant)
        return door

    @staticmethod
    def _not_opened(error: Exception) -> CloudError:
        found = classify(SIGN_IN, error, was_trusted=True)
        return CloudError("door_not_open_yet", raw=found.raw, retryable=True) if found.code == "trust_refused" else found

    def _check_switch(self, door: OpenDoor, grant: SupportGrant) -> None:
        """The customer's own switch denies everything, and leaves the sign-in itself as it is."""
        try:
            self._read(door, grant.region)
        except RAISED as error:
            found = classify("DescribeVpcs", error)
            if found.code != "access_denied":
                raise found from error
            raise CloudError("grant_is_over" if grant.ends_at <= datetime.now(UTC) else "support_switched_off", raw=found.raw) from error

    def _read(self, door: OpenDoor, region: str) -> int:
        """A reading that stands in every session policy. Asking for one's own name would not do: AWS denies that to nobody."""
        return len(self._client("ec2", door, region).describe_vpcs(MaxResults=5)["Vpcs"])

    # --- reading ---

    def acts(self, profile: str) -> Sequence[str]:
        return [name for name, act in reading.ACTS.items() if profile in act.profiles]

    def act(self, door: OpenDoor, grant: SupportGrant, name: str, arguments: Mapping[str, str]) -> ActResult:
        act = reading.ACTS[name]
        try:
            return act.run(lambda service: self._client(service, door, grant.region), grant, arguments)
        except RAISED as error:
            raise classify(str(getattr(error, "operation_name", name)), error) from error

    def _client(self, service: str, door: OpenDoor, region: str = "") -> Any:
        return open_client(service, region=region or self.target.region, credentials=door.secret)

    # --- ending ---

    def close(self, grant: SupportGrant) -> None:
        with translated("PutRolePolicy"):
            self._iam.put_role_policy(
                RoleName=self.session.shipped.roles["support"].name,
                PolicyName=f"{ENDED}{grant.grant}",
                PolicyDocument=json.dumps(denial(grant.grant)),
            )

    def probe(self, door: OpenDoor, grant: SupportGrant) -> DoorProbe:
        try:
            networks = self._read(door, grant.region)
        except RAISED as error:
            if not isinstance(error, ClientError):
                raise classify("DescribeVpcs", error) from error
            answer = error.response
            code, text = str(answer.get("Error", {}).get("Code", "")), str(answer.get("Error", {}).get("Message", ""))
            if not REFUSED.fullmatch(code):
                raise classify("DescribeVpcs", error) from error
            request_id = str(answer.get("ResponseMetadata", {}).get("RequestId", ""))
            return DoorProbe(is_refused=True, evidence=f"{code}: {text}", request_id=request_id)
        return DoorProbe(is_refused=False, evidence=f"DescribeVpcs answered {networks} networks")

    def tidy(self, grant: SupportGrant) -> None:
        """The denial must outlive the longest session that it denies."""
        if datetime.now(UTC) < grant.ends_at:
            return
        try:
            self._iam.delete_role_policy(RoleName=self.session.shipped.roles["support"].name, PolicyName=f"{ENDED}{grant.grant}")
        except RAISED as error:
            if not isinstance(error, ClientError) or error.response.get("Error", {}).get("Code") != "NoSuchEntity":
                raise classify("DeleteRolePolicy", error) from error

    @property
    def _iam(self) -> Any:
        return self.session.client("iam")

    # --- AWS's own record ---

    def find_traces(self, grant: SupportGrant, since: datetime, until: datetime) -> Sequence[Trace]:
        trail = self.session.client("cloudtrail", grant.region)
        with translated("LookupEvents"):
            pages = trail.get_paginator("lookup_events").paginate(
                LookupAttributes=[{"AttributeKey": "Username", "AttributeValue": grant.grant}], StartTime=since, EndTime=until
            )
            found = [_trace(event) for page in pages for event in page["Events"]]
        return sorted(found, key=lambda trace: (trace.at, trace.id))


def claims_of(grant: str, engineer: str) -> dict[str, Any]:
    """What the token says of the session. The source identity cannot be changed later and stands in every line of the trail."""
    return {
        "https://aws.amazon.com/tags": {"principal_tags": {TAG: [grant]}, "transitive_tag_keys": [TAG]},
        "https://aws.amazon.com/source_identity": f"g-{grant[:8]}.{engineer}",
    }


def denial(grant: str) -> dict[str, Any]:
    """The policy that ends one grant's sessions and touches no other."""
    condition = {"StringEquals": {f"aws:PrincipalTag/{TAG}": grant}}
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}]}


def _trace(event: Mapping[str, Any]) -> Trace:
    raw = str(event.get("CloudTrailEvent", ""))
    told = json.loads(raw or "{}")
    who = str(told.get("userIdentity", {}).get("arn", ""))
    return Trace(
        event["EventId"], event["EventTime"].astimezone(UTC), event["EventName"], bool(told.get("errorCode")), who, raw[:RAW_CHARACTERS]
    )
