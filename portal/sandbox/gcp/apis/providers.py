"""Providers of a pool: which issuer is believed, and how its tokens are read. Only OIDC is played."""

import re
from typing import Any
from urllib.parse import urlsplit

from portal.sandbox.gcp import org_policies
from portal.sandbox.gcp.access import Target
from portal.sandbox.gcp.apis import pools
from portal.sandbox.gcp.errors import GoogleError, invalid, missing, taken
from portal.sandbox.gcp.expressions import ExpressionError, compile_expression
from portal.sandbox.gcp.methods import MAP, PAGING, Call, Params, method
from portal.sandbox.gcp.world import Resource, World

PROVIDER_ID = pools.POOL_ID
PROVIDER_TYPE = "type.googleapis.com/google.iam.v1.WorkloadIdentityPoolProvider"
OIDC = {"issuerUri": str, "allowedAudiences": [str], "jwksJson": str}
PROVIDER = dict.fromkeys(("name", "displayName", "description", "state", "expireTime", "attributeCondition"), str) | {
    "disabled": bool, "attributeMapping": MAP, "oidc": OIDC,
}  # fmt: skip
CHANGEABLE = {"displayName", "description", "disabled", "attributeMapping", "attributeCondition", "oidc"}
CUSTOM = re.compile(r"attribute\.[a-z0-9_]{1,100}")
AUDIENCES_MOST, AUDIENCE_LENGTH, CONDITION_LENGTH, MAPPINGS_MOST = 10, 256, 4096, 50
BASE = pools.ONE + "/providers"
ONE = BASE + "/{provider}"
API = "iam.projects.locations.workloadIdentityPools.providers"


def of_provider(world: World, params: Params) -> Target:
    above = pools.of_pool(world, params)
    return Target(
        above.project, above.chain, f"{above.name}/providers/{params['provider']}", "iam.googleapis.com/WorkloadIdentityPoolProvider"
    )


def _name(call: Call) -> str:
    return f"{pools.pool_name(call)}/providers/{call.params['provider']}"


@method(f"{API}.create", f"POST {BASE}", permission="iam.workloadIdentityPoolProviders.create", on=pools.of_pool,
        query=("workloadIdentityPoolProviderId",), body=PROVIDER)  # fmt: skip
def create(call: Call) -> dict[str, Any]:
    short = call.one("workloadIdentityPoolProviderId")
    if not PROVIDER_ID.fullmatch(short):
        raise invalid(
            "The workload_identity_pool_provider_id must be 4-32 characters of lowercase letters, digits and hyphens, and may not start "
            "with `gcp-`.",
            "workload_identity_pool_provider_id",
        )
    pool = call.world.resources.get(pools.pool_name(call))
    if pool is None:
        raise missing()
    if not pool.is_live:
        raise GoogleError("FAILED_PRECONDITION", "Precondition check failed.")
    name = f"{pools.pool_name(call)}/providers/{short}"
    if name in call.world.resources:
        raise taken()
    body = {"name": name, **{field: call.body[field] for field in sorted(CHANGEABLE) if call.body.get(field)}, "state": "ACTIVE"}
    _check(call, body)
    call.world.resources[name] = Resource(body, call.world.now())
    return pools.start_operation(call, name, body, PROVIDER_TYPE)


def _check(call: Call, body: dict[str, Any]) -> None:
    pools.check_texts(body, "workload_identity_pool_provider")
    _check_oidc(call, body.get("oidc", {}))
    org_policies.check_issuer(call, body["oidc"]["issuerUri"])
    mapping, condition = body.get("attributeMapping", {}), body.get("attributeCondition", "")
    if "google.subject" not in mapping:
        raise invalid("The attribute mapping must map google.subject.", "attribute_mapping")
    for key, expression in mapping.items():
        if key not in {"google.subject", "google.groups"} and not CUSTOM.fullmatch(key):
            raise invalid(f"Invalid mapped attribute key: {key}", "attribute_mapping")
        _compile(call, expression, ("assertion.",), "attribute_mapping")
    if len(mapping) > MAPPINGS_MOST or len(condition) > CONDITION_LENGTH:
        raise invalid("The attribute mapping or condition is too long.", "attribute_condition")
    if condition:
        _compile(call, condition, ("assertion.", "google.", "attribute."), "attribute_condition")


