"""The agent's own key: made here, never leaves. P-256, signed with ES256 (RFC 7518)."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

BYTES = 32


class Key:
    """A private key, with the id that the portal gave it; empty until then."""

    def __init__(self, pem: str, key_id: str = "") -> None:
        loaded = serialization.load_pem_private_key(pem.encode(), password=None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise ValueError("The agent's key is no elliptic-curve key.")
        self.pem = pem
        self.id = key_id
        self._private = loaded

    @classmethod
    def make(cls) -> Key:
        private = ec.generate_private_key(ec.SECP256R1())
        plain = serialization.NoEncryption()
        return cls(private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode())

    def public_jwk(self) -> dict[str, str]:
        numbers = self._private.public_key().public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": _number(numbers.x), "y": _number(numbers.y)}

    def thumbprint(self) -> str:
        """Of the public half (RFC 7638): its members in order, without spaces."""
        text = json.dumps(self.public_jwk(), separators=(",", ":"), sort_keys=True)
        return encode(hashlib.sha256(text.encode()).digest())

    def sign(self, claims: dict[str, Any]) -> str:
        """A JWT of these claims."""
        header = {"alg": "ES256", "typ": "JWT", "kid": self.id} if self.id else {"alg": "ES256", "typ": "JWT"}
        text = f"{encode(json.dumps(header).encode())}.{encode(json.dumps(claims).encode())}"
        r, s = decode_dss_signature(self._private.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{encode(r.to_bytes(BYTES, 'big') + s.to_bytes(BYTES, 'big'))}"


def fingerprint(secret: str) -> str:
    """Says whether two secrets are the same without keeping them."""
    return hashlib.sha256(secret.encode()).hexdigest()


def encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _number(value: int) -> str:
    return encode(value.to_bytes(BYTES, "big"))
