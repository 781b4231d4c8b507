"""The Google Cloud kit without everything that creates or changes, as a script of its own."""

import hashlib
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.clouds.base import PermissionProbe, Target
from accounts.clouds.gcp.shipped import ShippedKit
from accounts.kits.base import Document, Publication, Route
from accounts.kits.gcp import installer, script, words
from accounts.kits.gcp.kit import GcpKit, probe_of
from accounts.kits.gcp.manifest import GRANTS
from accounts.kits.manifest import Grant
from accounts.kits.recovery.base import SUFFIX, Diff, diff_of, recovered, withheld
from portal.operations.catalogue import Text

FILE = "byoc-recovery.sh"
MAKE_PATH = Path(__file__).with_name("gcp_make.sh")
ACCOUNTS = ("operator", "builder")
# Custom roles that the recovery kit makes, by their names in the script.
ROLES = ("verify", "cells", "build", "clusters", "store")
# Google asks for these where something is only taken away: a gateway is a part of its router, machines are a part of their cluster, and
# Infrastructure Manager, which takes a cell away as the builder, reads its plan and writes down in its own store what is gone.
TAKEN_TO_DELETE = frozenset({
    "compute.networks.updatePolicy", "compute.routers.update", "config.artifacts.import", "config.deployments.updateState",
    "container.clusters.update", "iam.serviceAccounts.actAs", "logging.logEntries.create", "storage.buckets.create",
    "storage.objects.create", "storage.objects.update",
})  # fmt: skip
_ONLY_OPS = ("['account:$ACCOUNT:ops', 'account:$ACCOUNT:support']", "['account:$ACCOUNT:ops']")
_AGAIN = (
    'Press \\"Run again\\" in the portal to get a kit with new names.',
    "Run first the lines that stand above this command in the portal.",
)
_HEAD = """\
#!/usr/bin/env bash
# The recovery kit for Google Cloud, for an account that leaves and whose kit was removed before its cleanup had finished.
#
# It is the kit itself without what creates or changes something, and without support: one workload identity pool with one provider that
# lets in one subject, two service accounts, five custom roles and their bindings, under the kit's own names. It may be run any number of
# times. Who runs it needs what the kit needs.
#
# To take everything away again:    --remove             (only when the portal says that it is safe)
set -euo pipefail

KIT_VERSION="%(version)s"

# --- What the portal may do: the reason for every line stands on the page of the offboarding -----------------------------------------
"""


