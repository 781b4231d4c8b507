"""The AWS kit as the portal uses it: texts and links for the customer, questions and expectations for the adapter. No SDK."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any
from urllib.parse import quote, urlencode

from accounts.clouds.base import PermissionProbe, ShippedKit, ShippedRole, Target
from accounts.kits.aws import template, terraform
from accounts.kits.aws.manifest import DENIALS, GRANTS, RESOURCES, SWITCHES
from accounts.kits.aws.regions import REGIONS
from accounts.kits.manifest import Denial, KitResource, Permission, Region, Role, Switch

AUDIENCE = "sts.amazonaws.com"
# Every role of the kit, by the name it goes by in a ShippedKit. Only the first two are opened by the portal.
_ROLES = {
    "operator": "OperatorRole",
    "support": "SupportRole",
    "cell-cluster": "CellClusterRole",
    "cell-node": "CellNodeRole",
    "cell-storage": "CellStorageRole",
}
# Of any partition: a stack in China or GovCloud is told apart by its region.
_ARN = re.compile(r"arn:aws[a-z-]*:(?P<service>[a-z]+):(?P<region>[a-z0-9-]*):(?P<account>[0-9]{12}):(?P<resource>\S+)")


@dataclass(frozen=True)
class Evidence:
    """What a pasted ARN tells: the account and region that something stands in. `region` is empty for IAM, which has none."""

    external_id: str
    region: str
    resource: str


class AwsKit:
    """One version of the kit: the files in this folder."""

    cloud = "aws"
    audience = AUDIENCE
    identity_command = "aws sts get-caller-identity"
    regions: tuple[Region, ...] = REGIONS
    resources: tuple[KitResource, ...] = RESOURCES
    denials: tuple[Denial, ...] = DENIALS
    switches: tuple[Switch, ...] = SWITCHES

    @property
    def version(self) -> str:
        return template.version()

    @property
    def template_text(self) -> str:
        return template.text()

    @property
    def content_hash(self) -> str:
        """SHA-256 of the template, 64 hex digits."""
        return template.sha256()

    @property
    def module_hash(self) -> str:
        """SHA-256 of the Terraform module's zip, 64 hex digits."""
        return terraform.archive_sha256()

    @property
    def template_file(self) -> str:
        """What the template is called on the customer's disk."""
        return f"byoc-kit-{self.version}.yaml"

    # --- what it may do ---

    @cached_property
    def permissions(self) -> tuple[Permission, ...]:
        """One line per role and action, in the order of the template. An action that two statements allow is one line."""
        found: dict[str, Permission] = {}
        for grant in GRANTS:
            for action, reason in grant.actions.items():
                key = permission_key(grant.role, action)
                known = found.get(key)
                if known:
                    found[key] = Permission(key, action, grant.role, known.phase, known.reason, known.limit, (*known.sids, grant.sid))
                else:
                    found[key] = Permission(key, action, grant.role, grant.phase, reason, grant.limit, (grant.sid,))
        return tuple(found.values())

    def operator_permissions(self) -> tuple[Permission, ...]:
        return tuple(permission for permission in self.permissions if permission.role == Role.OPERATOR)

    def support_permissions(self) -> tuple[Permission, ...]:
        return tuple(permission for permission in self.permissions if permission.role == Role.SUPPORT)

    def search_permissions(self, words: str) -> tuple[Permission, ...]:
        """Permissions whose action, reason, limit, role or phase holds every one of the words."""
        wanted = words.casefold().split()
        return tuple(permission for permission in self.permissions if _holds_all(permission, wanted))

    def policy_json(self, role: str) -> str:
        """What the template grants to one role, as AWS would show it, for an account that is not named yet."""
        document = {"Version": "2012-10-17", "Statement": [_statements()[grant.sid] for grant in GRANTS if grant.role == role]}
        return json.dumps(document, indent=2)

    @property
    def policies(self) -> list[tuple[Role, str]]:
        """Each role of the kit with its policy as JSON."""
        return [(role, self.policy_json(role)) for role in Role]

    # --- what the customer runs ---

    def parameters(self, *, account: str, generation: int, suffix: str, issuer_url: str, external_id: str, region: str) -> dict[str, str]:
        """Every parameter of the template that the portal fills in. No secret is among them."""
        return {
            "ExpectedAccountId": external_id,
            "ExpectedRegion": region,
            "AccountRef": account,
            "Generation": str(generation),
            "Suffix": suffix,
            "IssuerUrl": issuer_url,
            "Audience": self.audience,
            "AllowChanges": "yes",
            "AllowSupport": "yes",
        }

    def stack_name(self, suffix: str) -> str:
        return f"byoc-{suffix}-kit"

    def object_key(self, file: str = "template.yaml", *, version: str = "", content_hash: str = "") -> str:
        """Where a file of a kit lies in the provider's bucket: named by its content, so it never changes."""
        return f"kits/aws/{version or self.version}/{content_hash or self.content_hash}/{file}"

    def template_url(self, *, bucket: str, region: str, base_url: str = "") -> str:
        """Public address of the template. Empty while nothing is published. AWS opens links only for templates in S3."""
        return self._file_url("template.yaml", bucket=bucket, region=region, base_url=base_url)

    def module_url(self, *, bucket: str, region: str, base_url: str = "") -> str:
        """Public address of the Terraform module as a zip. Empty while nothing is published."""
        return self._file_url("terraform.zip", bucket=bucket, region=region, base_url=base_url)

    def _file_url(self, file: str, *, bucket: str, region: str, base_url: str) -> str:
        if not bucket and not base_url:
            return ""
        base = base_url.rstrip("/") or f"https://{bucket}.s3.{region}.amazonaws.com"
        return f"{base}/{self.object_key(file)}"

    def files(self) -> dict[str, bytes]:
        """Everything that is published of this version, by key in the provider's bucket.

        The version's own record of its content makes a second content under the same version a conflict.
        """
        return {
            self.object_key("template.yaml"): self.template_text.encode(),
            self.object_key("terraform.zip"): terraform.archive(),
            f"kits/aws/{self.version}/template.sha256": f"{self.content_hash}\n".encode(),
        }

    def launch_url(self, *, template_url: str, stack_name: str, parameters: Mapping[str, str], region: str, console_url: str = "") -> str:
        """CloudFormation's quick-create link: opens the customer's console with everything filled in, runs nothing by itself."""
        console = console_url.rstrip("/") or f"https://{region}.console.aws.amazon.com"
        query = {"templateURL": template_url, "stackName": stack_name} | {f"param_{name}": value for name, value in parameters.items()}
        return f"{console}/cloudformation/home?region={region}#/stacks/create/review?{urlencode(query, quote_via=quote, safe='')}"

    def cli_command(self, *, template_url: str, stack_name: str, parameters: Mapping[str, str], region: str) -> str:
        """The same stack from a shell. Without a published template it expects the file in the current folder."""
        source = f"--template-url '{template_url}'" if template_url else f"--template-body file://{self.template_file}"
        lines = [
            "aws cloudformation create-stack",
            f"--region {region}",
            f"--stack-name {stack_name}",
            source,
            "--capabilities CAPABILITY_NAMED_IAM",
            "--on-failure DELETE",
            f"--tags Key=byoc:account,Value={parameters['AccountRef']}",
            "--parameters",
        ]
        lines += [f"  ParameterKey={name},ParameterValue={value}" for name, value in parameters.items()]
        return " \\\n  ".join(lines)

    def terraform_snippet(self, *, parameters: Mapping[str, str], module_url: str = "") -> str:
        """The same trust as a Terraform module. Without a published module it expects the folder beside the file."""
        return terraform.snippet(parameters, source=module_url or "./byoc-aws-kit")

    def installer_policy(self, *, template_url: str, issuer: str, suffix: str = "", bucket: str = "") -> str:
        """The exact rights of the person who runs the kit through CloudFormation, as an IAM policy. Without a suffix, for any kit.

        `issuer` is the portal's token issuer, its scheme included. Holds for this version alone. Empty without a published template:
        who may run any template has the rights of an administrator, so there is nothing to narrow down.
        """
        return json.dumps(_installer_policy(template_url, issuer, suffix or "*", bucket), indent=2) if template_url else ""

    def check_command(self, *, file: str, sha256: str, url: str = "") -> str:
        """Compares a file of the kit with its hash in a shell; with an address, fetches it first."""
        check = f"echo '{sha256}  {file}' | sha256sum --check"
        return f"curl -fsS -o {file} '{url}' && \\\n  {check}" if url else check

    # --- input ---

    def region(self, code: str) -> Region:
        """Raises KeyError for a region that is not offered."""
        return {region.code: region for region in REGIONS}[code]

    def clean_account_id(self, text: str) -> str:
        """The 12 digits in a pasted account number; spaces and dashes are fine. Raises ValueError."""
        digits = re.sub(r"[\s\u00a0\u2010-\u2015-]", "", text)
        if not re.fullmatch(r"(?!0{12})[0-9]{12}", digits):  # AWS gives nobody twelve zeros
            raise ValueError("an AWS account number has 12 digits")
        return digits

    def read_evidence(self, text: str) -> Evidence | None:
        """What a pasted ARN of the kit's stack or roles says about where it stands; None if there is no ARN in the text."""
        found = _ARN.search(text)
        return Evidence(found["account"], found["region"], found["resource"]) if found else None

    # --- for the adapter ---

    def shipped(self, target: Target) -> ShippedKit:
        """What must stand in the customer's account, document by document."""
        parameters = self.parameters(
            account=target.account,
            generation=target.generation,
            suffix=target.suffix,
            issuer_url=target.issuer,
            external_id=target.external_id,
            region=target.region,
        )
        rendered = {
            switch: template.Rendered(
                parameters | {"AllowChanges": switch, "AllowSupport": switch},
                account_id=target.external_id,
                region=target.region,
                stack=self.stack_name(target.suffix),
            )
            for switch in ("yes", "no")
        }
        on, off = rendered["yes"], rendered["no"]
        limits = [on.properties(name) for name in on.logical_ids("AWS::IAM::ManagedPolicy")]
        iam = f"arn:aws:iam::{target.external_id}"
        return ShippedKit(
            stack=self.stack_name(target.suffix),
            provider=f"{iam}:oidc-provider/{target.issuer.removeprefix('https://')}",
            provider_url=target.issuer,
            audiences=(self.audience,),
            roles={name: _shipped_role(on.properties(logical_id), off.properties(logical_id)) for name, logical_id in _ROLES.items()},
            limits={f"{iam}:policy/{policy['ManagedPolicyName']}": policy["PolicyDocument"] for policy in limits},
        )

    def probes(self, target: Target, switches: Mapping[str, str] | None = None) -> tuple[PermissionProbe, ...]:
        """Every permission of the manifest as a question that the cloud must answer with yes.

        `switches` as the kit reports them: support that the customer has switched off is not asked about.
        """
        is_support_off = (switches or {}).get("AllowSupport") == "no"
        grants = [grant for grant in GRANTS if not (is_support_off and grant.role == Role.SUPPORT)]
        return tuple(_probe(grant.role, action, grant.resource, grant.context, target) for grant in grants for action in grant.actions)

    def forbidden_probes(self, target: Target) -> tuple[PermissionProbe, ...]:
        """Every promise of the manifest as questions that the cloud must answer with no."""
        return tuple(
            _probe(denial.role, action, denial.resource, denial.context, target) for denial in DENIALS for action in denial.actions
        )


