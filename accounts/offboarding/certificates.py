"""The certificate: what was found, removed and kept in each region, the last sign-in accepted, the first refused, the head of the log."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings

from accounts import kits
from accounts.models import CloudAccount, Kit
from accounts.offboarding.models import Offboarding, SignIn
from accounts.offboarding.parts import ACCESS_ENDED, NOTHING_BUILT, KeptBackup, OpenedAccess, Remnant, parts
from accounts.offboarding.proofs import SIGN_IN, kits_to_remove
from accounts.targets import target_of
from portal.audit.chain import head_of
from portal.audit.details import moment
from portal.audit.verify_certificate import FORMAT, canonical, fingerprint


def remnants(account: CloudAccount) -> list[Remnant]:
    """Every resource that was ever listed in this account, and what became of it."""
    return [remnant for part in parts() for remnant in part.remainder(account)]


def standing(account: CloudAccount) -> list[dict[str, str]]:
    """What is still there, as it is listed to whoever decides about it."""
    left = [one for one in remnants(account) if one.outcome != "removed"]
    return [{"region": one.region, "kind": one.kind, "name": one.name, "id": one.made, "link": one.link} for one in left]


def certificate_of(offboarding: Offboarding, *, now: datetime) -> tuple[str, str]:
    """Its text and the SHA-256 of it. Written in the transaction that completes the offboarding, before its own event."""
    text = canonical(_document(offboarding, now))
    return text, fingerprint(text)


def _document(offboarding: Offboarding, now: datetime) -> dict[str, Any]:
    account, found = offboarding.account, remnants(offboarding.account)
    head = head_of(offboarding.organisation_id)
    return {
        "format": FORMAT,
        "provider": str(settings.PROVIDER_NAME),
        "offboarding": str(offboarding.pk),
        "organisation": {"id": str(offboarding.organisation_id), "name": offboarding.organisation.name},
        "account": {"id": str(account.pk), "cloud": account.cloud, "external_id": account.external_id, "name": str(account)},
        "requested": {"at": moment(offboarding.requested_at), "by": offboarding.requested_by.email},
        "begun_at": moment(offboarding.irreversible_at) if offboarding.irreversible_at else "",
        "completed_at": moment(now),
        "coverage": _coverage(offboarding),
        "regions": _regions(found, [backup for part in parts() for backup in part.backups(account)]),
        "totals": _totals(found),
        "kits": [_kit(offboarding, kit) for kit in _kits(offboarding)],
        "support_access": [_access(one) for part in parts() for one in part.accesses(account)],
        "last_accepted": _last_accepted(offboarding),
        "first_refused": _first_refused(offboarding),
        "closed_with_leftovers": _closing(offboarding),
        "activity": {"sequence": head.sequence, "head": head.hash},
    }


def _regions(found: Sequence[Remnant], backups: Sequence[KeptBackup]) -> list[dict[str, Any]]:
    """Each with its resources, and with the backups that the customer has kept there: those are no resources of ours."""
    by_region: dict[str, list[Remnant]] = defaultdict(list)
    kept: dict[str, list[KeptBackup]] = defaultdict(list)
    for one in found:
        by_region[one.region].append(one)
    for backup in backups:
        kept[backup.region].append(backup)
    return [
        {
            "region": region,
            **_totals(by_region[region]),
            "resources": [_resource(one) for one in sorted(by_region[region], key=lambda one: (one.kind, one.made))],
            "backups": [_backup(one) for one in sorted(kept[region], key=lambda one: (one.of, one.taken_at))],
        }
        for region in sorted({*by_region, *kept})
    ]


def _backup(one: KeptBackup) -> dict[str, Any]:
    return {"instance": one.of, "location": one.location, "bytes": one.bytes, "sha256": one.sha256, "taken_at": moment(one.taken_at)}


def _access(one: OpenedAccess) -> dict[str, str]:
    """Without a refusal the end is what we say, and the document says so by leaving it out."""
    return {
        "case": one.case,
        "engineer": one.engineer,
        "opened_at": moment(one.opened_at),
        "ended_as": one.ended_as,
        "ended_at": moment(one.ended_at) if one.ended_at else "",
        "refused_at": moment(one.refused_at) if one.refused_at else "",
    }


def _coverage(offboarding: Offboarding) -> list[dict[str, str]]:
    """Each region that was ever used: when the cloud was last asked there what bears the account's mark, or why it was not."""
    regions = {region for part in parts() for region in part.regions(offboarding.account)} | set(offboarding.swept)
    found = []
    for region in sorted(regions):
        told = offboarding.swept.get(region, "not_reached")
        is_why = told in {ACCESS_ENDED, NOTHING_BUILT, "not_reached"}
        found.append({"region": region, "looked_at": "" if is_why else told, "not_looked_because": told if is_why else ""})
    return found


