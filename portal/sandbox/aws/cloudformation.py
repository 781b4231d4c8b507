"""CloudFormation made strict: paced, checked against the caller's rights, with the IAM types the kits need."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import unescape

import yaml
from ministack.core.responses import get_account_id, set_request_account_id
from ministack.services import s3
from ministack.services.cloudformation import _stacks, changesets, engine, handlers, helpers, stacks

from portal.sandbox.aws import cloudformation_iam
from portal.sandbox.aws.caller import denial, is_root_caller
from portal.sandbox.aws.cells import asking, rights
from portal.sandbox.aws.patches import replace_entry, replace_function
from portal.sandbox.aws.unplayed import NotPlayedError
from portal.sandbox.sandbox import Sandbox

Properties = dict[str, Any]
S3_HOST = re.compile(r"(?:(?P<bucket>[a-z0-9.-]{3,63})\.)?s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com")
TEMPLATE_BYTES = 1_000_000
DELETING = "DELETE_IN_PROGRESS"
_under_way: dict[str, asyncio.Event] = {}  # by stack id: set once its building has ended, one way or the other
S3_DENIED = "S3 error: Access Denied\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"

# The rights CloudFormation needs of its caller for one resource, from the handlers of the public resource schemas.
NEEDS: dict[str, dict[str, tuple[str, ...]]] = {
    "AWS::IAM::OIDCProvider": {"create": ("iam:CreateOpenIDConnectProvider",), "delete": ("iam:DeleteOpenIDConnectProvider",)},
    "AWS::IAM::Role": {"create": ("iam:CreateRole",), "update": ("iam:UpdateRole",), "delete": ("iam:DeleteRole",)},
    "AWS::IAM::ManagedPolicy": {"create": ("iam:CreatePolicy",), "update": ("iam:CreatePolicyVersion",), "delete": ("iam:DeletePolicy",)},
    "AWS::IAM::InstanceProfile": {
        "create": ("iam:CreateInstanceProfile", "iam:AddRoleToInstanceProfile", "iam:GetInstanceProfile"),
        "delete": ("iam:RemoveRoleFromInstanceProfile", "iam:DeleteInstanceProfile"),
    },
    "AWS::S3::Bucket": {"create": ("s3:CreateBucket",), "delete": ("s3:DeleteBucket",)},
}


def install(sandbox: Sandbox) -> None:
    """Puts the patches in place. Call once, before the first request."""
    held = "a paced resource must not hold the server's loop"
    replace_function(stacks, "_runs_on_worker_thread", lambda _original: lambda _type: True, why=held)
    strict = "pace, failures on order, the caller's rights, unknown properties"
    replace_function(stacks, "_provision_resource", lambda original: _provisioning(original, sandbox), why=strict)
    replace_function(stacks, "_update_resource", lambda original: _updating(original, sandbox), why=strict)
    replace_function(stacks, "_delete_resource", lambda original: _deleting(original, sandbox), why=strict)
    replace_function(stacks, "_roll_back_operation", _naming_failures, why="AWS names the failed resources in the stack's reason")
    replace_function(engine, "CfnLoader", _parsing_in_c, why="a template of a thousand lines takes Python a quarter of a second")
    ended = "a stack that is deleted while it is built makes nothing more, and then goes as a whole"
    for module in (stacks, handlers, changesets):
        replace_function(module, "_deploy_stack_async", _building, why=ended)
    for module in (stacks, handlers):
        replace_function(module, "_delete_stack_async", _deleting_what_was_built, why=ended)
    address = "a template URL is an S3 address the caller may read"
    replace_function(helpers, "_resolve_document", lambda original: _reading_documents(original, sandbox), why=address)
    again = "the same ClientRequestToken is the same request, not a taken name"
    replace_entry(handlers, handlers._ACTION_HANDLERS, "CreateStack", _creating_once, why=again)
    cloudformation_iam.install()


def _parsing_in_c(original: Any) -> Any:
    """ministack's loader with its own tags, over the parser in C."""

    class QuickLoader(yaml.CSafeLoader):
        yaml_constructors = original.yaml_constructors

    return QuickLoader


