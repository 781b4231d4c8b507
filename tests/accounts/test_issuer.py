"""The issuer as a cloud sees it: discovery, keys, tokens, rotation with overlap, keys sealed at rest."""

import json
import uuid
from datetime import timedelta

import pytest
import time_machine
from cryptography.fernet import Fernet
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet, RSAKey

from accounts.clouds.base import Subject
from accounts.issuer import keys, seal
from accounts.issuer.addresses import issuer_url
from accounts.issuer.tokens import KitReplaced, sign, token_source
from accounts.models import SigningKey
from accounts.states import KitState
from accounts.transitions import retire_kits
from portal.audit.models import Event
from tests.factories import make_cloud_account, make_kit

pytestmark = pytest.mark.django_db


def key_set(client: Client) -> KeySet:
    return KeySet.import_key_set(client.get("/trust/jwks.json").json())


def discovery_path(kit) -> str:
    return f"/trust/{kit.account_id}/g{kit.generation}/.well-known/openid-configuration"


def test_discovery_names_the_issuer_of_this_kit_and_the_shared_keys(client, settings):
    settings.ISSUER_URL = "https://id.portal.test"
    kit = make_kit(account=make_cloud_account())

    document = client.get(discovery_path(kit)).json()

    assert document == {
        "issuer": f"https://id.portal.test/trust/{kit.account_id}/g1",
        "jwks_uri": "https://id.portal.test/trust/jwks.json",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"],
    }


def test_discovery_of_a_replaced_kit_is_gone(client):
    account = make_cloud_account()
    kit = make_kit(account=account)
    retire_kits(account)

    response = client.get(discovery_path(kit))

    assert response.status_code == 410
    assert response.json()["error"] == "gone"


@pytest.mark.parametrize("path", [f"/trust/{uuid.UUID(int=7)}/g1/.well-known/openid-configuration"])
def test_discovery_of_an_unknown_kit_is_404(client, path):
    assert client.get(path).status_code == 404


def test_jwks_shows_public_halves_only(client):
    keys.active_key()

    (key,) = client.get("/trust/jwks.json").json()["keys"]

    assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}
    assert (key["kty"], key["use"], key["alg"]) == ("RSA", "sig", "RS256")


def test_token_lives_five_minutes_and_has_one_string_audience(client):
    kit = make_kit(account=make_cloud_account())
    subject = f"account:{kit.account_id}:{Subject.OPS.value}"

    token = jwt.decode(token_source(kit)(subject=subject, audience="sts.amazonaws.com"), key_set(client), algorithms=["RS256"])

    assert token.header["kid"] == keys.active_key().kid
    assert token.claims["iss"] == issuer_url(kit)
    assert token.claims["sub"] == subject
    assert token.claims["aud"] == "sts.amazonaws.com"
    assert token.claims["exp"] - token.claims["nbf"] == 300
    assert token.claims["nbf"] <= token.claims["iat"] < token.claims["exp"]


def test_token_says_more_and_never_who_it_is_for_or_until_when(client):
    said = {
        "https://aws.amazon.com/source_identity": "g-1.mia",
        "sub": "account:x:ops",
        "exp": 9_999_999_999,
        "iss": "https://else.example",
    }
    token = sign(issuer="https://portal.example/i", subject="account:a:support", audience="sts", said=said)
    claims = jwt.decode(token, key_set(client)).claims

    assert claims["https://aws.amazon.com/source_identity"] == "g-1.mia"
    assert (claims["sub"], claims["iss"]) == ("account:a:support", "https://portal.example/i")
    assert claims["exp"] - claims["iat"] <= 300


def test_token_signed_by_a_stranger_does_not_verify(client):
    keys.active_key()
    forged = jwt.encode({"alg": "RS256"}, {"sub": "account:x:ops"}, RSAKey.generate_key(2048))

    with pytest.raises(BadSignatureError):
        jwt.decode(forged, key_set(client), algorithms=["RS256"])


def test_first_key_is_made_once():
    assert keys.active_key().pk == keys.active_key().pk
    assert SigningKey.objects.count() == 1


