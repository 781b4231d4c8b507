#!/usr/bin/env python3
"""Check, offline and with Python's own library only, what a customer's approvers allowed and what was done under it.

    python3 verify_access.py access-evidence.zip                         that it fits itself: whoever has changed it can make that so
    python3 verify_access.py access-evidence.zip --known 57:9f2c3a…      event 57 must be there with this hash (repeatable)
    python3 verify_access.py access-evidence.zip --key 4b1d…             passkeys must be among these (SHA-256 as shown, repeatable)
    python3 verify_access.py receipt.json --activity activity.jsonl      the same from single files, for example with a whole export

Exit code: 0 all of it holds, 1 something does not (the first thing is named), 2 a file or the arguments cannot be read, 3 it fits itself,
and nothing that you know from elsewhere (an event, a passkey, a log) was held against it. Needs Python 3.9 or newer. The evidence is an
archive of `receipt.json`, `activity.jsonl` (one event of the activity log a line), `results/` (what each act gave) and this file. Checked
are:

1. The grant: one text of JSON with sorted keys, no spaces, UTF-8 (`canonical`), and its SHA-256. The receipt claims nothing that the grant
   does not say.
2. The approvals: as many different people as the grant asks for, none of them the engineer or the engineer's checker. An approver with a
   passkey has signed: the challenge that the passkey signs is the SHA-256 of the grant's text. What the passkey gave is the assertion:

    public_key          the passkey's public key as a JWK: {"kty": "EC", "crv": "P-256", "x", "y"} or {"kty": "RSA", "n", "e"}
    client_data         what the browser had signed, base64url: type, challenge, origin
    authenticator_data  what the passkey added, base64url: for which site, whether somebody was there
    signature           of authenticator_data and the SHA-256 of client_data, base64url
    rp_id, origin       the site that the passkey belongs to

3. The receipt: its SHA-256 stands in the activity log, in an event that comes after all the events that the receipt itself names by number
   and hash. Each of these is there, and each one's hash is the SHA-256 of its own canonical text without the hash. Acts, approvals and
   the end are the same in both.
4. The results: the SHA-256 of each is the one in the receipt.

What this cannot prove: an approval by a code of an authenticator app is the portal's word only. And whoever could rewrite the portal's
whole database could write another log; so keep a number and a hash of the log from time to time, and give them to `--known`.

This file is read by people who trust nobody: it imports nothing but the standard library, and does the arithmetic of P-256 and RSA itself.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import hmac
import json
import re
import sys
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

FORMAT = "byoc-grant/1"
RECEIPT_FORMAT = "byoc-receipt/2"
RECEIPT_EVENT = "support.receipt_written"
HANDED_OUT = "support.credentials_handed_out"
APPROVALS = frozenset({"support.approved", "support.approved_anew", "support.scheduled"})
USER_PRESENT = 0x01
LEAST_AUTHENTICATOR_DATA = 37
LEAST_RSA_BITS = 2048
MOST_RSA_BITS = 8192
POINT_BYTES = 32


def canonical(document: Mapping[str, Any]) -> str:
    """The one text of a grant document."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def fingerprint(text: str) -> str:
    """SHA-256 of a grant's text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def why_not_signed(text: str, assertion: Mapping[str, Any], *, origin: str = "") -> str:
    """Empty when this passkey signed exactly this grant; else what does not hold. `origin`: the portal's address, where it is known."""
    try:
        return _why_not_signed(text, assertion, origin)
    except (KeyError, TypeError, ValueError, binascii.Error, AttributeError) as error:
        return f"The assertion cannot be read: {type(error).__name__}."


def _why_not_signed(text: str, assertion: Mapping[str, Any], origin: str) -> str:
    if canonical(json.loads(text)) != text:
        return "The grant is not in its canonical form."
    client_data, authenticator_data = _bytes(assertion["client_data"]), _bytes(assertion["authenticator_data"])
    if reason := _why_not_client_data(json.loads(client_data), text, assertion["origin"], origin):
        return reason
    if len(authenticator_data) < LEAST_AUTHENTICATOR_DATA:
        return "The authenticator data are too short."
    if not hmac.compare_digest(authenticator_data[:32], hashlib.sha256(assertion["rp_id"].encode()).digest()):
        return "The passkey answered for another site."
    if not authenticator_data[32] & USER_PRESENT:
        return "Nobody was present when the passkey signed."
    signed = authenticator_data + hashlib.sha256(client_data).digest()
    return "" if _is_signed(assertion["public_key"], signed, _bytes(assertion["signature"])) else "The signature does not fit."


