"""The Google Cloud kit as the portal uses it: texts and commands for the customer, questions and expectations for the adapter. No SDK."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from urllib.parse import urlencode

from django.utils.translation import gettext

from accounts.clouds.base import ALLOW_SUPPORT, PermissionProbe, Target, is_off
from accounts.clouds.gcp.shipped import ShippedAccount, ShippedBinding, ShippedKit
from accounts.kits import kept
from accounts.kits.base import (
    SWITCH_OPTIONS,
    Act,
    Document,
    EnvironmentCheck,
    IdentityField,
    Publication,
    Report,
    Route,
    Words,
)
from accounts.kits.gcp import installer, script, terraform, words
from accounts.kits.gcp.denials import DENIALS, EARLIEST, promised
from accounts.kits.gcp.environment import ENVIRONMENT_CHECKS
from accounts.kits.gcp.manifest import GRANTS
from accounts.kits.gcp.regions import REGIONS
from accounts.kits.gcp.resources import RESOURCES, SWITCHES
from accounts.kits.gcp.shutting import shut_support
from accounts.kits.gcp.traffic import TRAFFIC
from accounts.kits.gcp.words import IDENTITY_FIELDS, WORDS
from accounts.kits.manifest import Denial, KitResource, Permission, Region, Role, Switch

CLOUD_SHELL = "https://shell.cloud.google.com/?show=terminal"
SCRIPT_FILE = "byoc-kit.sh"
NODE_ROLE = "roles/container.defaultNodeServiceAccount"
# Custom role -> whose it is, its limit by the name it has in the script, and the switch that takes it away.
_BOUND = {
    "verify": ("operator", "", ""),
    "cells": ("operator", "", "AllowChanges"),
    "build": ("builder", "", "AllowChanges"),
    "clusters": ("builder", "OWN_NAMES", "AllowChanges"),
    "store": ("builder", "OWN_STORE", "AllowChanges"),
    "grant": ("operator", "OWN_SUPPORT", "AllowSupport"),
    "trail": ("operator", "OWN_TRAIL", ""),
    "agent": ("agent", "OWN_NAMES", ""),
    "agent_change": ("agent", "OWN_NAMES", "AllowChanges"),
}
# Custom role of support -> what Google can hold it to. The operator binds them, for the time of one grant.
_LENT = {"support": "", "support_clusters": "cluster", "support_logs": "view"}
_SUPPORTERS = ("support", "support2", "support3")
_IDENTITY = "attribute.identity"
_VIEWS = "projects/{project}/locations/global/buckets/_Default/views"
_POOL = re.compile(r"projects/(?P<number>[0-9]{6,19})/locations/global/workloadIdentityPools/(?P<pool>byoc-[0-9a-f]{8}-g[0-9]{1,4})\b")
_MOST_REPORTED = 4000  # characters that are read of what somebody says
# What a report may say. Anything else is no value: it would be kept as it is.
_REPORTED = {
    "version": r"[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}",
    "project_number": r"[0-9]{6,19}",
    "generation": r"[1-9][0-9]{0,3}",
    "project_id": r"[a-z][a-z0-9-]{4,28}[a-z0-9]",
    "region": r"[a-z]{1,20}-[a-z]{1,20}[0-9]{1,2}",
}
_KEPT = ("version", "project_number", "generation")


class GcpKit:
    """One version of the kit: the files in this folder."""

    cloud = "gcp"
    words: Words = WORDS
    identity_fields: tuple[IdentityField, ...] = IDENTITY_FIELDS
    identity_command = "gcloud projects describe $(gcloud config get-value project) --format='value(projectId,projectNumber)'"
    default_region = "us-central1"
    cell_vcpus = 6
    cell_prefix = "byoc-{short}-"
    cell_regions_are_free = True
    places_since = ""
    cells_since = "1.2.0"
    gives_support = frozenset({"resourcemanager.projects.setIamPolicy"})
    spreads_within = timedelta(minutes=10)
    regions: tuple[Region, ...] = REGIONS
    resources: tuple[KitResource, ...] = RESOURCES
    denials: tuple[Denial, ...] = DENIALS
    switches: tuple[Switch, ...] = SWITCHES
    environment_checks: tuple[EnvironmentCheck, ...] = ENVIRONMENT_CHECKS
    traffic = TRAFFIC
    shipped_type: type[object] = ShippedKit

    @property
    def version(self) -> str:
        return script.version()

    @property
    def content_hash(self) -> str:
        """SHA-256 of the script, 64 hex digits."""
        return script.sha256()

    @property
    def documents(self) -> tuple[Document, ...]:
        return (Document(SCRIPT_FILE, gettext("Script"), script.text()),)

    # --- what it may do ---

    @cached_property
    def permissions(self) -> tuple[Permission, ...]:
        """One line per role and permission, in the order of the manifest."""
        found: dict[str, Permission] = {}
        for grant in GRANTS:
            for action, reason in grant.actions.items():
                key = permission_key(grant.role, action)
                sids = (*(found[key].sids if key in found else ()), grant.sid)
                found[key] = Permission(key, action, grant.role, grant.phase, reason, grant.limit, sids)
        return tuple(found.values())

    @property
    def policies(self) -> tuple[tuple[Role, str], ...]:
        """Each role for the portal: its custom roles as gcloud takes them, with the condition of each binding."""
        roles = (Role.OPERATOR, Role.BUILDER, Role.SUPPORT, Role.AGENT)
        return tuple((role, "---\n".join(_role_files(role))) for role in roles)

    # --- what the customer runs ---

    def files(self) -> dict[str, bytes]:
        """Everything that is published of this version. The version's own record makes a second content under it a conflict."""
        return {
            self._key("kit.sh"): script.text().encode(),
            self._key("terraform.zip"): terraform.archive(),
            f"kits/gcp/{self.version}/kit.sha256": f"{self.content_hash}\n".encode(),
        }

    def region(self, code: str) -> Region:
        """Raises KeyError for a region that is not offered."""
        return {region.code: region for region in REGIONS}[code]

    def audience(self, target: Target) -> str:
        """The provider itself, as Google takes it where a provider names no audience of its own."""
        return f"https://iam.googleapis.com/{_pool(target)}/providers/portal"

    def made_name(self, suffix: str) -> str:
        return f"byoc-{suffix}"

    def routes(self, target: Target, publication: Publication) -> tuple[Route, ...]:
        """The ways to run this issued kit, with every parameter filled in. No secret is among them."""
        return (
            words.shell_route(link=_shell_link(target, publication), command=self.command(target, publication), project=target.external_id),
            words.terraform_route(
                fetch=terraform.fetch(publication.url(self._key("terraform.zip"))),
                sha256=terraform.archive_sha256(),
                snippet=terraform.snippet(target),
            ),
        )

    def command(self, target: Target, publication: Publication) -> str:
        """Fetches the script, runs it only if it is the reviewed one. Without a published script it expects the file beside it."""
        url = publication.url(self._key("kit.sh"))
        lines = [f"curl -fsSLo {SCRIPT_FILE} '{url}' &&"] if url else []
        lines.append(f"echo '{self.content_hash}  {SCRIPT_FILE}' | sha256sum --check &&")
        lines.append(f"bash {SCRIPT_FILE}")
        lines += [f"  --{name} {shlex.quote(value)}" for name, value in self.arguments(target, publication.report_url).items()]
        return " \\\n  ".join(lines)

    def arguments(self, target: Target, report_url: str = "") -> dict[str, str]:
        """What the script is told. No secret is among it."""
        given = {
            "project-id": target.external_id,
            "project-number": target.identity["project_number"],
            "account": target.account,
            "generation": str(target.generation),
            "suffix": target.suffix,
            "issuer": target.issuer,
            "region": target.region,
        }
        return given | ({"report": report_url} if report_url else {})

    def removal_command(self, target: Target, *, is_last: bool = False) -> str:
        lent = [_role_name(name, target) for name in _LENT]
        return installer.removal(target, accounts=_accounts(target), roles=_bound_roles(target), lent=lent, views=list(script.views()))

    def removal_link(self, target: Target, publication: Publication) -> str:
        return _shell_link(target, publication)

    def shell_link(self, target: Target, publication: Publication) -> str:
        return _shell_link(target, publication)

    def switch_command(self, target: Target, publication: Publication, switch: str, value: str) -> str:
        """The kit's own command again, with the switch named; the other stays as it stands."""
        if target.kit_version != self.version:
            return ""
        return f"{self.command(target, publication)} \\\n    --{SWITCH_OPTIONS[switch]} {value}"

    def place_command(self, target: Target, publication: Publication, region: str) -> str:
        return ""

    def place_removal_command(self, target: Target, region: str) -> str:
        return ""

    def shut_support(self, target: Target, publication: Publication) -> Sequence[Act]:
        if not self.keeps(target.kit_version):
            return []
        return shut_support(target, self.shipped(target), self.switch_command(target, publication, ALLOW_SUPPORT, "no"))

    def installer_rights(self, publication: Publication, issuer: str) -> str:
        """As a custom role that gcloud reads; `gcloud iam roles create` takes the file."""
        return installer.rights(self.version)

    # --- input ---

    def read_report(self, text: str) -> Report | None:
        """What the script sends at its end, or a pasted name of the pool."""
        text = text[:_MOST_REPORTED]
        if found := _POOL.search(text):
            return Report({"pool": found[0], "project_number": found["number"]})
        try:
            told = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(told, dict) or told.get("kit") != self.cloud:
            return None
        said = {name: _cleaned(told, name, pattern) for name, pattern in _REPORTED.items()}
        return Report({name: said[name] for name in _KEPT}, said["project_id"], said["region"])

    def why_not_report(self, report: Report, target: Target) -> str:
        told, given = report.values.get("project_number", ""), target.identity["project_number"]
        return "" if told in {"", given} else words.other_number(told=told, given=given, project=target.external_id)

    # --- for the adapter ---

    def shipped(self, target: Target) -> ShippedKit:
        """What must stand in the customer's project, under an earlier version what that one made."""
        if target.kit_version != self.version and self.keeps(target.kit_version):
            return kept.shipped(ShippedKit, self.cloud, target)
        accounts = _accounts(target)
        operator, builder = (f"serviceAccount:{accounts[name]}" for name in ("operator", "builder"))
        ops = f"principal://iam.googleapis.com/{_pool(target)}/subject/account:{target.account}:ops"
        helpers = f"principalSet://iam.googleapis.com/{_pool(target)}/{_IDENTITY}/account:{target.account}:support"
        enter, use = ("roles/iam.workloadIdentityUser",), ("roles/iam.serviceAccountUser",)
        return ShippedKit(
            project=target.external_id,
            number=target.identity["project_number"],
            pool=_pool(target),
            provider=f"{_pool(target)}/providers/portal",
            issuer=target.issuer,
            # A token for support names the grant too, and so does every line of Google's log.
            mapping={
                "google.subject": "assertion.sub + (has(assertion.grant) ? ':' + assertion.grant : '')",
                _IDENTITY: "assertion.sub",
            },
            condition=f"assertion.sub in ['account:{target.account}:ops', 'account:{target.account}:support']",
            accounts={
                "operator": ShippedAccount(accounts["operator"], {ops: enter}),
                "builder": ShippedAccount(accounts["builder"], {operator: use}),
                **{name: ShippedAccount(accounts[name], {helpers: enter}) for name in _SUPPORTERS},
                "node": ShippedAccount(accounts["node"], {builder: use}),
                "agent": ShippedAccount(accounts["agent"], {builder: use}),
            },
            roles={_role_name(name, target): permissions for name, permissions in script.permissions().items()},
            bindings=(*_bindings(target), ShippedBinding("node", NODE_ROLE)),
            services=script.services(),
            prefix=_prefix(target),
            lent={_role_name(name, target): limit for name, limit in _LENT.items()},
            supporters=_SUPPORTERS,
            views={
                f"{_VIEWS.format(project=target.external_id)}/byoc-{target.suffix}-{name}": text for name, text in script.views().items()
            },
        )

    def keeps(self, version: str) -> bool:
        return version == self.version or kept.keeps(self.cloud, version)

    def probes(self, target: Target, switches: Mapping[str, str] | None = None) -> tuple[PermissionProbe, ...]:
        """Every permission of the manifest as a question that the cloud must answer with yes."""
        is_support_off = is_off(switches, ALLOW_SUPPORT)
        grants = [grant for grant in GRANTS if not (is_support_off and grant.role == Role.SUPPORT)]
        probes = (probe_of(grant.role, action, grant.resource, target) for grant in grants for action in grant.actions)
        return tuple(probe for probe in probes if not (is_support_off and probe.key in self.gives_support))

    def forbidden_probes(self, target: Target) -> tuple[PermissionProbe, ...]:
        """Every promise that the target's own version made, as questions that the cloud must answer with no.

        The builder came with promises about all accounts, and a version has none about an account that it does not make.
        """
        if not self.keeps(target.kit_version):
            return tuple(_denied(EARLIEST, target))
        shipped = self.shipped(target)
        accounts = shipped.accounts
        made = {f"serviceAccounts/{account.email}" for account in accounts.values()}
        probes = _denied(promised(shipped), target)
        return tuple(
            probe for probe in probes if probe.role in accounts and (probe.resource in made or probe.resource.startswith("projects/"))
        )

    def _key(self, file: str) -> str:
        """Where a file of this version lies in the provider's bucket: named by its content, so it never changes."""
        return f"kits/gcp/{self.version}/{self.content_hash}/{file}"


