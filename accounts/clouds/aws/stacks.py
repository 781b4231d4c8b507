"""Stacks in one AWS account: CloudFormation by the operator role, leftovers by tag, drift by CloudFormation's own comparison."""

import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from accounts.clouds.aws import quotas
from accounts.clouds.aws.console_pages import console_page
from accounts.clouds.aws.errors import ECHO, code_of, translated
from accounts.clouds.aws.leftovers import Leftovers
from accounts.clouds.aws.session import OperatorSession
from accounts.clouds.aws.shipped import ShippedKit
from accounts.clouds.base import CloudError, Target, TokenSource
from accounts.clouds.stacks import Difference, DriftLook, StackLook, StackOrder, StackPart, StackState

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

STATES = {
    "CREATE_IN_PROGRESS": StackState.WORKING,
    "UPDATE_IN_PROGRESS": StackState.WORKING,
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": StackState.WORKING,
    "ROLLBACK_IN_PROGRESS": StackState.WORKING,
    "UPDATE_ROLLBACK_IN_PROGRESS": StackState.WORKING,
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": StackState.WORKING,
    "CREATE_COMPLETE": StackState.READY,
    "UPDATE_COMPLETE": StackState.READY,
    "DELETE_IN_PROGRESS": StackState.DELETING,
    "DELETE_COMPLETE": StackState.ABSENT,
    "DELETE_FAILED": StackState.DELETE_FAILED,
}
# Of a creation that was given up, CloudFormation takes nothing but its deletion; a change set that nobody ran stands in the way of one.
BEYOND_REPAIR = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS"}
PART_STATES = (("DELETE_COMPLETE", "deleted"), ("_COMPLETE", "ready"), ("_FAILED", "failed"), ("DELETE_", "deleting"), ("", "working"))
# A retry of the same order is another request to AWS: two dashes and a number, which no token of ours ends with.
ATTEMPT = re.compile(r"(?P<order>.+?)--(?P<number>\d+)$")
HIDDEN = "****"  # what AWS shows of a parameter that is not to be read
SECRET_PATHS = re.compile(r"UserData|AgentStart")
DRIFT_SECONDS = 25.0
# AWS gives no way to ask for a comparison that somebody started: after this time it is over, and for so long its answer is good.
DRIFT_SETTLED, DRIFT_FRESH = timedelta(minutes=5), timedelta(minutes=30)

Stack = Mapping[str, Any]


