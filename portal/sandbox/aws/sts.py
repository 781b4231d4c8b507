"""AssumeRoleWithWebIdentity, the way in: verified token, known provider, trust policy, duration, in that order."""

import datetime as dt
import json
import re
import secrets
import string
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from ministack.core.iam_evaluator import EvalContext, _action_matches, evaluate_trust_policy
from ministack.core.responses import request_scope
from ministack.services import iam as ministack_iam
from ministack.services import sts as ministack_sts

from portal.sandbox import wire
from portal.sandbox.aws.claims import Said
from portal.sandbox.sandbox import Sandbox
from portal.sandbox.tokens import StsError, read_unverified, verify

ACTION = "AssumeRoleWithWebIdentity"
ROLE_ARN = re.compile(r"arn:aws:iam::(\d{12}):role/(?:[\w+=,.@/-]+/)?([\w+=,.@-]{1,64})")
SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}")
SHORTEST_SECONDS, LONGEST_SECONDS, DEFAULT_SECONDS = 900, 43200, 3600

Form = Mapping[str, list[str]]


def assume_role_with_web_identity(form: Form, region: str, sandbox: Sandbox) -> wire.Reply:
    """Blocks while it fetches keys: call it on a thread."""
    try:
        return _assume(form, region, sandbox)
    except StsError as refused:
        return wire.refusal("sts", refused.status, refused.code, refused.message)


def account_of(form: Form) -> str:
    found = ROLE_ARN.fullmatch(_field(form, "RoleArn"))
    return found.group(1) if found else ""


