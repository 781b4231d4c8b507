"""AWS: sign in with a web identity, read the kit's stack, compare its trust, ask for permissions, try refusals.

No stored credential takes part: one unsigned call exchanges a token for a session of the customer's own role.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from accounts.clouds.aws.clients import open_client
from accounts.clouds.aws.environment import Surroundings
from accounts.clouds.aws.errors import SIGN_IN, classify, translated
from accounts.clouds.aws.session import OperatorSession
from accounts.clouds.aws.shipped import ShippedKit, ShippedRole
from accounts.clouds.aws.support import ENDED, claims_of, denial
from accounts.clouds.base import (
    ALLOW_CHANGES,
    ALLOW_SUPPORT,
    CloudError,
    Finding,
    Identity,
    KitReport,
    KitStatus,
    Needs,
    PermissionProbe,
    PermissionResult,
    Place,
    RefusalResult,
    Subject,
    Target,
    TokenSource,
)

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

WRONG_AUDIENCE = "wrong-audience.invalid"
NOBODY = "00000000-0000-4000-8000-000000000000"
# Refusals that count as proof: AWS could read the token and said no. An issuer out of reach or a provider that is gone proves nothing.
REFUSALS = {"trust_refused", "token_refused"}
# Every other status is a failure. After a rolled-back update the kit stands as it stood before; a rolled-back creation leaves nothing.
STATUSES = {
    "REVIEW_IN_PROGRESS": KitStatus.CREATING,
    "CREATE_IN_PROGRESS": KitStatus.CREATING,
    "UPDATE_IN_PROGRESS": KitStatus.CREATING,
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": KitStatus.CREATING,
    "UPDATE_ROLLBACK_IN_PROGRESS": KitStatus.CREATING,
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": KitStatus.CREATING,
    "CREATE_COMPLETE": KitStatus.COMPLETE,
    "UPDATE_COMPLETE": KitStatus.COMPLETE,
    "UPDATE_ROLLBACK_COMPLETE": KitStatus.COMPLETE,
    "IMPORT_COMPLETE": KitStatus.COMPLETE,
    "IMPORT_ROLLBACK_COMPLETE": KitStatus.COMPLETE,
    "DELETE_IN_PROGRESS": KitStatus.DELETING,
    "DELETE_COMPLETE": KitStatus.DELETING,
}
# What a kit says of itself: as outputs of its stack, or as tags of the operator role where Terraform made it and there is no stack.
REPORT_TAGS = {
    "KitVersion": "byoc:kit-version",
    "Generation": "byoc:generation",
    "AccountRef": "byoc:account",
    "Region": "byoc:kit-region",
    ALLOW_CHANGES: "byoc:allow-changes",
    ALLOW_SUPPORT: "byoc:allow-support",
}
STACK_TAG = "byoc:kit-stack"
TERRAFORM = "terraform"
# How the simulation must read a context value that is not one string.
CONTEXT_TYPES = {"aws:TagKeys": "stringList", "kms:GrantIsForAWSResource": "boolean"}


class AwsAdapter:
    """One AWS account under one kit. Lives for one step; its session is its own and is not kept."""

    def __init__(self, target: Target, tokens: TokenSource, shipped: ShippedKit) -> None:
        self.target = target
        self.shipped = shipped
        self.session = OperatorSession(target, tokens, shipped)
        self._surroundings: dict[tuple[str, Needs], Surroundings] = {}

    # --- sign in ---

    def probe_trust(self) -> Identity:
        with translated("GetCallerIdentity"):
            told = self.session.client("sts").get_caller_identity()
        if told["Account"] != self.target.external_id:
            params = {"found": told["Account"], "expected": self.target.external_id}
            raise CloudError("wrong_account", raw=told["Arn"], params=params)
        return Identity(told["Account"], told["Arn"])

    def find_kit_elsewhere(self, others: Sequence[Place]) -> str | None:
        for other in others:
            try:
                self.session.assume(self.session.role_arn("operator", other.external_id), self.session.token(Subject.OPS))
            except CloudError:
                continue
            return other.external_id
        return None

    @cached_property
    def _iam(self) -> "IAMClient":
        client: IAMClient = self.session.client("iam")
        return client

    # --- the kit ---

    def describe_kit(self) -> KitReport:
        try:
            with translated("DescribeStacks"):
                (stack,) = self.session.client("cloudformation").describe_stacks(StackName=self.shipped.stack)["Stacks"]
        except CloudError as error:
            if error.code != "kit_not_found":
                raise
            return self._report_without_stack(error)
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        detail = f"{stack['StackStatus']} {stack.get('StackStatusReason', '')}".strip()
        return self._report(outputs, STATUSES.get(stack["StackStatus"], KitStatus.FAILED), stack["StackId"], detail)

    def _report_without_stack(self, missing: CloudError) -> KitReport:
        """The role works but no stack of its name is here. Its tags say whether Terraform made it, or in which region the kit was run."""
        role = self._get_role("operator")
        tags = {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])}
        report = self._report({name: tags.get(tag, "") for name, tag in REPORT_TAGS.items()}, KitStatus.COMPLETE, role["Arn"], TERRAFORM)
        if report.region not in {"", self.target.region}:
            raise CloudError("wrong_region", raw=missing.raw, params={"found": report.region, "expected": self.target.region}) from missing
        if tags.get(STACK_TAG) != TERRAFORM:
            raise missing
        return report

    def _report(self, said: Mapping[str, str], status: KitStatus, made: str, detail: str) -> KitReport:
        """`said` was written in the customer's account, so it may be anything."""
        generation = said.get("Generation", "")
        return KitReport(
            status=status,
            version=said.get("KitVersion", ""),
            generation=int(generation) if generation.isdecimal() else 0,
            account=said.get("AccountRef", ""),
            region=said.get("Region", self.target.region),
            made=made,
            detail=detail,
            switches={name: value for name, value in said.items() if name.startswith("Allow")},
        )

    # --- trust as shipped ---

    def check_trust_unedited(self) -> None:
        self._check_provider()
        for name, role in self.shipped.roles.items():
            self._check_role(name, role)
        for arn, document in self.shipped.limits.items():
            self._check_limit(arn, document)

    def _check_provider(self) -> None:
        with translated("GetOpenIDConnectProvider"):
            told = self._iam.get_open_id_connect_provider(OpenIDConnectProviderArn=self.shipped.provider)
        if sorted(told["ClientIDList"]) != sorted(self.shipped.audiences):
            raise CloudError("trust_policy_edited", raw=f"{self.shipped.provider}: ClientIDList {told['ClientIDList']}")

    def _check_role(self, name: str, shipped: ShippedRole) -> None:
        role = self._get_role(name)
        if not same(role["AssumeRolePolicyDocument"], shipped.trust):
            raise CloudError("trust_policy_edited", raw=f"{shipped.name}: {json.dumps(document_of(role['AssumeRolePolicyDocument']))}")
        boundary = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")
        if boundary != shipped.boundary:
            raise CloudError("boundary_removed", raw=f"{shipped.name}: permissions boundary {boundary or 'none'}")
        if role["MaxSessionDuration"] != shipped.max_session_seconds:
            raise CloudError("trust_policy_edited", raw=f"{shipped.name}: MaxSessionDuration {role['MaxSessionDuration']}")
        self._check_policies(shipped)

    def _check_policies(self, shipped: ShippedRole) -> None:
        with translated("ListAttachedRolePolicies"):
            pages = self._iam.get_paginator("list_attached_role_policies").paginate(RoleName=shipped.name)
            attached = [policy["PolicyArn"] for page in pages for policy in page["AttachedPolicies"]]
        if sorted(attached) != sorted(shipped.attached):
            raise CloudError("policy_edited", raw=f"{shipped.name}: attached {', '.join(sorted(attached)) or 'nothing'}")
        with translated("ListRolePolicies"):
            lists = self._iam.get_paginator("list_role_policies").paginate(RoleName=shipped.name)
            names = {name for page in lists for name in page["PolicyNames"]}
        expected = {name: (document,) for name, document in shipped.policies.items()} | dict(shipped.switches)
        if shipped is self.shipped.roles.get("support"):
            # What ended a session early is the portal's own, and may be that denial and nothing else.
            expected |= {name: (denial(name.removeprefix(ENDED)),) for name in names if name.startswith(ENDED)}
        if names != set(expected):
            raise CloudError("policy_edited", raw=f"{shipped.name}: inline policies {', '.join(sorted(names))}")
        for policy, documents in expected.items():
            with translated("GetRolePolicy"):
                found = self._iam.get_role_policy(RoleName=shipped.name, PolicyName=policy)["PolicyDocument"]
            if not any(same(found, document) for document in documents):
                raise CloudError("policy_edited", raw=f"{shipped.name}/{policy}: {json.dumps(document_of(found))}")

    def _check_limit(self, arn: str, document: Mapping[str, Any]) -> None:
        with translated("GetPolicy"):
            version = self._iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        with translated("GetPolicyVersion"):
            found = self._iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        if not same(found, document):
            raise CloudError("boundary_removed", raw=f"{arn}: {json.dumps(document_of(found))}")

    def _get_role(self, name: str) -> Any:
        with translated("GetRole"):
            return self._iam.get_role(RoleName=self.shipped.roles[name].name)["Role"]

    # --- permissions ---

    def check_permissions(self, probes: Sequence[PermissionProbe]) -> Sequence[PermissionResult]:
        """One simulation per role, resource and context, as many actions in it as share them."""
        found: dict[str, PermissionResult] = {}
        for (role, resource, context), actions in _grouped(probes).items():
            results = self._simulate(role, resource, context, sorted(actions))
            for action, key in actions.items():
                known = found.get(key)
                if known is None or known.is_granted:
                    found[key] = _result(key, results[action.lower()])
        return [found[key] for key in dict.fromkeys(probe.key for probe in probes)]

    def _simulate(self, role: str, resource: str, context: tuple[tuple[str, str], ...], actions: list[str]) -> dict[str, Any]:
        entries = [
            {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": CONTEXT_TYPES.get(key, "string")}
            for key, value in context
        ]
        with translated("SimulatePrincipalPolicy"):
            pages = self._iam.get_paginator("simulate_principal_policy").paginate(
                PolicySourceArn=self.session.role_arn(role),
                ActionNames=actions,
                ResourceArns=[resource],
                ContextEntries=entries,  # type: ignore[arg-type]
            )
            return {result["EvalActionName"].lower(): result for page in pages for result in page["EvaluationResults"]}

    # --- refusals ---

    def check_refusals(self) -> Sequence[RefusalResult]:
        operator = self.session.role_arn("operator")
        stranger = self.session.tokens(subject=f"account:{NOBODY}:{Subject.OPS.value}", audience=self.target.audience)
        elsewhere = self.session.tokens(subject=self.target.subject(Subject.OPS), audience=WRONG_AUDIENCE)
        found = [self._try("wrong_subject", operator, stranger), self._try("wrong_audience", operator, elsewhere)]
        if "support" in self.shipped.roles:  # a recovery kit makes none
            ops = self.session.token(Subject.OPS, claims_of(NOBODY, "nobody"))
            found.append(self._try("support_as_ops", self.session.role_arn("support"), ops))
        return [*found, self._try("ops_as_support", operator, self.session.token(Subject.SUPPORT))]

    def _try(self, name: str, role_arn: str, token: str) -> RefusalResult:
        """A sign-in that must be refused. Raises CloudError when AWS gave no verdict."""
        try:
            self.session.try_role(role_arn, token)
        except (ClientError, BotoCoreError, ResponseParserError) as error:
            refused = classify(SIGN_IN, error, was_trusted=True)
            if refused.code in REFUSALS:
                return RefusalResult(name, is_refused=True, evidence=str(error))
            raise refused from error
        return RefusalResult(name, is_refused=False, evidence=f"{role_arn} was opened")

    # --- surroundings ---

    def check_environment(self, region: str, needs: Needs, only: Sequence[str] = ()) -> Sequence[Finding]:
        return self._surroundings_of(region, needs).findings(only)

    def _surroundings_of(self, region: str, needs: Needs) -> Surroundings:
        """What was read for one check is there for the next. Raises CloudError when we cannot sign in."""
        if (region, needs) not in self._surroundings:
            client = partial(open_client, credentials=self.session.credentials)
            self._surroundings[region, needs] = Surroundings(self, client, region, needs)
        return self._surroundings[region, needs]


def same(found: Any, shipped: Mapping[str, Any]) -> bool:
    """Whether two policy documents say the same, however they are written down."""
    return bool(_normal(document_of(found)) == _normal(document_of(shipped)))


def document_of(document: Any) -> Any:
    """A policy document as data: IAM hands it out as data, as text or percent-encoded."""
    if not isinstance(document, str):
        return document
    return json.loads(document if document.lstrip().startswith("{") else unquote(document))


def _normal(value: Any) -> Any:
    """One element and a list of it are the same to IAM, and the order in a list means nothing."""
    if isinstance(value, Mapping):
        return {key: _normal(item) for key, item in value.items()}
    if isinstance(value, list):
        items = sorted((_normal(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
        return items[0] if len(items) == 1 else items
    return value


def _grouped(probes: Sequence[PermissionProbe]) -> dict[tuple[str, str, tuple[tuple[str, str], ...]], dict[str, str]]:
    groups: dict[tuple[str, str, tuple[tuple[str, str], ...]], dict[str, str]] = defaultdict(dict)
    for probe in probes:
        groups[probe.role, probe.resource, tuple(sorted(probe.context.items()))][probe.action] = probe.key
    return groups


def _result(key: str, told: Mapping[str, Any]) -> PermissionResult:
    decision = told["EvalDecision"]
    organisation = told.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True)
    return PermissionResult(key, decision == "allowed", "" if decision == "allowed" else decision, not organisation)
