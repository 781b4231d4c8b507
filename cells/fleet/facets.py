"""What an organisation's instances or cells can be told apart by: regions, accounts, plans; and how many there are.

One statement each. The rows are counted in an index before names are looked up, which the ORM would do the other way round.
"""

import time
from dataclasses import dataclass, replace
from functools import lru_cache
from uuid import UUID

from django.db import connection

# By the cloud too, where nothing asks for it: so the rows come from the index in the order of the groups.
INSTANCES = """
    SELECT f.number, f.region, f.account_id::text, coalesce(nullif(a.name, ''), a.external_id), p.code, p.name
    FROM (
        SELECT region, account_id, plan_id, count(*) AS number FROM cells_instance
        WHERE organisation_id = %s AND state <> 'deleted' GROUP BY cloud, region, account_id, plan_id
    ) f JOIN cells_plan p ON p.id = f.plan_id LEFT JOIN accounts_cloudaccount a ON a.id = f.account_id
"""
CELLS = """
    SELECT f.number, f.region, f.account_id::text, coalesce(nullif(a.name, ''), a.external_id), '', ''
    FROM (
        SELECT region, account_id, count(*) AS number FROM cells_cell
        WHERE organisation_id = %s AND state <> 'deleted' GROUP BY region, account_id
    ) f JOIN accounts_cloudaccount a ON a.id = f.account_id
"""
ACCOUNT = """
    SELECT id::text, coalesce(nullif(name, ''), external_id) FROM accounts_cloudaccount WHERE organisation_id = %s AND id::text = %s
"""
# The value of the account filter for what the provider hosts.
HOSTED = "provider"
REMEMBERED = 30  # seconds

Pairs = tuple[tuple[str, str], ...]  # value and words


@dataclass(frozen=True)
class Facets:
    total: int
    regions: Pairs
    accounts: Pairs  # by id; `HOSTED` where it is the provider's
    plans: Pairs

    def and_account(self, organisation: UUID, given: str) -> "Facets":
        """With the name of an account that the address asks for, where none of the rows that count is in it: it may have left."""
        if not given or given in dict(self.accounts):
            return self
        return replace(self, accounts=(*self.accounts, *_named(organisation, given)))

    @property
    def choices(self) -> dict[str, Pairs]:
        """By the name of the filter."""
        return {"region": self.regions, "account": self.accounts, "plan": self.plans}


def instance_facets(organisation: UUID, *, provider: str, total: int | None = None) -> Facets:
    return _facets(INSTANCES, organisation, provider) if total is None else _remembered(INSTANCES, organisation, provider, total, _now())


def cell_facets(organisation: UUID, *, total: int | None = None) -> Facets:
    return _facets(CELLS, organisation, "") if total is None else _remembered(CELLS, organisation, "", total, _now())


def _now() -> int:
    return int(time.monotonic() // REMEMBERED)


@lru_cache(maxsize=512)
def _remembered(statement: str, organisation: UUID, provider: str, total: int, now: int) -> Facets:
    """As long as there are as many as before, what to choose among may be this old: counting it anew costs more than a page of rows."""
    return _facets(statement, organisation, provider)


def _named(organisation: UUID, given: str) -> Pairs:
    """Whole ids only, and nobody else's accounts."""
    with connection.cursor() as cursor:
        cursor.execute(ACCOUNT, [organisation, given])
        return tuple(cursor.fetchall())


def _facets(statement: str, organisation: UUID, provider: str) -> Facets:
    with connection.cursor() as cursor:
        cursor.execute(statement, [organisation])
        rows = cursor.fetchall()
    accounts = {account or HOSTED: name if account else provider for _n, _r, account, name, _p, _l in rows}
    return Facets(
        total=sum(row[0] for row in rows),
        regions=tuple((region, region) for region in sorted({row[1] for row in rows})),
        accounts=tuple(sorted(accounts.items(), key=lambda pair: pair[1].casefold())),
        plans=tuple(sorted({(row[4], row[5]) for row in rows}, key=lambda pair: pair[1])),
    )
