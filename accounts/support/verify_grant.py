"""Checks, offline and with Python's own library only, that a passkey signed this very grant.

A grant is decided about as one text: JSON with sorted keys, no spaces, UTF-8 (`canonical`). When an approver approves with a passkey,
the challenge that the passkey signs is the SHA-256 of that text. What the passkey gave back is kept as an assertion:

    public_key          the passkey's public key as a JWK: {"kty": "EC", "crv": "P-256", "x", "y"} or {"kty": "RSA", "n", "e"}
    client_data         what the browser had signed, base64url: type, challenge, origin
    authenticator_data  what the passkey added, base64url: for which site, whether somebody was there
    signature           of authenticator_data and the SHA-256 of client_data, base64url
    rp_id, origin       the site that the passkey belongs to

`why_not_signed(text, assertion)` is empty when all of that holds, else the reason. This file is read by people who trust nobody: it imports
nothing but the standard library, and does the arithmetic of P-256 and RSA itself.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

FORMAT = "byoc-grant/1"
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
