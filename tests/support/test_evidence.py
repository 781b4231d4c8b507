"""The evidence of one grant: all of it verifies, and no changed, missing or added part of it ever does."""

import copy
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from http import HTTPStatus

import pytest
from django.urls import reverse
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.clouds.support import ActResult
from accounts.models import Organisation
from accounts.support.brokering import broker
from accounts.support.models import AccessRequest, Act, Door, EndProof
from accounts.support.models.sessions import ActState
from accounts.support.proof.evidence import archive_of, verifier
from accounts.support.proof.verify_grant import Broken, Evidence, Trusted, canonical, check, fingerprint
from accounts.support.states import AccessState
from accounts.support.steps import closing
from accounts.support.tasks import write_due_receipts
from accounts.support.transitions import move_request
from portal.audit import Actor, record
from portal.audit.models import Event
from tests.factories import make_membership
from tests.support.factories import approve_by_code, approve_by_passkey, make_account, make_engineer, make_requested
from tests.support.passkeys import ORIGIN, Passkey
from tests.support.sessions import offer_stack

pytestmark = pytest.mark.django_db


def make_story(acme: Organisation, monkeypatch: pytest.MonkeyPatch) -> AccessRequest:
    """Approved by a passkey and a code; one act was done, one failed; ended by the customer, and refused by the cloud."""
    scope = offer_stack(make_account(acme), "byoc-main", monkeypatch)
    request = make_requested(organisation=acme, scope=scope, profile="operate", engineer=make_engineer(name="Mia Köhler"))
    first, second = (make_membership(organisation=acme, role="approver") for _ in range(2))
    approve_by_passkey(request, first, Passkey(first.user))
    approve_by_code(request, second)
    for state in (AccessState.ACTIVATING, AccessState.ACTIVE):
        move_request(request, state, by=Actor.worker("test"))
    now = timezone.now()
    door = Door.objects.create(request=request, handle="arn:x", policy="{}", expires_at=now)
    done = act_of(request, "describe_cell")
    broker.finish(done, ActResult("2 machines, grün\n", ("DescribeStacks",)), door=door)
    broker.fail(act_of(request, "read_cluster_log", lines="20"), "throttled", "slow down")
    move_request(request, AccessState.ENDING, by=Actor.user(first.user), ends_as="revoked", ending_at=now, ended_by=first.user)
    Door.objects.filter(pk=door.pk).update(shut_at=now)
    EndProof.objects.create(request=request, door=door, is_refused=True, evidence="AccessDenied: not authorized", cloud_request="r-1")
    assert closing._finish(request)
    request.refresh_from_db()
    return request


def act_of(request: AccessRequest, name: str, **raw: str) -> Act:
    act = broker.intend(request, name, raw, by=request.engineer)
    Act.objects.filter(pk=act.pk).update(state=ActState.RUNNING, started_at=timezone.now())
    return act


def evidence_of(request: AccessRequest) -> Evidence:
    with zipfile.ZipFile(io.BytesIO(archive_of(request.receipts.get()))) as archive:
        results = {name[8:-4]: archive.read(name) for name in archive.namelist() if name.startswith("results/")}
        return Evidence(archive.read("receipt.json"), archive.read("activity.jsonl").splitlines(keepends=True), results)


@pytest.fixture
def request_(acme, monkeypatch):
    return make_story(acme, monkeypatch)


@pytest.fixture
def evidence(request_):
    return evidence_of(request_)


def broken(evidence: Evidence, trusted: Trusted | None = None) -> str:
    """Why it does not verify; fails where it does."""
    with pytest.raises(Broken) as found:
        check(evidence, trusted or Trusted())
    return str(found.value)


def with_receipt(evidence: Evidence, told: dict) -> Evidence:
    return evidence._replace(receipt=canonical(told).encode())


