"""The certificate is checked offline, by a program that needs nothing but Python: what was changed, or proves too little, does not hold."""

import json
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest

from portal.audit import verify_certificate
from portal.audit.verify_certificate import Wrong, canonical, check, check_in_log, fingerprint

ORGANISATION = "0a1b2c3d-0000-4000-8000-000000000001"


def refusal(second: int, reason: str = "provider_deleted") -> dict:
    return {"at": f"2026-11-22T02:10:{second:02}.000000Z", "call": "sign-in", "evidence": "No provider found", "reason": reason}


CERTIFICATE = {
    "format": "byoc-offboarding/1",
    "provider": "Fernhill",
    "offboarding": "0a1b2c3d-0000-4000-8000-000000000002",
    "organisation": {"id": ORGANISATION, "name": "Acme"},
    "account": {"id": "0a1b2c3d-0000-4000-8000-000000000003", "cloud": "aws", "external_id": "111122223333", "name": "Main"},
    "requested": {"at": "2026-11-21T02:00:00.000000Z", "by": "alice@people.example"},
    "begun_at": "2026-11-22T02:00:00.000000Z",
    "completed_at": "2026-11-22T02:11:00.000000Z",
    "regions": [
        {
            "region": "eu-west-1",
            "found": 2,
            "removed": 1,
            "kept": 1,
            "left": 0,
            "resources": [
                {"id": "vpc-1", "kind": "AWS::EC2::VPC", "name": "Network", "outcome": "removed", "kept_by": "", "kept_why": ""},
                {"id": "vpc-2", "kind": "AWS::EC2::VPC", "name": "Other", "outcome": "kept", "kept_by": "Alice", "kept_why": "Ours"},
            ],
        }
    ],
    "totals": {"found": 2, "removed": 1, "kept": 1, "left": 0},
    "kits": [{"generation": 1, "version": "1.5.0", "sha256": "0" * 64, "region": "us-east-1", "refusals": [refusal(10), refusal(45)]}],
    "last_accepted": {"at": "2026-11-22T02:09:00.000000Z", "call": "sign-in", "evidence": "", "reason": ""},
    "first_refused": refusal(10),
    "closed_with_leftovers": {},
    "activity": {"sequence": 14, "head": "a" * 64},
}


def changed(change) -> str:
    document = deepcopy(CERTIFICATE)
    change(document)
    return canonical(document)


def test_certificate_holds():
    assert check(canonical(CERTIFICATE)) == CERTIFICATE


WRONG = {
    "counted wrongly": (lambda d: d["regions"][0].update(removed=2), "counts of eu-west-1"),
    "a resource left out": (lambda d: d["regions"][0]["resources"].pop(), "counts of eu-west-1"),
    "totals": (lambda d: d["totals"].update(found=3), "totals"),
    "refused once": (lambda d: d["kits"][0]["refusals"].pop(), "not refused twice"),
    "too close": (lambda d: d["kits"][0].update(refusals=[refusal(10), refusal(39)]), "less than 30 seconds"),
    "a network fault": (lambda d: d["kits"][0]["refusals"][1].update(reason="cloud_unavailable"), "another reason"),
    "a role that says no": (lambda d: d["kits"][0]["refusals"][0].update(reason="trust_refused"), "another reason"),
    "accepted since": (lambda d: d["last_accepted"].update(at="2026-11-22T02:10:20.000000Z"), "accepted after"),
    "no kit": (lambda d: d.update(kits=[]), "No kit"),
    "another format": (lambda d: d.update(format="byoc-receipt/1"), "format"),
    "no shape": (lambda d: d.pop("totals"), "shape"),
}


BACKUP = {
    "instance": "orders-prod",
    "location": "s3://acme/last.dump",
    "bytes": 4096,
    "sha256": "ab" * 32,
    "taken_at": "2026-11-22T01:00:00.000000Z",
}


def with_backup(**values) -> str:
    return changed(lambda d: d["regions"][0].update(backups=[BACKUP | values]))


def test_kept_backup_is_named_with_place_size_and_hash(tmp_path, capsys):
    (file := tmp_path / "certificate.json").write_text(with_backup(), encoding="utf-8")

    assert verify_certificate.main([str(file), "--sha256", fingerprint(with_backup())]) == 0
    told = "eu-west-1: final backup of orders-prod kept in your own cloud: s3://acme/last.dump, 4096 bytes, SHA-256 " + "ab" * 32
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"sha256": "AB" * 32}, "place, size and hash"),
        ({"sha256": "ab"}, "place, size and hash"),
        ({"location": ""}, "place, size and hash"),
        ({"instance": ""}, "place, size and hash"),
        ({"bytes": -1}, "place, size and hash"),
        ({"bytes": "4096"}, "place, size and hash"),
        ({"bytes": True}, "place, size and hash"),
        ({"taken_at": "2026-11-22T02:12:00.000000Z"}, "after the end"),
        ({"taken_at": "yesterday"}, "shape"),
    ],
)
def test_backup_that_is_not_told_rightly_does_not_hold(values, reason):
    with pytest.raises(Wrong, match=reason):
        check(with_backup(**values))


