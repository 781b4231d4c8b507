"""A passkey in Python: what a browser's authenticator would answer, byte for byte, so that the server's library checks real signatures."""

import hashlib
import json
import secrets
from typing import Any

from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData

from accounts.models import User

ORIGIN = "http://localhost:8000"  # settings.PORTAL_URL of the tests
RP_ID = "localhost"
PRESENT_AND_VERIFIED = 0x05


class Passkey:
    """One P-256 credential of one user, known to the portal."""

    def __init__(self, user: User, *, rp_id: str = RP_ID) -> None:
        self.rp_id = rp_id
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.credential_id = secrets.token_bytes(16)
        self.user = user
        Authenticator.objects.create(
            user=user, type=Authenticator.Type.WEBAUTHN, data={"name": "Test key", "credential": self._registration()}
        )

    def _registration(self) -> dict[str, Any]:
        attested = AttestedCredentialData.create(b"\0" * 16, self.credential_id, ES256.from_cryptography_key(self.key.public_key()))
        data = AuthenticatorData.create(hashlib.sha256(self.rp_id.encode()).digest(), 0x45, 0, attested)
        client_data = json.dumps({"type": "webauthn.create", "challenge": "AAAA", "origin": ORIGIN}).encode()
        return {
            "id": websafe_encode(self.credential_id),
            "rawId": websafe_encode(self.credential_id),
            "type": "public-key",
            "response": {
                "clientDataJSON": websafe_encode(client_data),
                "attestationObject": websafe_encode(bytes(AttestationObject.create("none", data, {}))),
            },
            "clientExtensionResults": {},
        }

    def sign(self, text: str, *, origin: str = ORIGIN, flags: int = PRESENT_AND_VERIFIED, kind: str = "webauthn.get") -> str:
        """The credential, as the page's script posts it, over the SHA-256 of this text."""
        challenge = websafe_encode(hashlib.sha256(text.encode()).digest())
        client_data = json.dumps({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": False}).encode()
        data = hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + (1).to_bytes(4, "big")
        signature = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": websafe_encode(client_data),
            "authenticatorData": websafe_encode(data),
            "signature": websafe_encode(signature),
            "userHandle": None,
        }
        own = websafe_encode(self.credential_id)
        return json.dumps({"id": own, "rawId": own, "type": "public-key", "response": response, "clientExtensionResults": {}})

    def assertion(self, text: str, **how: Any) -> dict[str, Any]:
        """As it is stored with a decision."""
        answer = json.loads(self.sign(text, **how))["response"]
        numbers = self.key.public_key().public_numbers()
        x, y = (websafe_encode(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        return {
            "authenticator_data": answer["authenticatorData"],
            "client_data": answer["clientDataJSON"],
            "credential": websafe_encode(self.credential_id),
            "origin": how.get("origin", ORIGIN),
            "public_key": {"kty": "EC", "crv": "P-256", "x": x, "y": y},
            "rp_id": self.rp_id,
            "signature": answer["signature"],
        }