def _denied(denials: Sequence[Denial], target: Target) -> Iterator[PermissionProbe]:
    return (probe_of(denial.role, action, denial.resource, target) for denial in denials for action in denial.actions)


def permission_key(role: str, action: str) -> str:
    """How stored checks name a permission: the operator's by its name alone, as nearly all are the operator's."""
    return action if role == Role.OPERATOR else f"{role}/{action}"


def _pool(target: Target) -> str:
    return f"projects/{target.identity['project_number']}/locations/global/workloadIdentityPools/byoc-{target.suffix}"


def _prefix(target: Target) -> str:
    return f"byoc-{target.suffix.partition('-')[0]}-"


def _accounts(target: Target) -> dict[str, str]:
    names = ("operator", "builder", *_SUPPORTERS, "node", "agent")
    return {name: f"byoc-{target.suffix}-{name}@{target.external_id}.iam.gserviceaccount.com" for name in names}


def _role_name(name: str, target: Target) -> str:
    """Custom roles take no dashes."""
    return f"projects/{target.external_id}/roles/byoc_{target.suffix.replace('-', '_')}_{name}"


def _bindings(target: Target) -> list[ShippedBinding]:
    values = {
        "prefix": _prefix(target),
        "number": target.identity["project_number"],
        "region": target.region,
        "project": target.external_id,
        "role": f"byoc_{target.suffix.replace('-', '_')}",
        "suffix": target.suffix,
    }
    limits = {name: text.format(**values) for name, text in _limits().items()}
    return [ShippedBinding(account, _role_name(name, target), limits[limit], switch) for name, (account, limit, switch) in _BOUND.items()]


