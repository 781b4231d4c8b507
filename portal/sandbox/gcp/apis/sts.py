"""The Security Token Service: a token of somebody else's issuer for a federated one of Google's."""

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Any

from portal.sandbox.gcp.errors import OAuthRefusal
from portal.sandbox.gcp.expressions import ExpressionError, UnknownValueError, compile_expression
from portal.sandbox.gcp.methods import Call, method, of_nothing
from portal.sandbox.gcp.world import Resource, Token, World, fresh_secret
from portal.sandbox.tokens import StsError, read_unverified, verify

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105
JWT_TYPES = {"urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token"}
SCOPES = {"https://www.googleapis.com/auth/cloud-platform", "https://www.googleapis.com/auth/iam"}
AUDIENCE = re.compile(
    r"//iam\.googleapis\.com/(?P<pool>projects/(?P<number>\d+)/locations/global/workloadIdentityPools/(?P<id>[a-z0-9-]+))/providers/[a-z0-9-]+"
)
LONGEST_SECONDS = 3600.0
STALE_SECONDS = 3600.0
SUBJECT_BYTES = 127
CONDITION_NAMES = ("assertion.", "google.", "attribute.")
FORM = dict.fromkeys(("grant_type", "audience", "scope", "requested_token_type", "subject_token", "subject_token_type", "options"), str)
BAD_AUDIENCE = (
    'Invalid value for "audience". This value should be the full resource name of the Identity Provider. '
    "See https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token for the list of possible formats."
)
BAD_TARGET = (
    'The target service indicated by the "audience" parameters is invalid. '
    "This might either be because the pool or provider is disabled or deleted or because it doesn't exist."
)


@method("sts.token", "POST /v1/token", on=of_nothing, body=FORM, is_public=True)
async def exchange(call: Call) -> dict[str, Any]:
    found = _checked_form(call.body)
    provider = _provider(call.world, found)
    # Fetching the issuer's keys would hold everybody up.
    claims = await asyncio.to_thread(_verified, call, provider)
    _check_audience(claims, provider, found.group())
    attributes = _mapped(call, claims, provider.body.get("attributeMapping", {}))
    _check_condition(claims, attributes, provider.body.get("attributeCondition", ""))
    world, now = call.world, call.world.now()
    # Never longer than the token it came from, which counts by the issuer's clock: the machine's, not the one that control moves.
    seconds = int(min(LONGEST_SECONDS, claims["exp"] - time.time()))
    text = fresh_secret("ya29.d.")
    world.tokens[text] = Token("federated", *_identities(found, attributes), expires_at=now + seconds, consumer=found.group("number"))
    return {"access_token": text, "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": seconds}


