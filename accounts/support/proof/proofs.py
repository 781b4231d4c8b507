"""How an approver proves to be there at this moment: a passkey that signs the grant's text, or a code of an authenticator app.

A password proves nothing here, and neither does a recovery code.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.mfa import app_settings as mfa_settings
from allauth.mfa.base.internal.flows import check_rate_limit, post_authentication
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal.auth import get_authenticator_by_credential_id, get_credentials, get_server
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _
from fido2.utils import sha256, websafe_encode
from fido2.webauthn import AuthenticationResponse, UserVerificationRequirement

from accounts.models import User
from accounts.sign_in import STEP_UP_MAX_AGE
from accounts.support.models.decisions import Method
from accounts.support.proof.verify_grant import why_not_signed
from accounts.support.rules.gate import own_origin

EC2, RSA, P256 = 2, 3, 1
LONGEST_CREDENTIAL = 20_000


class NotProven(Exception):
    """The proof was not given. `reason` is the sentence for the person."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Proof:
    method: Method
    assertion: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Factors:
    """What this person could prove it with."""

    has_passkey: bool
    has_totp: bool
    is_totp_fresh: bool

    @property
    def has_any(self) -> bool:
        return self.has_passkey or self.has_totp


def factors_of(request: HttpRequest, user: User) -> Factors:
    kinds = set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    has_totp = Authenticator.Type.TOTP in kinds
    return Factors(Authenticator.Type.WEBAUTHN in kinds, has_totp, has_totp and _is_totp_fresh(request, user))


def _is_totp_fresh(request: HttpRequest, user: User) -> bool:
    """Whether a code was given in this session within the last five minutes."""
    since = time.time() - STEP_UP_MAX_AGE.total_seconds()
    records = get_authentication_records(request, user)
    return any(one.get("method") == "mfa" and one.get("type") == Authenticator.Type.TOTP and one["at"] >= since for one in records)


# --- Passkeys --------------------------------------------------------------------------------------------------------


def passkey_options(user: User, text: str) -> dict[str, Any]:
    """What the browser asks the passkey to sign: the SHA-256 of the grant's text, as the challenge."""
    return {"publicKey": json.loads(json.dumps(dict(_begin(user, text)[0].public_key)))}


def _begin(user: User, text: str) -> Any:
    wanted = UserVerificationRequirement(mfa_settings.WEBAUTHN_USER_VERIFICATION)
    return get_server().authenticate_begin(credentials=get_credentials(user), user_verification=wanted, challenge=sha256(text.encode()))


def prove_by_passkey(request: HttpRequest, user: User, text: str, credential: str) -> Proof:
    """Check what the passkey signed, by the library that signs people in and by the one that strangers verify with. Raises NotProven."""
    release = _limited(user)
    try:
        response = AuthenticationResponse.from_dict(json.loads(credential[:LONGEST_CREDENTIAL]))
        found = get_server().authenticate_complete(_begin(user, text)[1], get_credentials(user), response)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotProven(_("The passkey was not accepted. Nothing was approved. Try again.")) from error
    authenticator = get_authenticator_by_credential_id(user, found.credential_id)
    assertion = _assertion(response, found.public_key)
    # Held against what the gate will hold it against: an approval that would open nothing is not taken.
    if authenticator is None or why_not_signed(text, assertion, origin=own_origin()):
        raise NotProven(_("This kind of passkey cannot sign a grant. Use another one, or a code of an authenticator app."))
    release()
    post_authentication(request, authenticator, reauthenticated=True)
    return Proof(Method.PASSKEY, assertion)


def _assertion(response: AuthenticationResponse, key: Mapping[int, Any]) -> dict[str, Any]:
    answer = response.response
    return {
        "authenticator_data": websafe_encode(bytes(answer.authenticator_data)),
        "client_data": websafe_encode(bytes(answer.client_data)),
        "credential": websafe_encode(response.raw_id),
        "origin": answer.client_data.origin,
        "public_key": _jwk(key),
        "rp_id": get_server().rp.id,
        "signature": websafe_encode(answer.signature),
    }


def _jwk(key: Mapping[int, Any]) -> dict[str, str]:
    """A COSE key as a JWK; empty for kinds that the verifier does not know."""
    if key.get(1) == EC2 and key.get(-1) == P256:
        return {"kty": "EC", "crv": "P-256", "x": websafe_encode(key[-2]), "y": websafe_encode(key[-3])}
    if key.get(1) == RSA:
        return {"kty": "RSA", "n": websafe_encode(key[-1]), "e": websafe_encode(key[-2])}
    return {"kty": "unknown"}


# --- Codes -----------------------------------------------------------------------------------------------------------


def prove_by_code(request: HttpRequest, user: User, code: str) -> Proof:
    """A code of the authenticator app, given now, or in this session within the last five minutes. Raises NotProven."""
    if not code and factors_of(request, user).is_totp_fresh:
        return Proof(Method.TOTP)
    authenticator = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    if authenticator is None:
        raise NotProven(_("You have no authenticator app set up here."))
    release = _limited(user)
    if not authenticator.wrap().validate_code(code):
        raise NotProven(_("This code is not the one your app shows now, or it was used already. Nothing was approved. Try the next one."))
    release()
    post_authentication(request, authenticator, reauthenticated=True)
    return Proof(Method.TOTP)


def _limited(user: User) -> Any:
    """Counts this try; the answer forgives it. Raises NotProven after too many."""
    try:
        return check_rate_limit(user)
    except ValidationError as error:
        raise NotProven(_("Too many tries. Wait five minutes and try again.")) from error