def _compile(call: Call, expression: str, names: tuple[str, ...], field: str) -> None:
    try:
        compile_expression(expression, names)
    except ExpressionError as problem:
        call.violate(f"{field} {expression}")
        raise invalid(f"Error compiling the CEL expression {expression!r}: {problem}", field) from problem


def _check_oidc(call: Call, oidc: dict[str, Any]) -> None:
    issuer = urlsplit(oidc.get("issuerUri", ""))
    if issuer.scheme != "https" or not issuer.netloc or issuer.query or issuer.fragment:
        raise invalid("The issuer URI must be a valid URI that uses the https scheme.", "oidc.issuer_uri")
    if oidc.get("jwksJson"):
        call.violate("oidc.jwksJson")
        raise GoogleError("UNIMPLEMENTED", "Uploaded keys are not played here.")
    audiences = oidc.get("allowedAudiences", [])
    if len(audiences) > AUDIENCES_MOST or any(len(audience) > AUDIENCE_LENGTH for audience in audiences):
        raise invalid(f"At most {AUDIENCES_MOST} audiences of {AUDIENCE_LENGTH} characters each.", "oidc.allowed_audiences")


@method(f"{API}.get", f"GET {ONE}", permission="iam.workloadIdentityPoolProviders.get", on=of_provider)
def get(call: Call) -> dict[str, Any]:
    return pools.find(call, _name(call)).body


@method(f"{API}.list", f"GET {BASE}", permission="iam.workloadIdentityPoolProviders.list", on=pools.of_pool, query=(*PAGING, "showDeleted"))
def list_providers(call: Call) -> dict[str, Any]:
    pools.find(call, pools.pool_name(call))
    return pools.listed(call, f"{pools.pool_name(call)}/providers/", "workloadIdentityPoolProviders")


@method(f"{API}.patch", f"PATCH {ONE}", permission="iam.workloadIdentityPoolProviders.update", on=of_provider,
        query=("updateMask",), body=PROVIDER)  # fmt: skip
def patch(call: Call) -> dict[str, Any]:
    found = pools.find(call, _name(call))
    changed = Resource({**found.body, "oidc": dict(found.body["oidc"])}, found.created_at, found.deleted_at)
    pools.update(call, changed, call.body, CHANGEABLE)
    _check(call, changed.body)
    found.body = changed.body
    return pools.start_operation(call, _name(call), found.body, PROVIDER_TYPE)


@method(f"{API}.delete", f"DELETE {ONE}", permission="iam.workloadIdentityPoolProviders.delete", on=of_provider)
def delete(call: Call) -> dict[str, Any]:
    found = pools.find(call, _name(call))
    pools.remove(call, found)
    return pools.start_operation(call, _name(call), found.body, PROVIDER_TYPE)


@method(f"{API}.undelete", f"POST {ONE}:undelete", permission="iam.workloadIdentityPoolProviders.undelete", on=of_provider, body={})
def undelete(call: Call) -> dict[str, Any]:
    found = pools.find(call, _name(call))
    pools.restore(found)
    return pools.start_operation(call, _name(call), found.body, PROVIDER_TYPE)


@method(f"{API}.operations.get", f"GET {ONE}/operations/{{operation}}", permission="iam.workloadIdentityPoolProviders.get", on=of_provider)
def get_operation(call: Call) -> dict[str, Any]:
    return pools.shown_operation(call.world, f"{_name(call)}/operations/{call.params['operation']}")
