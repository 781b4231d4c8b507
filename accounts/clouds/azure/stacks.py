"""Stacks in one Azure subscription: deployment stacks in the group of the cell, by the operator identity.

A stack holds what its template names, and takes away what it names no more; it denies nobody anything, as that is a right which the
kit does not have. The token of an order is a tag of the stack. What was ordered is compared by Azure's own what-if.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeVar

from azure.mgmt.resource.deploymentstacks.models import (
    ActionOnUnmanage,
    DenySettings,
    DeploymentParameter,
    DeploymentStack,
    DeploymentStackProperties,
)

from accounts.clouds.azure.access import asking, client_id_of, sign_in
from accounts.clouds.azure.clients import Session, every, kind_and_name, word
from accounts.clouds.azure.differences import drift_of
from accounts.clouds.azure.errors import reason_of
from accounts.clouds.azure.shipped import ShippedKit
from accounts.clouds.base import CloudError, Subject, Target, TokenSource
from accounts.clouds.stacks import DriftLook, StackLook, StackOrder, StackPart, StackState

TOKEN_TAG = "byoc-order"  # noqa: S105 - which order a stack stands for
DELETE, DETACH = "delete", "detach"
# Azure's names are folded: it sends them in either case. What is neither here nor an end is work under way.
ENDED = {"succeeded": StackState.READY, "failed": StackState.FAILED, "canceled": StackState.FAILED}
DELETING = {"deleting", "deletingresources"}
FAILED_DELETION = {"DeploymentStackDeleteFailed", "DeploymentStackDeleteResourcesFailed"}
PART_STATES = {"running": "working", "succeeded": "ready", "failed": "failed"}
CONSOLE = "https://portal.azure.com"
PATIENCE_SECONDS, PAUSE_SECONDS = 40.0, 3.0

Answer = TypeVar("Answer")


class AzureStacks:
    """`StackCloud` of one subscription. Lives for one step."""

    def __init__(self, target: Target, tokens: TokenSource, shipped: ShippedKit) -> None:
        self.target = target
        self.tokens = tokens
        self.shipped = shipped

    @cached_property
    def _session(self) -> Session:
        return sign_in(self.target, self.tokens, client_id_of(self.target), Subject.OPS, was_trusted=self.target.was_trusted)

    def _ask(self, operation: str, call: Callable[[Session], Answer]) -> Answer:
        session = self._session
        with asking(self.target, operation):
            return call(session)

    def _group(self, region: str) -> str:
        """Each location has a group of its own."""
        return self.shipped.at(self.target.region, region).cell_group

    # --- orders ---

    def apply(self, order: StackOrder) -> None:
        found = self._find(order.name, order.region)
        if found is not None:
            state, is_same = _state(found), (found.tags or {}).get(TOKEN_TAG) == order.token
            if is_same and state in {StackState.WORKING, StackState.READY}:
                return
            if state == StackState.DELETING:
                return
            if state == StackState.WORKING:
                raise CloudError("stack_busy", raw=f"{order.name} is in {_word(found)}", retryable=True)
        group, stack = self._group(order.region), _stack(order)
        self._ask(
            "ApplyStack",
            lambda session: session.stacks(self.target.external_id).deployment_stacks.begin_create_or_update_at_resource_group(
                group, order.name, stack, polling=False
            ),
        )

    def delete(self, name: str, region: str, *, retain: Sequence[str] = ()) -> None:
        found = self._find(name, region)
        state = _state(found) if found is not None else StackState.ABSENT
        if found is None or state == StackState.DELETING:
            return
        if state == StackState.WORKING:
            raise CloudError("stack_busy", raw=f"{name} is in {_word(found)}", retryable=True)
        action = DETACH if retain else DELETE
        if retain:
            self._demand_all(found, state, retain)
        self._ask(
            "DeleteStack",
            lambda session: session.stacks(self.target.external_id).deployment_stacks.begin_delete_at_resource_group(
                self._group(region),
                name,
                unmanage_action_resources=action,
                unmanage_action_resource_groups=DETACH,
                unmanage_action_management_groups=DETACH,
                unmanage_action_resources_without_delete_support=DETACH,
                polling=False,
            ),
        )

    def _demand_all(self, found: DeploymentStack, state: StackState, retain: Sequence[str]) -> None:
        """Azure lets go of everything that a stack still holds, or of nothing. So deleting has to have failed first, and all that
        it has left must be meant."""
        if state != StackState.DELETE_FAILED:
            raise CloudError("retain_too_early", raw=f"{found.name} is in {_word(found)}: parts are kept only once deleting has failed")
        kept = {name.lower() for name in retain}
        names = [part.name for part in self._parts(found, state) if part.state != "deleted" and part.name.lower() not in kept]
        if names:
            params = {"names": ", ".join(names)}
            raise CloudError("retain_all_or_nothing", raw=f"{found.name} still holds {params['names']}", params=params)

    # --- what stands ---

    def look(self, name: str, region: str) -> StackLook:
        found = self._find(name, region)
        if found is None:
            return StackLook(StackState.ABSENT)
        state, properties = _state(found), found.properties
        code, raw = self._cause(found, state)
        return StackLook(
            state,
            token=(found.tags or {}).get(TOKEN_TAG, ""),
            mark=word(properties.correlation_id) if properties else "",
            outputs={name: str(told["value"]) for name, told in ((properties.outputs if properties else None) or {}).items()},
            parts=self._parts(found, state),
            code=code,
            raw=raw,
            link=self._link(found.id or ""),
        )

    def _find(self, name: str, region: str) -> DeploymentStack | None:
        try:
            return self._ask(
                "GetStack",
                lambda session: session.stacks(self.target.external_id).deployment_stacks.get_at_resource_group(self._group(region), name),
            )
        except CloudError as error:
            if error.code == "kit_not_found":  # the table's word for a stack, or a group, that is not there
                return None
            raise

    def _cause(self, found: DeploymentStack, state: StackState) -> tuple[str, str]:
        """Of the first resource that failed; of the stack where none is named."""
        if state not in {StackState.FAILED, StackState.DELETE_FAILED} or found.properties is None:
            return "", ""
        for failed in found.properties.failed_resources or ():
            if failed.error:
                return reason_of(failed.error.as_dict())
        return reason_of(found.properties.error.as_dict()) if found.properties.error else ("stack_failed", _word(found))

    def _parts(self, found: DeploymentStack, state: StackState) -> list[StackPart]:
        """What the stack holds, what failed, what went; and while it is being built, what its deployment is at."""
        properties = found.properties
        parts: dict[str, StackPart] = {}
        if properties is None:
            return []
        for told in properties.resources or ():
            status = "deleting" if state == StackState.DELETING else "ready"
            parts[word(told.id).lower()] = self._part(word(told.id), status)
        if state == StackState.WORKING and properties.deployment_id:
            for number, status, detail in self._operations(properties.deployment_id):
                parts[number.lower()] = self._part(number, status, detail)
        for failed in properties.failed_resources or ():
            detail = reason_of(failed.error.as_dict())[1] if failed.error else ""
            parts[word(failed.id).lower()] = self._part(word(failed.id), "failed", detail)
        for gone in properties.deleted_resources or ():
            parts[word(gone.id).lower()] = self._part(word(gone.id), "deleted")
        return list(parts.values())

    def _operations(self, deployment: str) -> Iterator[tuple[str, str, str]]:
        group, name = deployment.split("/")[4], deployment.rpartition("/")[2]
        found = self._ask(
            "GetStack", lambda session: every(session.deployments(self.target.external_id).deployment_operations.list(group, name))
        )
        for operation in found:
            told = operation.properties
            if told is None or told.target_resource is None or not told.target_resource.id:
                continue  # the deployment's own, such as evaluating its outputs
            status = PART_STATES.get(word(told.provisioning_state).lower(), "working")
            error = told.status_message.error if told.status_message else None
            yield told.target_resource.id, status, reason_of(error.as_dict())[1] if error else ""

    def _part(self, number: str, state: str, detail: str = "") -> StackPart:
        kind, name = kind_and_name(number)
        return StackPart(kind, name, number, state, detail, self._link(number))

    def _link(self, number: str) -> str:
        return f"{CONSOLE}/#@{self.target.identity['tenant_id']}/resource{number}"

    # --- what is left, what differs ---

    def find_zones(self, region: str) -> Sequence[str]:
        """Azure numbers them, and each subscription has numbers of its own: `westeurope-1`."""
        found = self._ask("ListLocations", lambda session: every(session.tenant.subscriptions.list_locations(self.target.external_id)))
        here = (one for one in found if str(one.name).lower() == region.lower())
        return sorted(f"{region}-{zone.logical_zone}" for one in here for zone in one.availability_zone_mappings or ())

    def find_leftovers(self, region: str, tags: Mapping[str, str]) -> Sequence[StackPart]:
        """In the cell's group, and groups that bear the tags themselves: AKS hands them to the group of its machines."""
        first, *_more = tags.items()
        wanted = f"tagName eq '{first[0]}' and tagValue eq '{first[1]}'"
        try:
            inside = self._ask(
                "ListStack",
                lambda session: every(
                    session.resources(self.target.external_id).resources.list_by_resource_group(self._group(region), filter=wanted)
                ),
            )
        except CloudError as error:
            if error.code != "kit_not_found":
                raise
            inside = []
        groups = self._ask(
            "ListGroups", lambda session: every(session.resources(self.target.external_id).resource_groups.list(filter=wanted))
        )
        found = [(word(entry.id), entry.tags or {}) for entry in inside]
        found += [(word(entry.id), entry.tags or {}) for entry in groups if word(entry.location) == region]
        return [self._part(number, "ready") for number, held in found if tags.items() <= held.items()]

    def find_drift(self, order: StackOrder) -> DriftLook:
        """Azure keeps no comparison for later: it is followed for as long as a call may take, and begun again by the next one."""
        group = f"/subscriptions/{self.target.external_id}/resourceGroups/{self._group(order.region)}"
        path = f"{group}/providers/Microsoft.Resources/deployments/{order.name}/whatIf"
        settings = {"resultFormat": "FullResourcePayloads"}
        body = {
            "properties": {
                "mode": "Incremental",
                "template": json.loads(order.document),
                "parameters": {name: {"value": value} for name, value in {**order.parameters, **order.secrets}.items()},
                "whatIfSettings": settings,
            }
        }
        address = self._ask("CompareStack", lambda session: session.begin(path, "what_if", body))
        until = time.monotonic() + PATIENCE_SECONDS
        while (told := self._ask("CompareStack", lambda session: session.follow(address))) is None:
            if time.monotonic() > until:
                return DriftLook(is_finished=False, detail="Azure is still comparing")
            time.sleep(PAUSE_SECONDS)
        return drift_of(told, set(order.secrets.values()))


def _stack(order: StackOrder) -> DeploymentStack:
    given = {name: DeploymentParameter(value=value) for name, value in {**order.parameters, **order.secrets}.items()}
    properties = DeploymentStackProperties(
        template=json.loads(order.document),
        parameters=given,
        action_on_unmanage=ActionOnUnmanage(
            resources=DELETE, resource_groups=DETACH, management_groups=DETACH, resources_without_delete_support=DETACH
        ),
        deny_settings=DenySettings(mode="none"),
    )
    return DeploymentStack(properties=properties, tags={**order.tags, TOKEN_TAG: order.token})


def _word(found: DeploymentStack | None) -> str:
    return word(found.properties.provisioning_state) if found is not None and found.properties else ""


def _state(found: DeploymentStack) -> StackState:
    """`deletingResources` is also the last part of an update, which takes away what is named no more: DELETING says so then as well."""
    said = _word(found).lower()
    if said in DELETING:
        return StackState.DELETING
    state = ENDED.get(said, StackState.WORKING)
    error = found.properties.error if found.properties else None
    if state == StackState.FAILED and error and error.code in FAILED_DELETION:
        return StackState.DELETE_FAILED
    return state