def permission_key(role: str, action: str) -> str:
    """How stored checks name a permission: the operator's by its action alone, as nearly all are the operator's."""
    return action if role == Role.OPERATOR else f"{role}/{action}"


def _holds_all(permission: Permission, words: Sequence[str]) -> bool:
    texts = (permission.action, permission.reason, permission.limit, permission.role.label, permission.phase.label)
    text = " ".join(str(part) for part in texts).casefold()
    return all(word in text for word in words)


@cache
def _readable() -> template.Rendered:
    """The template with readable placeholders for one account's values."""
    parameters = {
        "AccountRef": "<account>",
        "Generation": "<generation>",
        "Suffix": "<short>-<generation>",
        "IssuerUrl": "https://<issuer>",
    }
    return template.Rendered(parameters, account_id="<account number>", region="<region>", stack="<stack>")


@cache
def _statements() -> dict[str, dict[str, Any]]:
    """The template's identity statements of the portal's two roles, by Sid."""
    policies = [policy for role in ("OperatorRole", "SupportRole") for policy in _readable().properties(role)["Policies"]]
    return {statement["Sid"]: statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]}


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


def _probe(role: Role, action: str, resource: str, context: Mapping[str, str], target: Target) -> PermissionProbe:
    names = {
        "account": target.account,
        "account_id": target.external_id,
        "region": target.region,
        "suffix": target.suffix,
        "short": target.suffix.partition("-")[0],
        "issuer_path": target.issuer.removeprefix("https://"),
    }
    filled = {key: value.format(**names) for key, value in context.items()}
    return PermissionProbe(permission_key(role, action), role.value, action, resource.format(**names), filled)


