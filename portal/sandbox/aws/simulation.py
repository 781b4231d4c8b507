"""SimulatePrincipalPolicy: what a role could do, with its boundary, the account's SCP and the given context."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from ministack.core import iam_evaluator
from ministack.services import iam

from portal.sandbox.sandbox import Sandbox

Params = dict[str, Any]
WORDS = {"Allow": "allowed", "Deny": "explicitDeny", "ImplicitDeny": "implicitDeny"}
# Keys every request carries by itself, so a simulation never misses them.
GIVEN_KEYS = {"aws:currenttime", "aws:epochtime", "aws:principalarn", "aws:principalaccount", "aws:principaltype", "aws:resourceaccount"}


@dataclass(frozen=True)
class Layers:
    """All that decides about one principal."""

    source: str
    account: str
    policies: Any
    boundary: Any
    organisation: Any

    @classmethod
    def of(cls, source: str, params: Params, sandbox: Sandbox) -> "Layers | None":
        """None when there is no such user or role."""
        account = iam.get_account_id()
        kind, _, path = source.partition(f"arn:aws:iam::{account}:")[2].partition("/")
        store = {"role": iam._roles, "user": iam._users}[kind]
        gather = {"role": iam_evaluator._gather_role_policies, "user": iam_evaluator._gather_user_policies}[kind]
        name = path.rpartition("/")[2]
        if name not in store:
            return None
        policies = gather(name, account) + [iam_evaluator.parse_policy_document(text) for text in _members(params, "PolicyInputList")]
        scp = sandbox.knobs.scps.get(account)
        organisation = [[iam_evaluator.parse_policy_document(scp)]] if scp is not None else []
        return cls(source, account, policies, iam_evaluator._permissions_boundary(store, name, account), organisation)


def simulate(params: Params, sandbox: Sandbox) -> tuple[int, dict[str, str], bytes]:
    source = iam._p(params, "PolicySourceArn")
    if not source.startswith((f"arn:aws:iam::{iam.get_account_id()}:role/", f"arn:aws:iam::{iam.get_account_id()}:user/")):
        return _refusal(400, "InvalidInput", f"Invalid Entity Arn: {source} does not clearly define entity type and name.")
    layers = Layers.of(source, params, sandbox)
    if layers is None:
        return _refusal(404, "NoSuchEntity", f"No user or role {source} can be found.")
    context = {key.lower(): values for key, values in _context(params)}
    results = "".join(
        _result(action, resource, layers, context)
        for action in _members(params, "ActionNames")
        for resource in list(_members(params, "ResourceArns")) or ["*"]
    )
    inner = f"<EvaluationResults>{results}</EvaluationResults><IsTruncated>false</IsTruncated>"
    answer: tuple[int, dict[str, str], bytes] = iam._xml(
        200, "SimulatePrincipalPolicyResponse", f"<SimulatePrincipalPolicyResult>{inner}</SimulatePrincipalPolicyResult>"
    )
    return answer


def _refusal(status: int, code: str, message: str) -> tuple[int, dict[str, str], bytes]:
    answer: tuple[int, dict[str, str], bytes] = iam._error(status, code, message)
    return answer


def _members(params: Params, name: str) -> Iterator[str]:
    number = 1
    while value := iam._p(params, f"{name}.member.{number}"):
        yield value
        number += 1


def _context(params: Params) -> Iterator[tuple[str, Any]]:
    number = 1
    while key := iam._p(params, f"ContextEntries.member.{number}.ContextKeyName"):
        prefix = f"ContextEntries.member.{number}"
        values = list(_members(params, f"{prefix}.ContextKeyValues"))
        kind = iam._p(params, f"{prefix}.ContextKeyType")
        yield key, values if kind.endswith("List") else (values[0] if values else "")
        number += 1


def _result(action: str, resource: str, layers: Layers, context: dict[str, Any]) -> str:
    keys = iam_evaluator.EvalContext(
        principal_arn=layers.source,
        principal_type="AssumedRole",
        principal_account=layers.account,
        action=action,
        resource_arn=resource,
        # Real simulation knows no region unless it is given as a context entry.
        region=context.get("aws:requestedregion", ""),
        service_context=context,
        principal_keys={key: value for key, value in context.items() if key.startswith("aws:principaltag/")},
    )
    found = iam_evaluator.evaluate(keys, layers.policies, *layers.boundary, *layers.organisation)
    matched = ""
    if found.matched_sid:
        matched = (
            f"<member><SourcePolicyId>{escape(found.matched_sid)}</SourcePolicyId><SourcePolicyType>IAM Policy</SourcePolicyType></member>"
        )
    missing = "".join(f"<member>{escape(key)}</member>" for key in _missing(action, layers, context))
    same = f"<EvalResourceName>{escape(resource)}</EvalResourceName>"
    why = f"<MatchedStatements>{matched}</MatchedStatements><MissingContextValues>{missing}</MissingContextValues>"
    decision = WORDS[found.decision]
    details = _limit(keys, layers.boundary, "PermissionsBoundaryDecisionDetail", "AllowedByPermissionsBoundary")
    details += _limit(keys, layers.organisation, "OrganizationsDecisionDetail", "AllowedByOrganizations")
    return (
        f"<member><EvalActionName>{escape(action)}</EvalActionName>{same}<EvalDecision>{decision}</EvalDecision>{why}{details}"
        f"<ResourceSpecificResults><member>{same}<EvalResourceDecision>{decision}</EvalResourceDecision>{why}</member></ResourceSpecificResults>"
        "</member>"
    )


def _limit(keys: Any, limit: Any, detail: str, word: str) -> str:
    """Whether a boundary or an SCP allows, where there is one."""
    if not limit:
        return ""
    allowed = iam_evaluator.evaluate(keys, *limit).decision == "Allow"
    return f"<{detail}><{word}>{str(allowed).lower()}</{word}></{detail}>"


def _missing(action: str, layers: Layers, context: dict[str, Any]) -> list[str]:
    """Condition keys that statements on this action ask for and the simulation was not told."""
    asked = set()
    for statements in [*layers.policies, *(statements for limit in layers.boundary for statements in limit)]:
        for statement in statements:
            if iam_evaluator._action_matches(action, statement.actions, statement.not_actions):
                asked |= {key for block in statement.conditions.values() if isinstance(block, dict) for key in block}
    return sorted(key for key in asked if key.lower() not in context and key.lower() not in GIVEN_KEYS)
