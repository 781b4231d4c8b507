"""What an organisation's instances or cells can be told apart by: clouds, regions, accounts, plans, with how many of each.

One statement each. The rows are counted in an index before names are looked up, which the ORM would do the other way round.
"""

from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from accounts.models.cloud_accounts import Cloud

INSTANCES = """
    SELECT f.number, f.cloud, f.region, f.account_id::text, coalesce(nullif(a.name, ''), a.external_id), p.code, p.name
    FROM (
        SELECT cloud, region, account_id, plan_id, count(*) AS number FROM cells_instance
        WHERE organisation_id = %s AND state <> 'deleted' GROUP BY cloud, region, account_id, plan_id
    ) f JOIN cells_plan p ON p.id = f.plan_id LEFT JOIN accounts_cloudaccount a ON a.id = f.account_id
"""
CELLS = """
    SELECT f.number, a.cloud, f.region, f.account_id::text, coalesce(nullif(a.name, ''), a.external_id), '', ''
    FROM (
        SELECT region, account_id, count(*) AS number FROM cells_cell
        WHERE organisation_id = %s AND state <> 'deleted' GROUP BY region, account_id
    ) f JOIN accounts_cloudaccount a ON a.id = f.account_id
"""
# The value of the account filter for what the provider hosts.
HOSTED = "provider"


@dataclass(frozen=True)
class Facets:
    total: int
    clouds: list[tuple[str, str]]
    regions: list[tuple[str, str]]
    accounts: list[tuple[str, str]]  # by id; `HOSTED` where it is the provider's
    plans: list[tuple[str, str]]


def instance_facets(organisation: UUID, *, provider: str) -> Facets:
    return _facets(INSTANCES, organisation, provider)


def cell_facets(organisation: UUID) -> Facets:
    return _facets(CELLS, organisation, "")


def _facets(statement: str, organisation: UUID, provider: str) -> Facets:
    with connection.cursor() as cursor:
        cursor.execute(statement, [organisation])
        rows = cursor.fetchall()
    accounts = {account or HOSTED: name if account else provider for _n, _c, _r, account, name, _p, _l in rows}
    return Facets(
        total=sum(row[0] for row in rows),
        clouds=[(code, str(Cloud(code).label)) for code in sorted({row[1] for row in rows})],
        regions=[(region, region) for region in sorted({row[2] for row in rows})],
        accounts=sorted(accounts.items(), key=lambda pair: pair[1].casefold()),
        plans=sorted({(row[5], row[6]) for row in rows}, key=lambda pair: pair[1]),
    )