def _why_not_client_data(said: Mapping[str, Any], text: str, stored_origin: str, origin: str) -> str:
    if said["type"] != "webauthn.get":
        return "The browser asked for something else than a signature."
    if not hmac.compare_digest(_bytes(said["challenge"]), hashlib.sha256(text.encode()).digest()):
        return "The passkey signed another grant."
    if said["origin"] != stored_origin or (origin and said["origin"] != origin):
        return "The passkey was used on another site."
    return ""


def _bytes(text: str) -> bytes:
    """Bytes of strict base64url without padding: one text for one value."""
    value = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    if base64.urlsafe_b64encode(value).rstrip(b"=").decode() != text:
        raise ValueError("not base64url")
    return value


def _number(text: str) -> int:
    return int.from_bytes(_bytes(text), "big")


def _is_signed(key: Mapping[str, str], message: bytes, signature: bytes) -> bool:
    digest = hashlib.sha256(message).digest()
    if key["kty"] == "EC" and key["crv"] == "P-256":
        point = (_number(key["x"]), _number(key["y"]))
        return len(_bytes(key["x"])) == len(_bytes(key["y"])) == POINT_BYTES and _is_p256(point, digest, signature)
    if key["kty"] == "RSA":
        return _is_rsa(_number(key["n"]), _number(key["e"]), digest, signature)
    return False


# --- RSA, PKCS #1 v1.5 with SHA-256 ----------------------------------------------------------------------------------

SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def _is_rsa(n: int, e: int, digest: bytes, signature: bytes) -> bool:
    if not LEAST_RSA_BITS <= n.bit_length() <= MOST_RSA_BITS or e < 3 or e % 2 == 0:  # noqa: PLR2004  the least odd exponent
        return False
    size = (n.bit_length() + 7) // 8
    value = int.from_bytes(signature, "big")
    if len(signature) != size or value >= n:
        return False
    block = SHA256_INFO + digest
    expected = b"\x00\x01" + b"\xff" * (size - len(block) - 3) + b"\x00" + block
    return hmac.compare_digest(pow(value, e, n).to_bytes(size, "big"), expected)


# --- ECDSA over P-256 with SHA-256 -----------------------------------------------------------------------------------

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Point = tuple[int, int]
Jacobian = tuple[int, int, int]
NOWHERE: Jacobian = (1, 1, 0)


def _is_p256(key: Point, digest: bytes, signature: bytes) -> bool:
    x, y = key
    if not (x < P and y < P and (y * y - (x * x * x - 3 * x + B)) % P == 0):
        return False
    r, s = _der(signature)
    if not (0 < r < N and 0 < s < N):
        return False
    inverse = pow(s, -1, N)
    point = _sum(_times(int.from_bytes(digest, "big") * inverse % N, G), _times(r * inverse % N, key))
    if not point[2]:
        return False
    return point[0] * pow(point[2], -2, P) % P % N == r


def _der(signature: bytes) -> tuple[int, int]:
    """The two numbers of a signature, in the one encoding that DER allows. Raises ValueError."""
    r, rest = _der_number(signature[2:])
    s, end = _der_number(rest)
    if signature[:1] != b"\x30" or end or signature[1] != len(signature) - 2 or _der_of(r) + _der_of(s) != signature[2:]:
        raise ValueError("not DER")
    return r, s


def _der_number(data: bytes) -> tuple[int, bytes]:
    if len(data) < 3 or data[0] != 0x02 or data[1] > len(data) - 2:  # noqa: PLR2004  tag, length, at least one byte
        raise ValueError("not DER")
    return int.from_bytes(data[2 : 2 + data[1]], "big", signed=True), data[2 + data[1] :]


def _der_of(number: int) -> bytes:
    value = number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)
    return bytes([0x02, len(value)]) + value


def _times(factor: int, point: Point) -> Jacobian:
    result, doubled = NOWHERE, (*point, 1)
    while factor:
        if factor & 1:
            result = _sum(result, doubled)
        doubled = _double(doubled)
        factor >>= 1
    return result


