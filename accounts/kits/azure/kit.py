"""The Azure kit as the portal uses it: texts and links for the customer, questions and expectations for the adapter. No SDK."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import Any
from urllib.parse import quote

from django.utils.translation import gettext

from accounts.clouds.azure.shipped import ShippedIdentity, ShippedKit, ShippedRole
from accounts.clouds.base import ALLOW_SUPPORT, PermissionProbe, Subject, Target, is_off
from accounts.kits import kept
from accounts.kits.azure import removal, report, template, words
from accounts.kits.azure.environment import ENVIRONMENT_CHECKS
from accounts.kits.azure.locations import REGIONS
from accounts.kits.azure.manifest import BOTH_GROUPS, CELL_GROUP, DENIALS, GRANTS, KIT_GROUP, POOL, RESOURCES, SWITCHES
from accounts.kits.azure.names import HOLDERS, group_name, names, vault_name
from accounts.kits.azure.report import why_not_report
from accounts.kits.azure.shutting import shut_support, taking
from accounts.kits.azure.traffic import TRAFFIC
from accounts.kits.azure.words import IDENTITY_FIELDS, WORDS
from accounts.kits.base import (
    SWITCH_OPTIONS,
    Act,
    Document,
    EnvironmentCheck,
    IdentityField,
    Publication,
    Published,
    Report,
    Route,
    Words,
    asked_once,
    in_each_place,
)
from accounts.kits.manifest import Denial, Grant, KitResource, Permission, Region, Role, Switch

AUDIENCE = "api://AzureADTokenExchange"
SHELL = "https://shell.azure.com/bash"
PORTAL = "https://portal.azure.com"
IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"


class AzureKit:
    """One version of the kit: the files in this folder."""

    cloud = "azure"
    words: Words = WORDS
    identity_fields: tuple[IdentityField, ...] = IDENTITY_FIELDS
    identity_command = "az account show --query '{subscription:id,tenant:tenantId}'"
    default_region = "westeurope"
    cell_vcpus = 8
    cell_prefix = "byoc-{short}-cell-"
    cell_regions_are_free = False
    places_since = "1.4.0"
    cells_since = "1.2.0"
    gives_support: frozenset[str] = frozenset()
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
        return template.version()

    @property
    def content_hash(self) -> str:
        return template.sha256()

    @property
    def documents(self) -> tuple[Document, ...]:
        return (
            Document(f"byoc-kit-{self.version}.json", gettext("Template"), template.text()),
            Document("byoc-kit.sh", gettext("Script that runs it"), template.script()),
        )

    # --- what it may do ---

    @cached_property
    def permissions(self) -> tuple[Permission, ...]:
        """One line per role and action, in the order of the manifest. An action that is held in the kit's group and the cell's is one."""
        found: dict[str, Permission] = {}
        for grant in GRANTS:
            for action, reason in grant.actions.items():
                key = permission_key(grant.role, action)
                known = found.get(key)
                if known:
                    found[key] = Permission(key, action, grant.role, known.phase, known.reason, BOTH_GROUPS, (*known.sids, grant.sid))
                else:
                    found[key] = Permission(key, action, grant.role, grant.phase, reason, grant.limit, (grant.sid,))
        return tuple(found.values())

    @property
    def policies(self) -> tuple[tuple[Role, str], ...]:
        """Every custom role of an identity as a list: the operator has three, each for one scope."""
        return tuple((role, json.dumps(_written_roles(role), indent=2)) for role in (Role.OPERATOR, Role.SUPPORT))

    # --- what the customer runs ---

    def files(self) -> Mapping[str, bytes]:
        return self._published({"kit.json": template.text().encode(), "kit.sh": template.script().encode()}).keyed()

    def _published(self, files: Mapping[str, bytes] | None = None) -> Published:
        return Published(self.cloud, self.version, self.content_hash, files or {})

    def region(self, code: str) -> Region:
        return {region.code: region for region in REGIONS}[code]

    def audience(self, target: Target) -> str:
        return AUDIENCE

    def made_name(self, suffix: str) -> str:
        return f"byoc-{suffix}-kit"

    def parameters(self, target: Target) -> dict[str, str]:
        """Every parameter of the template but the two switches: those are the customer's to say, at every run. No secret is among them."""
        return {
            "expectedSubscriptionId": target.external_id,
            "expectedTenantId": target.identity["tenant_id"],
            "accountRef": target.account,
            "generation": str(target.generation),
            "suffix": target.suffix,
            "issuerUrl": target.issuer,
            "location": target.region,
            "cellLocation": target.region,
        }

    def routes(self, target: Target, publication: Publication) -> tuple[Route, ...]:
        """The portal can only open a published template; the script also runs from files that were downloaded."""
        shell = words.shell_route(command=self.shell_command(target, publication), link=shell_url(publication.console_url))
        template_url = publication.url(self._published().key("kit.json"))
        if not template_url:
            return (shell,)
        portal = words.portal_route(
            subscription=target.external_id,
            region=target.region,
            link=deploy_url(publication.console_url, template_url),
            parameters=self.parameters_file(target),
            more={place: self.parameters_file(target, place) for place in target.places},
        )
        return (shell, portal)

    def parameters_file(self, target: Target, place: str = "") -> str:
        """As the portal's Edit parameters box takes it; for the kit's own location, or for a further one."""
        values = self.parameters(target) | ({"cellLocation": place} if place else {})
        document = {
            "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
            "contentVersion": "1.0.0.0",
            "parameters": {name: {"value": value} for name, value in values.items()},
        }
        return json.dumps(document, indent=2)

    def shell_command(self, target: Target, publication: Publication) -> str:
        """Fetches the script, compares it with its hash, runs it. Unpublished, both files are expected in the current folder."""
        published = self._published()
        script_url = publication.url(published.key("kit.sh"))
        template_url = shlex.quote(publication.url(published.key("kit.json"))) if script_url else f'"file://$PWD/{self.documents[0].file}"'
        words_of_it = self.options(target)
        words_of_it += [f"--template-url {template_url}", f"--template-sha256 {self.content_hash}"]
        if publication.report_url:
            words_of_it.append(f"--report {shlex.quote(publication.report_url)}")
        run = " \\\n    ".join(["bash byoc-kit.sh", *words_of_it])
        check = f"echo '{template.script_sha256()}  byoc-kit.sh' | sha256sum --check"
        fetch = [f"curl -fsSLo byoc-kit.sh '{script_url}'"] if script_url else []
        return " && \\\n  ".join([*fetch, check, run])

    def options(self, target: Target) -> list[str]:
        """What the script is told. No secret is among it."""
        told = {
            "subscription": target.external_id,
            "tenant": target.identity["tenant_id"],
            "account": target.account,
            "generation": str(target.generation),
            "suffix": target.suffix,
            "issuer": target.issuer,
            "region": target.region,
        }
        places = [f"--add-region {shlex.quote(place)}" for place in target.places]
        return [*(f"--{name} {shlex.quote(value)}" for name, value in told.items()), *places]

    def removal_command(self, target: Target, *, is_last: bool = False) -> str:
        return removal.of_kit(target, self.made_name(target.suffix), is_last=is_last)

    def removal_link(self, target: Target, publication: Publication) -> str:
        return shell_url(publication.console_url)

    def shell_link(self, target: Target, publication: Publication) -> str:
        return shell_url(publication.console_url)

    def switch_command(self, target: Target, publication: Publication, switch: str, value: str) -> str:
        """The kit's own command again, with the switch named; the other stays as it stands. Before it, what ends support access at once."""
        command = self._switched(target, publication, switch, value)
        return f"{taking(target, self.shipped(target))}\n{command}" if command and switch == ALLOW_SUPPORT and value == "no" else command

    def _switched(self, target: Target, publication: Publication, switch: str, value: str) -> str:
        if target.kit_version != self.version:
            return ""
        return f"{self.shell_command(target, publication)} \\\n    --{SWITCH_OPTIONS[switch]} {value}"

    def place_command(self, target: Target, publication: Publication, region: str) -> str:
        if target.kit_version != self.version:
            return ""
        return self.shell_command(replace(target, places=[*target.places, region]), publication)

    def place_removal_command(self, target: Target, region: str) -> str:
        return removal.of_place(target, self.made_name(target.suffix), region)

    def shut_support(self, target: Target, publication: Publication) -> Sequence[Act]:
        if not self.keeps(target.kit_version):
            return []
        return shut_support(target, self.shipped(target), self._switched(target, publication, ALLOW_SUPPORT, "no"))

    def installer_rights(self, publication: Publication, issuer: str) -> str:
        """Empty: who may write roles and give them can give itself every right, so there is nothing narrower than an owner."""
        return ""

    # --- input ---

    def read_report(self, text: str) -> Report | None:
        return report.read(text)

    def why_not_report(self, report: Report, target: Target) -> str:
        return why_not_report(report, target)

    # --- for the adapter ---

    def shipped(self, target: Target) -> ShippedKit:
        if target.kit_version != self.version and self.keeps(target.kit_version):
            return kept.shipped(ShippedKit, self.cloud, target)
        known = names(target)
        group, cell_group = self.made_name(target.suffix), group_name(CELL_GROUP, known)
        own = f"byoc-{target.suffix}"
        return ShippedKit(
            deployment=group,
            cell_deployment=f"{own}-cell",
            group=group,
            cell_group=cell_group,
            issuer=target.issuer,
            audience=AUDIENCE,
            identities={
                "operator": ShippedIdentity(f"{own}-operator", group, target.subject(Subject.OPS)),
                **{key: ShippedIdentity(f"{own}-{key}", group, target.subject(Subject.SUPPORT)) for key in POOL},
                "janitor": ShippedIdentity(f"{own}-janitor", group, ""),
                "cell-cluster": ShippedIdentity(f"{own}-cell-cluster", cell_group, ""),
                "cell-agent": ShippedIdentity(f"{own}-cell-agent", cell_group, ""),
            },
            vault=vault_name(target.account, target.external_id, target.region),
            roles={source.role: _shipped_role(source, known) for source in template.ROLES},
            janitor=f"{own}-janitor",
            janitor_definition=template.janitor_definition(
                cell_group=CELL_GROUP.format(**known), identity=f"{KIT_GROUP.format(**known)}/providers/{IDENTITIES}/{own}-janitor"
            ),
            condition=template.only_support(),
        )

    def keeps(self, version: str) -> bool:
        return version == self.version or kept.keeps(self.cloud, version)

    def probes(self, target: Target, switches: Mapping[str, str] | None = None) -> tuple[PermissionProbe, ...]:
        is_support_off = is_off(switches, ALLOW_SUPPORT)
        return tuple(self.asked([grant for grant in GRANTS if not (is_support_off and grant.role == Role.SUPPORT)], target))

    def asked(self, grants: Sequence[Grant], target: Target) -> list[PermissionProbe]:
        """Some grants as questions about this account, in each location that the kit was run for."""
        return asked_once(self._asked(grants, one) for one in in_each_place(target))

    def _asked(self, grants: Sequence[Grant], target: Target) -> list[PermissionProbe]:
        known = names(target)
        return [
            PermissionProbe(permission_key(grant.role, action), grant.role.value, action, grant.resource.format(**known))
            for grant in grants
            for action in grant.actions
        ]

    def forbidden_probes(self, target: Target) -> tuple[PermissionProbe, ...]:
        return tuple(asked_once(_promised(names(one)) for one in in_each_place(target)))