class AwsStacks:
    """`StackCloud` of one account. Lives for one step."""

    def __init__(self, target: Target, tokens: TokenSource, shipped: ShippedKit) -> None:
        self.target = target
        self.session = OperatorSession(target, tokens, shipped)
        self._clients: dict[tuple[str, str], Any] = {}

    # --- orders ---

    def apply(self, order: StackOrder) -> None:
        stack = self._find(order.name, order.region)
        if stack is None:
            self._create(order)
            return
        status = stack["StackStatus"]
        standing = self._token(order.name, order.region)
        is_same = _order_of(standing) == order.token
        match STATES.get(status, StackState.FAILED):
            case StackState.DELETING:
                return
            case StackState.DELETE_FAILED:
                self.delete(order.name, order.region)
            case StackState.WORKING if not is_same:
                raise CloudError("stack_busy", raw=f"{order.name} is in {status} by {standing or 'somebody else'}", retryable=True)
            case StackState.WORKING:
                return
            case StackState.READY if is_same:
                return
            case _ if status in BEYOND_REPAIR:
                self.delete(order.name, order.region)
            case _ if status == "UPDATE_ROLLBACK_FAILED":
                with translated("ContinueUpdateRollback"):
                    self._cloudformation(order.region).continue_update_rollback(StackName=order.name)
            case _:
                self._update(order, _next(order.token, standing) if is_same else order.token)

    def _create(self, order: StackOrder) -> None:
        """What fails stays as it is: CloudFormation can go on from there. Names are unique, so a second request finds the first.

        A token that a deleted stack of this name has borne is not used again: AWS does not say what it would make of it.
        """
        with translated("CreateStack"):
            client = self._cloudformation(order.region)
            with suppress(client.exceptions.AlreadyExistsException, client.exceptions.TokenAlreadyExistsException):
                client.create_stack(**_request(order, f"{order.token}--{time.time_ns()}"), OnFailure="DO_NOTHING")

    def _update(self, order: StackOrder, token: str) -> None:
        try:
            with translated("UpdateStack"):
                client = self._cloudformation(order.region)
                with suppress(client.exceptions.TokenAlreadyExistsException):
                    client.update_stack(**_request(order, token), DisableRollback=True)
        except CloudError as error:
            if "No updates are to be performed" not in error.raw:
                raise

    def delete(self, name: str, region: str, *, retain: Sequence[str] = ()) -> None:
        stack = self._find(name, region)
        if stack is None or stack["StackStatus"] == "DELETE_IN_PROGRESS":
            return
        kept: dict[str, Any] = {}
        if retain:
            if stack["StackStatus"] != "DELETE_FAILED":
                raise CloudError(
                    "retain_too_early", raw=f"{name} is in {stack['StackStatus']}: AWS keeps parts only once deleting has failed"
                )
            # AWS keeps only what it has failed to remove: what fails next, for the sake of that, is kept by the next call.
            failed = {part.name for part in self._parts(stack["StackId"], region) if part.state == "failed"}
            kept = {"RetainResources": sorted(failed.intersection(retain))}
        with translated("DeleteStack"):
            self._cloudformation(region).delete_stack(StackName=name, **kept)

    # --- what stands ---

    def look(self, name: str, region: str) -> StackLook:
        stack = self._find(name, region)
        if stack is None:
            return StackLook(StackState.ABSENT)
        state = STATES.get(stack["StackStatus"], StackState.FAILED)
        token, mark, cause = self._token(name, region), "", ""
        if state in {StackState.FAILED, StackState.DELETE_FAILED}:
            mark, cause = self._cause(name, region)
        raw = cause or (stack.get("StackStatusReason", "") if state in {StackState.FAILED, StackState.DELETE_FAILED} else "")
        return StackLook(
            state,
            token=_order_of(token),
            mark=mark,
            outputs={told["OutputKey"]: told["OutputValue"] for told in stack.get("Outputs", [])},
            parts=self._parts(stack["StackId"], region),
            code=code_of(raw) if state in {StackState.FAILED, StackState.DELETE_FAILED} else "",
            raw=raw,
            link=_link(region, stack["StackId"]),
        )

    def _find(self, name: str, region: str) -> Stack | None:
        try:
            with translated("DescribeStacks"):
                (stack,) = self._cloudformation(region).describe_stacks(StackName=name)["Stacks"]
        except CloudError as error:
            if error.code == "kit_not_found":  # the table's word for a stack that does not exist
                return None
            raise
        return None if stack["StackStatus"] == "DELETE_COMPLETE" else stack

    def _token(self, name: str, region: str) -> str:
        """Of the newest request that bore one; a deletion bears none."""
        return next((event["ClientRequestToken"] for event in self._events(name, region) if event.get("ClientRequestToken")), "")

    def _events(self, name: str, region: str) -> Any:
        """The newest first, a page at a time."""
        with translated("DescribeStackEvents"):
            for page in self._cloudformation(region).get_paginator("describe_stack_events").paginate(StackName=name):
                yield from page["StackEvents"]

    def _cause(self, name: str, region: str) -> tuple[str, str]:
        """The event that the stack ended with, and what failed first since the last request began, in AWS's own words."""
        mark, found = "", ""
        for event in self._events(name, region):
            status, reason = event["ResourceStatus"], event.get("ResourceStatusReason", "")
            is_stack = event["ResourceType"] == "AWS::CloudFormation::Stack" and event["PhysicalResourceId"] == event["StackId"]
            if is_stack and not mark:
                mark = event["EventId"]
            if is_stack and status in {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"}:
                break
            if not is_stack and status.endswith("_FAILED") and not ECHO.search(reason):
                found = f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}"
        return mark, found

    def _parts(self, stack_id: str, region: str) -> list[StackPart]:
        with translated("DescribeStackResources"):
            told = self._cloudformation(region).describe_stack_resources(StackName=stack_id)["StackResources"]
        return [
            StackPart(
                kind=part["ResourceType"],
                name=part["LogicalResourceId"],
                made=part.get("PhysicalResourceId", ""),
                state=next(state for ending, state in PART_STATES if ending in part["ResourceStatus"]),
                detail=part.get("ResourceStatusReason", "") if part["ResourceStatus"].endswith("_FAILED") else "",
                link=console_page(part["ResourceType"], part.get("PhysicalResourceId", ""), region),
            )
            for part in told
        ]

    # --- leftovers and drift ---

    def find_zones(self, region: str) -> Sequence[str]:
        return quotas.zones(self._client("ec2", region))

    def find_leftovers(self, region: str, tags: Mapping[str, str]) -> Sequence[StackPart]:
        return Leftovers(lambda service: self._client(service, region)).find(tags)

    def find_drift(self, order: StackOrder) -> DriftLook:
        stack = self._find(order.name, order.region)
        if stack is None:
            gone = Difference("AWS::CloudFormation::Stack", order.name, "", "", "there", "missing")
            return DriftLook(is_finished=True, differences=[gone], detail="There is no such stack.")
        state = STATES.get(stack["StackStatus"], StackState.FAILED)
        if state is not StackState.READY:
            is_over = state not in {StackState.WORKING, StackState.DELETING}
            return DriftLook(is_finished=is_over, detail=f"The stack is in {stack['StackStatus']}.", is_compared=False)
        if not self._is_compared(stack, order):
            return DriftLook(is_finished=False)
        return self._drift(order)

    def _is_compared(self, stack: Stack, order: StackOrder) -> bool:
        """Whether a comparison that ended lately can be read; starts one where none was made."""
        last = stack.get("DriftInformation", {}).get("LastCheckTimestamp")
        age = datetime.now(UTC) - last if last else DRIFT_FRESH
        if age < DRIFT_FRESH:
            return age > DRIFT_SETTLED or self._watch(order)
        return self._watch(order)

    def _watch(self, order: StackOrder) -> bool:
        """Starts a comparison and waits a little for its end."""
        client = self._cloudformation(order.region)
        try:
            with translated("DetectStackDrift"):
                number = client.detect_stack_drift(StackName=order.name)["StackDriftDetectionId"]
        except CloudError as error:
            if "already in progress" in error.raw:
                return False
            raise
        until = time.monotonic() + DRIFT_SECONDS
        while time.monotonic() < until:
            with translated("DescribeStackDriftDetectionStatus"):
                told = client.describe_stack_drift_detection_status(StackDriftDetectionId=number)
            if told["DetectionStatus"] != "DETECTION_IN_PROGRESS":
                return True
            time.sleep(1)
        return False

    def _drift(self, order: StackOrder) -> DriftLook:
        found: list[Difference] = []
        unread: list[str] = []
        request: dict[str, Any] = {"StackName": order.name}
        while True:
            with translated("DescribeStackResourceDrifts"):
                page = self._cloudformation(order.region).describe_stack_resource_drifts(**request)
            for part in page["StackResourceDrifts"]:
                found += _differences(part)
                if part["StackResourceDriftStatus"] in {"NOT_CHECKED", "UNKNOWN"}:
                    unread.append(part["LogicalResourceId"])
            if not page.get("NextToken"):
                return DriftLook(is_finished=True, differences=found, detail=", ".join(sorted(unread)))
            request["NextToken"] = page["NextToken"]

    # --- clients ---

    def _client(self, service: str, region: str) -> Any:
        if (service, region) not in self._clients:
            self._clients[service, region] = self.session.client(service, region)
        return self._clients[service, region]

    def _cloudformation(self, region: str) -> "CloudFormationClient":
        client: CloudFormationClient = self._client("cloudformation", region)
        return client