def _double(point: Jacobian) -> Jacobian:
    x, y, z = point
    if not z or not y:
        return NOWHERE
    gamma = y * y % P
    beta = x * gamma % P
    alpha = 3 * (x - z * z) * (x + z * z) % P
    new_x = (alpha * alpha - 8 * beta) % P
    return new_x, (alpha * (4 * beta - new_x) - 8 * gamma * gamma) % P, 2 * y * z % P


def _sum(one: Jacobian, other: Jacobian) -> Jacobian:
    if not one[2]:
        return other
    if not other[2]:
        return one
    z1, z2 = one[2] * one[2] % P, other[2] * other[2] % P
    x1, x2 = one[0] * z2 % P, other[0] * z1 % P
    y1, y2 = one[1] * z2 * other[2] % P, other[1] * z1 * one[2] % P
    if x1 == x2:
        return _double(one) if y1 == y2 else NOWHERE
    h, r = (x2 - x1) % P, (y2 - y1) % P
    h2 = h * h % P
    h3, v = h2 * h % P, x1 * h2 % P
    x3 = (r * r - h3 - 2 * v) % P
    return x3, (r * (v - x3) - y1 * h3) % P, one[2] * other[2] * h % P


# --- The whole evidence ----------------------------------------------------------------------------------------------


class Broken(Exception):
    """The first thing that does not hold, as a sentence."""


class Evidence(NamedTuple):
    """What is checked, as bytes. `results` by the act's ID."""

    receipt: bytes
    activity: Sequence[bytes]
    results: Mapping[str, bytes]


class Trusted(NamedTuple):
    """What the reader knows from elsewhere: hashes of events by number, SHA-256 of passkeys, the portal's address."""

    known: Mapping[int, str] = {}
    keys: frozenset[str] = frozenset()
    origin: str = ""


def check(evidence: Evidence, trusted: Trusted = Trusted()) -> list[str]:  # noqa: B008  it cannot be changed
    """What was found, in sentences. Raises Broken."""
    try:
        receipt = _canonical_object(evidence.receipt, "The receipt")
        _require(receipt["format"] == RECEIPT_FORMAT, f"The receipt is no {RECEIPT_FORMAT}.")
        said = _check_grant(receipt)
        said += _check_approvals(receipt, trusted)
        events = _read_events(evidence.activity, receipt["organisation"]["id"], trusted)
        said += _check_receipt(receipt, hashlib.sha256(evidence.receipt).hexdigest(), events)
        _check_acts(receipt, events)
        return said + _check_results(receipt, evidence.results)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, binascii.Error, RecursionError) as error:
        raise Broken(f"The evidence cannot be read: {type(error).__name__}.") from error


def _require(holds: object, sentence: str) -> None:
    if not holds:
        raise Broken(sentence)


def _canonical_object(data: bytes, what: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(data.decode("utf-8"))
    _require(isinstance(found, dict) and canonical(found).encode() == data, f"{what} is not in its canonical form.")
    return found


def _check_grant(receipt: Mapping[str, Any]) -> list[str]:
    text = receipt["grant"]["document"]
    _require(fingerprint(text) == receipt["grant"]["sha256"], "The grant does not have the SHA-256 that the receipt names.")
    grant = _canonical_object(text.encode(), "The grant")
    _require(grant["format"] == FORMAT, f"The grant is no {FORMAT}.")
    of_scope = [grant["scope"][name] for name in ("kind", "id", "label")]
    same = {
        "request": (grant["request"], receipt["request"]),
        "organisation": (grant["organisation"]["id"], receipt["organisation"]["id"]),
        "engineer": (grant["engineer"]["id"], receipt["engineer"]["id"]),
        "case": (grant["case"], receipt["case"]),
        "profile": (grant["profile"], receipt["profile"]),
        "scope": (of_scope, [receipt["scope"][name] for name in ("kind", "id", "label")]),
    }
    for name, (granted, claimed) in same.items():
        _require(granted == claimed, f"The receipt names another {name} than the grant.")
    begins, ends = (_moment(receipt["grant"][name]) for name in ("from", "until"))
    _require(_moment(grant["from"]) <= begins < ends <= _moment(grant["until"]), "The receipt names another time than the grant.")
    _require((ends - begins).total_seconds() <= 60 * grant["minutes"], "The receipt names a longer time than the grant.")
    who = f"{grant['engineer']['name']} <{grant['engineer']['email']}>"
    return [f"Grant {receipt['grant']['sha256']}: {who}, {grant['profile']} in {grant['scope']['label']}, {begins} to {ends}."]


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)  # noqa: UP017  UTC is of Python 3.11


