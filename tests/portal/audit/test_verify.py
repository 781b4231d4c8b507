"""The offline verifier: every corruption of an export is caught, and the first bad line is named."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from portal.audit import verify
from portal.audit.verify import FIRST_PREVIOUS, Broken, canonical, leaf_hash, verify_lines

ORGANISATION = "7b0e3f0a-3d0c-4a57-9f5e-0d6d3c1f2a10"
OTHER = "00000000-0000-4000-8000-000000000001"
SCRIPT = Path(verify.__file__)


def make_leaf(sequence, previous, **fields):
    return {
        "action": "cloud_account.connected",
        "actor": {"email": "owner@acme.example", "id": "u-1", "kind": "user", "name": "Zoë “Owner”"},
        "at": f"2026-11-21T01:20:{sequence:02}.000001Z",
        "details": {"state": ["verifying", "connected"], "regions": [1, True, None], "note": "tab\there \u2028 \x7f \U0001f600"},
        "id": f"e-{sequence}",
        "ip": "192.0.2.7",
        "organisation": ORGANISATION,
        "previous": previous,
        "request_id": None,
        "sequence": sequence,
        "subject": {"id": "a-1", "kind": "cloud_account", "label": "Production"},
        "v": 1,
    } | fields


def make_line(leaf):
    return canonical({**leaf, "hash": leaf_hash(leaf)}) + b"\n"


def make_export(count=5, **fields):
    lines, previous = [], FIRST_PREVIOUS
    for sequence in range(1, count + 1):
        leaf = make_leaf(sequence, previous, **fields)
        previous = leaf_hash(leaf)
        lines.append(make_line(leaf))
    return lines


def edit(line, **fields):
    """The line with changed fields, in canonical form, its hash as it was."""
    return canonical(json.loads(line) | fields) + b"\n"


def rehash(line, **fields):
    """The line with changed fields and a hash that fits: what a forger with access writes."""
    leaf = {key: value for key, value in (json.loads(line) | fields).items() if key != "hash"}
    return make_line(leaf)


def fault(lines, **options):
    with pytest.raises(Broken) as caught:
        verify_lines(lines, **options)
    return caught.value.line, caught.value.code


def head(lines):
    return json.loads(lines[-1])["hash"]


# --- The form --------------------------------------------------------------------------------------------------------


def test_canonical_form_is_exactly_this():
    leaf = make_leaf(1, FIRST_PREVIOUS)
    expected = (
        '{"action":"cloud_account.connected","actor":{"email":"owner@acme.example","id":"u-1","kind":"user","name":"Zoë “Owner”"},'
        '"at":"2026-11-21T01:20:01.000001Z","details":{"note":"tab\\there \u2028 \x7f \U0001f600","regions":[1,true,null],'
        '"state":["verifying","connected"]},"id":"e-1","ip":"192.0.2.7","organisation":"7b0e3f0a-3d0c-4a57-9f5e-0d6d3c1f2a10",'
        '"previous":"0000000000000000000000000000000000000000000000000000000000000000","request_id":null,"sequence":1,'
        '"subject":{"id":"a-1","kind":"cloud_account","label":"Production"},"v":1}'
    ).encode()
    assert canonical(leaf) == expected
    assert leaf_hash(leaf) == hashlib.sha256(expected).hexdigest()


def test_hash_of_a_known_leaf_never_changes():
    assert leaf_hash(make_leaf(1, FIRST_PREVIOUS)) == "21da6df1c43dfa24ede61ded8a5a66771355e8d5372f2c4e523aaca0681df2a5"


def test_unbroken_export_gives_count_range_and_head():
    lines = make_export(5)
    assert verify_lines(lines) == (5, 1, 5, head(lines), ORGANISATION, "cloud_account.connected")


def test_platform_chain_has_no_organisation():
    assert verify_lines(make_export(2, organisation=None)).organisation is None


# --- Corrupted samples -----------------------------------------------------------------------------------------------


def test_changed_field_is_caught():
    lines = make_export()
    lines[2] = edit(lines[2], ip="198.51.100.9")
    assert fault(lines) == (3, "hash")


def test_changed_field_with_a_fitting_hash_breaks_the_next_link():
    lines = make_export()
    lines[2] = rehash(lines[2], ip="198.51.100.9")
    assert fault(lines) == (4, "link")


def test_edited_hash_is_caught():
    lines = make_export()
    lines[1] = edit(lines[1], hash="f" * 64)
    assert fault(lines) == (2, "hash")


@pytest.mark.parametrize(("index", "line"), [(0, 1), (2, 3)])
def test_removed_line_is_caught(index, line):
    lines = make_export()
    del lines[index]
    assert fault(lines) == (line, "gap")


def test_removed_line_with_renumbered_rest_is_caught():
    lines = make_export()
    del lines[2]
    lines[2] = rehash(lines[2], sequence=3)
    assert fault(lines) == (3, "link")


def test_swapped_lines_are_caught():
    lines = make_export()
    lines[1], lines[2] = lines[2], lines[1]
    assert fault(lines) == (2, "gap")
    assert fault(lines, is_filtered=True) == (3, "order")


def test_duplicated_line_is_caught():
    lines = make_export()
    lines.insert(2, lines[1])
    assert fault(lines) == (3, "repeated")


def test_truncated_tail_is_caught_by_the_expected_head():
    lines = make_export()
    assert fault(lines[:-1], head=head(lines)) == (4, "head")
    assert fault(lines[:-1], head=head(lines)[:12]) == (4, "head")
    assert fault(lines[:-1], known={5: head(lines)}) == (4, "known_missing")
    assert verify_lines(lines, head=head(lines)[:12]).events == 5


def test_rewritten_chain_is_caught_by_a_known_event():
    lines, rewritten = make_export(), make_export(ip="198.51.100.9")
    assert verify_lines(rewritten).events == 5
    assert fault(rewritten, known={3: json.loads(lines[2])["hash"]}) == (3, "known")


def test_line_cut_in_the_middle_is_caught():
    lines = make_export()
    lines[-1] = lines[-1][:-40]
    assert fault(lines) == (5, "cut")


def test_line_of_another_organisation_is_caught():
    lines = make_export()
    lines[3] = make_export(4, organisation=OTHER)[3]
    assert fault(lines) == (4, "foreign")


@pytest.mark.parametrize(
    ("corrupt", "code"),
    [
        (lambda line: b"\xef\xbb\xbf" + line, "bom"),
        (lambda line: b"{not json}\n", "json"),
        (lambda line: b"\n", "json"),
        (lambda line: b"[" * 100_000 + b"\n", "json"),
        (lambda line: line.replace(b"Production", b"Produc\xfftion"), "encoding"),
        (lambda line: line.replace(b'"v":1', b'"v":1,"v":1'), "duplicate_key"),
        (lambda line: line.replace(b'"v":1', b'"v":1.0'), "number"),
        (lambda line: line.replace(b'"v":1', b'"v":NaN'), "number"),
        (lambda line: line.replace(b'"v":1', b'"v":' + b"9" * 5000), "number"),
        (lambda line: line.replace(b'"v":1', b'"v":2'), "shape"),
        (lambda line: line.replace(b'"v":1', b'"v":true'), "shape"),
        (lambda line: line.replace(b'"v":1', b'"v":1,"x":1'), "shape"),
        (lambda line: line.replace(b'"ip":"192.0.2.7",', b""), "shape"),
        (lambda line: line.replace(b'"kind":"user",', b""), "shape"),
        (lambda line: line.replace(b"Production", b"\\ud800"), "shape"),
        (lambda line: b"[]\n", "shape"),
        (lambda line: b"null\n", "shape"),
        (lambda line: line.replace(b"\n", b"\r\n"), "canonical"),
        (lambda line: line.replace(b'"v":1', b'"v": 1'), "canonical"),
        (lambda line: line.replace(b"Production", b"Pr\\u006fduction"), "canonical"),
        (lambda line: json.dumps(json.loads(line)).encode() + b"\n", "canonical"),
    ],
)
def test_line_that_no_export_writes_is_caught(corrupt, code):
    lines = make_export()
    lines[1] = corrupt(lines[1])
    assert fault(lines) == (2, code)


def test_empty_file_is_caught():
    assert fault([]) == (1, "empty")


def test_filtered_export_may_have_gaps_but_no_changes():
    lines = make_export(6)
    some = [lines[1], lines[2], lines[5]]
    assert verify_lines(some, is_filtered=True)[:3] == (3, 2, 6)
    assert fault(some) == (1, "gap")
    some[1] = edit(some[1], ip=None)
    assert fault(some, is_filtered=True) == (2, "hash")


@given(st.data())
def test_any_mutation_of_any_line_is_caught(data):
    lines = make_export(4)
    index = data.draw(st.integers(0, 3))
    line = bytearray(lines[index])
    at = data.draw(st.integers(0, len(line) - 1))
    piece = data.draw(st.binary(min_size=0, max_size=4))
    until = min(at + data.draw(st.integers(0, 4)), len(line))
    mutated = bytes(line[:at]) + piece + bytes(line[until:])
    assume(mutated != lines[index])
    lines[index] = mutated
    with pytest.raises(Broken):
        verify_lines(b"".join(lines).splitlines(keepends=True), head=head(make_export(4)))


@given(st.lists(st.integers(0, 5), max_size=9))
def test_only_the_whole_chain_in_order_passes(order):
    lines = make_export(6)
    assume(order != list(range(6)))
    with pytest.raises(Broken):
        verify_lines([lines[index] for index in order], head=head(lines))


# --- As a program ----------------------------------------------------------------------------------------------------


def run(*arguments):
    # -I -S: no packages, no environment; what a customer's bare Python has.
    command = [sys.executable, "-I", "-S", SCRIPT, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout, done.stderr


def test_program_says_unbroken(tmp_path):
    lines = make_export(3)
    path = tmp_path / "activity.jsonl"
    path.write_bytes(b"".join(lines))
    code, out, err = run(path, "--head", head(lines))
    assert (code, err) == (0, "")
    assert out == f"3 events of organisation {ORGANISATION}, unbroken from 1 to 3.\nHead: 3:{head(lines)}\n"


def test_program_without_anchor_says_what_it_cannot_know(tmp_path):
    path = tmp_path / "activity.jsonl"
    path.write_bytes(b"".join(make_export(1)))
    code, out, _ = run(path)
    assert code == 3
    assert "Keep this head" in out
    assert "It may have lost its end." in out
    path.write_bytes(b"".join(make_export(1, action="activity.exported")))
    code, out, _ = run(path)
    assert code == 0
    assert "It may have lost its end." not in out


def test_program_names_the_first_bad_line(tmp_path):
    lines = make_export(3)
    lines[1] = edit(lines[1], ip=None)
    path = tmp_path / "activity.jsonl"
    path.write_bytes(b"".join(lines))
    assert run(path) == (1, "", "BROKEN: line 2 does not match its hash: event 2 was changed.\n")


def test_program_checks_a_known_event(tmp_path):
    lines = make_export(3)
    path = tmp_path / "activity.jsonl"
    path.write_bytes(b"".join(lines))
    assert run(path, "--known", "2:" + json.loads(lines[1])["hash"][:12].upper())[0] == 0
    assert run(path, "--known", "2:" + "0" * 64)[0] == 1
    assert run(path, "--known", "9:" + "0" * 64)[2] == "BROKEN: line 3 is the last one, and event 9, which you know, is not in the file.\n"


def test_program_cannot_read(tmp_path):
    assert run(tmp_path / "missing.jsonl")[0] == 2
    assert run(tmp_path / "missing.jsonl", "--head", "xyz")[0] == 2


def test_verifier_stands_alone():
    source = SCRIPT.read_text()
    imported = {line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= sys.stdlib_module_names
