"""Entra's token endpoint: a client assertion of ours becomes an access token, or an AADSTS refusal.

An assertion is held first against the identity's federated credentials (issuer, subject, audience, all exact), then against the
clock, then against the issuer's own keys, which are fetched over HTTP and verified with another library than the portal signs with.
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import jwt

from portal.sandbox import wire
from portal.sandbox.azure.world import Resource, Tenant, Token, World
from portal.sandbox.request import Request
from portal.sandbox.sandbox import Sandbox
from portal.sandbox.tokens import CLOCK_SKEW_SECONDS, StsError

IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
CREDENTIAL = f"{IDENTITY}/federatedIdentityCredentials"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPES = {"https://management.azure.com/.default", "https://management.azure.com//.default"}
FIELDS = {"client_id", "client_assertion", "client_assertion_type", "grant_type", "scope", "client_info", "claims"}
NEEDED = ("grant_type", "client_id", "scope")
TOKEN_SECONDS = 86400  # a managed identity's token; an application's lives about an hour
FEDERATION = "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
CHECK = f"Check your federated identity credential Subject, Audience and Issuer against the presented assertion. {FEDERATION}"
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class EntraError(Exception):
    """Entra refuses: the number of the AADSTS code is what a client can rely on."""

    def __init__(self, number: int, message: str, *, error: str = "invalid_client", status: int = 401) -> None:
        super().__init__(number, message)
        self.number = number
        self.message = message
        self.error = error
        self.status = status

    def reply(self, headers: tuple[tuple[str, str], ...] = ()) -> wire.Reply:
        trace, correlation = str(uuid4()), str(uuid4())
        at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        body = {
            "error": self.error,
            "error_description": f"AADSTS{self.number}: {self.message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {at}",
            "error_codes": [self.number],
            "timestamp": at,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={self.number}",
        }
        return wire.Reply(self.status, "application/json; charset=utf-8", json.dumps(body).encode(), headers)


@dataclass(frozen=True)
class Asked:
    """The form of one token request."""

    client: str
    assertion: str


def discovery(tenant: str, origin: str) -> wire.Reply:
    base = f"{origin}/{tenant}"
    return wire.document(
        200,
        {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": f"https://login.microsoftonline.com/{tenant}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
        },
    )


def grant(tenant_id: str, request: Request, world: World, sandbox: Sandbox) -> Token:
    """What the assertion is worth. Blocks while it fetches keys: call it on a thread; it changes nothing. Raises EntraError."""
    tenant = find_tenant(world, tenant_id)
    asked = _read(request.form, tenant, sandbox)
    identity = _identity(world, tenant, asked.client, sandbox)
    header, claims = _parse(asked.assertion)
    _match(_credentials(world, identity, sandbox), claims)
    _check_times(claims)
    _check_signature(asked.assertion, header, claims, sandbox)
    properties = identity.properties
    return Token(tenant.id, properties["principalId"], properties["clientId"], world.now() + TOKEN_SECONDS)


def issued(granted: Token, world: World) -> wire.Reply:
    world.is_dirty = True
    text = world.mint(granted)
    answer = {"token_type": "Bearer", "expires_in": TOKEN_SECONDS, "ext_expires_in": TOKEN_SECONDS, "access_token": text}
    return wire.document(200, answer)


def find_tenant(world: World, tenant_id: str) -> Tenant:
    """A tenant by its id or domain. Raises EntraError."""
    known = next((tenant for tenant in world.tenants.values() if tenant_id.lower() in {tenant.id, tenant.domain}), None)
    if known is None and not GUID.fullmatch(tenant_id) and "." not in tenant_id:
        message = f"Specified tenant identifier '{tenant_id}' is neither a valid DNS name, nor a valid external domain."
        raise EntraError(900023, message, error="invalid_request", status=400)
    if known is None:
        raise EntraError(
            90002,
            f"Tenant '{tenant_id}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. "
            "Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.",
            error="invalid_request", status=400,
        )  # fmt: skip
    return known


def _read(form: Mapping[str, list[str]], tenant: Tenant, sandbox: Sandbox) -> Asked:
    for name in set(form) - FIELDS:
        sandbox.violate(kind="field", service="entra", action="token", field=name)
        raise EntraError(90014, f"The request contains a field that is not played here: '{name}'.", error="invalid_request", status=400)
    given = {name: values[0] for name, values in form.items()}
    for name in NEEDED:
        if not given.get(name):
            message = f"The request body must contain the following parameter: '{name}'."
            raise EntraError(900144, message, error="invalid_request", status=400)
    if given["grant_type"] != "client_credentials":
        message = f"The app requested an unsupported grant type '{given['grant_type']}'."
        raise EntraError(70003, message, error="unsupported_grant_type", status=400)
    if given.get("client_assertion_type") != ASSERTION_TYPE or not given.get("client_assertion"):
        message = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
        raise EntraError(7000218, message)
    _check_scope(given["scope"], tenant)
    return Asked(given["client_id"], given["client_assertion"])


def _check_scope(scope: str, tenant: Tenant) -> None:
    wanted = [part for part in scope.split() if part not in {"openid", "profile", "offline_access"}]
    if len(wanted) == 1 and wanted[0] in SCOPES:
        return
    if not scope.endswith("/.default"):
        message = (
            f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default "
            "suffixed to the resource identifier (application ID URI)."
        )
        raise EntraError(1002012, message, error="invalid_scope", status=400)
    resource = scope.removesuffix("/.default")
    raise EntraError(
        500011,
        f"The resource principal named {resource} was not found in the tenant named {tenant.name}. This can happen if the application has "
        "not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your "
        "authentication request to the wrong tenant.",
        error="invalid_resource", status=400,
    )  # fmt: skip


def _identity(world: World, tenant: Tenant, client: str, sandbox: Sandbox) -> Resource:
    for identity in world.of_type(IDENTITY):
        if identity.tenant == tenant.id and identity.properties["clientId"] == client.lower() and _has_spread(identity, world, sandbox):
            return identity
    raise EntraError(
        700016,
        f"Application with identifier '{client}' was not found in the directory '{tenant.name}'. This can happen if the application has "
        "not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your "
        "authentication request to the wrong tenant.",
        error="unauthorized_client", status=400,
    )  # fmt: skip


def _credentials(world: World, identity: Resource, sandbox: Sandbox) -> list[dict[str, Any]]:
    return [found.properties for found in world.of_type(CREDENTIAL, identity.id) if _has_spread(found, world, sandbox)]


def _has_spread(resource: Resource, world: World, sandbox: Sandbox) -> bool:
    """What ARM has written, Entra learns some seconds later."""
    return world.now() - resource.created_at >= sandbox.knobs.propagation_seconds


def _parse(assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        header = jwt.get_unverified_header(assertion)
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError as problem:
        raise EntraError(50027, "JWT token is invalid or malformed.", error="invalid_request", status=400) from problem
    return header, claims


def _match(credentials: list[dict[str, Any]], claims: Mapping[str, Any]) -> None:
    """Issuer, subject and audience, each exactly. The subject's case matters since 2024."""
    issuer, subject, audience = str(claims.get("iss", "")), str(claims.get("sub", "")), claims.get("aud")
    found = [known for known in credentials if known["issuer"] == issuer]
    if not found:
        raise EntraError(700211, f"{_unmatched('issuer', issuer)} {CHECK}")
    close = [known for known in found if known["subject"].lower() == subject.lower()]
    if not close:
        raise EntraError(700213, f"{_unmatched('subject', subject)} {CHECK}")
    exact = [known for known in close if known["subject"] == subject]
    if not exact:
        raise EntraError(
            7002138,
            f"{_unmatched('subject', subject)} The subject matches with case-insensitive comparison, but not with case-sensitive "
            "comparison. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. See "
            f"documentation at: {FEDERATION}. See breaking change notification and remediation at: "
            "https://learn.microsoft.com/en-us/entra/identity-platform/reference-breaking-changes#august-2024.",
        )
    if not any(isinstance(audience, str) and audience in known["audiences"] for known in exact):
        raise EntraError(700212, f"{_unmatched('audience', audience)} {CHECK}")