def leaves(value, way=()):
    """Ways to all that is no object and no list, and to what is empty."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [one for key, item in inner for one in leaves(item, (*way, key))]
    return found or [way]


def changed(value, way):
    """A copy with another value there."""
    if not way:
        return {"text": f"{value}x"[:-1] + "y" if value else "x", "whole": (value or 0) + 1 if isinstance(value, int) else 0}[
            "text" if isinstance(value, str) else "whole"
        ]
    copied = copy.copy(value)
    copied[way[0]] = changed(value[way[0]], way[1:])
    return copied


# --- What holds ------------------------------------------------------------------------------------------------------


def test_true_evidence_verifies_and_says_what_was_found(request_, evidence):
    said = "\n".join(check(evidence, Trusted(origin=ORIGIN)))

    for words in ("Mia Köhler", "operate in Main cell", "signed by the passkey", "the portal's word only", "AccessDenied", request_.sha256):
        assert words in said
    assert "Acts: 2; 1 of 1 results are there" in said


def test_what_the_reader_knows_is_asked_for(request_, evidence):
    receipt = request_.receipts.get()
    key = fingerprint(canonical(request_.decisions.get(method="passkey").assertion["public_key"]))

    check(evidence, Trusted(known={receipt.event_number: receipt.event_hash}, keys=frozenset({key})))

    assert "the log was rewritten" in broken(evidence, Trusted(known={receipt.event_number: "0" * 12}))
    assert "is not there" in broken(evidence, Trusted(known={receipt.event_number + 1: "0" * 12}))
    assert "none of those you named" in broken(evidence, Trusted(keys=frozenset({"0" * 64})))
    assert "another site" in broken(evidence, Trusted(origin="https://portal.example"))


def test_whole_export_of_the_activity_verifies_as_well(acme, evidence):
    record(organisation_id=acme.pk, action="support.declined", actor=Actor.worker("test"))
    lines = [event.line() for event in Event.objects.for_chain(acme.pk).oldest_first()]
    assert len(lines) > len(evidence.activity)

    check(evidence._replace(activity=lines))


# --- What never does -------------------------------------------------------------------------------------------------


def test_changed_field_of_the_receipt_never_verifies(evidence):
    told = json.loads(evidence.receipt)
    ways = leaves(told)
    assert len(ways) > 80
    for way in ways:
        assert broken(with_receipt(evidence, changed(told, way))), way


def test_changed_byte_never_verifies(evidence):
    """Of the receipt, of the events, of the results."""
    files = {"receipt": evidence.receipt, "activity": b"".join(evidence.activity), **evidence.results}

    @given(st.data())
    @settings(max_examples=300, deadline=None)
    def change(data):
        name = data.draw(st.sampled_from(sorted(files)))
        place = data.draw(st.integers(0, len(files[name]) - 1))
        byte = data.draw(st.integers(0, 255).filter(lambda one: one != files[name][place]))
        spoiled = files[name][:place] + bytes([byte]) + files[name][place + 1 :]
        if name == "receipt":
            assert broken(evidence._replace(receipt=spoiled))
        elif name == "activity":
            assert broken(evidence._replace(activity=spoiled.splitlines(keepends=True)))
        else:
            assert broken(evidence._replace(results={name: spoiled}))

    change()


def test_changed_event_never_verifies_even_with_its_hash_made_anew(request_, evidence):
    """But for the very event of the receipt: its hash is what the reader keeps."""
    receipt = request_.receipts.get()
    known = Trusted(known={receipt.event_number: receipt.event_hash})
    for place, line in enumerate(evidence.activity):
        event = json.loads(line)
        for way in leaves(event):
            other = changed(event, way)
            assert broken(at(evidence, place, other)), way
            leaf = {name: value for name, value in other.items() if name != "hash"}
            if leaf != {name: value for name, value in event.items() if name != "hash"}:
                assert broken(at(evidence, place, leaf | {"hash": fingerprint(canonical(leaf))}), known), way


def at(evidence: Evidence, place: int, event: dict) -> Evidence:
    lines = list(evidence.activity)
    lines[place] = canonical(event).encode() + b"\n"
    return evidence._replace(activity=lines)


def test_missing_moved_and_repeated_events_never_verify(evidence):
    lines = list(evidence.activity)
    for place in range(len(lines)):
        assert broken(evidence._replace(activity=lines[:place] + lines[place + 1 :])), place
        assert broken(evidence._replace(activity=lines[: place + 1] + lines[place:])), place
    assert broken(evidence._replace(activity=[lines[1], lines[0], *lines[2:]]))
    assert broken(evidence._replace(activity=[]))


def test_other_assertion_of_the_same_passkey_never_verifies(evidence):
    """Even where the receipt's own hash is put into the log anew, as only the portal could."""
    told = json.loads(evidence.receipt)
    for part in ("client_data", "authenticator_data", "signature", "rp_id", "origin"):
        other = copy.deepcopy(told)
        signed = next(one for one in other["decisions"] if one["method"] == "passkey")["assertion"]
        signed[part] = "A" + signed[part][1:] if signed[part][0] != "A" else "B" + signed[part][1:]
        assert "does not verify" in broken(with_receipt(evidence, other)), part


