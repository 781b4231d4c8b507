"""The IAM resource types of the kits, with what ministack leaves out: the OIDC provider, boundaries, taken names."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import iam
from ministack.services.cloudformation import provisioners

from portal.sandbox.aws.patches import add_entry, replace_entry

Properties = dict[str, Any]
Made = tuple[str, dict[str, Any]]  # what CloudFormation keeps of a resource: physical id, attributes
SHORTEST_MAXIMUM, LONGEST_MAXIMUM = 3600, 43200  # seconds a role may allow its sessions
STACK_TAG = "aws:cloudformation:stack-id"

PROPERTIES = {
    "AWS::IAM::OIDCProvider": {"Url", "ClientIdList", "ThumbprintList", "Tags"},
    "AWS::IAM::Role": {
        "AssumeRolePolicyDocument", "Description", "ManagedPolicyArns", "MaxSessionDuration", "Path", "PermissionsBoundary",
        "Policies", "RoleName", "Tags",
    },
    "AWS::IAM::InstanceProfile": {"InstanceProfileName", "Path", "Roles"},
    "AWS::IAM::ManagedPolicy": {"Description", "Groups", "ManagedPolicyName", "Path", "PolicyDocument", "Roles", "Users"},
}  # fmt: skip


def install() -> None:
    handlers, tags = provisioners._RESOURCE_HANDLERS, provisioners._STACK_TAG_PROPERTY
    provider = {"create": _create_provider, "update": _update_provider, "delete": _delete_provider}
    add_entry(provisioners, handlers, "AWS::IAM::OIDCProvider", provider, why="ministack has no such type")
    add_entry(provisioners, tags, "AWS::IAM::OIDCProvider", ("Tags", "list"), why="stack tags reach the provider")
    replace_entry(provisioners, handlers, "AWS::IAM::Role", _stricter_role, why="boundary is dropped, a taken name is overwritten")
    replace_entry(provisioners, handlers, "AWS::IAM::ManagedPolicy", _stricter_policy, why="a taken name is overwritten")


def check_properties(resource_type: str, logical_id: str, props: Properties) -> None:
    """Raises ValueError on a property the type does not have, as the resource schema does."""
    known = PROPERTIES.get(resource_type)
    for name in sorted(set(props) - known if known else ()):
        raise ValueError(
            f"Properties validation failed for resource {logical_id} with message:\n#: extraneous key [{name}] is not permitted"
        )


def arn_of(resource_type: str, props: Properties, account: str) -> str:
    """The ARN a resource will have, for the check of the caller's rights; `*` where its name is not known beforehand."""
    path = props.get("Path", "/")
    if resource_type == "AWS::IAM::OIDCProvider" and props.get("Url"):
        return f"arn:aws:iam::{account}:oidc-provider/{str(props['Url']).removeprefix('https://')}"
    if resource_type == "AWS::IAM::Role" and props.get("RoleName"):
        return f"arn:aws:iam::{account}:role{path}{props['RoleName']}"
    if resource_type == "AWS::IAM::ManagedPolicy" and props.get("ManagedPolicyName"):
        return f"arn:aws:iam::{account}:policy{path}{props['ManagedPolicyName']}"
    if resource_type == "AWS::IAM::InstanceProfile" and props.get("InstanceProfileName"):
        return f"arn:aws:iam::{account}:instance-profile{path}{props['InstanceProfileName']}"
    if resource_type == "AWS::S3::Bucket" and props.get("BucketName"):
        return f"arn:aws:s3:::{props['BucketName']}"
    return "*"


def _handler_error(message: str, code: str, status: int) -> ValueError:
    return ValueError(f'Resource handler returned message: "{message} (Service: Iam, Status Code: {status})" (HandlerErrorCode: {code})')


def _ask_iam(action: str, params: dict[str, list[str]]) -> None:
    """The same code the API runs, so that a stack and a person meet the same rules. Raises ValueError with IAM's own words."""
    status, _headers, body = iam._IAM_HANDLERS[action](params)
    if status >= HTTPStatus.BAD_REQUEST:
        text = body.decode()
        code, message = (text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0] for tag in ("Code", "Message"))
        raise _handler_error(message, "AlreadyExists" if code == "EntityAlreadyExists" else "InvalidRequest", status)


# --- AWS::IAM::OIDCProvider ---