def _installer_policy(template_url: str, issuer: str, suffix: str, bucket: str) -> dict[str, Any]:
    iam = "arn:aws:iam::*"
    stack = f"arn:aws:cloudformation:*:*:stack/byoc-{suffix}-kit/*"
    cells = f"{iam}:role/byoc-{suffix}-cell-*"
    roles = [f"{iam}:role/byoc-{suffix}-operator", f"{iam}:role/byoc-{suffix}-support", cells]
    limits = f"{iam}:policy/byoc-{suffix}-*-boundary"
    provider = f"{iam}:oidc-provider/{issuer.removeprefix('https://')}/trust/*"
    this_version = {"StringEquals": {"cloudformation:TemplateUrl": template_url}}
    by_stack: dict[str, Any] = {"StringEquals": {"aws:CalledViaFirst": "cloudformation.amazonaws.com"}}
    limited = by_stack | {"ArnLike": {"iam:PermissionsBoundary": limits}}
    attached = by_stack | {"ArnLike": {"iam:PermissionsBoundary": limits, "iam:PolicyARN": _attached_policies()}}
    return {
        "Version": "2012-10-17",
        "Statement": [
            _allow("SeeStacks", ["cloudformation:GetTemplateSummary", "cloudformation:ListStacks", "cloudformation:ValidateTemplate"], "*"),
            _allow("RunThisVersion", ["cloudformation:CreateStack", "cloudformation:UpdateStack"], stack, this_version),
            _allow("WatchAndDeleteTheKit", _INSTALLER_STACK, stack),
            _allow("CreateItsRolesWithinLimits", _INSTALLER_LIMITED, roles, limited),
            _allow("GiveCellRolesAwsPolicies", ["iam:AttachRolePolicy", "iam:DetachRolePolicy"], cells, attached),
            _allow("KeepItsRoles", _INSTALLER_ROLES, roles, by_stack),
            _allow("CreateItsLimits", _INSTALLER_POLICIES, limits, by_stack),
            _allow("CreateItsIdentityProvider", _INSTALLER_PROVIDER, provider, by_stack),
            _allow("ReadTheTemplate", ["s3:GetObject"], f"arn:aws:s3:::{bucket or '*'}/kits/aws/*"),
        ],
    }