def _totals(found: Sequence[Remnant]) -> dict[str, int]:
    """Found is everything that was listed; what was neither removed nor kept on purpose is left."""
    by = {outcome: sum(one.outcome == outcome for one in found) for outcome in ("removed", "kept", "found")}
    return {"found": len(found), "removed": by["removed"], "kept": by["kept"], "left": by["found"]}


def _resource(one: Remnant) -> dict[str, str]:
    said = {"kind": one.kind, "name": one.name, "id": one.made, "outcome": "left" if one.outcome == "found" else one.outcome}
    said |= {"at": moment(one.at) if one.at else "", "evidence": one.evidence}
    return said | ({"kept_by": one.kept_by, "kept_why": one.kept_why} if one.outcome == "kept" else {})


def _kits(offboarding: Offboarding) -> list[Any]:
    """Each that the cloud was asked about; and where an owner's word stands, those that it could not be asked about."""
    asked = set(SignIn.objects.filter(offboarding=offboarding).values_list("kit", flat=True))
    if offboarding.never_told_by_id and not offboarding.was_closed_with_leftovers:
        asked |= {kit.pk for kit in kits_to_remove(offboarding.account)}
    return list(offboarding.account.kits.filter(pk__in=asked).order_by("generation"))


def _kit(offboarding: Offboarding, kit: Any) -> dict[str, Any]:
    refused = SignIn.objects.filter(offboarding=offboarding, kit=kit).refused()
    return {
        "generation": kit.generation,
        "version": kit.version,
        "sha256": kit.content_hash,
        "region": kit.region,
        # The only identity that the sign-ins speak of.
        "asked_for": _asked_for(offboarding.account, kit),
        # Its own: another kit may have been let in after this one was gone.
        "last_accepted": _last_accepted_of(offboarding, kit),
        "refusals": [_sign_in(one) for one in refused],
    } | ({} if refused else _not_asked(offboarding))


def _asked_for(account: CloudAccount, kit: Kit) -> str:
    """The operator identity, as the cloud names it; on Azure with the id that it signs in with."""
    shipped: Any = kits.load(account.cloud).shipped(target_of(account, kit))
    client_id = kit.reported.get("client_id", "")
    return f"{shipped.operator} ({client_id})" if client_id else str(shipped.operator)


def _not_asked(offboarding: Offboarding) -> dict[str, Any]:
    """No identity of the kit was ever told to us, so the cloud has said nothing: who has said that it is not there, and when."""
    if offboarding.never_told_by is None or offboarding.never_told_at is None:
        return {}
    return {"not_asked": {"confirmed_by": offboarding.never_told_by.email, "at": moment(offboarding.never_told_at)}}


def _last_accepted_of(offboarding: Offboarding, kit: Any) -> dict[str, str]:
    if kit.ran_at is None:
        return {}  # never once let in: what the watch has seen was another kit
    accepted = SignIn.objects.filter(offboarding=offboarding).accepted()
    own = accepted.filter(kit=kit).first()
    if own is not None:
        return _sign_in(own)
    return {} if accepted.exists() else _last_accepted(offboarding)


def _last_accepted(offboarding: Offboarding) -> dict[str, str]:
    """Of the last proof; where the kit was gone before that, what the watch over the trust had seen last."""
    last = SignIn.objects.filter(offboarding=offboarding).accepted().last()
    if last is not None:
        return _sign_in(last)
    seen = offboarding.account.last_contact_at
    return {"call": SIGN_IN, "at": moment(seen), "evidence": "", "reason": ""} if seen else {}


def _first_refused(offboarding: Offboarding) -> dict[str, str]:
    first = SignIn.objects.filter(offboarding=offboarding).refused().first()
    return _sign_in(first) if first else {}


def _sign_in(one: SignIn) -> dict[str, str]:
    return {"call": one.call, "at": moment(one.asked_at), "evidence": one.evidence, "reason": one.code}


def _closing(offboarding: Offboarding) -> dict[str, Any]:
    """Empty for one that ended by proof."""
    if not offboarding.was_closed_with_leftovers:
        return {}
    people = {"asked_by": offboarding.closing_asked_by, "closed_by": offboarding.closed_by, "consent_by": offboarding.consent_by}
    told = {name: person.email if person else "" for name, person in people.items()}
    consent_at = moment(offboarding.consent_at) if offboarding.consent_at else ""
    return {**told, "consent_at": consent_at, "reason": offboarding.closing_reason, "listed": offboarding.remainder}