def _provisioning(original: Callable[..., Any], sandbox: Sandbox) -> Callable[..., Any]:
    def provision(resource_type: str, logical_id: str, props: Properties, stack_name: str) -> Any:
        _before(sandbox, resource_type, logical_id, asking.Work("create", props))
        if _stacks[stack_name]["StackStatus"] == DELETING:
            raise ValueError("Resource creation cancelled")
        cloudformation_iam.check_properties(resource_type, logical_id, props)
        try:
            return _changed(sandbox, original(resource_type, logical_id, props, stack_name))
        except NotPlayedError:
            sandbox.violate(kind="resource", service="cloudformation", action="create", field=resource_type)
            raise

    return provision


def _updating(original: Callable[..., Any], sandbox: Sandbox) -> Callable[..., Any]:
    def update(resource_type: str, physical_id: str, old: Properties, new: Properties, *names: Any) -> Any:
        if old != new:
            logical_id = str(names[1]) if len(names) > 1 else ""  # after the stack's name
            _before(sandbox, resource_type, logical_id, asking.Work("update", new, physical_id, old))
            cloudformation_iam.check_properties(resource_type, logical_id, new)
        return _changed(sandbox, original(resource_type, physical_id, old, new, *names))

    return update


def _deleting(original: Callable[..., Any], sandbox: Sandbox) -> Callable[..., Any]:
    def delete(resource_type: str, physical_id: str, props: Properties, *names: Any) -> Any:
        logical_id = str(names[1]) if len(names) > 1 else ""
        _before(sandbox, resource_type, logical_id, asking.Work("delete", props, physical_id))
        try:
            return _changed(sandbox, original(resource_type, physical_id, props, *names))
        except ValueError as error:
            raise ValueError(_in_plain_words(str(error), resource_type)) from error

    return delete


def _in_plain_words(reason: str, resource_type: str) -> str:
    """AWS shows the service's message in a stack's event, never the XML that it came in."""
    said = re.search(r"<Message>(.*?)</Message>", reason, re.DOTALL)
    if said is None:
        return reason
    service = resource_type.split("::")[1].capitalize()
    message = f"{unescape(said[1].strip())} (Service: {service}, Status Code: 400)"
    return f'Resource handler returned message: "{message}" (HandlerErrorCode: InvalidRequest)'


def _changed(sandbox: Sandbox, outcome: Any) -> Any:
    sandbox.is_dirty = True
    return outcome


def _before(sandbox: Sandbox, resource_type: str, logical_id: str, work: asking.Work) -> None:
    """Runs on a worker thread. Raises ValueError with the reason the resource's event will show."""
    time.sleep(sandbox.knobs.seconds_for(resource_type))
    reason = sandbox.knobs.take_failure(resource_type, logical_id, work.verb)
    if reason is not None:
        raise ValueError(reason)
    account = get_account_id()
    for ask in _asked(sandbox, resource_type, work, account):
        refused = denial(ask.action, ask.resource, account, ask.context)
        if refused is not None:
            service = ask.action.partition(":")[0].capitalize()
            raise ValueError(
                f'Resource handler returned message: "{refused} (Service: {service}, Status Code: 403)" (HandlerErrorCode: AccessDenied)'
            )


def _asked(sandbox: Sandbox, resource_type: str, work: asking.Work, account: str) -> list[asking.Ask]:
    found = rights.asks(resource_type, work)
    if found is not None:
        return found
    needs = NEEDS.get(resource_type)
    if needs is None and not is_root_caller():
        sandbox.violate(kind="rights", service="cloudformation", action=work.verb, field=resource_type)
    arn = cloudformation_iam.arn_of(resource_type, dict(work.props), account)
    return [asking.Ask(needed, arn) for needed in (needs or {}).get(work.verb, ())]