def _unmatched(what: str, value: object) -> str:
    return f"No matching federated identity record found for presented assertion {what} '{value}'."


def _check_times(claims: Mapping[str, Any]) -> None:
    now = time.time()
    begins, ends = claims.get("nbf", claims.get("iat")), claims.get("exp")
    if not isinstance(ends, int | float) or not isinstance(begins, int | float):
        raise EntraError(50027, "JWT token is invalid or malformed.", error="invalid_request", status=400)
    if ends <= now or begins > now + 5 * CLOCK_SKEW_SECONDS:
        raise EntraError(
            700024,
            f"Client assertion is not within its valid time range. Current time: {_time(now)}, assertion valid from {_time(begins)}, "
            f"expiry time of assertion {_time(ends)}. Review the documentation at "
            "https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
        )


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def _check_signature(assertion: str, header: Mapping[str, Any], claims: Mapping[str, Any], sandbox: Sandbox) -> None:
    algorithm, kid = header.get("alg"), str(header.get("kid") or "")
    if algorithm != "RS256":
        message = (
            f"Invalid JWT token. '{algorithm}' is not a supported signature algorithm. "
            "Supported signing algorithms are: 'RS256, RS384, RS512'"
        )
        raise EntraError(5002738, message, error="invalid_request", status=400)
    key = _key(str(claims["iss"]), kid, sandbox)
    try:
        jwt.PyJWS().decode(assertion, key, algorithms=["RS256"])
    except jwt.PyJWTError as problem:
        message = (
            f"The certificate with identifier used to sign the client assertion is not registered on application. "
            f"[Reason - The key was found, but use of the key to verify the signature failed. Thumbprint of key used by client: '{kid}']"
        )
        raise EntraError(700027, message) from problem


def _key(issuer: str, kid: str, sandbox: Sandbox) -> Any:
    try:
        return sandbox.issuers.key(issuer, kid)
    except StsError as problem:
        if problem.code == "IDPCommunicationError":
            raise EntraError(50166, "Request to External OIDC endpoint failed.", error="invalid_request", status=400) from problem
        message = (
            f"The certificate with identifier {kid} used to sign the federated credential could not be found in the metadata of identity "
            f"provider {issuer}. Please validate that your Identity Provider's metadata exposes the key used to sign the incoming token."
        )
        raise EntraError(7000272, message) from problem
