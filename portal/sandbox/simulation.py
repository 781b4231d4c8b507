"""SimulatePrincipalPolicy: what a role could do, with its boundary, the account's SCP and the given context."""

from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

from ministack.core import iam_evaluator
from ministack.services import iam

from portal.sandbox.sandbox import Sandbox

Params = dict[str, Any]
WORDS = {"Allow": "allowed", "Deny": "explicitDeny", "ImplicitDeny": "implicitDeny"}
# Keys every request carries by itself, so a simulation never misses them.
GIVEN_KEYS = {"aws:currenttime", "aws:epochtime", "aws:principalarn", "aws:principalaccount", "aws:principaltype", "aws:resourceaccount"}


def simulate(params: Params, sandbox: Sandbox) -> tuple[int, dict[str, str], bytes]:
    source = iam._p(params, "PolicySourceArn")
    account = iam.get_account_id()
    kind, _, name = source.partition(f"arn:aws:iam::{account}:")[2].partition("/")
    name = name.rpartition("/")[2]
    if kind not in {"role", "user"}:
        return iam._error(400, "InvalidInput", f"Invalid Entity Arn: {source} does not clearly define entity type and name.")  # type: ignore[no-any-return]
    store, gather = (
        (iam._roles, iam_evaluator._gather_role_policies) if kind == "role" else (iam._users, iam_evaluator._gather_user_policies)
    )
    if name not in store:
        return iam._error(404, "NoSuchEntity", f"The {kind} with name {name} cannot be found.")  # type: ignore[no-any-return]
    policies = gather(name, account)
    policies += [iam_evaluator.parse_policy_document(text) for text in _members(params, "PolicyInputList")]
    boundary = iam_evaluator._permissions_boundary(store, name, account)
    scp = sandbox.knobs.scps.get(account)
    organisation = [[iam_evaluator.parse_policy_document(scp)]] if scp is not None else []
    context = {key.lower(): values for key, values in _context(params)}
    results = "".join(
        _result(action, resource, source, account, context, policies, boundary, organisation)
        for action in _members(params, "ActionNames")
        for resource in list(_members(params, "ResourceArns")) or ["*"]
    )
    inner = f"<SimulatePrincipalPolicyResult><EvaluationResults>{results}</EvaluationResults><IsTruncated>false</IsTruncated></SimulatePrincipalPolicyResult>"
    return iam._xml(200, "SimulatePrincipalPolicyResponse", inner)  # type: ignore[no-any-return]


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


def _result(
    action: str, resource: str, source: str, account: str, context: dict[str, Any], policies: Any, boundary: Any, organisation: Any
) -> str:
    keys = iam_evaluator.EvalContext(
        principal_arn=source,
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        # Real simulation knows no region unless it is given as a context entry.
        region=context.get("aws:requestedregion", ""),
        service_context=context,
        principal_keys={key: value for key, value in context.items() if key.startswith("aws:principaltag/")},
    )
    found = iam_evaluator.evaluate(keys, policies, *boundary, *organisation)
    decision = WORDS[found.decision]
    details = ""
    if boundary:
        allowed = iam_evaluator.evaluate(keys, *boundary).decision == "Allow"
        details += f"<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>{str(allowed).lower()}</AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail>"
    if organisation:
        allowed = iam_evaluator.evaluate(keys, *organisation).decision == "Allow"
        details += f"<OrganizationsDecisionDetail><AllowedByOrganizations>{str(allowed).lower()}</AllowedByOrganizations></OrganizationsDecisionDetail>"
    matched = (
        f"<member><SourcePolicyId>{escape(found.matched_sid)}</SourcePolicyId><SourcePolicyType>IAM Policy</SourcePolicyType></member>"
        if found.matched_sid
        else ""
    )
    missing = "".join(f"<member>{escape(key)}</member>" for key in _missing(action, policies, boundary, context))
    same = f"<EvalResourceName>{escape(resource)}</EvalResourceName>"
    return (
        f"<member><EvalActionName>{escape(action)}</EvalActionName>{same}<EvalDecision>{decision}</EvalDecision>"
        f"<MatchedStatements>{matched}</MatchedStatements><MissingContextValues>{missing}</MissingContextValues>{details}"
        f"<ResourceSpecificResults><member>{same}<EvalResourceDecision>{decision}</EvalResourceDecision>"
        f"<MatchedStatements>{matched}</MatchedStatements><MissingContextValues>{missing}</MissingContextValues></member></ResourceSpecificResults></member>"
    )


def _missing(action: str, policies: Any, boundary: Any, context: dict[str, Any]) -> list[str]:
    """Condition keys that statements on this action ask for and the simulation was not told."""
    asked = set()
    for statements in [*policies, *(statements for limit in boundary for statements in limit)]:
        for statement in statements:
            if iam_evaluator._action_matches(action, statement.actions, statement.not_actions):
                asked |= {key for block in statement.conditions.values() if isinstance(block, dict) for key in block}
    return sorted(key for key in asked if key.lower() not in context and key.lower() not in GIVEN_KEYS)