def test_grant_that_says_less_than_the_receipt_never_verifies(evidence):
    """The receipt's own claims are held against the text that was decided about."""
    told = json.loads(evidence.receipt)
    for name, value in {"profile": "repair", "case": "CASE-0", "request": "x"}.items():
        assert "names another" in broken(with_receipt(evidence, told | {name: value}))
    longer = told | {"grant": told["grant"] | {"until": "2099-01-01T00:00:00Z"}}
    assert "another time" in broken(with_receipt(evidence, longer))
    alone = told | {"decisions": told["decisions"][:1]}
    assert "Fewer people" in broken(with_receipt(evidence, alone))
    twice = told | {"decisions": [told["decisions"][0]] * 2}
    assert "Fewer people" in broken(with_receipt(evidence, twice))


def test_result_of_an_unknown_act_never_verifies(evidence):
    assert "not the one" in broken(evidence._replace(results={**evidence.results, "0" * 36: b"x"}))


@given(st.binary(max_size=60) | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(lambda one: canonical(one).encode()))
@settings(max_examples=60, deadline=None)
def test_anything_else_is_broken_and_never_an_error(data):
    assert broken(Evidence(data, [], {}))
    assert broken(Evidence(canonical({"format": "byoc-receipt/2", "grant": {}}).encode(), [data], {}))


# --- As a customer runs it -------------------------------------------------------------------------------------------


def run(folder, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Without this portal, its packages and its environment."""
    command = [sys.executable, "-I", "-S", "verify_access.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_customer_downloads_evidence_and_verifier_and_runs_them(client, acme, request_, tmp_path):
    client.force_login(make_membership(organisation=acme, role="auditor").user)
    page = client.get(reverse("support:access_receipt", args=["acme", request_.pk]))
    (tmp_path / "verify_access.py").write_bytes(client.get(page.context["links"]["verifier"]).content)
    answer = client.get(page.context["links"]["evidence"])
    name = f"access-evidence-{request_.pk}.zip"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
    (tmp_path / name).write_bytes(answer.content)
    assert page.context["command"] in page.text.replace("&#x27;", "'")

    done = run(tmp_path, *page.context["command"].split()[2:])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("All of it holds.\n")
    alone = run(tmp_path, name)
    assert (alone.returncode, "All of it holds." in alone.stdout, "It fits itself." in alone.stdout) == (3, False, True)

    with zipfile.ZipFile(tmp_path / name) as archive:
        assert archive.read("verify_access.py") == verifier()
        (tmp_path / "receipt.json").write_bytes(archive.read("receipt.json").replace(b"operate", b"repair!"))
        (tmp_path / "activity.jsonl").write_bytes(archive.read("activity.jsonl"))
    done = run(tmp_path, "receipt.json", "--activity", "activity.jsonl")
    assert done.returncode == 1
    assert done.stderr.startswith("BROKEN: ")
    assert run(tmp_path, "nothing.zip").returncode == 2
    assert run(tmp_path, name, "--known", "x").returncode == 2


def test_grant_that_was_never_opened_gets_its_receipt_by_the_schedule(acme):
    request = make_requested(organisation=acme)
    approve_by_code(request, make_membership(organisation=acme, role="approver"))
    request.refresh_from_db()
    move_request(request, AccessState.REVOKED, by=Actor.worker("test"), ends_as="revoked")

    assert [write_due_receipts(), write_due_receipts()] == [1, 0]

    check(evidence_of(request))


def test_receipt_that_is_written_stays_as_it_was(client, acme, request_):
    before = request_.receipts.get()
    request_.engineer.name = "Somebody else"
    request_.engineer.save()
    client.force_login(make_engineer())
    assert client.get(reverse("support:case_receipt", args=[request_.pk])).status_code == HTTPStatus.NOT_FOUND
    client.force_login(request_.engineer)

    answer = client.get(reverse("support:case_receipt_json", args=[request_.pk]))

    assert hashlib.sha256(answer.content).hexdigest() == before.sha256
    assert before.sha256 in client.get(reverse("support:case_receipt", args=[request_.pk])).text