def _create_provider(logical_id: str, props: Properties, stack_name: str) -> Made:
    url = str(props.get("Url", ""))
    arn = f"arn:aws:iam::{get_account_id()}:oidc-provider/{url.removeprefix('https://')}"
    if _is_own(iam._oidc_providers.get(arn), props):
        return arn, {"Arn": arn}
    params = {"Url": [url]}
    for field, prop in (("ClientIDList", "ClientIdList"), ("ThumbprintList", "ThumbprintList")):
        params |= {f"{field}.member.{number}": [str(value)] for number, value in enumerate(props.get(prop) or [], 1)}
    for number, tag in enumerate(props.get("Tags") or [], 1):
        params |= {f"Tags.member.{number}.Key": [tag["Key"]], f"Tags.member.{number}.Value": [str(tag["Value"])]}
    _ask_iam("CreateOpenIDConnectProvider", params)
    return arn, {"Arn": arn}


def _update_provider(physical_id: str, old: Properties, new: Properties, stack_name: str) -> Made:
    if old.get("Url") != new.get("Url"):
        return _create_provider("", new, stack_name)  # a new provider; CloudFormation deletes the old one in its clean-up
    provider = iam._oidc_providers.get(physical_id)
    if provider is None:
        raise _handler_error(f"OpenIDConnect Provider not found for arn {physical_id}", "NotFound", 404)
    provider |= {
        "ClientIDList": list(new.get("ClientIdList") or []),
        "ThumbprintList": list(new.get("ThumbprintList") or []),
        "Tags": list(new.get("Tags") or []),
    }
    return physical_id, {"Arn": physical_id}


def _delete_provider(physical_id: str, props: Properties) -> None:
    """Gone already is gone: CloudFormation is content with that."""
    if physical_id in iam._oidc_providers:
        _ask_iam("DeleteOpenIDConnectProvider", {"OpenIDConnectProviderArn": [physical_id]})


# --- AWS::IAM::Role and AWS::IAM::ManagedPolicy ---


def _stricter_role(handler: dict[str, Any]) -> dict[str, Any]:
    create, update = handler["create"], handler["update"]

    def create_role(logical_id: str, props: Properties, stack_name: str) -> Made:
        name = props.get("RoleName")
        if name in iam._roles and not _is_own(iam._roles[name], props):
            raise _handler_error(f"Role with name {name} already exists.", "AlreadyExists", 409)
        _check_role(props)
        made: Made = create(logical_id, props, stack_name)
        _set_boundary(made[0], props)
        return made

    def update_role(physical_id: str, old: Properties, new: Properties, stack_name: str, logical_id: str | None = None) -> Made:
        _check_role(new)
        if physical_id not in iam._roles:
            raise _handler_error(f"The role with name {physical_id} cannot be found.", "NotFound", 404)
        made: Made = update(physical_id, old, new, stack_name, logical_id)
        _set_boundary(made[0], new)
        return made

    return {**handler, "create": create_role, "update": update_role}


def _check_role(props: Properties) -> None:
    trust = props.get("AssumeRolePolicyDocument")
    if isinstance(trust, str):  # Fn::Sub builds it as text: condition keys cannot hold an intrinsic function
        try:
            trust = json.loads(trust)
        except ValueError as problem:
            raise _handler_error("This policy contains invalid Json", "InvalidRequest", 400) from problem
    if not isinstance(trust, dict) or not trust.get("Statement"):
        raise _handler_error("Syntax errors in policy.", "InvalidRequest", 400)
    if not SHORTEST_MAXIMUM <= int(props.get("MaxSessionDuration", SHORTEST_MAXIMUM)) <= LONGEST_MAXIMUM:
        raise _handler_error("MaxSessionDuration must be between 3600 and 43200 seconds", "InvalidRequest", 400)
    boundary = props.get("PermissionsBoundary")
    if boundary and not iam._policy_exists(boundary):
        raise _handler_error(f"Scope ARN: {boundary} does not exist or is not attachable.", "NotFound", 404)


def _set_boundary(name: str, props: Properties) -> None:
    iam._roles[name]["PermissionsBoundary"] = props.get("PermissionsBoundary")


def _stricter_policy(handler: dict[str, Any]) -> dict[str, Any]:
    create: Callable[..., Made] = handler["create"]

    def create_policy(logical_id: str, props: Properties, stack_name: str) -> Made:
        name = props.get("ManagedPolicyName")
        arn = f"arn:aws:iam::{get_account_id()}:policy{props.get('Path', '/')}{name}"
        if name and arn in iam._policies:
            raise _handler_error(f"A policy called {name} already exists. Duplicate names are not allowed.", "AlreadyExists", 409)
        return create(logical_id, props, stack_name)

    return {**handler, "create": create_policy}


def _is_own(record: dict[str, Any] | None, props: Properties) -> bool:
    """Made by this very stack before the process was killed: taken over when the stack is resumed."""
    if record is None:
        return False
    mine = {tag["Value"] for tag in props.get("Tags") or [] if tag["Key"] == STACK_TAG}
    return any(tag["Key"] == STACK_TAG and tag["Value"] in mine for tag in record.get("Tags") or [])