@pytest.mark.parametrize("name", WRONG)
def test_certificate_that_proves_too_little_does_not_hold(name):
    change, reason = WRONG[name]
    with pytest.raises(Wrong, match=reason):
        check(changed(change))


def test_leftovers_need_two_people_and_a_consent():
    people = {"asked_by": "sam", "closed_by": "pat", "consent_by": "alice", "consent_at": "2026-11-22T02:11:00.000000Z"}

    def leave(document, **closing):
        document["regions"][0]["resources"][0]["outcome"] = "left"
        document["regions"][0].update(removed=0, left=1)
        document["totals"].update(removed=0, left=1)
        document["closed_with_leftovers"] = closing

    assert check(changed(lambda d: leave(d, **people)))
    same = ({"closed_by": "sam"}, {"consent_by": "sam"}, {"consent_by": "pat"})
    for closing in ({}, people | {"consent_by": ""}, *(people | one for one in same)):
        with pytest.raises(Wrong):
            check(changed(lambda d, closing=closing: leave(d, **closing)))


def test_other_bytes_that_read_alike_do_not_hold():
    with pytest.raises(Wrong, match="canonical"):
        check(json.dumps(CERTIFICATE))


def line(sequence: int, previous: str = "0" * 64, organisation: str = ORGANISATION, **more) -> tuple[bytes, str]:
    """An event as an export writes it, and its hash."""
    leaf = {"sequence": sequence, "previous": previous, "organisation": organisation, "action": "x.y", "details": {}} | more
    stated = fingerprint(canonical(leaf))
    return canonical(leaf | {"hash": stated}).encode(), stated


def certificate_in_log(**first) -> tuple[str, list[bytes]]:
    """A certificate's text, and the two lines of the log that hold it."""
    head, its_hash = line(14, **first)
    text = changed(lambda document: document.update(activity={"sequence": 14, "head": its_hash}))
    told, _hash = line(15, its_hash, action="offboarding.complete", details={"certificate": fingerprint(text)})
    return text, [head, told]


def test_log_must_hold_the_head_and_name_the_certificate():
    text, lines = certificate_in_log()
    document, sha256 = check(text), fingerprint(text)
    another, _hash = line(15, document["activity"]["head"], action="offboarding.complete", details={"certificate": "0" * 64})

    check_in_log(document, sha256, lines)
    for bad in ([], lines[1:], lines[:1], [lines[0], another]):
        with pytest.raises(Wrong):
            check_in_log(document, sha256, bad)


def test_log_whose_hashes_are_invented_holds_nothing():
    text, lines = certificate_in_log()
    document, sha256 = check(text), fingerprint(text)
    faults = {
        "does not match its hash": [lines[0], lines[1].replace(b"offboarding.complete", b"offboarding.closed")],
        "was not written after": [lines[0], line(15, "f" * 64, action="offboarding.complete", details={"certificate": sha256})[0]],
        "out of order": [lines[1], lines[0]],
    }
    for reason, bad in faults.items():
        with pytest.raises(Wrong, match=reason):
            check_in_log(document, sha256, bad)
    foreign_text, foreign_lines = certificate_in_log(organisation="0a1b2c3d-0000-4000-8000-000000000009")
    with pytest.raises(Wrong, match="is not the one at which"):
        check_in_log(check(foreign_text), fingerprint(foreign_text), foreign_lines)


def run(tmp_path, text: str, *extra) -> subprocess.CompletedProcess[str]:
    """The program by itself, as whoever has downloaded it starts it."""
    (file := tmp_path / "certificate.json").write_text(text, encoding="utf-8")
    program = tmp_path / "verify_certificate.py"
    program.write_bytes(Path(verify_certificate.__file__).read_bytes())
    return subprocess.run([sys.executable, "-I", program, file, *extra], capture_output=True, text=True, check=False)


SHA256 = fingerprint(canonical(CERTIFICATE))
RUNS = {
    "known by its hash": (("--sha256", SHA256), 0, "It holds. SHA-256 " + SHA256),
    "another hash": (("--sha256", "0" * 64), 1, "not the expected one"),
    "known by nothing": ((), 3, "It fits itself. SHA-256 " + SHA256),
    "a log that is not there": (("--activity", "/nowhere.jsonl"), 2, ""),
}


@pytest.mark.parametrize("name", RUNS)
def test_program_runs_by_itself(name, tmp_path):
    extra, code, says = RUNS[name]

    done = run(tmp_path, canonical(CERTIFICATE), *extra)

    assert (done.returncode, says in done.stdout) == (code, True), done.stdout + done.stderr
    assert ("2 found: 1 removed, 1 kept, 0 left." in done.stdout) == (code in {0, 3})
    assert "It holds." not in done.stdout or code == 0


def test_log_is_cut_at_line_feeds_alone(tmp_path):
    """A reason that somebody typed may hold what other programs take for the end of a line."""
    text, lines = certificate_in_log(details={"reason": "No.\u2028Not now.\x85"})
    (log := tmp_path / "activity.jsonl").write_bytes(b"".join(one + b"\n" for one in lines))

    done = run(tmp_path, text, "--activity", log)

    assert (done.returncode, done.stdout.startswith("It holds.")) == (0, True), done.stdout + done.stderr
