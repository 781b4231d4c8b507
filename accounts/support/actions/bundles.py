"""What a customer does with diagnostic bundles: start one, agree to one, release what may be seen, discard the rest."""

from collections.abc import Collection
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.holds import hold_open
from accounts.models import CloudAccount, Membership
from accounts.support.brokering.bundles import (
    COLLECTORS,
    RELEASED_FOR,
    discard,
    erase,
    release_hash,
    why_no_decider,
    why_not_another,
    why_not_collect,
    why_not_discard,
    why_not_of,
    why_not_release,
)
from accounts.support.models import Bundle
from accounts.support.rules.scopes import Scope
from accounts.support.states import BundleState
from accounts.support.transitions import bundle_subject, move_bundle
from accounts.support.wording import notices
from portal.audit import Actor, record
from portal.operations.availability import refuse_if


def start_bundle(*, scope: Scope, reason: str, by: Membership) -> Bundle:
    """By the customer: nobody has to agree any more. Raises NotAllowed."""
    refuse_if(why_no_decider(by) or why_not_of(scope) or why_not_another(by.organisation, scope))
    with transaction.atomic():
        hold_open(by.organisation_id)
        bundle = Bundle.objects.create(
            organisation=by.organisation,
            account=CloudAccount.objects.get(pk=scope.account, organisation=by.organisation),
            scope_kind=scope.kind,
            scope_id=scope.id,
            scope_label=scope.label,
            region=scope.region,
            asked_by=by.user,
            is_by_customer=True,
            reason=reason,
            state=BundleState.COLLECTING,
        )
        _collect(bundle)
        # The log comes last: whoever holds its end waits for nobody.
        subject, actor = bundle_subject(bundle), Actor.user(by.user)
        record(organisation_id=by.organisation_id, action="support.bundle_collecting", actor=actor, subject=subject)
    return bundle


def collect_bundle(bundle: Bundle, *, by: Membership) -> None:
    """Agree to what an engineer has asked for. Nothing leaves the organisation by that. Raises NotAllowed, LostRace."""
    with transaction.atomic():
        row = _lock(bundle)
        refuse_if(why_not_collect(row, by))
        _collect(row)
        move_bundle(row, BundleState.COLLECTING, by=Actor.user(by.user), expires_at=None)


def release_bundle(bundle: Bundle, *, parts: Collection[str], by: Membership) -> None:
    """These parts and no other; the others are erased at once. Raises NotAllowed, LostRace."""
    with transaction.atomic():
        row = _lock(bundle)
        refuse_if(why_not_release(row, by))
        files = [file for file in row.files.all() if file.name in parts]
        refuse_if("" if files else _("Choose at least one part, or discard the bundle."))
        row.files.exclude(pk__in=[file.pk for file in files]).update(is_excluded=True)
        now, sha256 = timezone.now(), release_hash(files)
        left_out = sorted(row.files.filter(is_excluded=True).values_list("name", flat=True))
        details = {"parts": sorted(file.name for file in files), "left_out": left_out, "sha256": sha256}
        fields: dict[str, Any] = {"released_by": by.user, "released_at": now, "expires_at": now + RELEASED_FOR, "sha256": sha256}
        move_bundle(row, BundleState.RELEASED, by=Actor.user(by.user), details=details, **fields)
        erase(row, only_excluded=True)
        notices.tell_bundle(row)


def discard_bundle(bundle: Bundle, *, by: Membership) -> None:
    """Decline it, stop collecting it, or take back what was released. Raises NotAllowed, LostRace."""
    with transaction.atomic():
        row = _lock(bundle)
        refuse_if(why_not_discard(row, by))
        discard(row, by=Actor.user(by.user))


def _lock(bundle: Bundle) -> Bundle:
    return Bundle.objects.select_for_update(of=("self",)).select_related("organisation", "account", "asked_by").get(pk=bundle.pk)


def _collect(bundle: Bundle) -> None:
    for collect in COLLECTORS:
        collect(bundle)
