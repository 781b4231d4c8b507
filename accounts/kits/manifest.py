"""What a kit says of itself, in words: every permission with its reason, every resource with its purpose. Read by pages and tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from django.db.models import TextChoices
from django.utils.translation import pgettext_lazy

from portal.operations.catalogue import Text


class Phase(TextChoices):
    """When a permission is used."""

    SETUP = "setup", pgettext_lazy("when a permission is used", "Setup")
    RUN = "run", pgettext_lazy("when a permission is used", "Run")
    SUPPORT = "support", pgettext_lazy("when a permission is used", "Support")
    DELETE = "delete", pgettext_lazy("when a permission is used", "Delete")


class Role(TextChoices):
    """Which identity of the kit holds a permission. The builder is no way in: what the operator orders may be built as one."""

    OPERATOR = "operator", pgettext_lazy("role of the kit", "Operator")
    SUPPORT = "support", pgettext_lazy("role of the kit", "Support")
    BUILDER = "builder", pgettext_lazy("role of the kit", "Builder")
    AGENT = "agent", pgettext_lazy("role of the kit", "Agent")


ALL = ("*",)  # every action of a grant is kept by the recovery kit


@dataclass(frozen=True)
class Grant:
    """One Allow statement of the template: its actions with their reasons, its limit in words, and how to ask the cloud about it.

    `resource` and the values of `context` may hold {account}, {account_id}, {region}, {suffix}, {short} and {issuer_path}.
    """

    sid: str
    role: Role
    phase: Phase
    limit: Text
    actions: Mapping[str, Text]
    resource: str = "*"
    context: Mapping[str, str] = field(default_factory=dict)
    # Which of its actions the recovery kit keeps: what looking and deleting needs, and nothing that creates or changes.
    recovers: tuple[str, ...] = ()

    @property
    def recovered(self) -> "Grant":
        """What of it stands in the recovery kit; without actions where nothing does."""
        kept = {action: reason for action, reason in self.actions.items() if self.recovers == ALL or action in self.recovers}
        return replace(self, actions=kept)


@dataclass(frozen=True)
class Permission:
    """One line of the review and permissions pages. `key` names it in stored checks; `sids` are the statements of the template."""

    key: str
    action: str
    role: Role
    phase: Phase
    reason: Text
    limit: Text
    sids: tuple[str, ...]

    @property
    def service(self) -> str:
        return self.action.partition(":")[0]


@dataclass(frozen=True)
class Denial:
    """Something that the kit refuses for ever, whatever else is attached. `actions` are examples that tests try.

    `resource` and `context` as in Grant.
    """

    promise: Text
    actions: tuple[str, ...]
    role: Role
    resource: str = "*"
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class KitResource:
    """Something the kit creates in the customer's cloud, and what it costs there."""

    logical_id: str
    type: str
    name: str  # with {account}, {suffix}, {short}, {region}, {mark} (of the place) and {issuer_path}
    purpose: Text
    phase: Text
    payer: Text
    tag: str


@dataclass(frozen=True)
class Switch:
    """A parameter of the kit that stays the customer's own: a kill switch."""

    parameter: str
    title: Text
    effect: Text


@dataclass(frozen=True)
class Region:
    """One place of a cloud. An opt-in region is off until the customer turns it on."""

    code: str
    name: str
    is_opt_in: bool


@dataclass(frozen=True)
class PermissionGroup:
    """Permissions of one role that are used in the same phase."""

    role: Role
    phase: Phase
    permissions: tuple[Permission, ...]


def grouped(permissions: Sequence[Permission]) -> list[PermissionGroup]:
    """By role and phase, in the order of the manifest; empty groups are left out."""
    found: dict[tuple[Role, Phase], list[Permission]] = {}
    for permission in permissions:
        found.setdefault((permission.role, permission.phase), []).append(permission)
    return [PermissionGroup(role, phase, tuple(members)) for (role, phase), members in found.items()]
