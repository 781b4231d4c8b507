"""What the product inside of the customer's account adds to the security package. Tenancy does not know it: it is told at start-up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from accounts.models import Organisation
from accounts.security.hosts import Connection


@dataclass(frozen=True)
class Flow:
    source: str
    target: str
    carries: str
    never: str
    link: str = ""  # to a page of the portal that lists it in full


@dataclass(frozen=True)
class Record:
    """Something that is written down of what happens, or an honest word that it is not."""

    what: str
    where: str
    reader: str


@dataclass(frozen=True)
class Inside:
    connections: Sequence[Connection] = ()
    flows: Sequence[Flow] = ()
    records: Sequence[Record] = ()


# Each is asked for an organisation and a cloud.
TELLERS: list[Callable[[Organisation, str], Inside]] = []
