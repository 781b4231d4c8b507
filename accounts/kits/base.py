"""What every kit offers to the pages and the steps: one protocol for all clouds. No models, no SDK, no settings."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Protocol

from django.utils.translation import gettext as _

from accounts.clouds.base import ALLOW_CHANGES, ALLOW_SUPPORT, PermissionProbe, Target, mark_of_region
from accounts.kits.manifest import Denial, KitResource, Permission, Region, Role, Switch
from portal.operations.catalogue import Text


@dataclass(frozen=True)
class Publication:
    """Where the provider publishes its kits, and what opens them. `bucket` and `base_url` are empty while nothing is published."""

    bucket: str
    region: str
    base_url: str  # instead of the bucket's own address
    console_url: str  # of this cloud; empty for the real one
    report_url: str = ""  # where a kit may say that it has run; empty on pages that belong to no issued kit

    @property
    def is_published(self) -> bool:
        return bool(self.bucket or self.base_url)

    def url(self, key: str) -> str:
        """Public address of a published file. Empty while nothing is published."""
        if not self.is_published:
            return ""
        base = self.base_url.rstrip("/") or f"https://{self.bucket}.s3.{self.region}.amazonaws.com"
        return f"{base}/{key}"


@dataclass(frozen=True)
class Act:
    """One thing the customer does to run a kit: a sentence, and what to press or to copy."""

    text: str
    link: str = ""
    link_label: str = ""
    command: str = ""
    command_label: str = ""


@dataclass(frozen=True)
class Route:
    """One way to run the kit. The first one of a kit is the recommended one."""

    code: str  # in addresses: ?via=launch
    title: Text
    acts: Sequence[Act]
    intro: Text = ""
    is_silent: bool = False  # nothing of this way tells the portal what was made: a person does, on the next page

    @property
    def has_link(self) -> bool:
        """Whether its own primary button stands on the page."""
        return any(act.link for act in self.acts)


# What the scripts call a switch that the reports name so.
SWITCH_OPTIONS = {ALLOW_CHANGES: "allow-changes", ALLOW_SUPPORT: "allow-support"}


@dataclass(frozen=True)
class Document:
    """A file that the customer reads before running it: the exact bytes whose hash the pages show."""

    file: str
    title: Text
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


class WrongAnswer(ValueError):
    """`sentence` tells the customer what is wrong with this very answer."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True)
class IdentityField:
    """One question of the Account step. The first of a kit is the cloud's own id of the account, the others tell where it belongs.

    `clean` takes what was pasted and gives what is kept; it raises ValueError, and `error` says what is wanted. A WrongAnswer says more.
    """

    name: str
    label: Text
    help: Text
    error: Text
    clean: Callable[[str], str]
    is_numeric: bool = False


@dataclass(frozen=True)
class Report:
    """What somebody says about a kit that was run: never believed, only looked at. `values` are kept with the kit.

    `external_id` and `region` say where it stands, where the report tells; empty where it does not.
    """

    values: Mapping[str, str]
    external_id: str = ""
    region: str = ""


@dataclass(frozen=True)
class Words:
    """How this cloud calls things on our pages. Full sentences; no sentence is put together from these."""

    cloud: str  # "AWS", "Google Cloud", "Azure"
    account: Text  # "AWS account"
    choice: Text  # the cloud as an answer to "Which cloud?"
    intro: Text  # of the Start page, with %(provider)s
    time: Text
    rights: Text
    identity_command_label: Text
    place_label: Text
    place_help: Text
    run_title: Text
    made_label: Text  # "Stack name": what `made_name` is
    remove: Text  # tells to remove what a kit made; a command follows
    report_label: Text
    report_help: Text
    report_error: Text
    connected: Text  # verdict of the Done page, with %(number)s and %(provider)s
    # Why nothing may be happening although the kit was run; with %(number)s and %(region)s.
    doubts: Sequence[Text] = ()
    # What the cloud keeps of a kit that was removed, and what that means for connecting again; empty where it keeps nothing.
    after_removal: Text = ""
    removal_link_label: Text = ""
    is_report_needed: bool = False  # nothing can be noticed before the kit's own output is known
    policy_title: Text = ""  # of a role's policy as code, with %(name)s
    promise_note: Text = ""  # how firm the promises are, where the cloud has no rule that denies for ever


