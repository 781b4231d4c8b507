"""The Azure kit without everything that creates or changes, as a template and a script of its own."""

import copy
import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, cached_property
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.clouds.azure.shipped import ShippedKit
from accounts.clouds.base import PermissionProbe, Target
from accounts.kits.azure import template, words
from accounts.kits.azure.kit import AzureKit
from accounts.kits.azure.manifest import GRANTS
from accounts.kits.azure.removal import revival
from accounts.kits.base import Document, Publication, Route
from accounts.kits.manifest import Role
from accounts.kits.recovery.base import SUFFIX, Diff, diff_of, recovered, withheld
from portal.operations.catalogue import Text

FILE = "byoc-recovery.sh"
# Roles of the kit that the recovery kit makes; no identity but the operator holds one.
ROLES = ("operator", "operator-kit", "operator-cells")
UNUSED = {"vault", "janitor"}  # names of what it does not make
_DESCRIPTION = (
    "BYOC recovery kit: lets the portal named by issuerUrl look at what is left of deployment cells in their resource groups in this "
    "subscription, and delete it. It can create nothing. Delete its role assignments, roles and resource groups and every access ends."
)
_INTRO = """\
# Deploys kit.json into one subscription: identities that trust short-lived tokens of the portal, their roles, the janitor that ends
# support access, and one resource group for a deployment cell, with the identities and the empty key vault that the cell will use.
# With --add-region it makes such a group in a further location too, beside what stands: nothing is moved, and the same
# identities get the same roles there.
# Creates no key and no secret, and sends nothing anywhere but two client ids to the portal"""
_OWN_INTRO = """\
# Deploys its template into one subscription, for an account that leaves and whose kit was removed before its cleanup had finished:
# one identity that trusts short-lived tokens of the portal, and three roles that let it look and delete, and do nothing else.
# With --add-region it does so in the group of a further location too.
# Creates no key and no secret, and sends nothing anywhere but one client id to the portal"""
_TELLS = '"client_id": "%s", "support_client_id": "%s", "region": "%s"}\' \\\n  "$subscription" "$tenant" "$client_id" "$support_client_id"'
_SWITCH = "allow_support=$(decide allow-support \"$allow_support\" 'Support access, once you approve it')"
# Of the kit's script, with what stands there instead.
_CHANGED = (
    ("# BYOC onboarding kit for Azure, version", "# BYOC recovery kit for Azure, made from version"),
    (_INTRO, _OWN_INTRO),
    (_SWITCH, "allow_support='no' # it is not in this kit"),
    ("support_client_id=$(output supportClientId)\n", ""),
    (
        "'Done. Copy the next line into the portal:'",
        "'Made, but the portal could not be told. Run the same command again, where it can be reached, to tell it:'",
    ),
    (_TELLS, _TELLS.replace('"support_client_id": "%s", ', "").replace(' "$support_client_id"', "")),
)


class AzureRecovery:
    """The operator's identity made anew under its name, with less in its roles. Azure gives it a new client id, which the script tells."""

    note: Text = _(
        "Azure gives a new client ID to a deleted identity that is made again. The script tells it to this portal, which takes it only "
        "while the kit is gone, and goes on only once Azure has let us in with it. Should Azure refuse to delete a cluster because the "
        "identity that it ran with is gone, delete that cluster in the Azure portal: the removal then goes on with the rest."
    )

    def __init__(self) -> None:
        self.kit = AzureKit()

    @property
    def version(self) -> str:
        return self.kit.version + SUFFIX

    @cached_property
    def diff(self) -> Diff:
        return diff_of(self.kit.permissions, GRANTS)

    @property
    def content_hash(self) -> str:
        """SHA-256 of the template, 64 hex digits: it names the script's."""
        return hashlib.sha256(text().encode()).hexdigest()

    @property
    def documents(self) -> tuple[Document, ...]:
        return (
            Document(f"byoc-kit-{self.version}.json", gettext("Template of the recovery kit"), text()),
            Document(FILE, gettext("Script that runs it"), script()),
        )

    def files(self) -> dict[str, bytes]:
        return {self._key("recovery.json"): text().encode(), self._key("recovery.sh"): script().encode()}

    def _key(self, file: str) -> str:
        return f"kits/azure/{self.kit.version}/{self.content_hash}/{file}"

    def routes(self, target: Target, publication: Publication) -> tuple[Route, ...]:
        link = self.kit.shell_link(target, publication)
        return (words.shell_route(command=self.command(target, publication), link=link),)

    def command(self, target: Target, publication: Publication) -> str:
        """As the kit's own: fetched, compared with its hash, run."""
        script_url, template_url = publication.url(self._key("recovery.sh")), publication.url(self._key("recovery.json"))
        options = self.kit.options(target)
        options.append(
            f"--template-url {shlex.quote(template_url)}" if template_url else f'--template-url "file://$PWD/{self.documents[0].file}"'
        )
        options.append(f"--template-sha256 {self.content_hash}")
        if publication.report_url:
            options.append(f"--report {shlex.quote(publication.report_url)}")
        run = " \\\n    ".join([f"bash {FILE}", *options])
        check = f"echo '{self.documents[1].sha256}  {FILE}' | sha256sum --check"
        fetch = [f"curl -fsSLo {FILE} '{script_url}'"] if script_url else []
        return " && \\\n  ".join([*fetch, check, run])

    def revival_command(self, target: Target) -> str:
        """Rights that name an identity of before keep the kit from giving them to the new one."""
        return revival(target, ROLES)

    def shipped(self, target: Target) -> ShippedKit:
        whole = self.kit.shipped(replace(target, kit_version=self.kit.version))
        kept = {action for actions in _kept().values() for action in actions}
        cut = {name: whole.roles[name] for name in ROLES}
        roles = {name: replace(role, variants=[frozenset(variant & kept) for variant in role.variants]) for name, role in cut.items()}
        nobody = {"janitor": "", "janitor_definition": "", "condition": ""}
        return replace(whole, identities={"operator": whole.identities["operator"]}, roles=roles, **nobody)

    def probes(self, target: Target) -> tuple[PermissionProbe, ...]:
        return tuple(self.kit.asked(recovered(GRANTS), target))

    def forbidden_probes(self, target: Target) -> tuple[PermissionProbe, ...]:
        promised = self.kit.forbidden_probes(target)
        return tuple(probe for probe in (*promised, *self.kit.asked(withheld(GRANTS), target)) if probe.role == Role.OPERATOR)


