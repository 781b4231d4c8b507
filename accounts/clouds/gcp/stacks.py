"""Cells' stacks on Google Cloud: one deployment of Infrastructure Manager each, built by the kit's builder account from a published plan.

The token of the order stands on the deployment as an annotation. Infrastructure Manager knows no secret input: whoever may read
deployments of the project sees them, so they must be worth nothing soon after.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from accounts.clouds.base import CloudError, Subject, Target, TokenSource
from accounts.clouds.gcp import plans
from accounts.clouds.gcp.clients import Endpoints, Session
from accounts.clouds.gcp.leftovers import Leftovers, console_page
from accounts.clouds.gcp.shipped import ShippedKit
from accounts.clouds.gcp.stack_errors import RETRYABLE, failure
from accounts.clouds.stacks import Difference, DriftLook, StackLook, StackOrder, StackPart, StackState

if TYPE_CHECKING:
    from google.cloud.config_v1 import Deployment, Preview, Resource, ResourceDrift, Revision

TOKEN = "byoc-token"  # noqa: S105 - which order a deployment stands for
CONSOLE = "https://console.cloud.google.com"
STATES = {
    "CREATING": StackState.WORKING,
    "UPDATING": StackState.WORKING,
    "ACTIVE": StackState.READY,
    "DELETING": StackState.DELETING,
    "DELETED": StackState.ABSENT,
}
BUSY = {StackState.WORKING, StackState.DELETING}
# (what shall happen, how far it is) -> ours; what is only planned has no state yet.
PART_STATES = {
    "IN_PROGRESS": {"DELETE": "deleting"},
    "RECONCILED": {"DELETE": "deleted"},
}
OTHERWISE = {"IN_PROGRESS": "working", "RECONCILED": "ready", "FAILED": "failed"}
PREVIEW_ENDING = "-drift"
PREVIEW_LIFE = timedelta(hours=1)  # of one that nobody read


class GcpStacks:
    """One Google Cloud project under one kit. Lives for one step."""

    def __init__(self, target: Target, tokens: TokenSource, shipped: ShippedKit) -> None:
        self.target = target
        self.tokens = tokens
        self.shipped = shipped

    @cached_property
    def _session(self) -> Session:
        return Session(
            Endpoints.from_environment(),
            provider=self.shipped.provider,
            email=self.shipped.accounts["operator"].email,
            mint=lambda: self.tokens(subject=self.target.subject(Subject.OPS), audience=self.target.audience),
            was_trusted=self.target.was_trusted,
        )

    @property
    def _place(self) -> str:
        """Infrastructure Manager works where the kit was run, for cells in every region: the builder may use that one store."""
        return f"projects/{self.shipped.project}/locations/{self.target.region}"

    def _name(self, name: str, region: str) -> str:
        return f"{self._place}/deployments/{name}"

    @property
    def _builder(self) -> str:
        return f"projects/{self.shipped.project}/serviceAccounts/{self.shipped.accounts['builder'].email}"

    # --- order ---

    def apply(self, order: StackOrder) -> None:
        """A deployment that failed is built on: Terraform knows what stands."""
        deployments = self._session.deployments
        found = deployments.find(self._name(order.name, order.region))
        if found is None:
            deployments.create(self._place, order.name, self._ordered(order))
            return
        state, is_same = _state(found), found.annotations.get(TOKEN) == order.token
        if is_same and state in {StackState.READY, StackState.WORKING}:
            return
        if state in BUSY:
            raise CloudError("stack_busy", raw=f"{found.name} is {_word(found)}", retryable=True)
        deployments.update(self._ordered(order))

    def _ordered(self, order: StackOrder) -> "Deployment":
        from google.cloud.config_v1 import Deployment, TerraformBlueprint, TerraformVariable  # noqa: PLC0415 - loads gRPC

        from accounts.clouds.gcp.deployments import TERRAFORM  # noqa: PLC0415 - as above

        inputs = {**order.parameters, **order.secrets}
        files = {plans.MAIN: order.document, **order.files}
        try:
            bucket = plans.bucket()
        except ValueError as error:
            raise CloudError("plans_not_published", raw=str(error)) from error
        return Deployment(
            name=self._name(order.name, order.region),
            terraform_blueprint=TerraformBlueprint(
                gcs_source=f"gs://{bucket}/{plans.key(files)}",
                input_values={name: TerraformVariable(input_value=value) for name, value in inputs.items()},
            ),
            labels=dict(order.tags),
            annotations={TOKEN: order.token},
            service_account=self._builder,
            tf_version_constraint=TERRAFORM,
        )

    # --- look ---

    def look(self, name: str, region: str) -> StackLook:
        deployments = self._session.deployments
        found = deployments.find(self._name(name, region))
        if found is None:
            return StackLook(StackState.ABSENT)
        revision = deployments.newest_revision(found.name)
        parts = [_part(resource, revision) for resource in deployments.resources(revision.name)] if revision else []
        state = _state(found)
        code, raw = failure(found, revision) if state in {StackState.FAILED, StackState.DELETE_FAILED} else ("", "")
        return StackLook(
            state,
            token=found.annotations.get(TOKEN, ""),
            # What fails before Terraform starts leaves no revision.
            mark=f"{found.latest_revision} {found.update_time}",
            outputs=_outputs(revision),
            parts=parts,
            code=code,
            raw=raw,
            link=f"{CONSOLE}/infra-manager/deployments/details/{self.target.region}/{name}?project={self.shipped.project}",
        )

    # --- take away ---

    def delete(self, name: str, region: str, *, retain: Sequence[str] = ()) -> None:
        """Terraform keeps no single resource. Once a deletion has failed, only what blocks it stands: if all of that may stay, Google
        is told to forget the deployment, and to keep what is left."""
        deployments = self._session.deployments
        found = deployments.find(self._name(name, region))
        if found is None or _state(found) is StackState.DELETING:
            return
        if retain:
            self._require_retainable(found, retain)
        deployments.delete(found.name, keeps_resources=bool(retain))

    def _require_retainable(self, found: "Deployment", retain: Sequence[str]) -> None:
        """Raises CloudError where something that nobody has named would stay, or go."""
        if _state(found) is not StackState.DELETE_FAILED:
            raise CloudError("retain_too_early", raw=f"{found.name} is {_word(found)}: parts are kept only once deleting has failed")
        revision = self._session.deployments.newest_revision(found.name)
        resources = self._session.deployments.resources(revision.name) if revision else []
        parts = [_part(resource, revision) for resource in resources]
        if names := [part.name for part in parts if part.state != "deleted" and part.name not in retain]:
            params = {"names": ", ".join(names)}
            raise CloudError("retain_all_or_nothing", raw=f"{found.name} still holds {params['names']}", params=params)

    def find_zones(self, region: str) -> Sequence[str]:
        pages = self._session.pages("compute", f"/compute/v1/projects/{self.shipped.project}/regions", "regions")
        (found,) = (one for page in pages for one in page.get("items", []) if one["name"] == region)
        return sorted(zone.rpartition("/")[2] for zone in found.get("zones", []))

    def find_leftovers(self, region: str, tags: Mapping[str, str]) -> Sequence[StackPart]:
        return Leftovers(self._session, self.shipped, region, tags).find()

    # --- compare ---

    def find_drift(self, order: StackOrder) -> DriftLook:
        """By a preview: Terraform reads what stands as the builder, and changes nothing. It is taken away once it was read."""
        deployments, name = self._session.deployments, f"{self._place}/previews/{order.name}{PREVIEW_ENDING}"
        found = deployments.find_preview(name)
        if found is None:
            deployments.create_preview(self._place, f"{order.name}{PREVIEW_ENDING}", self._preview(order))
            found = deployments.find_preview(name)
        if found is None:
            return DriftLook(is_finished=False)
        word = type(found).State(found.state).name
        if word in {"CREATING", "APPLYING", "DELETING"}:
            return DriftLook(is_finished=False)
        # An older one tells of another order or another day; a stale one, of a deployment that has changed since.
        if word == "STALE" or found.annotations.get(TOKEN) != order.token or _is_old(found):
            deployments.delete_preview(name)
            return DriftLook(is_finished=False)
        drifts = [] if word == "FAILED" else deployments.drifts(name)
        deployments.delete_preview(name)
        if word == "FAILED":
            code, raw = failure(found, None)
            raise CloudError(code, raw=raw, retryable=code in RETRYABLE)
        return DriftLook(is_finished=True, differences=[change for drift in drifts for change in _differences(drift)])

    def _preview(self, order: StackOrder) -> "Preview":
        from google.cloud.config_v1 import Preview  # noqa: PLC0415 - loads gRPC

        return Preview(
            deployment=self._name(order.name, order.region),
            service_account=self._builder,
            labels=dict(order.tags),
            annotations={TOKEN: order.token},
        )


def _is_old(found: "Preview") -> bool:
    return bool(found.create_time) and datetime.now(UTC) - found.create_time > PREVIEW_LIFE


def _word(found: "Deployment") -> str:
    return str(type(found).State(found.state).name)


def _state(found: "Deployment") -> StackState:
    word = _word(found)
    if word in STATES:
        return STATES[word]
    is_deletion = type(found).ErrorCode(found.error_code).name.startswith("DELETE_")
    return StackState.DELETE_FAILED if is_deletion else StackState.FAILED


def _part(resource: "Resource", revision: "Revision | None") -> StackPart:
    known = resource.terraform_info
    intent, state = type(resource).Intent(resource.intent).name, type(resource).State(resource.state).name
    errors = revision.tf_errors if revision else []
    said = next((error.error_description for error in errors if error.resource_address == known.address), "")
    return StackPart(
        kind=known.type_,
        name=known.address,
        made=known.id,
        state=PART_STATES.get(state, {}).get(intent, OTHERWISE.get(state, "")),
        detail=said,
        link=console_page(known.id),
    )


def _outputs(revision: "Revision | None") -> dict[str, str]:
    outputs = revision.apply_results.outputs.items() if revision else ()
    return {name: _text(output.value) for name, output in outputs if not output.sensitive}


def _differences(drift: "ResourceDrift") -> list[Difference]:
    known = drift.terraform_info
    if not drift.property_drifts:
        return [Difference(known.type, known.address, "", "", "present", "missing")]
    return [
        Difference(
            known.type,
            known.address,
            "",
            found.path,
            "(hidden)" if found.before_sensitive_paths else _text(found.before),
            "(hidden)" if found.after_sensitive_paths else _text(found.after),
        )
        for found in drift.property_drifts
    ]


def _text(value: Any) -> str:
    """Strings as they are, all else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    """What the library makes of google.protobuf.Value, as JSON's own: numbers without a fraction are whole."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
