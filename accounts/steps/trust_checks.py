"""What was found of single permissions and refusals: the last state of each, and a line of history where it changed."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts.clouds.base import CloudError, PermissionResult, RefusalResult
from accounts.models import CloudAccount, TrustChange, TrustCheck
from portal.redaction import without_secrets

Found = tuple[str, bool, str]  # name, whether it is as it must be, the cloud's own word
WORDS = {
    TrustCheck.Kind.PERMISSION: {True: "held", False: "missing"},
    TrustCheck.Kind.REFUSAL: {True: "refused", False: "accepted"},
}


def keep_permissions(
    account: CloudAccount, results: Iterable[PermissionResult], *, at: datetime | None = None, has_news_only: bool = False
) -> None:
    found = ((result.permission, result.is_granted, result.detail) for result in results)
    keep_checks(account, TrustCheck.Kind.PERMISSION, found, at=at, has_news_only=has_news_only)


def keep_refusals(account: CloudAccount, results: Iterable[RefusalResult], *, at: datetime | None = None) -> None:
    keep_checks(account, TrustCheck.Kind.REFUSAL, ((result.name, result.is_refused, result.evidence) for result in results), at=at)


def what_is_missing(results: Iterable[PermissionResult]) -> CloudError | None:
    """What to call permissions that are not held; None while each of them is."""
    lost = [result for result in results if not result.is_granted]
    if not lost:
        return None
    names = [result.permission for result in lost]
    raw, params = "\n".join(names), {"count": str(len(names)), "permissions": ", ".join(names[:5])}
    if all(result.is_denied_by_organisation for result in lost):
        return CloudError("denied_by_organisation", raw=raw, params=params)
    return CloudError("permission_missing", raw=raw, params=params)


def keep_checks(
    account: CloudAccount, kind: TrustCheck.Kind, found: Iterable[Found], *, at: datetime | None = None, has_news_only: bool = False
) -> None:
    """Write what was found, `at` a moment (default: now).

    With `has_news_only` rows that say the same already are left alone: a look every hour costs no write then.
    """
    now = at or timezone.now()
    wanted = list(found)
    with transaction.atomic():
        checks = TrustCheck.objects.filter(account=account, kind=kind)
        known = {check.name: check for check in checks.select_for_update().order_by("pk")}
        rows = [_row(account, kind, item, known.get(item[0]), now) for item in wanted]
        changed = [row for row in rows if row.name in known and known[row.name].is_ok != row.is_ok]
        news = [row for row in rows if not has_news_only or _is_news(row, known.get(row.name))]
        gone = set(known) - {row.name for row in rows}
        if gone:
            checks.filter(name__in=gone).delete()
        TrustCheck.objects.bulk_create(
            news,
            update_conflicts=True,
            unique_fields=["account", "kind", "name"],
            update_fields=["is_ok", "since", "detail", "checked_at"],
        )
        TrustChange.objects.bulk_create(_change(row, known[row.name], now) for row in changed)


def _row(account: CloudAccount, kind: TrustCheck.Kind, item: Found, known: TrustCheck | None, now: datetime) -> TrustCheck:
    name, is_ok, detail = item
    since = known.since if known and known.is_ok == is_ok else now
    return TrustCheck(account=account, kind=kind, name=name, is_ok=is_ok, since=since, detail=without_secrets(detail)[:500], checked_at=now)


def _is_news(row: TrustCheck, known: TrustCheck | None) -> bool:
    return known is None or (known.is_ok, known.detail) != (row.is_ok, row.detail)


def _change(row: TrustCheck, known: TrustCheck, now: datetime) -> TrustChange:
    words = WORDS[TrustCheck.Kind(row.kind)]
    return TrustChange(account=row.account, kind=row.kind, name=row.name, was=words[known.is_ok], now=words[row.is_ok], at=now)
