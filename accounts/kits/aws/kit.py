"""The AWS kit as the portal uses it: texts and links for the customer, questions and expectations for the adapter. No SDK."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, cached_property
from typing import Any
from urllib.parse import quote, urlencode

from django.utils.translation import gettext

from accounts.clouds.aws.shipped import ShippedKit
from accounts.clouds.base import ALLOW_SUPPORT, PermissionProbe, Target, is_off
from accounts.kits.aws import template, terraform, words
from accounts.kits.aws.environment import ENVIRONMENT_CHECKS
from accounts.kits.aws.installer import installer_policy
from accounts.kits.aws.manifest import DENIALS, GRANTS, RESOURCES, SWITCHES
from accounts.kits.aws.regions import REGIONS
from accounts.kits.aws.shipping import ROLES, shipped_kit
from accounts.kits.aws.shutting import shut_support
from accounts.kits.aws.traffic import TRAFFIC
from accounts.kits.aws.words import IDENTITY_FIELDS, WORDS
from accounts.kits.base import Act, Document, EnvironmentCheck, IdentityField, Publication, Report, Route, Words
from accounts.kits.manifest import Denial, Grant, KitResource, Permission, Region, Role, Switch

AUDIENCE = "sts.amazonaws.com"
# Of any partition: a stack in China or GovCloud is told apart by its region.
_ARN = re.compile(
    r"arn:aws[a-z-]{0,10}:(?P<service>[a-z]{1,30}):(?P<region>[a-z0-9-]{0,30}):(?P<account>[0-9]{12}):(?P<resource>[!-~]{1,200})"
)


@dataclass(frozen=True)
class Evidence:
    """What a pasted ARN tells: the account and region that something stands in. `region` is empty for IAM, which has none."""

    external_id: str
    region: str
    resource: str


class AwsKit:
    """One version of the kit: the files in this folder."""

    cloud = "aws"
    words: Words = WORDS
    identity_fields: tuple[IdentityField, ...] = IDENTITY_FIELDS
    identity_command = "aws sts get-caller-identity --query Account --output text"
    default_region = "us-east-1"
    cell_vcpus = 6
    cell_prefix = "byoc-{short}-cell-"
    cell_regions_are_free = True
    places_since = ""
    cells_since = "1.4.0"
    gives_support: frozenset[str] = frozenset()
    spreads_within = timedelta(minutes=3)
    regions: tuple[Region, ...] = REGIONS
    resources: tuple[KitResource, ...] = RESOURCES
    denials: tuple[Denial, ...] = DENIALS
    switches: tuple[Switch, ...] = SWITCHES
    environment_checks: tuple[EnvironmentCheck, ...] = ENVIRONMENT_CHECKS
    traffic = TRAFFIC
    shipped_type = None

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

    @property
    def documents(self) -> tuple[Document, ...]:
        return (Document(self.template_file, gettext("Template"), self.template_text),)

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

    def policy_json(self, role: str) -> str:
        """What the template grants to one role, as AWS would show it, for an account that is not named yet."""
        document = {"Version": "2012-10-17", "Statement": [_statements()[grant.sid] for grant in GRANTS if grant.role == role]}
        return json.dumps(document, indent=2)

    @property
    def policies(self) -> list[tuple[Role, str]]:
        """Each role of the kit with its policy as JSON."""
        return [(role, self.policy_json(role)) for role in (Role.OPERATOR, Role.SUPPORT)]

    # --- what the customer runs ---

    def parameters_of(self, target: Target) -> dict[str, str]:
        """The parameters of one issued kit."""
        return self.parameters(
            account=target.account,
            generation=target.generation,
            suffix=target.suffix,
            issuer_url=target.issuer,
            external_id=target.external_id,
            region=target.region,
        )

    def parameters(self, *, account: str, generation: int, suffix: str, issuer_url: str, external_id: str, region: str) -> dict[str, str]:
        """Every parameter of the template that the portal fills in. No secret is among them."""
        return {
            "ExpectedAccountId": external_id,
            "ExpectedRegion": region,
            "AccountRef": account,
            "Generation": str(generation),
            "Suffix": suffix,
            "IssuerUrl": issuer_url,
            "Audience": AUDIENCE,
            "AllowChanges": "yes",
            "AllowSupport": "yes",
        }

    def audience(self, target: Target) -> str:
        return AUDIENCE

    def routes(self, target: Target, publication: Publication) -> tuple[Route, ...]:
        template_url = publication.url(self.object_key())
        module_url = publication.url(self.object_key("terraform.zip"))
        parameters = self.parameters_of(target)
        given: dict[str, Any] = {"template_url": template_url, "stack_name": self.stack_name(target.suffix), "parameters": parameters}
        launch_url = self.launch_url(**given, region=target.region, console_url=publication.console_url)
        cli = self.cli_command(**given, region=target.region)
        check = self.check_command(file=self.template_file, sha256=self.content_hash, url=template_url)
        module_check = self.check_command(file="terraform.zip", sha256=self.module_hash, url=module_url)
        snippet = self.terraform_snippet(parameters=parameters, module_url=module_url)
        return (
            words.launch_route(number=target.external_id, launch_url=launch_url),
            words.cli_route(number=target.external_id, command=cli, check=check),
            words.terraform_route(snippet=snippet, check=module_check, sha256=self.module_hash, publication=publication),
        )

    def removal_command(self, target: Target, *, is_last: bool = False) -> str:
        return f"aws cloudformation delete-stack --region {target.region} --stack-name {self.stack_name(target.suffix)}"

    def removal_link(self, target: Target, publication: Publication) -> str:
        """The stacks of the region, this one alone."""
        console = publication.console_url.rstrip("/") or f"https://{target.region}.console.aws.amazon.com"
        query = urlencode({"filteringText": self.stack_name(target.suffix)}, quote_via=quote)
        return f"{console}/cloudformation/home?region={target.region}#/stacks?{query}"

    def shell_link(self, target: Target, publication: Publication) -> str:
        console = publication.console_url.rstrip("/")
        return (
            f"{console}/shell/aws" if console else f"https://{target.region}.console.aws.amazon.com/cloudshell/home?region={target.region}"
        )

    def switch_command(self, target: Target, publication: Publication, switch: str, value: str) -> str:
        """An update of the stack with the template that it has: right for an earlier version as well."""
        lines = [
            "aws cloudformation update-stack",
            f"--region {target.region}",
            f"--stack-name {self.stack_name(target.suffix)}",
            "--use-previous-template",
            "--capabilities CAPABILITY_NAMED_IAM",
            "--parameters",
        ]
        kept = [f"  ParameterKey={name},UsePreviousValue=true" for name in self.parameters_of(target) if name != switch]
        return " \\\n  ".join([*lines, *kept, f"  ParameterKey={switch},ParameterValue={value}"])

    def place_command(self, target: Target, publication: Publication, region: str) -> str:
        return ""

    def place_removal_command(self, target: Target, region: str) -> str:
        return ""

    def shut_support(self, target: Target, publication: Publication) -> Sequence[Act]:
        return shut_support(target, self.switch_command(target, publication, ALLOW_SUPPORT, "no"))

    def made_name(self, suffix: str) -> str:
        return self.stack_name(suffix)

    def stack_name(self, suffix: str) -> str:
        return f"byoc-{suffix}-kit"

    def object_key(self, file: str = "template.yaml", *, version: str = "", content_hash: str = "") -> str:
        """Where a file of a kit lies in the provider's bucket: named by its content, so it never changes."""
        return f"kits/aws/{version or self.version}/{content_hash or self.content_hash}/{file}"

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

    def cli_command(self, *, template_url: str, stack_name: str, parameters: Mapping[str, str], region: str, file: str = "") -> str:
        """The same stack from a shell. Without a published template it expects the file in the current folder."""
        source = f"--template-url '{template_url}'" if template_url else f"--template-body file://{file or self.template_file}"
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

    def installer_rights(self, publication: Publication, issuer: str) -> str:
        """As an IAM policy, for this version alone. Empty without a published template: who may run any template has the rights
        of an administrator, so there is nothing to narrow down.
        """
        if not publication.is_published:
            return ""
        template_url, bucket = publication.url(self.object_key()), publication.bucket or "*"
        return json.dumps(
            installer_policy(template_url=template_url, issuer=issuer, attached=_attached_policies(), bucket=bucket), indent=2
        )

    def check_command(self, *, file: str, sha256: str, url: str = "") -> str:
        """Compares a file of the kit with its hash in a shell; with an address, fetches it first."""
        check = f"echo '{sha256}  {file}' | sha256sum --check"
        return f"curl -fsS -o {file} '{url}' && \\\n  {check}" if url else check

    # --- input ---

    def region(self, code: str) -> Region:
        """Raises KeyError for a region that is not offered."""
        return {region.code: region for region in REGIONS}[code]

    def read_evidence(self, text: str) -> Evidence | None:
        """What a pasted ARN of the kit's stack or roles says about where it stands; None if there is no ARN in the text."""
        found = _ARN.search(text)
        return Evidence(found["account"], found["region"], found["resource"]) if found else None

    def read_report(self, text: str) -> Report | None:
        """The ARN alone is kept, not what was pasted around it."""
        found = _ARN.search(text)
        return Report({"stack": found[0]}, found["account"], found["region"]) if found else None

    def why_not_report(self, report: Report, target: Target) -> str:
        """An ARN of another account or region is no slip of the pen: the kit was run there, which the next look tells at length."""
        return ""

    # --- for the adapter ---

    def keeps(self, version: str) -> bool:
        return version == self.version or (template.HISTORY_PATH / f"{version}.kit.yaml").exists()

    def shipped(self, target: Target) -> ShippedKit:
        """What must stand in the customer's account, document by document. Of a version that nobody kept: what is shipped now, which
        names and addresses are the same in; the version itself is told apart by the step that reads it.
        """
        parameters = self.parameters_of(target)
        is_earlier = target.kit_version != self.version and self.keeps(target.kit_version)
        rendered = {
            switch: template.Rendered(
                parameters | {"AllowChanges": switch, "AllowSupport": switch},
                account_id=target.external_id,
                region=target.region,
                stack=self.stack_name(target.suffix),
                version=target.kit_version if is_earlier else "",
            )
            for switch in ("yes", "no")
        }
        operators = [probe for probe in self.probes(target) if probe.role == Role.OPERATOR]
        stack = self.stack_name(target.suffix)
        return shipped_kit(target, rendered["yes"], rendered["no"], stack=stack, audience=AUDIENCE, probes=operators)

    def probes(self, target: Target, switches: Mapping[str, str] | None = None) -> tuple[PermissionProbe, ...]:
        """Every permission of the manifest as a question that the cloud must answer with yes.

        `switches` as the kit reports them: support that the customer has switched off is not asked about.
        """
        is_support_off = is_off(switches, ALLOW_SUPPORT)
        grants = [grant for grant in GRANTS if not (is_support_off and grant.role == Role.SUPPORT)]
        return tuple(probe_of(grant.role, action, grant, target) for grant in grants for action in grant.actions)

    def forbidden_probes(self, target: Target) -> tuple[PermissionProbe, ...]:
        """Every promise of the manifest as questions that the cloud must answer with no."""
        return tuple(probe_of(denial.role, action, denial, target) for denial in DENIALS for action in denial.actions)


def permission_key(role: str, action: str) -> str:
    """How stored checks name a permission: the operator's by its action alone, as nearly all are the operator's."""
    return action if role == Role.OPERATOR else f"{role}/{action}"


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


def probe_of(role: Role, action: str, asked: Grant | Denial, target: Target) -> PermissionProbe:
    """One action of a grant or a promise, in this account."""
    names = {
        "account": target.account,
        "account_id": target.external_id,
        "region": target.region,
        "suffix": target.suffix,
        "short": target.suffix.partition("-")[0],
        "issuer_path": target.issuer.removeprefix("https://"),
    }
    filled = {key: value.format(**names) for key, value in asked.context.items()}
    return PermissionProbe(permission_key(role, action), role.value, action, asked.resource.format(**names), filled)


def _attached_policies() -> list[str]:
    """AWS's own policies that the template attaches to roles."""
    return sorted({policy for logical_id in ROLES.values() for policy in _readable().properties(logical_id).get("ManagedPolicyArns", [])})