def _limits() -> dict[str, str]:
    return {"": "", **script.conditions()}


def _bound_roles(target: Target) -> list[tuple[str, str]]:
    """Account and full role name of every project binding that the kit makes."""
    return [(binding.account, binding.role) for binding in _bindings(target)] + [("node", NODE_ROLE)]


_READABLE = {
    "prefix": "byoc-<account>-",
    "number": "<project number>",
    "region": "<region>",
    "project": "<project>",
    "role": "byoc_<suffix>",
    "suffix": "<suffix>",
}


def _role_files(role: Role) -> list[str]:
    if role == Role.SUPPORT:
        return [_role_file(name, _lent_notes(limit)) for name, limit in _LENT.items()]
    return [_role_file(name, _notes(*bound)) for name, bound in _BOUND.items() if bound[0] == role.value]


def _notes(account: str, limit: str, switch: str) -> list[str]:
    readable = _limits()[limit].format(**_READABLE)
    notes = [f"# Bound to the {account} account" + (f" while {switch} is yes" if switch else "")]
    return notes + ([f"# Only where: {readable}"] if readable else [])


def _lent_notes(limit: str) -> list[str]:
    time = "request.time >= timestamp('<start>') && request.time < timestamp('<end>')"
    view = "resource.name.extract('/locations/global/buckets/_Default/views/{name}')"
    views = [f"{view} == 'byoc-<suffix>-{name}'" for name in script.VIEWS if name.startswith("clusters")]
    more = {
        "": "",
        "cluster": " && resource.name.extract('/clusters/{name}') == '<cell>'",
        "view": f" && ({' || '.join(views)})",
    }
    return ["# Bound to one support account, by the operator, for an access that you approved", f"# Only where: {time}{more[limit]}"]


def _role_file(name: str, notes: list[str]) -> str:
    lines = [f"title: {json.dumps(script.titles()[name].format(suffix='<suffix>'))}", "stage: GA", "includedPermissions:"]
    return "\n".join([*notes, *lines, *(f"- {permission}" for permission in script.permissions()[name])]) + "\n"


def _shell_link(target: Target, publication: Publication) -> str:
    """Cloud Shell has no parameter for a project of its own; the played one takes it."""
    if not publication.console_url:
        return CLOUD_SHELL
    return f"{publication.console_url.rstrip('/')}?{urlencode({'project': target.external_id})}"


def _cleaned(told: Mapping[str, object], name: str, pattern: str) -> str:
    value = str(told.get(name, ""))
    return value if re.fullmatch(pattern, value) else ""


def probe_of(role: Role, action: str, resource: str, target: Target) -> PermissionProbe:
    named = resource.format(account_id=target.external_id, suffix=target.suffix)
    return PermissionProbe(permission_key(role, action), role.value, action, named)