def _assume(form: Form, region: str, sandbox: Sandbox) -> wire.Reply:
    role_arn, session_name, token = (_field(form, name) for name in ("RoleArn", "RoleSessionName", "WebIdentityToken"))
    account, role_name = _checked_input(role_arn, session_name, token)
    seconds = _checked_seconds(_field(form, "DurationSeconds"))
    header, claims = read_unverified(token)
    role = ministack_iam._roles.get_scoped(account, None, role_name)
    provider_arn, provider = _provider(account, claims)
    verify(token, header, claims, sandbox.issuers)
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if not any(entry in provider["ClientIDList"] for entry in audiences):
        raise StsError("InvalidIdentityToken", "Incorrect token audience")
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise StsError("InvalidIdentityToken", "Missing a required claim: sub")
    said = Said.by(claims)
    is_there = role is not None and role["Arn"] == role_arn and not _is_propagating(role, sandbox)
    if role is None or not is_there or not _is_trusted(role, provider_arn, claims, region, said):
        raise StsError("AccessDenied", f"Not authorized to perform sts:{ACTION}", 403)
    if seconds > int(role["MaxSessionDuration"]):
        raise StsError("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    with request_scope(account, region):
        policies, problem = ministack_sts._session_policies(form, account)
    if problem is not None:
        status, _headers, body = problem
        return wire.Reply(status, "text/xml", body)
    return _open_session(role, session_name, seconds, policies, Proven(provider_arn, claims["sub"], str(audiences[0]), said))


def _checked_input(role_arn: str, session_name: str, token: str) -> tuple[str, str]:
    found = ROLE_ARN.fullmatch(role_arn)
    if found is None:
        raise StsError("ValidationError", f"Request ARN is invalid: {role_arn}")
    if not SESSION_NAME.fullmatch(session_name):
        raise _constraint("roleSessionName", session_name, r"Member must satisfy regular expression pattern: [\w+=,.@-]*")
    if not token:
        raise StsError("ValidationError", "Value null at 'webIdentityToken' failed to satisfy constraint: Member must not be null")
    return found.group(1), found.group(2)


def _checked_seconds(value: str) -> int:
    seconds = int(value) if value.isdigit() else DEFAULT_SECONDS
    if seconds < SHORTEST_SECONDS:
        raise _constraint("durationSeconds", value, f"Member must have value greater than or equal to {SHORTEST_SECONDS}")
    if seconds > LONGEST_SECONDS:
        raise _constraint("durationSeconds", value, f"Member must have value less than or equal to {LONGEST_SECONDS}")
    return seconds


def _constraint(name: str, value: str, rule: str) -> StsError:
    return StsError("ValidationError", f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {rule}")


def _provider(account: str, claims: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The account's provider for the token's issuer: an exact match of everything after https://."""
    issuer = str(claims.get("iss", ""))
    if not issuer.startswith("https://"):
        raise StsError("InvalidIdentityToken", "Issuer must be a valid URL" if issuer else "Missing a required claim: iss")
    arn = f"arn:aws:iam::{account}:oidc-provider/{issuer.removeprefix('https://')}"
    provider = ministack_iam._oidc_providers.get_scoped(account, None, arn)
    if provider is None:
        raise StsError("InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {issuer}")
    return arn, provider


def _is_trusted(role: Mapping[str, Any], provider_arn: str, claims: Mapping[str, Any], region: str, said: Said) -> bool:
    """The role's trust allows the sign-in itself, and each thing that the token says beside it."""
    issuer = str(claims["iss"]).removeprefix("https://")
    known = {f"{issuer}:{name}".lower(): claims[name] for name in ("aud", "sub", "amr") if name in claims}
    for action in (f"sts:{ACTION}", *said.actions()):
        context = EvalContext(
            principal_arn=provider_arn,
            principal_type="WebIdentityUser",
            principal_account=role["Arn"].split(":")[4],
            action=f"sts:{ACTION}",
            resource_arn=role["Arn"],
            region=region,
            service_context=known | said.context(),
        )
        if not evaluate_trust_policy(_as_sign_in(role["AssumeRolePolicyDocument"], action), provider_arn, context):
            return False
    return True


def _as_sign_in(document: Any, action: str) -> dict[str, Any]:
    """The trust as it stands on one action, written as trust in the sign-in: ministack knows federated principals for that alone."""
    trust = json.loads(document) if isinstance(document, str) else document
    statements = trust["Statement"] if isinstance(trust["Statement"], list) else [trust["Statement"]]
    said = [{**statement, "Action": f"sts:{ACTION}"} for statement in statements if _names(statement, action)]
    return {**trust, "Statement": [{key: value for key, value in statement.items() if key != "NotAction"} for statement in said]}


def _names(statement: Mapping[str, Any], action: str) -> bool:
    listed = {key: [told] if isinstance(told := statement.get(key, []), str) else list(told) for key in ("Action", "NotAction")}
    return bool(_action_matches(action, listed["Action"], listed["NotAction"]))


def _is_propagating(role: Mapping[str, Any], sandbox: Sandbox) -> bool:
    """IAM is eventually consistent: STS learns of a new role some seconds after CreateRole has answered."""
    created = dt.datetime.fromisoformat(str(role["CreateDate"]))
    return time.time() - created.timestamp() < sandbox.knobs.propagation_seconds


@dataclass(frozen=True)
class Proven:
    """What the token proved."""

    provider_arn: str
    subject: str
    audience: str
    said: Said


def _open_session(role: Mapping[str, Any], name: str, seconds: int, policies: Mapping[str, Any], proven: Proven) -> wire.Reply:
    now = time.time()
    account = role["Arn"].split(":")[4]
    arn, user = f"arn:aws:sts::{account}:assumed-role/{role['RoleName']}/{name}", f"{role['RoleId']}:{name}"
    secret, token = secrets.token_urlsafe(30), secrets.token_urlsafe(192)
    session = {
        "Arn": arn,
        "UserId": user,
        "SecretAccessKey": secret,
        "SessionToken": token,
        "Expiration": now + seconds,
        "IssuedAt": now,
        "AccountId": account,
        "PrincipalType": "AssumedRole",
        "SessionTags": [{"Key": key, "Value": value} for key, value in proven.said.tags.items()],
        "SourceIdentity": proven.said.source_identity,
        "SessionPolicies": policies if any(policies.values()) else None,
    }
    key = "ASIA" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))
    ministack_sts.register_session(key, session)
    ends = dt.datetime.fromtimestamp(now + seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return wire.result(
        "sts",
        ACTION,
        f"<SubjectFromWebIdentityToken>{escape(proven.subject)}</SubjectFromWebIdentityToken><Audience>{escape(proven.audience)}</Audience>"
        f"<AssumedRoleUser><Arn>{escape(arn)}</Arn><AssumedRoleId>{escape(user)}</AssumedRoleId></AssumedRoleUser>"
        f"<Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>"
        f"<SessionToken>{token}</SessionToken><Expiration>{ends}</Expiration></Credentials>"
        f"<Provider>{escape(proven.provider_arn)}</Provider>",
    )


def _field(form: Form, name: str) -> str:
    return (form.get(name) or [""])[0]