def _kept() -> dict[str, list[str]]:
    """By the names of the template's lists."""
    return {grant.sid: list(grant.actions) for grant in recovered(GRANTS)}


@cache
def script() -> str:
    whole = template.script()
    for old, new in _CHANGED:
        if old not in whole:
            raise ValueError(f"the kit's script has no {old}")
        whole = whole.replace(old, new)
    return whole


@cache
def text() -> str:
    return json.dumps(document(), indent=2) + "\n"


def document() -> dict[str, Any]:
    """The kit's template with what is left of it."""
    whole = copy.deepcopy(template.parsed())
    variables = whole["variables"]
    lists = {grant.sid for grant in GRANTS} & set(variables)
    mine = {name for source in template.ROLES if source.role in ROLES for name in source.lists}
    variables |= {name: [one for one in variables[name] if one in _kept().get(name, ())] for name in mine}
    variables["version"] += SUFFIX
    for tags in ("tags", "cellTags"):
        variables[tags]["byoc-allow-creation"] = "no"
    resources = [cut for entry in whole["resources"] if (cut := _cut(entry))]
    there = {str(entry["name"]) for entry in resources}
    for entry in resources:
        entry["dependsOn"] = [one for one in entry.get("dependsOn", []) if any(_names(one, name) for name in there)]
    parameters = whole["parameters"]
    parameters["allowSupport"] |= {"allowedValues": ["no"], "metadata": {"description": "This kit makes no support identity."}}
    sha256 = hashlib.sha256(script().encode()).hexdigest()
    return {
        **whole,
        "metadata": {"description": _DESCRIPTION, "kitVersion": variables["version"], "scriptSha256": sha256},
        "variables": {name: value for name, value in variables.items() if name not in (lists | _lists()) - mine | UNUSED},
        "resources": resources,
        "outputs": {name: value for name, value in whole["outputs"].items() if name != "supportClientId"},
    }


def _lists() -> set[str]:
    return {name for source in template.ROLES for name in (*source.lists, *source.data_lists)}


def _cut(entry: dict[str, Any]) -> dict[str, Any]:
    """One resource of the subscription, or nothing where the recovery kit does not make it."""
    kind, name = entry["type"], str(entry["name"])
    if kind.endswith("/resourceGroups"):
        return entry
    if not kind.endswith("/deployments"):
        role = next((role for role in ROLES if name.endswith(f"'{role}')]")), "")
        if role and kind.endswith("/roleDefinitions"):
            entry["properties"]["description"] = f"BYOC recovery kit, role {role}: looks and deletes, and creates nothing."
        return entry if role else {}
    if "janitor" in name:
        return {}
    inner = entry["properties"]["template"]
    inner["resources"] = [one for one in inner["resources"] if _is_operators(str(one["name"]))]
    inner.pop("variables", None)
    inner["outputs"] = {key: value for key, value in inner.get("outputs", {}).items() if key in {"clientId", "principalId"}}
    used = json.dumps([inner["resources"], inner["outputs"]])
    inner["parameters"] = _used(inner["parameters"], used)
    entry["properties"]["parameters"] = _used(entry["properties"]["parameters"], used)
    return entry


def _is_operators(name: str) -> bool:
    return "-operator" in name or any(name.endswith(f"'{role}')]") for role in ROLES)


def _used(parameters: Mapping[str, Any], text: str) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if f"parameters('{name}')" in text}


def _names(dependency: str, name: str) -> bool:
    return name.strip("[]") in dependency
