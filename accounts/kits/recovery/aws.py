"""The AWS kit without everything that creates or changes, as a CloudFormation template of its own."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from typing import Any

import yaml
from django.utils.translation import gettext

from accounts.clouds.aws.shipped import ShippedKit
from accounts.clouds.base import PermissionProbe, Target
from accounts.kits.aws import template, words
from accounts.kits.aws.kit import AwsKit, probe_of
from accounts.kits.aws.manifest import GRANTS
from accounts.kits.aws.shipping import shipped_kit
from accounts.kits.base import Document, Publication, Route
from accounts.kits.manifest import Role
from accounts.kits.recovery.base import SUFFIX, Diff, diff_of, recovered, withheld
from portal.operations.catalogue import Text

# What EKS deletes with, besides the operator: AWS cannot take clusters and their machines away whole without the roles they run with.
RESOURCES = ("IdentityProvider", "OperatorBoundary", "OperatorRole", "CellBoundary", "CellClusterRole", "CellNodeRole")
OUTPUTS = ("KitVersion", "Generation", "AccountRef", "Region", "OperatorRoleArn", "AllowChanges", "AllowSupport")
# Of the limits of clusters and machines, which the manifest has no lines for.
_LOOKS_OR_REMOVES = re.compile(
    r"(Batch(Check|Get)|Delete|Deregister|Describe|Detach|Disassociate|Get|List|Release|Revoke|Terminate|Unassign)"
)
_ANY = {"elasticloadbalancing:*": ("elasticloadbalancing:Delete*", "elasticloadbalancing:Deregister*", "elasticloadbalancing:Describe*")}
_HEAD = """\
# The recovery kit of version {version}, for an account that leaves and whose kit was removed before its cleanup had finished.
# It is the kit itself without every right to create or to change something, and without support. It is written by the portal from the
# kit's own template. Delete its stack when the portal says so, with the kit's own command.
"""


class AwsRecovery:
    """The same stack under the same names, with less in it."""

    note: Text = ""

    def __init__(self) -> None:
        self.kit = AwsKit()

    @property
    def version(self) -> str:
        return self.kit.version + SUFFIX

    @cached_property
    def diff(self) -> Diff:
        return diff_of(self.kit.permissions, GRANTS)

    @property
    def content_hash(self) -> str:
        """SHA-256 of the template, 64 hex digits."""
        return hashlib.sha256(text().encode()).hexdigest()

    @property
    def documents(self) -> tuple[Document, ...]:
        return (Document(f"byoc-kit-{self.version}.yaml", gettext("Template of the recovery kit"), text()),)

    def files(self) -> dict[str, bytes]:
        return {self._key(): text().encode()}

    def _key(self) -> str:
        return self.kit.object_key("recovery.yaml", content_hash=self.content_hash)

    def routes(self, target: Target, publication: Publication) -> tuple[Route, ...]:
        template_url = publication.url(self._key())
        stack, file = self.kit.stack_name(target.suffix), self.documents[0].file
        parameters = self.parameters(target)
        launch = self.kit.launch_url(
            template_url=template_url, stack_name=stack, parameters=parameters, region=target.region, console_url=publication.console_url
        )
        cli = self.kit.cli_command(template_url=template_url, stack_name=stack, parameters=parameters, region=target.region, file=file)
        check = self.kit.check_command(file=file, sha256=self.content_hash, url=template_url)
        return (
            words.launch_route(number=target.external_id, launch_url=launch),
            words.cli_route(number=target.external_id, command=cli, check=check),
        )

    def revival_command(self, target: Target) -> str:
        return ""

    def parameters(self, target: Target) -> dict[str, str]:
        return self.kit.parameters_of(target) | {"AllowSupport": "no"}

    def shipped(self, target: Target) -> ShippedKit:
        place = {"account_id": target.external_id, "region": target.region, "stack": self.kit.stack_name(target.suffix)}
        given = self.parameters(target)
        on, off = (template.Rendered(given | {"AllowChanges": switch}, document=document(), **place) for switch in ("yes", "no"))
        return shipped_kit(target, on, off, stack=place["stack"], audience=self.kit.audience(target), probes=self.probes(target))

    def probes(self, target: Target) -> tuple[PermissionProbe, ...]:
        return tuple(probe_of(grant.role, action, grant, target) for grant in recovered(GRANTS) for action in grant.actions)

    def forbidden_probes(self, target: Target) -> tuple[PermissionProbe, ...]:
        mine = [grant for grant in withheld(GRANTS) if grant.role == Role.OPERATOR]
        more = (probe_of(grant.role, action, grant, target) for grant in mine for action in grant.actions)
        return (*(probe for probe in self.kit.forbidden_probes(target) if probe.role == Role.OPERATOR), *more)


@cache
def text() -> str:
    """The template as CloudFormation takes it."""
    body = yaml.safe_dump(document(), sort_keys=False, width=140, allow_unicode=True)
    return _HEAD.format(version=template.version()) + body


@cache
def document() -> dict[str, Any]:
    """The kit's template with what is left of it. Shared: do not change it."""
    whole: dict[str, Any] = json.loads(json.dumps(template.parsed()))  # a copy in which no two parts are one
    resources = {name: whole["Resources"][name] for name in RESOURCES}
    for name in ("OperatorRole", "CellClusterRole"):
        _cut_policies(resources[name]["Properties"], {grant.sid: set(grant.actions) for grant in recovered(GRANTS)})
    _cut_limit(resources["OperatorBoundary"], _kept_by_operator)
    _cut_limit(resources["CellBoundary"], _looks_or_removes)
    resources["OperatorRole"]["Properties"]["Description"] = "Looks at what is left of deployment cells, and deletes it. Creates nothing."
    support = {"Description": "This kit makes no support role.", "Default": "no", "AllowedValues": ["no"]}
    return {
        "AWSTemplateFormatVersion": whole["AWSTemplateFormatVersion"],
        "Description": (
            "Recovery kit. Lets the portal look at what is left of deployment cells and delete it: one identity provider, one role for the "
            "portal, two that AWS deletes clusters with, and their limits. It creates nothing. Delete this stack when the portal says so."
        ),
        "Metadata": whole["Metadata"],
        "Parameters": whole["Parameters"] | {"AllowSupport": whole["Parameters"]["AllowSupport"] | support},
        "Mappings": {"Kit": {"This": {"Version": template.version() + SUFFIX}}},
        "Rules": whole["Rules"],
        "Conditions": {"ChangesAllowed": whole["Conditions"]["ChangesAllowed"]},
        "Resources": resources,
        "Outputs": {name: whole["Outputs"][name] for name in OUTPUTS}
        | {"AllowCreation": {"Description": "Whether this kit can create or change anything.", "Value": "no"}},
    }