@dataclass(frozen=True)
class EnvironmentCheck:
    """Words of one check of the environment, by the name its findings carry. Sentences take the finding's own params as %(name)s."""

    name: str
    title: Text
    why: Text  # why a cell needs this
    passed: Text
    warned: Text = ""
    blocked: Text = ""
    remedy: Text = ""  # what to do about a warning or a block; the finding brings the command or the link


@dataclass(frozen=True)
class Traffic:
    """What the portal calls in this cloud. Kept with the kit, as the adapters load three SDKs; a test holds it against what they call."""

    hosts: Sequence[str]  # "sts.<region>.amazonaws.com"
    moved_by: Sequence[str]  # variables of the environment that lead the adapter somewhere else
    session: timedelta | None = None  # how long a session lasts that the portal asks for; None where the cloud sets it


def shut_by_switch(command: str) -> list[Act]:
    """The kit's own switch, which stays off whatever is approved; none where this version's files are no longer handed out."""
    return [Act(_("Switch support access off in the kit. It stays off, whatever is approved later."), command=command)] if command else []


def mark_of_place(external_id: str, region: str) -> str:
    """Up to twelve letters and digits that tell one account's place from another, for names that are short and unique in a whole cloud."""
    return f"{external_id:.4}".lower() + mark_of_region(region)


def in_each_place(target: Target) -> list[Target]:
    """The kit's own region, then each further one that it was run for, as if it were the only one."""
    return [replace(target, region=region, places=()) for region in (target.region, *target.places)]


def asked_once(asked: Iterable[Iterable[PermissionProbe]]) -> list[PermissionProbe]:
    """Questions about several regions, without those that are the same in all."""
    found = {(one.key, one.role, one.action, one.resource, tuple(sorted(one.context.items()))): one for probes in asked for one in probes}
    return list(found.values())