def _naming_failures(original: Callable[..., Any]) -> Callable[..., Any]:
    async def roll_back(
        stack_name: str, stack_id: str, stack: dict[str, Any], operation: dict[str, Any], reason_override: str = ""
    ) -> None:
        if stack["StackStatus"] == DELETING:
            return  # what was made goes with the stack
        failed = operation.get("failed_logical_id")
        if failed and not operation.get("is_update"):
            reason_override = f"The following resource(s) failed to create: [{failed}]. Rollback requested by user."
            stack["StackStatusReason"] = reason_override
        await original(stack_name, stack_id, stack, operation, reason_override)

    return roll_back


def _building(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def deploy(stack_name: str, stack_id: str, *rest: Any, **more: Any) -> None:
        _under_way[stack_id] = asyncio.Event()
        try:
            await original(stack_name, stack_id, *rest, **more)
        finally:
            _under_way.pop(stack_id).set()

    return deploy


def _deleting_what_was_built(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def delete(stack_name: str, stack_id: str, *rest: Any, **more: Any) -> None:
        if stack_id in _under_way:
            _stacks[stack_name]["StackStatus"] = DELETING
            await _under_way[stack_id].wait()
        await original(stack_name, stack_id, *rest, **more)

    return delete


def _creating_once(original: Callable[..., Any]) -> Callable[..., Any]:
    def create(params: dict[str, Any]) -> Any:
        token, name = helpers._p(params, "ClientRequestToken"), helpers._p(params, "StackName")
        known = _stacks.get(name)
        if token and known is not None and known.get("_sandbox_token") == token:
            return helpers._xml(200, "CreateStackResponse", f"<CreateStackResult><StackId>{known['StackId']}</StackId></CreateStackResult>")
        answer = original(params)
        if answer[0] == HTTPStatus.OK:
            _stacks[name]["_sandbox_token"] = token
        return answer

    return create


def _reading_documents(original: Callable[..., Any], sandbox: Sandbox) -> Callable[..., Any]:
    def resolve(params: dict[str, Any], body_key: str, url_key: str, label: str) -> tuple[str | None, Any]:
        url = helpers._p(params, url_key)
        if helpers._p(params, body_key) or not url:
            return original(params, body_key, url_key, label)  # type: ignore[no-any-return]
        try:
            return read_public(url, get_account_id(), sandbox), None
        except TemplateAddressError as problem:
            return None, helpers._error("ValidationError", str(problem))

    return resolve


class TemplateAddressError(ValueError):
    """CloudFormation cannot read the address it was given; the text is what it answers."""


def read_public(url: str, account: str, sandbox: Sandbox) -> str:
    """The template at an S3 address, as `account` may read it: its own bucket, or one that grants it. Raises TemplateAddressError."""
    bucket, key = _s3_address(url, sandbox)
    owner = s3._bucket_owner_account(bucket)
    if owner is None or (owner != account and not s3._foreign_bucket_allows(owner, bucket, key, "GET", {}, account, {})):
        raise TemplateAddressError(S3_DENIED)
    found = (s3._buckets.get_scoped(owner, None, bucket) or {"objects": {}})["objects"].get(key)
    if found is None:
        raise TemplateAddressError(S3_DENIED)
    # In a context of its own: an object kept on disk is looked for under the account of the request, here its owner's.
    body = copy_context().run(_body_of, owner, bucket, key, found)
    if len(body) > TEMPLATE_BYTES:
        raise TemplateAddressError(f"Template may not exceed {TEMPLATE_BYTES} bytes in size.")
    return body.decode()


def _body_of(owner: str, bucket: str, key: str, found: dict[str, Any]) -> bytes:
    set_request_account_id(owner)
    body: bytes = s3._read_body(bucket, key, found)
    return body


def _s3_address(url: str, sandbox: Sandbox) -> tuple[str, str]:
    parts = urlsplit(url)
    path = unquote(parts.path.lstrip("/"))
    real = S3_HOST.fullmatch(parts.hostname or "")
    is_ours = parts.hostname in {"127.0.0.1", "localhost"} and parts.port in sandbox.ports.values()
    if (real is None or parts.scheme != "https") and not is_ours:
        raise TemplateAddressError("TemplateURL must be a supported URL.")
    if real is not None and real.group("bucket"):
        return real.group("bucket"), path
    bucket, _, key = path.partition("/")
    return bucket, key