def _check_approvals(receipt: Mapping[str, Any], trusted: Trusted) -> list[str]:
    grant = json.loads(receipt["grant"]["document"])
    approvals = [one for one in receipt["decisions"] if one["verb"] == "approve"]
    people = {one["approver"]["id"] for one in approvals}
    _require(len(people) >= max(1, grant["approvals"]), "Fewer people have approved than the grant asks for.")
    provider = {grant["engineer"]["id"], (grant["checked_by"] or {}).get("id")}
    _require(not people & provider, "The engineer, or the engineer's checker, has approved.")
    return [_check_approval(one, receipt["grant"], trusted) for one in approvals]


def _check_approval(one: Mapping[str, Any], grant: Mapping[str, Any], trusted: Trusted) -> str:
    who = f"{one['approver']['name']} <{one['approver']['email']}>"
    _require(one["document_sha256"] == grant["sha256"], f"{who} has approved another grant.")
    if one["method"] != "passkey":
        return f"Approved by {who}, {one['at']}: by a code, which is the portal's word only."
    if reason := why_not_signed(grant["document"], one["assertion"], origin=trusted.origin):
        raise Broken(f"The approval of {who} does not verify. {reason}")
    key = fingerprint(canonical(one["assertion"]["public_key"]))
    _require(not trusted.keys or key in trusted.keys, f"The passkey of {who} is none of those you named: {key}.")
    return f"Approved by {who}, {one['at']}: signed by the passkey {key}."


def _read_events(lines: Sequence[bytes], organisation: str, trusted: Trusted) -> dict[int, dict[str, Any]]:
    """By number. Neighbours are held against each other, so a whole export is checked as a chain."""
    events: dict[int, dict[str, Any]] = {}
    for line in lines:
        _require(line.endswith(b"\n"), "The activity was cut off in the middle of a line.")
        event = _canonical_object(line[:-1], "An event")
        leaf = {name: value for name, value in event.items() if name != "hash"}
        number = event["sequence"]
        _require(fingerprint(canonical(leaf)) == event["hash"], f"Event {number} does not match its hash: it was changed.")
        _require(event["organisation"] == organisation, f"Event {number} belongs to another organisation.")
        _require(number > max(events, default=0), f"Event {number} is out of order.")
        before = events.get(number - 1)
        _require(before is None or event["previous"] == before["hash"], f"Event {number} does not continue the chain.")
        events[number] = event
    for number, known in trusted.known.items():
        _require(number in events, f"Event {number}, which you know, is not there.")
        _require(events[number]["hash"].startswith(known), f"Event {number} is not the one you know: the log was rewritten.")
    return events


def _check_receipt(receipt: Mapping[str, Any], sha256: str, events: Mapping[int, Mapping[str, Any]]) -> list[str]:
    own = _of_grant(receipt, events)
    listed = {one["number"]: one["hash"] for one in receipt["events"]}
    written = [one for one in own if one["action"] == RECEIPT_EVENT and one["details"]["sha256"] == sha256]
    _require(written, "The activity log knows no receipt with this SHA-256: it was changed, or it is another one.")
    number = min(one["sequence"] for one in written)
    for named, its_hash in listed.items():
        _require(named in events, f"Event {named}, which the receipt names, is missing.")
        _require(events[named]["hash"] == its_hash and named < number, f"Event {named} is not the one that the receipt names.")
    unnamed = [one["sequence"] for one in own if one["sequence"] < number and one["sequence"] not in listed]
    _require(not unnamed, f"The receipt does not name event {min(unnamed, default=0)}, which is about this grant.")
    ends = {f"support.{receipt['end']['as']}"}
    _require(any(one["action"] in ends for one in own), "The activity log knows no such end.")
    hashed = {(one["actor"]["id"], one["details"].get("sha256")) for one in own if one["action"] in APPROVALS}
    for one in receipt["decisions"]:
        given = (one["approver"]["id"], one["document_sha256"])
        _require(one["verb"] != "approve" or given in hashed, f"The activity log knows no approval of {one['approver']['name']}.")
    return [f"Receipt {sha256}: event {number} of the activity log, {len(listed)} events before it as they were written."]


