"""What of a customer's cloud support access may be about: a registry. Accounts are built in; the product adds what it runs in them.

    scopes.register(ScopeKind("cell", _("Deployment cell"), rank=1, search=cells, get=cell))

A scope is found within one organisation only. Ranks grow from wide to narrow.
"""

import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from operator import or_
from uuid import UUID

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import CloudAccount, Organisation
from accounts.states import Use

# Of one kind, in one list: nobody reads more, and a search finds the rest.
MOST = 100


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
class Wanted:
    """What a list of scopes is narrowed to: words of a label, and the key of what they lie in. Empty: everything."""

    words: str = ""
    inside: str = ""
    most: int = MOST

    def fits(self, scope: Scope) -> bool:
        return self.words.lower() in f"{scope.label} {scope.region}".lower() and (not self.inside or self.inside in scope.inside)


@dataclass(frozen=True)
class ScopeKind:
    """A kind of scope. Of a few, `all_of` gives those of one organisation that access makes sense for, by label.

    Of many, `search` gives at most so many that fit, and `get` the one with an id: neither reads what it does not give.
    """

    code: str
    words: str | Promise
    rank: int
    all_of: Callable[[Organisation], Iterable[Scope]] | None = None
    search: Callable[[Organisation, Wanted], Iterable[Scope]] | None = None
    get: Callable[[Organisation, str], Scope | None] | None = None

    def found(self, organisation: Organisation, wanted: Wanted) -> list[Scope]:
        if self.search is not None:
            return list(self.search(organisation, wanted))
        all_of = self.all_of(organisation) if self.all_of else ()
        return list(islice((scope for scope in all_of if wanted.fits(scope)), wanted.most))

    def one(self, organisation: Organisation, pk: str) -> Scope | None:
        if self.get is not None:
            return self.get(organisation, pk)
        return next((scope for scope in self.found(organisation, Wanted(most=sys.maxsize)) if scope.id == pk), None)


class Found(list[Scope]):
    """A list to choose from, wide before narrow, by label. `is_cut`: there are more, which words will find."""

    is_cut = False

    def with_key(self, organisation: Organisation, key: str) -> dict[str, Scope]:
        """By key; with the one that was chosen before, even where the list does not go as far."""
        known = {scope.key: scope for scope in self}
        chosen = None if not key or key in known else find(organisation, key)
        return known | ({chosen.key: chosen} if chosen else {})


KINDS: dict[str, ScopeKind] = {}
SERVES_OTHERS: list[Q] = []


def register(kind: ScopeKind) -> None:
    KINDS[kind.code] = kind


def choices(
    organisation: Organisation, *, words: str = "", inside: str = "", kinds: Collection[str] | None = None, most: int = MOST
) -> Found:
    """What of the organisation access can be about: of each kind no more than `most`."""
    found = Found()
    for kind in sorted(KINDS.values(), key=lambda kind: kind.rank):
        if kinds is None or kind.code in kinds:
            some = kind.found(organisation, Wanted(" ".join(words.replace("\0", "").split())[:80], inside, most + 1))
            found += some[:most]
            found.is_cut = found.is_cut or len(some) > most
    return found


def find(organisation: Organisation, key: str) -> Scope | None:
    """The scope with this key ("kind:id") within the organisation."""
    code, _separator, pk = key.partition(":")
    return KINDS[code].one(organisation, pk) if code in KINDS else None


def narrower(organisation: Organisation, scope: Scope) -> Found:
    """What lies inside this scope, and so may be granted instead of it."""
    return choices(organisation, inside=scope.key)


def is_within(scope: Scope, outer: str) -> bool:
    """Whether a scope is the one with the key `outer`, or lies inside it."""
    return scope.key == outer or outer in scope.inside


def kind_words(code: str) -> str:
    return str(KINDS[code].words) if code in KINDS else code


def account_serves_others(condition: Q) -> None:
    """Accounts for which this holds what other organisations have, too: nobody grants access to the whole of them."""
    SERVES_OTHERS.append(condition)


def _accounts(organisation: Organisation) -> Iterable[Scope]:
    found = CloudAccount.objects.usable_for(Use.SUPPORT).filter(organisation=organisation).order_by("name", "pk")
    for account in found.exclude(pk__in=CloudAccount.objects.filter(reduce(or_, SERVES_OTHERS, Q(pk=None)))):
        account.organisation = organisation
        yield Scope("account", str(account.pk), str(account), account.pk, account.home_region, url=account.get_absolute_url())


register(ScopeKind("account", _("Cloud account"), rank=0, all_of=_accounts))