class CloudKit(Protocol):
    """The kit of one cloud, in the version that is shipped now."""

    cloud: str
    words: Words
    identity_fields: Sequence[IdentityField]
    identity_command: str  # prints the account somebody is signed in to
    regions: Sequence[Region]
    default_region: str
    cell_vcpus: int  # of the smallest deployment cell, its agent's machine included
    cell_prefix: str  # of the names of cells and their parts, `{short}` being the account's own part of them
    cell_regions_are_free: bool  # False: a cell only where the kit was run, for which it is run once for each region
    places_since: str  # the first version that can be run for a further region; empty where one run reaches all of them
    gives_support: frozenset[str]  # keys of the operator's permissions that the customer's switch for support takes away
    cells_since: str  # the first version under which a cell can be built: earlier ones lack the agent's identity
    spreads_within: timedelta  # how long what the kit makes may take to be known everywhere in this cloud
    resources: Sequence[KitResource]
    denials: Sequence[Denial]
    switches: Sequence[Switch]
    environment_checks: Sequence[EnvironmentCheck]
    traffic: Traffic
    # Of what `shipped` gives, where each version's is kept as data (`accounts/kits/kept.py`); None where its document says it all.
    shipped_type: type[object] | None

    @property
    def version(self) -> str: ...

    @property
    def content_hash(self) -> str:
        """SHA-256 of the main document, 64 hex digits."""
        ...

    @property
    def permissions(self) -> Sequence[Permission]: ...

    @property
    def documents(self) -> Sequence[Document]:
        """What the customer can read before running it; the first is the one whose hash names the kit."""
        ...

    @property
    def policies(self) -> Sequence[tuple[Role, str]]:
        """Each role for the portal with its rights as the cloud itself would write them down."""
        ...

    def files(self) -> Mapping[str, bytes]:
        """Everything that is published of this version, by key in the provider's bucket."""
        ...

    def region(self, code: str) -> Region:
        """Raises KeyError for a region that is not offered."""
        ...

    def audience(self, target: Target) -> str:
        """The `aud` of tokens for this kit."""
        ...

    def made_name(self, suffix: str) -> str:
        """What the kit makes, by the name the customer finds it under in the cloud's console."""
        ...

    def routes(self, target: Target, publication: Publication) -> Sequence[Route]:
        """The ways to run this issued kit, with every parameter filled in. No secret is among them."""
        ...

    def removal_command(self, target: Target, *, is_last: bool = False) -> str:
        """Removes what this issued kit made. The last of an account's also removes what its kits share, when the account leaves."""
        ...

    def removal_link(self, target: Target, publication: Publication) -> str:
        """The page of the cloud's console where that is done, or where the command is run."""
        ...

    def shell_link(self, target: Target, publication: Publication) -> str:
        """The cloud's own shell in a browser, where a command of the customer's is run."""
        ...

    def switch_command(self, target: Target, publication: Publication, switch: str, value: str) -> str:
        """Sets one switch of a kit that stands, to "yes" or "no"; empty where this version's own files are no longer handed out."""
        ...

    def place_command(self, target: Target, publication: Publication, region: str) -> str:
        """Runs a kit that stands for a further region too; empty where that is not needed, or this version cannot do it."""
        ...

    def place_removal_command(self, target: Target, region: str) -> str:
        """Removes what the kit made for a further region; empty where there is no such thing."""
        ...

    def shut_support(self, target: Target, publication: Publication) -> Sequence[Act]:
        """What the customer does to shut support access at once without this portal, the fastest way first; each with its command."""
        ...

    def installer_rights(self, publication: Publication, issuer: str) -> str:
        """The exact rights of whoever runs the kit, as the cloud writes them down; empty where there is nothing narrower than an admin.

        `issuer` is the portal's token issuer, its scheme included.
        """
        ...

    def read_report(self, text: str) -> Report | None:
        """What was pasted or sent about a kit that was run; None if it says nothing we know."""
        ...

    def why_not_report(self, report: Report, target: Target) -> str:
        """What is plainly wrong with a report that a person pasted for this kit; empty where only the cloud can tell."""
        ...

    def shipped(self, target: Target) -> object:
        """What must stand in the customer's cloud, for the adapter of the same cloud and nobody else."""
        ...

    def keeps(self, version: str) -> bool:
        """Whether `shipped` can still tell what an account under this version must hold, also when it is an earlier one."""
        ...

    def probes(self, target: Target, switches: Mapping[str, str] | None = None) -> Sequence[PermissionProbe]:
        """Every permission of the manifest as a question that the cloud must answer with yes.

        `switches` as the kit reports them: support that the customer has switched off is not asked about.
        """
        ...

    def forbidden_probes(self, target: Target) -> Sequence[PermissionProbe]:
        """Every promise of the manifest as questions that the cloud must answer with no."""
        ...


def search_permissions(kit: CloudKit, words: str) -> list[Permission]:
    """Permissions whose action, reason, limit, role or phase holds every one of the words."""
    wanted = words.casefold().split()
    return [permission for permission in kit.permissions if _holds_all(permission, wanted)]


def _holds_all(permission: Permission, words: Sequence[str]) -> bool:
    texts = (permission.action, permission.reason, permission.limit, permission.role.label, permission.phase.label)
    text = " ".join(str(part) for part in texts).casefold()
    return all(word in text for word in words)


@dataclass(frozen=True)
class Published:
    """What one version is called in the provider's bucket: named by its content, so it never changes."""

    cloud: str
    version: str
    content_hash: str
    files: Mapping[str, bytes] = field(default_factory=dict)

    def key(self, file: str) -> str:
        return f"kits/{self.cloud}/{self.version}/{self.content_hash}/{file}"

    def keyed(self) -> dict[str, bytes]:
        """Every file by its key, and the version's own record of its content: a second content under one version is a conflict."""
        record = {f"kits/{self.cloud}/{self.version}/kit.sha256": f"{self.content_hash}\n".encode()}
        return {self.key(name): content for name, content in self.files.items()} | record