def _of_grant(receipt: Mapping[str, Any], events: Mapping[int, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [one for one in events.values() if (one["subject"] or {}).get("id") == receipt["request"]]


def _check_acts(receipt: Mapping[str, Any], events: Mapping[int, Mapping[str, Any]]) -> None:
    own = _of_grant(receipt, events)
    asked = {one["details"]["act_id"]: one["details"]["act"] for one in own if one["action"] in {"support.act_asked", HANDED_OUT}}
    done = {one["details"]["act_id"]: one["details"]["sha256"] for one in own if one["action"] in {"support.act_done", HANDED_OUT}}
    acts = {one["id"]: one for one in receipt["acts"]}
    _require({key: one["name"] for key, one in acts.items()} == asked, "The receipt and the activity log name different acts.")
    results = {key: one["sha256"] for key, one in acts.items() if one["state"] == "done"}
    _require(results == done, "The receipt and the activity log name different results.")


def _check_results(receipt: Mapping[str, Any], results: Mapping[str, bytes]) -> list[str]:
    expected = {one["id"]: one["sha256"] for one in receipt["acts"] if one["state"] == "done"}
    for key, data in results.items():
        _require(hashlib.sha256(data).hexdigest() == expected.get(key), f"The result of act {key} is not the one that the receipt names.")
    there = f"{len(results)} of {len(expected)} results are there, each as it was read" if expected else "nothing was read"
    return [f"Acts: {len(receipt['acts'])}; {there}.", *_ends(receipt)]


def _ends(receipt: Mapping[str, Any]) -> list[str]:
    return [f"The cloud refused the session at {one['asked_at']}: {one['evidence']}" for one in receipt["end"]["proofs"]]


# --- On the command line ---------------------------------------------------------------------------------------------

MOST_BYTES = 256 * 1024 * 1024
UNANCHORED = (
    "It fits itself. Whoever has changed it can have made it fit: give an event that you know (--known), a passkey that you know (--key), "
    "or the activity log that you have (--activity)."
)


def read_evidence(path: Path, activity: Path | None) -> Evidence:
    """From the archive, or from single files. Raises OSError, Broken."""
    if not zipfile.is_zipfile(path):
        return Evidence(path.read_bytes(), activity.read_bytes().splitlines(keepends=True) if activity else [], {})
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        _require(len(names) == len(set(names)), "The archive holds a file twice.")
        _require(sum(one.file_size for one in archive.infolist()) <= MOST_BYTES, "The archive is too large.")
        _require({"receipt.json", "activity.jsonl"} <= set(names), "The archive lacks the receipt or the activity.")
        lines = activity.read_bytes() if activity else archive.read("activity.jsonl")
        results = {match[1]: archive.read(match[0]) for name in names if (match := re.fullmatch(r"results/([0-9a-f-]{36})\.txt", name))}
        return Evidence(archive.read("receipt.json"), lines.splitlines(keepends=True), results)


def _known(text: str) -> tuple[int, str]:
    match = re.fullmatch(r"([1-9][0-9]*):([0-9a-f]{12,64})", text.lower())
    if match is None:
        raise argparse.ArgumentTypeError("write it as number:hash, with at least 12 hexadecimal digits")
    return int(match[1]), match[2]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check the evidence of one support access offline.")
    parser.add_argument("file", type=Path, help="the evidence (ZIP), or receipt.json")
    parser.add_argument("--activity", type=Path, help="an export of the activity log, JSON Lines")
    parser.add_argument("--known", type=_known, action="append", default=[], metavar="NUMBER:HASH", help="an event you know from before")
    parser.add_argument("--key", action="append", default=[], metavar="SHA256", help="a passkey you know")
    parser.add_argument("--origin", default="", help="the portal's address")
    options = parser.parse_args(arguments)
    trusted = Trusted(dict(options.known), frozenset(key.lower() for key in options.key), options.origin.rstrip("/"))
    try:
        found = check(read_evidence(options.file, options.activity), trusted)
    except (OSError, zipfile.BadZipFile) as error:
        sys.stderr.write(f"Cannot read {options.file}: {error}\n")
        return 2
    except Broken as broken:
        sys.stderr.write(f"BROKEN: {broken}\n")
        return 1
    is_anchored = bool(options.known or options.key or options.activity)
    sys.stdout.write("\n".join([*found, "All of it holds." if is_anchored else UNANCHORED, ""]))
    return 0 if is_anchored else 3


if __name__ == "__main__":
    sys.exit(main())