class GcpRecovery:
    """The same pool and two of the accounts under the same names, with less in their roles."""

    note: Text = _(
        "Google Cloud asks for ten rights to write where something is only taken away. A gateway is a part of its router and machines are "
        "a part of their cluster, so taking them off counts as a change. And Infrastructure Manager, which takes the cell away, reads its "
        "plan and writes down in its own store and log what is gone."
    )

    def __init__(self) -> None:
        self.kit = GcpKit()

    @property
    def version(self) -> str:
        return self.kit.version + SUFFIX

    @cached_property
    def diff(self) -> Diff:
        return diff_of(self.kit.permissions, GRANTS)

    @property
    def content_hash(self) -> str:
        """SHA-256 of the script, 64 hex digits."""
        return hashlib.sha256(text().encode()).hexdigest()

    @property
    def documents(self) -> tuple[Document, ...]:
        return (Document(FILE, gettext("Script of the recovery kit"), text()),)

    def files(self) -> dict[str, bytes]:
        return {self._key(): text().encode()}

    def _key(self) -> str:
        return f"kits/gcp/{self.kit.version}/{self.content_hash}/recovery.sh"

    def routes(self, target: Target, publication: Publication) -> tuple[Route, ...]:
        link = self.kit.shell_link(target, publication)
        return (words.shell_route(link=link, command=self.command(target, publication), project=target.external_id),)

    def command(self, target: Target, publication: Publication) -> str:
        """As the kit's own. No report: the portal looks by itself."""
        url = publication.url(self._key())
        lines = [f"curl -fsSLo {FILE} '{url}' &&"] if url else []
        lines += [f"echo '{self.content_hash}  {FILE}' | sha256sum --check &&", f"bash {FILE}"]
        lines += [f"  --{name} {shlex.quote(value)}" for name, value in self.kit.arguments(target).items()]
        return " \\\n  ".join(lines)

    def revival_command(self, target: Target) -> str:
        made = [(bound.account, bound.role) for bound in self.shipped(target).bindings]
        return installer.revival(target, roles=made)

    def shipped(self, target: Target) -> ShippedKit:
        whole = self._whole(target)
        mark = f"byoc_{target.suffix.replace('-', '_')}_"
        ending = {name: name.partition(mark)[2] for name in whole.roles}
        accounts = {name: whole.accounts[name] for name in ACCOUNTS}
        return replace(
            whole,
            condition=f"assertion.sub in ['account:{target.account}:ops']",
            accounts=accounts,
            roles={name: permissions()[ending[name]] for name in whole.roles if ending[name] in ROLES},
            bindings=[bound for bound in whole.bindings if bound.account in ACCOUNTS and ending.get(bound.role) in ROLES],
            lent={},
            supporters=(),
            views={},
        )

    def _whole(self, target: Target) -> ShippedKit:
        return self.kit.shipped(replace(target, kit_version=self.kit.version))

    def probes(self, target: Target) -> tuple[PermissionProbe, ...]:
        return tuple(_asked(recovered(GRANTS), target))

    def forbidden_probes(self, target: Target) -> tuple[PermissionProbe, ...]:
        promised = self.kit.forbidden_probes(replace(target, kit_version=self.kit.version))
        made = {f"serviceAccounts/{account.email}" for account in self.shipped(target).accounts.values()}
        asked = (*promised, *_asked(withheld(GRANTS), target))
        return tuple(one for one in asked if one.role in ACCOUNTS and (one.resource in made or one.resource.startswith("projects/")))


def _asked(grants: Sequence[Grant], target: Target) -> list[PermissionProbe]:
    return [probe_of(grant.role, action, grant.resource, target) for grant in grants for action in grant.actions]


@cache
def permissions() -> dict[str, tuple[str, ...]]:
    """What each custom role of the recovery kit holds."""
    kept: dict[str, set[str]] = {}
    for grant in recovered(GRANTS):
        kept.setdefault(grant.sid.partition(".")[0], set()).update(grant.actions)
    return {role: tuple(one for one in script.permissions()[role] if one in kept[role]) for role in ROLES}


@cache
def text() -> str:
    """The script: its own beginning, lists and end around what the kit's script says of how things are made and taken away."""
    sections = _sections()
    lists = [f"{script.LISTS[role]}=(\n" + "".join(f"  {one}\n" for one in permissions()[role]) + ")\n" for role in ROLES]
    lists.append(_found(r"^SERVICES=\(\n.+?^\)\n"))
    made = [_found(rf'^ensure_role {role} "[^\n]+\n') for role in ROLES]
    end = MAKE_PATH.read_text(encoding="utf-8") % {"roles": "".join(made).rstrip("\n")}
    parts = [_HEAD % {"version": script.version() + SUFFIX}, "\n".join(lists)]
    parts += [sections[title] for title in sections if not title.startswith(("What the portal may do", "Make it"))]
    whole = "\n".join([*parts, _heading("Make it") + "\n", end])
    for old, new in (_ONLY_OPS, _AGAIN):
        if old not in whole:
            raise ValueError(f"the kit's script has no {old}")
        whole = whole.replace(old, new)
    return whole


def _sections() -> dict[str, str]:
    """The kit's script, part by part, each with its heading."""
    parts = re.split(r"^(# --- (?:.+?) -{3,}\n)", script.text(), flags=re.MULTILINE)
    pairs = zip(parts[1::2], parts[2::2], strict=True)
    return {head.removeprefix("# --- ").rstrip("-\n "): head + body.rstrip("\n") + "\n" for head, body in pairs}


def _heading(title: str) -> str:
    return f"# --- {title} ".ljust(135, "-")


def _found(pattern: str) -> str:
    found = re.search(pattern, script.text(), re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"the kit's script has no line like {pattern}")
    return found[0]