def _attached_policies() -> list[str]:
    """AWS's own policies that the template attaches to roles."""
    return sorted({policy for logical_id in _ROLES.values() for policy in _readable().properties(logical_id).get("ManagedPolicyArns", [])})


def _allow(
    sid: str, actions: Iterable[str], resource: str | list[str], condition: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    statement: dict[str, Any] = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}
    return statement | {"Condition": condition} if condition else statement


_INSTALLER_STACK = (
    "cloudformation:DeleteStack",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStackResources",
    "cloudformation:DescribeStacks",
    "cloudformation:GetTemplate",
    "cloudformation:TagResource",
)
_INSTALLER_LIMITED = (
    "iam:CreateRole",
    "iam:DeleteRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
)
_INSTALLER_ROLES = (
    "iam:DeleteRole",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:TagRole",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
    "iam:UpdateRoleDescription",
)
_INSTALLER_POLICIES = (
    "iam:CreatePolicy",
    "iam:CreatePolicyVersion",
    "iam:DeletePolicy",
    "iam:DeletePolicyVersion",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:ListPolicyVersions",
    "iam:TagPolicy",
)
_INSTALLER_PROVIDER = (
    "iam:CreateOpenIDConnectProvider",
    "iam:DeleteOpenIDConnectProvider",
    "iam:GetOpenIDConnectProvider",
    "iam:TagOpenIDConnectProvider",
    "iam:UntagOpenIDConnectProvider",
    "iam:UpdateOpenIDConnectProviderThumbprint",
)
