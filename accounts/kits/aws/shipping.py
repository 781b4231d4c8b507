"""A rendered template as the adapter compares it with what stands."""

from collections.abc import Mapping, Sequence
from typing import Any

from accounts.clouds.aws.shipped import ShippedKit, ShippedRole
from accounts.clouds.base import PermissionProbe, Target
from accounts.kits.aws.template import Rendered

# Every role of the kit, by the name it goes by in a ShippedKit. Only the first two are opened by the portal.
ROLES = {
    "operator": "OperatorRole",
    "support": "SupportRole",
    "cell-cluster": "CellClusterRole",
    "cell-node": "CellNodeRole",
    "cell-storage": "CellStorageRole",
    "cell-agent": "CellAgentRole",
}


def shipped_kit(target: Target, on: Rendered, off: Rendered, *, stack: str, audience: str, probes: Sequence[PermissionProbe]) -> ShippedKit:
    """`on` and `off` are the same template with every switch set to yes, and to no."""
    limits = [on.properties(name) for name in on.logical_ids("AWS::IAM::ManagedPolicy")]
    iam = f"arn:aws:iam::{target.external_id}"
    return ShippedKit(
        stack=stack,
        provider=f"{iam}:oidc-provider/{target.issuer.removeprefix('https://')}",
        provider_url=target.issuer,
        audiences=(audience,),
        roles={
            name: _shipped_role(on.properties(logical_id), off.properties(logical_id))
            for name, logical_id in ROLES.items()
            if on.has(logical_id)
        },
        limits={f"{iam}:policy/{policy['ManagedPolicyName']}": policy["PolicyDocument"] for policy in limits},
        probes=probes,
    )


def _shipped_role(on: Mapping[str, Any], off: Mapping[str, Any]) -> ShippedRole:
    documents = {policy["PolicyName"]: policy["PolicyDocument"] for policy in on.get("Policies", [])}
    switched = {policy["PolicyName"]: policy["PolicyDocument"] for policy in off.get("Policies", [])}
    return ShippedRole(
        name=on["RoleName"],
        trust=on["AssumeRolePolicyDocument"],
        boundary=on["PermissionsBoundary"],
        attached=tuple(on.get("ManagedPolicyArns", ())),
        policies={name: document for name, document in documents.items() if document == switched[name]},
        switches={name: (document, switched[name]) for name, document in documents.items() if document != switched[name]},
        max_session_seconds=on["MaxSessionDuration"],
    )