def _promised(names: Mapping[str, str]) -> list[PermissionProbe]:
    return [
        PermissionProbe(permission_key(denial.role, action), denial.role.value, action, denial.resource.format(**names))
        for denial in DENIALS
        for action in denial.actions
    ]


def permission_key(role: str, action: str) -> str:
    """How stored checks name a permission: the operator's by its action alone, as nearly all are the operator's."""
    return action if role == Role.OPERATOR else f"{role}/{action}"


def deploy_url(console_url: str, template_url: str) -> str:
    """The portal's page for a template that lies at an address. It takes no parameters."""
    page = f"{console_url.rstrip('/')}/deploy" if console_url else f"{PORTAL}/"
    return f"{page}#create/Microsoft.Template/uri/{quote(template_url, safe='')}"


def shell_url(console_url: str) -> str:
    """Cloud Shell. A console of another address, `<base>/azure`, has its shell beside it: `<base>/shell/azure`."""
    base, _, name = console_url.rstrip("/").rpartition("/")
    return f"{base}/shell/{name}" if console_url else SHELL


def _shipped_role(source: template.RoleSource, names: Mapping[str, str]) -> ShippedRole:
    holder, scope = HOLDERS[source.role]
    variants = [frozenset(template.actions(source.lists))]
    if source.switch:
        variants.append(frozenset(template.actions(source.switched_off)))
    return ShippedRole(
        name=f"byoc-{names['suffix']}-{source.role}",
        variants=tuple(variants),
        data_actions=frozenset(template.actions(source.data_lists)),
        identity=holder,
        scope=scope.format(**names),
        condition=source.condition,
    )


def _written_roles(role: Role) -> list[dict[str, Any]]:
    """The custom roles of one identity for a subscription that is not named yet."""
    readable = {"account_id": "<subscription>", "suffix": "<short>-<generation>", "short": "<short>", "region": "<location>"}
    return [
        {
            "roleName": f"byoc-<short>-<generation>-{source.role}",
            "assignedAt": scope.format(**readable),
            "permissions": [
                {"actions": list(template.actions(source.lists)), "notActions": [], "dataActions": [], "notDataActions": []},
            ],
            **({"condition": template.only_support()} if source.condition else {}),
        }
        for source in template.ROLES
        for _holder, scope in [HOLDERS[source.role]]
        if source.role.partition("-")[0] == role.value
    ]
