"""What of a customer's cloud support access may be about: a registry. Accounts are built in; the product adds what it runs in them.

    scopes.register(ScopeKind("cell", _("Deployment cell"), rank=1, all_of=cell_scopes))

A scope is found within one organisation only. Ranks grow from wide to narrow.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import CloudAccount, Organisation
from accounts.states import Use


@dataclass(frozen=True)
class Scope:
    """One thing that access can be limited to. `inside` names everything that contains it, as "kind:id", widest first."""

    kind: str
    id: str
    label: str
    account: UUID
    region: str = ""
    stack: str = ""  # of the cell that it is or runs in; empty: every cell of the account
    url: str = ""  # the customer's page of it
    inside: tuple[str, ...] = ()

    @property
    def cloud(self) -> str:
        return CloudAccount.objects.values_list("cloud", flat=True).get(pk=self.account)

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True)
class ScopeKind:
    """A kind of scope. `all_of` gives those of one organisation that access makes sense for, by label."""

    code: str
    words: str | Promise
    rank: int
    all_of: Callable[[Organisation], Iterable[Scope]]


KINDS: dict[str, ScopeKind] = {}


def register(kind: ScopeKind) -> None:
    KINDS[kind.code] = kind


def choices(organisation: Organisation) -> list[Scope]:
    """Everything of the organisation that access can be about: wide before narrow, by label."""
    return [scope for kind in sorted(KINDS.values(), key=lambda kind: kind.rank) for scope in kind.all_of(organisation)]


def find(organisation: Organisation, key: str) -> Scope | None:
    """The scope with this key ("kind:id") within the organisation."""
    kind = KINDS.get(key.partition(":")[0])
    return next((scope for scope in kind.all_of(organisation) if scope.key == key), None) if kind else None


def narrower(organisation: Organisation, scope: Scope) -> list[Scope]:
    """What lies inside this scope, and so may be granted instead of it."""
    return [one for one in choices(organisation) if scope.key in one.inside]


def is_within(scope: Scope, outer: str) -> bool:
    """Whether a scope is the one with the key `outer`, or lies inside it."""
    return scope.key == outer or outer in scope.inside


def kind_words(code: str) -> str:
    return str(KINDS[code].words) if code in KINDS else code


def _accounts(organisation: Organisation) -> Iterable[Scope]:
    for account in CloudAccount.objects.usable_for(Use.SUPPORT).filter(organisation=organisation).order_by("name", "pk"):
        account.organisation = organisation
        yield Scope("account", str(account.pk), str(account), account.pk, account.home_region, url=account.get_absolute_url())


register(ScopeKind("account", _("Cloud account"), rank=0, all_of=_accounts))