def _cut_policies(role: dict[str, Any], kept: dict[str, set[str]]) -> None:
    """Statements of the manifest keep what is marked there; denials, and what belongs to a switch, stay as they are."""
    policies = []
    for policy in role["Policies"]:
        body = policy["PolicyDocument"]
        if "Statement" in body:
            body["Statement"] = [cut for statement in body["Statement"] if (cut := _cut(statement, kept.get(statement["Sid"], set())))]
        if body.get("Statement", True):
            policies.append(policy)
    role["Policies"] = policies


def _cut(statement: dict[str, Any], kept: Iterable[str]) -> dict[str, Any]:
    actions = [action for action in statement["Action"] if action in kept]
    return statement | {"Action": actions} if actions else {}


def _cut_limit(limit: dict[str, Any], chosen: Any) -> None:
    """What a boundary allows at most; what it denies stays denied."""
    body = limit["Properties"]["PolicyDocument"]
    statements = []
    for statement in body["Statement"]:
        actions = chosen(statement["Action"]) if statement["Effect"] == "Allow" else statement["Action"]
        if actions:
            statements.append(statement | {"Action": actions})
    body["Statement"] = statements


def _kept_by_operator(actions: Sequence[str]) -> list[str]:
    """Patterns of reading stay patterns."""
    kept = {action for grant in recovered(GRANTS) if grant.role == Role.OPERATOR for action in grant.actions}
    return [one for one in actions if one in kept or (one.endswith("*") and any(action.startswith(one[:-1]) for action in kept))]


def _looks_or_removes(actions: Sequence[str]) -> list[str]:
    single = [one for action in actions for one in _ANY.get(action, (action,))]
    return [one for one in single if _LOOKS_OR_REMOVES.match(one.partition(":")[2])]
