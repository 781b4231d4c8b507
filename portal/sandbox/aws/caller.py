"""Whoever started an operation, remembered for the work CloudFormation does later in that caller's name."""

import contextvars
from collections.abc import Mapping
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_region

_caller: contextvars.ContextVar[str] = contextvars.ContextVar("sandbox_caller", default="")


def remember_caller(access_key: str) -> None:
    """Tasks and threads started from this request inherit it."""
    _caller.set(access_key)


def is_root_caller() -> bool:
    return bool(iam_evaluator.is_root_access_key(_caller.get()))


def denial(action: str, resource_arn: str, account: str, context_keys: Mapping[str, Any] | None = None) -> str | None:
    """Why the caller may not do this, in CloudFormation's words; None when allowed. Root is limited by its SCP alone."""
    principal = iam_evaluator.resolve_principal(_caller.get() or account, account)
    if isinstance(principal, iam_evaluator.AuthError) or principal.policies is None:
        return None  # an ended session: CloudFormation goes on with the rights it was handed
    context = iam_evaluator.EvalContext(
        principal_arn=principal.arn,
        principal_type=principal.type,
        principal_account=account,
        action=action,
        resource_arn=resource_arn,
        region=get_region(),
        service_context=dict(context_keys or {}),
        principal_keys=principal.keys,
    )
    found = iam_evaluator.evaluate(context, principal.policies, *principal.limits)
    if found.decision == "Allow":
        return None
    reason = "with an explicit deny" if found.decision == "Deny" else f"because no identity-based policy allows the {action} action"
    return f"User: {principal.arn} is not authorized to perform: {action} on resource: {resource_arn} {reason}"