def test_rotation_publishes_before_signing_and_keeps_after(client):
    start = timezone.now()
    with time_machine.travel(start, tick=False):
        keys.rotate()
        first = keys.active_key()
        old_token = sign(issuer="https://id", subject="s", audience="a")

    with time_machine.travel(start + timedelta(days=29), tick=False):
        keys.rotate()
        upcoming = SigningKey.objects.get(state="next")
        assert keys.active_key() == first
        assert {key["kid"] for key in client.get("/trust/jwks.json").json()["keys"]} == {first.kid, upcoming.kid}
        keys.rotate()
        assert SigningKey.objects.count() == 2

    with time_machine.travel(start + timedelta(days=30), tick=False):
        keys.rotate()
        assert keys.active_key() == upcoming
        jwt.decode(old_token, key_set(client), algorithms=["RS256"])
        jwt.decode(sign(issuer="https://id", subject="s", audience="a"), key_set(client), algorithms=["RS256"])

    with time_machine.travel(start + timedelta(days=31), tick=False):
        keys.rotate()
        assert [key["kid"] for key in client.get("/trust/jwks.json").json()["keys"]] == [upcoming.kid]
    first.refresh_from_db()
    assert (first.state, first.sealed_private_key) == ("retired", "")


def test_rotation_leaves_one_event_a_move_on_the_platform_chain():
    start = timezone.now()
    for days in (0, 29, 30, 31):
        with time_machine.travel(start + timedelta(days=days), tick=False):
            keys.rotate()

    assert not Event.objects.filter(subject_label__contains="withheld").exists()
    actions = list(Event.objects.filter(action__startswith="signing_key.").order_by("sequence").values_list("action", flat=True))

    assert actions == ["signing_key.made", "signing_key.made", "signing_key.retiring", "signing_key.active", "signing_key.retired"]


def test_private_key_is_sealed_in_its_row():
    row = keys.active_key()
    private = keys.open_private_key(row.sealed_private_key).as_dict(private=True)

    assert private["d"] not in json.dumps([row.sealed_private_key, row.public_jwk])
    assert "d" not in row.public_jwk


def test_seal_key_can_be_rotated(settings):
    sealed = seal.seal(b"secret")
    settings.SEAL_KEYS = [Fernet.generate_key().decode(), *settings.SEAL_KEYS]

    assert seal.unseal(sealed) == b"secret"
    assert seal.unseal(seal.seal(b"other")) == b"other"


def test_seal_key_removed_too_early_says_so(settings):
    sealed = seal.seal(b"secret")
    settings.SEAL_KEYS = [Fernet.generate_key().decode()]

    with pytest.raises(seal.SealBroken, match="PORTAL_SEAL_KEYS"):
        seal.unseal(sealed)


@given(position=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_sealed_key_with_any_bit_turned_does_not_open(position, bit):
    sealed = bytearray(seal.seal(b"secret").rstrip("=").encode())
    # The last character carries unused bits, which base64 ignores.
    place = position % (len(sealed) - 1)
    sealed[place] ^= 1 << bit
    padded = bytes(sealed) + b"=" * (-len(sealed) % 4)

    with pytest.raises((seal.SealBroken, UnicodeDecodeError)):
        seal.unseal(padded.decode())


def test_kit_state_current_and_candidate_are_the_only_ones_with_a_living_issuer(client):
    for state in KitState:
        kit = make_kit(account=make_cloud_account(), state=state)
        assert client.get(discovery_path(kit)).status_code == (200 if state in {KitState.CURRENT, KitState.CANDIDATE} else 410)


def test_candidate_past_its_days_has_no_living_issuer(client):
    """A renewal that failed half-way and was left: nobody runs a step that would end it."""
    kit = make_kit(account=make_cloud_account(), state=KitState.CANDIDATE, expires_at=timezone.now() - timedelta(seconds=1))

    assert client.get(discovery_path(kit)).status_code == 410
    with pytest.raises(KitReplaced):
        token_source(kit)(subject="account:x:ops", audience="a")
