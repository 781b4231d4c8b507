"""An organisation's rules for support access: what is in force, what would loosen it, what it means for a moment."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

from django.utils import timezone

from accounts.models import Organisation
from accounts.support.models import AccessPolicy
from accounts.support.models.policies import Mode, Outside
from accounts.support.rules.windows import Hours

STRICTNESS = {mode: rank for rank, mode in enumerate(Mode)}
FIELDS = ("mode", "longest_minutes", "decide_hours", "days", "opens", "closes", "zone", "outside", "allows_direct")
WEEK = timedelta(days=7)


def policy_of(organisation: Organisation) -> AccessPolicy:
    """The rules in force; the defaults, unsaved and in version 0, for an organisation that never set any."""
    return AccessPolicy.objects.filter(organisation=organisation).first() or AccessPolicy(organisation=organisation)


def hours_of(policy: AccessPolicy) -> Hours | None:
    """When access may be open. None: at any time."""
    if not policy.days or policy.opens is None or policy.closes is None:
        return None
    return Hours(frozenset(policy.days), policy.opens, policy.closes, policy.zone)


def values_of(policy: AccessPolicy) -> dict[str, Any]:
    """Plain JSON of the rules, for a change that waits and for the record."""
    values = {name: getattr(policy, name) for name in FIELDS}
    return values | {name: values[name].strftime("%H:%M") if values[name] else None for name in ("opens", "closes")}


def with_values(policy: AccessPolicy, values: Mapping[str, Any]) -> AccessPolicy:
    """These rules as an unsaved policy of the same organisation."""
    changed = AccessPolicy(organisation_id=policy.organisation_id, version=policy.version)
    for name in FIELDS:
        value = values[name]
        setattr(changed, name, time.fromisoformat(value) if name in {"opens", "closes"} and value else value)
    return changed


def only_off(policy: AccessPolicy) -> AccessPolicy:
    """The same rules, switched off."""
    return with_values(policy, values_of(policy) | {"mode": Mode.OFF})


def is_looser(new: AccessPolicy, old: AccessPolicy) -> bool:
    """Whether anything could be approved, or be open, under `new` that `old` refuses. What is not surely stricter counts as looser.

    Of rules that are off, too: all but the mode would be in force unseen, once somebody switches access on again.
    """
    if STRICTNESS[Mode(new.mode)] > STRICTNESS[Mode(old.mode)]:
        return True
    longer = new.longest_minutes > old.longest_minutes or new.decide_hours > old.decide_hours
    waits = new.outside == Outside.WAIT and old.outside == Outside.REFUSE and bool(old.days)
    return longer or waits or (new.allows_direct and not old.allows_direct) or _opens_more(new, old)


def _opens_more(new: AccessPolicy, old: AccessPolicy) -> bool:
    """Hours are compared as written: in another zone they mean other moments, so that counts as more."""
    if not old.days:
        return False
    before, after = hours_of(old), hours_of(new)
    if before is None or after is None or before.zone != after.zone:
        return True
    return not _minutes(after) <= _minutes(before)


def _minutes(hours: Hours) -> frozenset[int]:
    """The minutes of a week that are open, by the wall clock."""
    begins, ends = (at.hour * 60 + at.minute for at in (hours.opens, hours.closes))
    length = ends - begins if ends > begins else ends - begins + 24 * 60
    return frozenset((day * 24 * 60 + begins + minute) % (7 * 24 * 60) for day in hours.days for minute in range(length))


def opening_for(policy: AccessPolicy, wished: datetime) -> tuple[datetime, datetime | None] | None:
    """From when to when access that is wished from this moment on may be open at all; None where the rules refuse it.

    The end is None where nothing but the length limits it.
    """
    hours = hours_of(policy)
    if hours is None:
        return wished, None
    if policy.outside == Outside.REFUSE:
        opening = hours.around(wished)
        return (wished, opening[1]) if opening else None
    begins, ends = hours.next_after(wished)
    return max(begins, wished), ends


def decide_by(policy: AccessPolicy) -> datetime:
    """When silence from now on becomes a refusal."""
    return timezone.now() + policy.decide_within
