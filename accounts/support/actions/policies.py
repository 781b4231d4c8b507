"""Setting an organisation's rules for support access: tighter at once, looser only with a second owner."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.holds import hold_open
from accounts.models import Membership, Organisation, User
from accounts.support.brokering.endings import end
from accounts.support.models import AccessPolicy, AccessRequest, PolicyChange
from accounts.support.models.policies import Mode
from accounts.support.rules.availability import why_not_confirm_policy, why_not_set_policy
from accounts.support.rules.policy import is_looser, only_off, policy_of, values_of, with_values
from accounts.support.states import GRANTED, AccessState
from portal.audit import Actor, Subject, record
from portal.operations.availability import NotAllowed, refuse_if


def set_policy(*, organisation: Organisation, values: Mapping[str, Any], by: Membership) -> PolicyChange | None:
    """Put these rules in force; where they loosen anything, leave them to a second owner. What waits then, or None. Raises NotAllowed.

    Switching off never waits: what would loosen anything beside it is left out, and the other rules stay as they are.
    """
    refuse_if(why_not_set_policy(organisation, by))
    with transaction.atomic():
        policy = _lock(organisation)
        wanted = with_values(policy, values)
        if wanted.mode == Mode.OFF != policy.mode and is_looser(wanted, policy):
            wanted = only_off(policy)
        if values_of(wanted) == values_of(policy):
            return None
        waiting = PolicyChange.objects.filter(organisation=organisation, state=PolicyChange.State.WAITING)
        waiting.update(state=PolicyChange.State.OVERTAKEN, decided_at=timezone.now())
        if is_looser(wanted, policy):
            change = PolicyChange.objects.create(
                organisation=organisation, values=dict(values_of(wanted)), of_version=policy.version, asked_by=by.user
            )
            _record(organisation, "support.policy_change_asked", by.user, _difference(policy, wanted))
            return change
        _put_in_force(policy, wanted, by.user, "support.policy_tightened")
    return None


def confirm_change(change: PolicyChange, *, by: Membership) -> None:
    """The second owner agrees. Raises NotAllowed, also when the rules have changed since."""
    with transaction.atomic():
        policy = _lock(change.organisation)
        row = _waiting(change)
        refuse_if(why_not_confirm_policy(change.organisation, by, asked_by=row.asked_by))
        if row.of_version != policy.version:
            raise NotAllowed(_("The policy has changed since this was asked. Ask for the change anew."))
        _decide(row, PolicyChange.State.CONFIRMED, by.user)
        _put_in_force(policy, with_values(policy, row.values), by.user, "support.policy_loosened", asked_by=str(row.asked_by))


def drop_change(change: PolicyChange, *, by: Membership) -> None:
    """Refused by another owner, or taken back by the one who asked. Raises NotAllowed."""
    refuse_if(why_not_set_policy(change.organisation, by))
    with transaction.atomic():
        _lock(change.organisation)
        row = _waiting(change)
        is_own = row.asked_by_id == by.user_id
        _decide(row, PolicyChange.State.WITHDRAWN if is_own else PolicyChange.State.REFUSED, by.user)
        _record(change.organisation, "support.policy_change_withdrawn" if is_own else "support.policy_change_refused", by.user, {})


def _lock(organisation: Organisation) -> AccessPolicy:
    """The rules in force, held by their organisation's row: there may be no row of rules yet."""
    return policy_of(hold_open(organisation.pk))


def _waiting(change: PolicyChange) -> PolicyChange:
    row = PolicyChange.objects.select_related("asked_by").filter(pk=change.pk, state=PolicyChange.State.WAITING).first()
    if row is None:
        raise NotAllowed(_("This change does not wait any more."))
    return row


def _decide(row: PolicyChange, state: PolicyChange.State, user: User) -> None:
    row.state, row.decided_by, row.decided_at = state, user, timezone.now()
    row.save(update_fields=["state", "decided_by", "decided_at"])


def _put_in_force(policy: AccessPolicy, wanted: AccessPolicy, user: User, action: str, **details: str) -> None:
    difference = _difference(policy, wanted)
    for name, value in values_of(wanted).items():
        setattr(policy, name, getattr(wanted, name) if name in {"opens", "closes"} else value)
    policy.version += 1
    policy.changed_by, policy.changed_at = user, timezone.now()
    policy.save()
    if policy.mode == Mode.OFF:
        _end_all(policy, user, _("Support access was switched off."))
    elif not policy.allows_direct:
        _end_all(policy, user, _("Credentials are not handed out any more."), is_direct=True)
    _record(policy.organisation, action, user, {**difference, **details, "version": policy.version})


def _end_all(policy: AccessPolicy, user: User, reason: str, **which: bool) -> None:
    """Off means off: also what was granted before. Each end is an event of its own."""
    standing = AccessRequest.objects.filter(organisation=policy.organisation, state__in=sorted(GRANTED - {AccessState.ENDING}), **which)
    for row in standing.select_related("organisation", "account", "engineer", "checked_by").select_for_update(of=("self",)).order_by("pk"):
        end(row, AccessState.REVOKED, actor=Actor.user(user), user=user, reason=reason)


def _difference(old: AccessPolicy, new: AccessPolicy) -> dict[str, Any]:
    before, after = values_of(old), values_of(new)
    return {name: [_plain(before[name]), _plain(after[name])] for name in before if before[name] != after[name]}


def _plain(value: Any) -> Any:
    return ",".join(str(one) for one in value) if isinstance(value, list) else value


def _record(organisation: Organisation, action: str, user: User, details: Mapping[str, Any]) -> None:
    subject = Subject(kind="support_policy", id=str(organisation.pk), label=str(organisation))
    record(organisation_id=organisation.pk, action=action, actor=Actor.user(user), subject=subject, details=details)
