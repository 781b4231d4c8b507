#!/usr/bin/env python3
"""Check an offboarding certificate offline. One file, needs nothing but Python 3.8 or newer.

    python3 verify_certificate.py certificate.json --sha256 9f2c3a…          the file must have this hash
    python3 verify_certificate.py certificate.json --activity activity.jsonl the log must hold it (check the log itself with verify.py)
    python3 verify_certificate.py certificate.json                           its form alone: whoever has changed it can make that fit

Exit code: 0 it holds, 1 it does not (the reason is named), 2 a file or the arguments cannot be read, 3 it fits itself, and nothing that
is known from elsewhere says that it is the one that was written.

The certificate is one line of canonical JSON: UTF-8, keys sorted, no white space between tokens, no line feed at the end. What is checked:

    the form     the bytes are those of the canonical JSON of the same object, and the format is byoc-offboarding/1
    the counts   of each region and in all: found = removed + kept + left, and as many resources are listed
    the support  each access that was opened ended before the end; without a time of refusal its end is the provider's word
    the backups  each final backup that was kept is named with its place, size, SHA-256 and time, which is not after the end. Whether a
                 file is that backup, its own SHA-256 tells
    the end      each kit was refused twice, at least 30 seconds apart, because the cloud knows its identity no more, and after the last
                 sign-in with it that was accepted. One of which no identity was ever told was not asked about: it names who has said
                 that it was never run, or is removed. One that was closed with leftovers says so, with two people and the consent of
                 a third one
    the log      with --activity: each event's hash is the SHA-256 of its own canonical JSON without the hash, and neighbours are chained;
                 the event at which the certificate was written has the hash that it names, and a later event of the same organisation
                 names the SHA-256 of this very certificate

What this proves, with a hash or a log that you have from elsewhere: nobody has changed the certificate since it was written into the
activity log. Whoever can rewrite the portal's whole database can write another log, too: verify.py holds it to the events that you know.
What it cannot prove is what the clouds had said; their words stand beside each refusal, and your own cloud's log has the same calls.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

FORMAT = "byoc-offboarding/1"
# The cloud knows the identity, or the whole account, no more.
REASONS = ("provider_deleted", "role_deleted", "account_deleted")
# Why nobody has asked the cloud in a region what bears the account's mark.
NOT_LOOKED = {
    "access_ended": "our access had ended",
    "nothing_built": "nothing was ever built in this account",
    "not_reached": "it ended before",
}
APART = timedelta(seconds=30)
REFUSALS = 2
HASH_DIGITS = 64
COMPLETED = ("offboarding.complete", "offboarding.complete_unasked", "offboarding.closed")


class Wrong(Exception):
    """What does not hold, in one sentence."""


def canonical(document: dict[str, Any]) -> str:
    """The one text of a certificate."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def fingerprint(text: str) -> str:
    """SHA-256 of a certificate's text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def check(text: str) -> dict[str, Any]:
    """The certificate that this text is. Raises Wrong."""
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Wrong("It is not valid JSON.") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise Wrong("It is not a certificate of the format " + FORMAT + ".")
    if canonical(document) != text:
        raise Wrong("It is not written in canonical form: the bytes were changed, though they may read alike.")
    try:
        _check_counts(document)
        _check_backups(document)
        _check_access(document)
        _check_end(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Wrong("It does not have the shape of a certificate: " + type(error).__name__ + ".") from error
    return document


def _no_constant(name: str) -> None:
    raise ValueError(name + " is no JSON")


def _check_counts(document: dict[str, Any]) -> None:
    total = {"found": 0, "removed": 0, "kept": 0, "left": 0}
    for region in document["regions"]:
        rows = region["resources"]
        for outcome in ("removed", "kept", "left"):
            if region[outcome] != sum(row["outcome"] == outcome for row in rows):
                raise Wrong("The counts of " + region["region"] + " are not those of its resources.")
        if region["found"] != len(rows):
            raise Wrong("The counts of " + region["region"] + " are not those of its resources.")
        for name in total:
            total[name] += region[name]
    if document["totals"] != total:
        raise Wrong("The totals are not the sums of the regions.")


def _check_backups(document: dict[str, Any]) -> None:
    """Certificates of before name none."""
    for region in document["regions"]:
        for backup in region.get("backups", []):
            digits = set(backup["sha256"])
            is_hash = len(backup["sha256"]) == HASH_DIGITS and digits <= set("0123456789abcdef")
            if not (backup["instance"] and backup["location"] and is_hash and type(backup["bytes"]) is int and backup["bytes"] >= 0):
                raise Wrong("A final backup in " + region["region"] + " is not named with its place, size and hash.")
            if _time(backup["taken_at"]) > _time(document["completed_at"]):
                raise Wrong("A final backup in " + region["region"] + " was taken after the end.")


def _check_access(document: dict[str, Any]) -> None:
    """Certificates of before name none."""
    for one in document.get("support_access", []):
        ends = [_time(one[name]) for name in ("ended_at", "refused_at") if one[name]]
        if not one["case"] or any(end < _time(one["opened_at"]) or end > _time(document["completed_at"]) for end in ends):
            raise Wrong("A support access has no case, or did not end between its beginning and the end of the offboarding.")


def _check_end(document: dict[str, Any]) -> None:
    closing = document["closed_with_leftovers"]
    if closing:
        people = (closing["asked_by"], closing["closed_by"], closing["consent_by"])
        if not all(people) or not closing["consent_at"] or len(set(people)) < len(people):
            raise Wrong("It was closed with leftovers without two people and the consent of a third one.")
        return
    if document["totals"]["left"]:
        raise Wrong("Something is left, and nobody has consented to that.")
    if not document["kits"]:
        raise Wrong("No kit was ever refused.")
    for kit in document["kits"]:
        if kit.get("not_asked"):
            _check_word(kit)
            continue
        accepted = kit.get("last_accepted", document["last_accepted"])
        _check_refusals(kit, _time(accepted["at"]) if accepted else None)


def _check_word(kit: dict[str, Any]) -> None:
    said = kit["not_asked"]
    if kit["refusals"] or not said["confirmed_by"] or not said["at"]:
        raise Wrong("Kit number " + str(kit["generation"]) + " was not asked about, and nobody has said that it is not there.")


def _check_refusals(kit: dict[str, Any], accepted: datetime | None) -> None:
    name = "Kit number " + str(kit["generation"])
    refusals = kit["refusals"]
    if len(refusals) < REFUSALS:
        raise Wrong(name + " was not refused twice.")
    if any(one["reason"] not in REASONS for one in refusals):
        raise Wrong(name + " was refused for another reason than that its identity is gone.")
    times = [_time(one["at"]) for one in refusals]
    if times[-1] - times[0] < APART:
        raise Wrong(name + " was refused twice within less than 30 seconds.")
    if accepted is not None and times[0] <= accepted:
        raise Wrong(name + " was accepted after it had been refused.")


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")  # noqa: DTZ007  every time of a certificate is UTC, and only compared


def check_in_log(document: dict[str, Any], sha256: str, lines: list[bytes]) -> None:
    """The log of the same organisation holds what the certificate names, and names the certificate. Raises Wrong."""
    try:
        events = [json.loads(line) for line in lines if line.strip()]
        _check_chain(events)
        _check_in_events(document, sha256, events)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Wrong("The log is no export of an activity log: " + type(error).__name__ + ".") from error


def _check_chain(events: list[dict[str, Any]]) -> None:
    """Each event is as it was written. A filter may have left some out, so only neighbours are held against each other."""
    before: dict[str, Any] = {"sequence": 0, "hash": ""}
    for event in events:
        leaf = {name: value for name, value in event.items() if name != "hash"}
        name = "Event " + str(event["sequence"]) + " of the log"
        if fingerprint(canonical(leaf)) != event["hash"]:
            raise Wrong(name + " does not match its hash: it was changed.")
        if event["sequence"] <= before["sequence"]:
            raise Wrong(name + " is out of order.")
        if before["hash"] and event["sequence"] == before["sequence"] + 1 and event["previous"] != before["hash"]:
            raise Wrong(name + " was not written after the event before it.")
        before = event


def _check_in_events(document: dict[str, Any], sha256: str, events: list[dict[str, Any]]) -> None:
    head = document["activity"]
    own = [event for event in events if event["organisation"] == document["organisation"]["id"]]
    if not any(event["sequence"] == head["sequence"] and event["hash"] == head["head"] for event in own):
        raise Wrong("Event %d of the log is not the one at which the certificate was written." % head["sequence"])  # noqa: UP031
    for event in own:
        is_after = event["sequence"] > head["sequence"]
        if is_after and event["action"] in COMPLETED and event["details"].get("certificate") == sha256:
            return
    raise Wrong("No event of the log names this certificate.")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check an offboarding certificate.")
    parser.add_argument("certificate", type=Path)
    parser.add_argument("--sha256", default="", help="the hash that the file must have")
    parser.add_argument("--activity", type=Path, help="an export of the activity log")
    given = parser.parse_args(arguments)
    try:
        text = given.certificate.read_bytes().decode()
        # By line feeds alone: a text may hold other ends of a line, such as U+2028.
        lines = given.activity.read_bytes().split(b"\n") if given.activity else []
    except (OSError, ValueError) as error:
        sys.stderr.write("Cannot read: " + str(error) + "\n")
        return 2
    try:
        document = check(text)
        if given.sha256 and fingerprint(text) != given.sha256.lower():
            raise Wrong("Its SHA-256 is " + fingerprint(text) + ", not the expected one.")
        if given.activity:
            check_in_log(document, fingerprint(text), lines)
    except Wrong as wrong:
        sys.stdout.write("It does not hold. " + str(wrong) + "\n")
        return 1
    is_anchored = bool(given.sha256 or given.activity)
    sys.stdout.write(_told(document, fingerprint(text), is_anchored))
    return 0 if is_anchored else 3


UNANCHORED = "Whoever has changed it can have made it fit: give a hash (--sha256) or a log (--activity) that you have from elsewhere."


def _told(document: dict[str, Any], sha256: str, is_anchored: bool) -> str:
    totals, account = document["totals"], document["account"]
    lines = [
        ("It holds." if is_anchored else "It fits itself.") + " SHA-256 " + sha256,
        *([] if is_anchored else [UNANCHORED]),
        account["cloud"] + " " + account["external_id"] + " of " + document["organisation"]["name"] + ", " + document["completed_at"],
        "{found} found: {removed} removed, {kept} kept, {left} left.".format(**totals),
    ]
    if document["closed_with_leftovers"]:
        lines.append("Closed with leftovers, with consent.")
    elif document["first_refused"]:
        lines.append("First refused " + document["first_refused"]["at"] + ": " + document["first_refused"]["reason"])
    reasons = {one["reason"] for kit in document["kits"] for one in kit["refusals"]}
    if "account_deleted" in reasons:
        lines.append("The cloud said that the whole account is gone, or is not where it was: it can come back, and the identity with it.")
    if account["cloud"] == "gcp" and "provider_deleted" in reasons:
        lines.append("Google Cloud answers alike for an identity pool that is deleted and for one that is only switched off.")
    lines.extend(region["region"] + ": " + _looked(region) for region in document.get("coverage", []))
    for region in document["regions"]:
        for one in region.get("backups", []):
            where = region["region"] + ": final backup of " + one["instance"] + " kept in your own cloud: " + one["location"]
            lines.append(where + ", " + str(one["bytes"]) + " bytes, SHA-256 " + one["sha256"])
    for one in document.get("support_access", []):
        seen = "refused by the cloud " + one["refused_at"] if one["refused_at"] else "no refusal of the cloud is known"
        lines.append("Support access " + one["case"] + ", opened " + one["opened_at"] + ": " + one["ended_as"] + ", " + seen)
    for kit in document["kits"]:
        if kit.get("asked_for") and kit["refusals"]:
            lines.append("Kit number " + str(kit["generation"]) + ": only this identity was asked for: " + kit["asked_for"])
        if kit.get("not_asked"):
            said = "not asked: no identity was ever told to us. " + kit["not_asked"]["confirmed_by"] + " has confirmed that it"
            lines.append("Kit number " + str(kit["generation"]) + " " + said + " was never run, or is removed.")
    return "\n".join(lines) + "\n"


def _looked(region: dict[str, Any]) -> str:
    reason = str(region["not_looked_because"])
    return "not looked at: " + NOT_LOOKED.get(reason, reason) if reason else "last looked at " + str(region["looked_at"])


if __name__ == "__main__":
    sys.exit(main())
