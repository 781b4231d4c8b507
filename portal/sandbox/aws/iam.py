"""IAM made strict: providers, simulation with boundaries, SCPs, resource ARNs of the calls the portal makes."""

import json
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.services import iam, sts

from portal.sandbox.aws import simulation
from portal.sandbox.aws.patches import add_entry, replace_entry, replace_function
from portal.sandbox.sandbox import Sandbox

Params = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]
SESSIONS_KEPT_SECONDS = 24 * 3600
EVERYTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


BOUNDED_ACTIONS = {"iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:AttachRolePolicy", "iam:DetachRolePolicy"}
# Actions that take a policy, and where it stands.
DOCUMENTS = {
    "UpdateAssumeRolePolicy": "PolicyDocument",
    "CreateRole": "AssumeRolePolicyDocument",
    "PutRolePolicy": "PolicyDocument",
    "CreatePolicy": "PolicyDocument",
    "CreatePolicyVersion": "PolicyDocument",
}


def install(sandbox: Sandbox) -> None:
    """Puts the patches in place. Call once, before the first request."""
    handlers = iam._IAM_HANDLERS
    replace_entry(iam, handlers, "CreateOpenIDConnectProvider", _creating_provider, why="https only, URL kept without its scheme")
    replace_entry(iam, handlers, "DeletePolicy", _deleting_policy, why="a policy in use as a boundary cannot be deleted")
    for action, field in DOCUMENTS.items():
        replace_entry(iam, handlers, action, partial(_reading_document, field), why="a policy is a JSON object")
    full = "boundary, SCP, every resource, context entries"
    replace_entry(iam, handlers, "SimulatePrincipalPolicy", lambda _original: lambda params: simulation.simulate(params, sandbox), why=full)
    add_entry(iam, handlers, "AddClientIDToOpenIDConnectProvider", _add_client_id, why="ministack has no such action")
    add_entry(iam, handlers, "RemoveClientIDFromOpenIDConnectProvider", _remove_client_id, why="ministack has no such action")
    named = "least-privilege policies name providers, policy sources and role paths"
    replace_function(iam_actions, "extract_resource_arn", _naming_resources, why=named)
    bounded = "who may write a role's policies may be held to roles with a boundary"
    replace_function(iam_actions, "request_tag_context", _knowing_boundaries, why=bounded)
    limited = "service control policies limit everyone, root too"
    replace_function(iam_evaluator, "resolve_principal", lambda original: _limited_by_scp(original, sandbox), why=limited)
    expired = "an expired session is expired, not unknown"
    replace_function(sts, "_evict_expired_sessions", lambda _original: _forget_old_sessions, why=expired)


def _forget_old_sessions() -> None:
    """Keeps ended sessions for a day, so that a late call with one is told why."""
    for key in [key for key, session in sts._sessions.items() if session.get("Expiration", 0) < time.time() - SESSIONS_KEPT_SECONDS]:
        sts._sessions.pop(key, None)


def _reading_document(field: str, original: Callable[[Params], Answer]) -> Callable[[Params], Answer]:
    def accept(params: Params) -> Answer:
        try:
            is_object = isinstance(json.loads(iam._p(params, field)), dict)
        except ValueError:
            is_object = False
        if not is_object:
            return iam._error(400, "MalformedPolicyDocument", "Syntax errors in policy.")  # type: ignore[no-any-return]
        return original(params)

    return accept


def _creating_provider(original: Callable[[Params], Answer]) -> Callable[[Params], Answer]:
    def create(params: Params) -> Answer:
        url = iam._p(params, "Url")
        if not url.startswith("https://"):
            return iam._error(400, "ValidationError", "Invalid Open ID Connect Provider URL")  # type: ignore[no-any-return]
        answer = original(params)
        arn = f"arn:aws:iam::{iam.get_account_id()}:oidc-provider/{url.removeprefix('https://').rstrip('/')}"
        if answer[0] == HTTPStatus.OK:
            iam._oidc_providers[arn]["Url"] = url.removeprefix("https://")
        return answer

    return create


def _deleting_policy(original: Callable[[Params], Answer]) -> Callable[[Params], Answer]:
    def delete(params: Params) -> Answer:
        if iam._boundary_usage_counts().get(iam._p(params, "PolicyArn")):
            return iam._error(409, "DeleteConflict", "Cannot delete a policy that is used as a permissions boundary.")  # type: ignore[no-any-return]
        return original(params)

    return delete


def _provider_of(params: Params) -> dict[str, Any] | None:
    provider: dict[str, Any] | None = iam._oidc_providers.get(iam._p(params, "OpenIDConnectProviderArn"))
    return provider


def _no_such_provider(params: Params) -> Answer:
    arn = iam._p(params, "OpenIDConnectProviderArn")
    return iam._error(404, "NoSuchEntity", f"OpenIDConnect Provider not found for arn {arn}")  # type: ignore[no-any-return]


def _add_client_id(params: Params) -> Answer:
    provider = _provider_of(params)
    if provider is None:
        return _no_such_provider(params)
    if iam._p(params, "ClientID") not in provider["ClientIDList"]:
        provider["ClientIDList"].append(iam._p(params, "ClientID"))
    return iam._xml(200, "AddClientIDToOpenIDConnectProviderResponse", "")  # type: ignore[no-any-return]


def _remove_client_id(params: Params) -> Answer:
    provider = _provider_of(params)
    if provider is None:
        return _no_such_provider(params)
    provider["ClientIDList"] = [entry for entry in provider["ClientIDList"] if entry != iam._p(params, "ClientID")]
    return iam._xml(200, "RemoveClientIDFromOpenIDConnectProviderResponse", "")  # type: ignore[no-any-return]


def _naming_resources(original: Callable[..., str]) -> Callable[..., str]:
    def extract(service: str, *request: Any) -> str:
        *_, params, _region, account = request
        if service == "iam":
            if iam._p(params, "Action") == "ListOpenIDConnectProviders":
                return f"arn:aws:iam::{account}:oidc-provider/*"
            named: str = iam._p(params, "OpenIDConnectProviderArn") or iam._p(params, "PolicySourceArn")
            if named:
                return named
            role = iam._roles.get_scoped(account, None, iam._p(params, "RoleName"))
            if role is not None:
                return str(role["Arn"])
        return original(service, *request)

    return extract


def _knowing_boundaries(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def context(service: str, action: str, body: bytes, params: Params) -> dict[str, Any]:
        keys = original(service, action, body, params)
        role = iam._roles.get(iam._p(params, "RoleName")) if action in BOUNDED_ACTIONS else None
        if role is not None and role.get("PermissionsBoundary"):
            keys = {**keys, "iam:permissionsboundary": role["PermissionsBoundary"]}
        return keys

    return context


def _limited_by_scp(original: Callable[..., Any], sandbox: Sandbox) -> Callable[..., Any]:
    def resolve(access_key: str, account: str, credential: Any = None) -> Any:
        principal = original(access_key, account, credential)
        document = sandbox.knobs.scps.get(getattr(principal, "account", ""))
        if document is not None:
            if principal.policies is None:
                principal.policies = [iam_evaluator.parse_policy_document(EVERYTHING)]
            principal.limits = [*principal.limits, [iam_evaluator.parse_policy_document(document)]]
        return principal

    return resolve
