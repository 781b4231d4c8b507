"""The offline verification: the true assertion passes, and nothing else ever does."""

import base64
import copy
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from fido2.utils import websafe_encode
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.support.proof import verify_grant
from accounts.support.proof.verify_grant import canonical, why_not_signed

ORIGIN = "https://portal.example"
TEXT = canonical({"format": "byoc-grant/1", "minutes": 60, "profile": "logs", "reason": "Größe prüfen"})
KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)


def signed(text: str = TEXT, *, kind: str = "EC", flags: int = 0x05, said: dict | None = None) -> dict:
    client_data = {"type": "webauthn.get", "challenge": websafe_encode(hashlib.sha256(text.encode()).digest()), "origin": ORIGIN}
    client = json.dumps(client_data | (said or {})).encode()
    data = hashlib.sha256(b"portal.example").digest() + bytes([flags, 0, 0, 0, 7])
    message = data + hashlib.sha256(client).digest()
    if kind == "EC":
        numbers = KEY.public_key().public_numbers()
        x, y = (websafe_encode(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        key, signature = {"kty": "EC", "crv": "P-256", "x": x, "y": y}, KEY.sign(message, ec.ECDSA(hashes.SHA256()))
    else:
        numbers = RSA_KEY.public_key().public_numbers()
        key = {"kty": "RSA", "n": websafe_encode(numbers.n.to_bytes(256, "big")), "e": "AQAB"}
        signature = RSA_KEY.sign(message, padding.PKCS1v15(), hashes.SHA256())
    parts = {"client_data": websafe_encode(client), "authenticator_data": websafe_encode(data), "signature": websafe_encode(signature)}
    return parts | {"public_key": key, "rp_id": "portal.example", "origin": ORIGIN}


# Once: a signature by ECDSA is another one each time.
SIGNED = {kind: signed(kind=kind) for kind in ("EC", "RSA")}


@pytest.mark.parametrize("kind", ["EC", "RSA"])
def test_true_assertion_verifies(kind):
    assert why_not_signed(TEXT, signed(kind=kind)) == ""
    assert why_not_signed(TEXT, signed(kind=kind), origin=ORIGIN) == ""


@pytest.mark.parametrize("kind", ["EC", "RSA"])
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_one_changed_byte_never_verifies(kind, data):
    """Of the grant's text, or of any part of the assertion."""
    assertion = copy.deepcopy(SIGNED[kind])
    parts = ["text", "client_data", "authenticator_data", "signature", *assertion["public_key"], "rp_id", "origin"]
    part = data.draw(st.sampled_from(parts))
    holder = assertion["public_key"] if part in assertion["public_key"] else assertion
    value = TEXT if part == "text" else holder[part]
    place = data.draw(st.integers(0, len(value) - 1))
    letter = data.draw(st.sampled_from('AZaz09-_{}"=+/ \x00é').filter(lambda one: one != value[place]))
    changed = value[:place] + letter + value[place + 1 :]
    text = changed if part == "text" else TEXT
    if part != "text":
        holder[part] = changed

    assert why_not_signed(text, assertion) != ""


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner)))
@settings(max_examples=100, deadline=None)
def test_anything_else_is_refused_and_never_an_error(thing):
    assertion = thing if isinstance(thing, dict) else {"public_key": thing, "client_data": thing}
    assert why_not_signed(TEXT, assertion) != ""
    for part in signed():
        assert why_not_signed(TEXT, signed() | {part: thing}) != ""


def test_grant_of_the_same_meaning_in_another_form_is_refused():
    spaced = json.dumps(json.loads(TEXT), sort_keys=True, ensure_ascii=False)
    assert why_not_signed(spaced, signed(spaced)) == "The grant is not in its canonical form."


@pytest.mark.parametrize(
    ("assertion", "reason"),
    [
        (signed(flags=0x04), "Nobody was present when the passkey signed."),
        (signed(said={"type": "webauthn.create"}), "The browser asked for something else than a signature."),
        (signed(said={"origin": "https://evil.example"}), "The passkey was used on another site."),
        (signed(canonical({"minutes": 61})), "The passkey signed another grant."),
    ],
)
def test_reason_says_what_does_not_hold(assertion, reason):
    assert why_not_signed(TEXT, assertion) == reason


def test_signature_in_another_encoding_is_refused():
    """What DER allows in one way only must not have two: an assertion is compared byte for byte."""
    assertion = signed()
    signature = base64.urlsafe_b64decode(assertion["signature"] + "==")
    longer = bytes([0x30, signature[1] + 1, 0x02, signature[3] + 1, 0]) + signature[4:]
    assert why_not_signed(TEXT, assertion | {"signature": websafe_encode(longer)}) != ""


def test_sums_on_the_curve_are_those_of_the_library():
    """Points of known multiples of the base point, the neutral one among them."""
    for factor in (1, 2, 3, 7, verify_grant.N - 1, 2**200 + 12345):
        x, y, z = verify_grant._times(factor, verify_grant.G)
        numbers = ec.derive_private_key(factor, ec.SECP256R1()).public_key().public_numbers()
        assert (x * pow(z, -2, verify_grant.P) % verify_grant.P, y * pow(z, -3, verify_grant.P) % verify_grant.P) == (numbers.x, numbers.y)
    assert verify_grant._times(verify_grant.N, verify_grant.G)[2] == 0


def test_file_runs_alone(tmp_path):
    """Nothing but Python's own library: it is handed to people without this portal."""
    source = Path(verify_grant.__file__).read_text()
    (tmp_path / "verify_grant.py").write_text(source)
    (tmp_path / "one.json").write_text(json.dumps(signed()))
    (tmp_path / "text.json").write_text(TEXT)
    code = "import json, verify_grant as v; print(repr(v.why_not_signed(open('text.json').read(), json.load(open('one.json')))))"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "''"