def _checked_form(form: Mapping[str, str]) -> re.Match[str]:
    if form.get("grant_type") != EXCHANGE:
        raise OAuthRefusal("unsupported_grant_type", 'Invalid value for "grant_type".')
    found = AUDIENCE.fullmatch(form.get("audience", ""))
    if found is None:
        raise OAuthRefusal("invalid_request", BAD_AUDIENCE)
    if form.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise OAuthRefusal("invalid_request", 'Invalid value for "requested_token_type".')
    if form.get("subject_token_type") not in JWT_TYPES:
        raise OAuthRefusal("invalid_request", 'Invalid value for "subject_token_type".')
    if not form.get("subject_token"):
        raise OAuthRefusal("invalid_request", 'Missing required parameter: "subject_token".')
    if not set(form.get("scope", "").split()) & SCOPES:
        raise OAuthRefusal("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
    return found


def _provider(world: World, found: re.Match[str]) -> Resource:
    """Pool and provider must live, be switched on, have propagated, and belong to a project that lives."""
    project = world.projects.get(found.group("number"))
    pool, provider = world.live(found.group("pool")), world.live(found.group().removeprefix("//iam.googleapis.com/"))
    known = world.now() - world.knobs.propagation_seconds
    for resource in (pool, provider):
        if resource is None or resource.body.get("disabled") or resource.created_at > known:
            raise OAuthRefusal("invalid_target", BAD_TARGET)
    if project is None or project.state != "ACTIVE" or provider is None:
        raise OAuthRefusal("invalid_target", BAD_TARGET)
    return provider


def _verified(call: Call, provider: Resource) -> dict[str, Any]:
    """Times, then the signature by the issuer's own keys."""
    token, issuer = call.body["subject_token"], provider.body["oidc"]["issuerUri"]
    try:
        header, claims = read_unverified(token)
    except StsError:
        raise OAuthRefusal("invalid_request", "Unable to parse the ID Token.") from None
    if claims.get("iss") != issuer:
        raise OAuthRefusal("invalid_grant", f"The issuer in ID Token {claims.get('iss')} does not match the expected ones: {issuer}.")
    for name in ("exp", "iat", "sub", "aud"):
        if name not in claims:
            raise OAuthRefusal("invalid_grant", f"The ID Token is missing the required claim: {name}.")
    _check_times(claims)
    try:
        verify(token, header, claims, call.sandbox.issuers)
    except StsError as refused:
        if refused.code in {"IDPCommunicationError"} or "verification key" in refused.message:
            raise OAuthRefusal("invalid_grant", "Error connecting to the given credential's issuer.") from refused
        raise OAuthRefusal("invalid_grant", f"Invalid ID Token: {refused.message}.") from refused
    return claims


def _check_times(claims: Mapping[str, Any]) -> None:
    now, issued, ends = time.time(), claims["iat"], claims["exp"]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in (issued, ends)):
        raise OAuthRefusal("invalid_grant", "The ID Token has claims of the wrong type.")
    if ends <= now or now - issued > STALE_SECONDS:
        raise OAuthRefusal("invalid_grant", f"ID Token issued at {int(issued)} is stale to sign-in.")
    if issued > now + 60:
        raise OAuthRefusal("invalid_grant", f"ID Token issued at {int(issued)} is in the future.")


def _check_audience(claims: Mapping[str, Any], provider: Resource, name: str) -> None:
    """By default the provider's own name, with or without https."""
    allowed = provider.body["oidc"].get("allowedAudiences") or [f"https:{name}", name]
    given = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if not any(audience in allowed for audience in given):
        shown = ", ".join(str(audience) for audience in given)
        raise OAuthRefusal("invalid_grant", f"The audience in ID Token [{shown}] does not match the expected audience.")


def _mapped(call: Call, claims: Mapping[str, Any], mapping: Mapping[str, str]) -> dict[str, str]:
    attributes = {}
    for name, expression in mapping.items():
        try:
            value = compile_expression(expression, ("assertion.",))({"assertion": claims})
        except (ExpressionError, UnknownValueError, TypeError):
            message = f"The attribute mapping '{name}' could not be evaluated on the given credential."
            raise OAuthRefusal("invalid_request", message) from None
        attributes[name] = str(value)
    subject = attributes.get("google.subject", "")
    if not subject or len(subject.encode()) > SUBJECT_BYTES:
        message = (
            f"The size of mapped attribute google.subject exceeds the {SUBJECT_BYTES} bytes limit. Either modify your attribute mapping or "
            f"the incoming assertion to produce a mapped attribute that is less than {SUBJECT_BYTES} bytes."
        )
        raise OAuthRefusal("invalid_request", message)
    return attributes


def _check_condition(claims: Mapping[str, Any], attributes: Mapping[str, str], expression: str) -> None:
    if not expression:
        return
    scope: dict[str, Any] = {"assertion": claims, **attributes}
    try:
        is_true = compile_expression(expression, CONDITION_NAMES)(scope)
    except (UnknownValueError, TypeError):
        is_true = False
    if not is_true:
        raise OAuthRefusal("unauthorized_client", "The given credential is rejected by the attribute condition.")


def _identities(found: re.Match[str], attributes: Mapping[str, str]) -> tuple[str, list[str]]:
    """The member this token is, and all the names that bindings may know it by."""
    pool = f"iam.googleapis.com/{found.group('pool')}"
    member = f"principal://{pool}/subject/{attributes['google.subject']}"
    sets = [f"principalSet://{pool}/{name}/{value}" for name, value in attributes.items() if name.startswith("attribute.")]
    return member, [member, *sets, f"principalSet://{pool}/*"]
