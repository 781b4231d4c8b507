"""Service Quotas, a small own handler: ministack has none. Defaults are AWS's; the control endpoint overrides per account."""

import json
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import request_scope
from ministack.services import sts as ministack_sts

from portal.sandbox import wire
from portal.sandbox.request import Request
from portal.sandbox.sandbox import Sandbox

DEFAULTS: dict[str, tuple[str, float]] = {
    "vpc/L-F678F1CE": ("VPCs per Region", 5.0),
    "vpc/L-FE5A380F": ("NAT gateways per Availability Zone", 5.0),
    "ec2/L-0263D0A3": ("EC2-VPC Elastic IPs", 5.0),
    "ec2/L-1216C47A": ("Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 8.0),
    "eks/L-1194D53C": ("Clusters", 100.0),
}


async def answer(request: Request, sandbox: Sandbox) -> wire.Reply:
    """GetServiceQuota, GetAWSDefaultServiceQuota, ListServiceQuotas: signature and policy checked first, as everywhere."""
    asked = json.loads(request.body or b"{}")
    account = iam_evaluator.find_iam_access_key_account(request.access_key) or _session_account(request.access_key)
    with request_scope(account, request.region):
        raw_path = request.path
        iam_evaluator.pin_signed_request(
            request.method, raw_path, request.query, [(n.encode(), v.encode("latin-1")) for n, v in request.headers.items()]
        )
        iam_evaluator.pin_signed_body(request.body)
        refused = iam_evaluator.enforce(
            request.access_key, f"servicequotas:{request.action}", "servicequotas", request.region, resource_arn="*"
        )
    if isinstance(refused, iam_evaluator.AuthError):
        return wire.refusal("servicequotas", 403, refused.code, refused.message)
    if refused is not None:
        return wire.denied("servicequotas", request.action)
    overrides = sandbox.knobs.quotas.get(account, {}) if request.action != "GetAWSDefaultServiceQuota" else {}
    if request.action in {"GetServiceQuota", "GetAWSDefaultServiceQuota"}:
        name = f"{asked.get('ServiceCode')}/{asked.get('QuotaCode')}"
        if name not in DEFAULTS:
            return wire.refusal(
                "servicequotas", 404, "NoSuchResourceException", "The request failed because the specified quota does not exist."
            )
        return _document({"Quota": _quota(name, overrides, account, request.region)})
    if request.action == "ListServiceQuotas":
        names = [name for name in DEFAULTS if name.startswith(f"{asked.get('ServiceCode')}/")]
        return _document({"Quotas": [_quota(name, overrides, account, request.region) for name in names]})
    sandbox.violate(kind="action", service="servicequotas", action=request.action)
    return wire.refusal("servicequotas", 400, "UnknownOperationException", request.action)


def _session_account(access_key: str) -> str:
    return str((ministack_sts._sessions.get(access_key) or {}).get("AccountId", access_key))


def _quota(name: str, overrides: dict[str, float], account: str, region: str) -> dict[str, Any]:
    service, _, code = name.partition("/")
    title, value = DEFAULTS[name]
    return {
        "ServiceCode": service,
        "QuotaCode": code,
        "QuotaName": title,
        "QuotaArn": f"arn:aws:servicequotas:{region}:{account}:{name}",
        "Value": overrides.get(name, value),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


def _document(value: dict[str, Any]) -> wire.Reply:
    return wire.Reply(200, wire.JSON_1_1, json.dumps(value).encode())
