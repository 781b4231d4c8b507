"""After a kill, CloudFormation goes on where it was: real stacks do not stop because a process of ours died."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import cloudformation
from ministack.services.cloudformation import stacks

from portal.sandbox.aws.caller import remember_caller
from portal.sandbox.aws.cells.resources import forget_unrecorded

Stack = dict[str, Any]
_running: set["asyncio.Task[None]"] = set()  # a task without a reference may be collected


def running_stacks() -> list[tuple[str, str, Stack]]:
    """(account, region, stack) of every operation under way, in all accounts."""
    return [
        (account, region, stack)
        for (account, region, _name), stack in list(cloudformation._stacks._data.items())
        if str(stack.get("StackStatus", "")).endswith("IN_PROGRESS")
    ]


def resume_operations() -> None:
    """Starts the work of every stack that was under way at the last snapshot. Needs the running loop."""
    for account, region, stack in running_stacks():
        with request_scope(account, region):
            remember_caller(account)
            task = asyncio.get_running_loop().create_task(_work(stack))
            _running.add(task)
            task.add_done_callback(_running.discard)


def _work(stack: Stack) -> Coroutine[Any, Any, None]:
    name, number, status = stack["StackName"], stack["StackId"], stack["StackStatus"]
    template, params = stack["_template"], stack["_resolved_params"]
    if status == "DELETE_IN_PROGRESS":
        work: Coroutine[Any, Any, None] = stacks._delete_stack_async(name, number)
    elif status == "CREATE_IN_PROGRESS":
        work = _create_again(stack)
    elif status == "ROLLBACK_IN_PROGRESS":
        operation = {"created": list(stack.get("_resources", {})), "template": template, "param_values": params}
        work = stacks._roll_back_operation(name, number, stack, operation)
    else:
        work = _stop_update(stack)
    return work


async def _create_again(stack: Stack) -> None:
    """What the stack has made so far goes first, so that the creation can start over under the same names."""
    forget_unrecorded(stack["StackId"], {resource["PhysicalResourceId"] for resource in stack.get("_resources", {}).values()})
    for logical_id in list(reversed(stack.get("_resources", {}))):
        resource = stack["_resources"].pop(logical_id)
        await stacks.run_reentrant(
            stacks._delete_resource,
            resource["ResourceType"],
            resource["PhysicalResourceId"],
            resource["Properties"],
            stack["StackName"],
            logical_id,
        )
    await stacks._deploy_stack_async(
        stack["StackName"],
        stack["StackId"],
        stack["_template"],
        stack["_resolved_params"],
        stack.get("DisableRollback", False),
        stack.get("Tags", []),
    )


async def _stop_update(stack: Stack) -> None:
    """The record of what stood before an update is not part of a snapshot: the update ends as failed, resources as they are."""
    stack["StackStatus"] = "UPDATE_FAILED"
    stack["StackStatusReason"] = "The local AWS was restarted during the update."
    stacks._add_event(
        stack["StackId"],
        stack["StackName"],
        stack["StackName"],
        "AWS::CloudFormation::Stack",
        "UPDATE_FAILED",
        stack["StackStatusReason"],
        stack["StackId"],
    )