def _request(order: StackOrder, token: str) -> dict[str, Any]:
    return {
        "StackName": order.name,
        "TemplateBody": order.document,
        "ClientRequestToken": token,
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": value} for name, value in sorted({**order.parameters, **order.secrets}.items())
        ],
        "Tags": [{"Key": key, "Value": value} for key, value in sorted(order.tags.items())],
    }


def _order_of(token: str) -> str:
    found = ATTEMPT.fullmatch(token)
    return found["order"] if found else token


def _next(order: str, standing: str) -> str:
    """Read from what stands, so that a request whose answer was lost is asked again as the same one."""
    found = ATTEMPT.fullmatch(standing)
    return f"{order}--{int(found['number']) + 1 if found else 2}"


def _differences(part: Mapping[str, Any]) -> list[Difference]:
    kind, name, made = part["ResourceType"], part["LogicalResourceId"], part.get("PhysicalResourceId", "")
    if part["StackResourceDriftStatus"] == "DELETED":
        return [Difference(kind, name, made, "", "there", "gone")]
    return [
        Difference(kind, name, made, told["PropertyPath"], *_shown(told))
        for told in part.get("PropertyDifferences", [])
        if part["StackResourceDriftStatus"] == "MODIFIED"
    ]


def _shown(told: Mapping[str, str]) -> tuple[str, str]:
    """What a machine is told when it starts holds a token, so neither side of it is kept."""
    if SECRET_PATHS.search(told["PropertyPath"]):
        return HIDDEN, HIDDEN
    return told.get("ExpectedValue", ""), told.get("ActualValue", "")


def _link(region: str, stack_id: str) -> str:
    return (
        f"https://{region}.console.aws.amazon.com/cloudformation/home?region={region}#/stacks/stackinfo?stackId={quote(stack_id, safe='')}"
    )
