"""What every recovery kit offers, and how it follows from the marks of a kit's manifest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from accounts.clouds.base import PermissionProbe, Target
from accounts.kits.base import Document, Publication, Route
from accounts.kits.manifest import Grant, Permission
from portal.operations.catalogue import Text

SUFFIX = "-recovery"  # ends its version: whoever runs it under an account that stays is told of a wrong version


@dataclass(frozen=True)
class Diff:
    """The rights of the kit, in two: those that the recovery kit holds, and those that it does not."""

    kept: Sequence[Permission]
    withheld: Sequence[Permission]


class RecoveryKit(Protocol):
    """The recovery kit of one cloud, of the version that is shipped now."""

    note: Text  # rights that create or change by name and are taken for deleting; empty where there are none

    @property
    def version(self) -> str: ...

    @property
    def diff(self) -> Diff: ...

    @property
    def documents(self) -> Sequence[Document]:
        """What the customer can read before running it; the first is the one whose hash names it."""
        ...

    def files(self) -> Mapping[str, bytes]:
        """Everything that is published of it, by key in the provider's bucket."""
        ...

    def routes(self, target: Target, publication: Publication) -> Sequence[Route]:
        """The ways to run it in the place of this issued kit, with every parameter filled in. No secret is among them."""
        ...

    def revival_command(self, target: Target) -> str:
        """What has to be run before it, where the cloud keeps names of what was deleted; empty where nothing has to."""
        ...

    def shipped(self, target: Target) -> object:
        """What must stand in the customer's cloud, for the adapter of the same cloud and nobody else."""
        ...

    def probes(self, target: Target) -> Sequence[PermissionProbe]:
        """Every right that it keeps, as a question that the cloud must answer with yes."""
        ...

    def forbidden_probes(self, target: Target) -> Sequence[PermissionProbe]:
        """The kit's promises, and every right that it does not keep, as questions that the cloud must answer with no."""
        ...


def recovered(grants: Iterable[Grant]) -> list[Grant]:
    """What of a kit's grants the recovery kit holds."""
    return [grant.recovered for grant in grants if grant.recovered.actions]


def withheld(grants: Sequence[Grant]) -> list[Grant]:
    """The rest: rights that no grant of the recovery kit holds for the same role, wherever."""
    kept = {(grant.role, action) for grant in recovered(grants) for action in grant.actions}
    rest = (replace(one, actions={name: why for name, why in one.actions.items() if (one.role, name) not in kept}) for one in grants)
    return [grant for grant in rest if grant.actions]


def diff_of(permissions: Sequence[Permission], grants: Sequence[Grant]) -> Diff:
    """The lines of the kit's own page, in two."""
    sids: dict[tuple[str, str], list[str]] = {}
    for grant in recovered(grants):
        for action in grant.actions:
            sids.setdefault((grant.role, action), []).append(grant.sid)
    kept = [replace(one, sids=tuple(sids[one.role, one.action])) for one in permissions if (one.role, one.action) in sids]
    return Diff(kept, [one for one in permissions if (one.role, one.action) not in sids])
