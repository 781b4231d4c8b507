"""ARM's refusals, worded as ARM words them. What is remembered rather than read in a recording says so."""

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from portal.sandbox import wire

Body = dict[str, Any]


class ArmError(Exception):
    """ARM refuses: status, code and message as they stand on the wire."""

    def __init__(self, status: int, code: str, message: str, *, headers: Sequence[tuple[str, str]] = (), **more: Any) -> None:
        super().__init__(code, message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = tuple(headers)
        self.more = more  # target, details, additionalInfo

    def error(self) -> Body:
        return {"code": self.code, "message": self.message, **self.more}

    def reply(self) -> wire.Reply:
        return wire.Reply(self.status, "application/json; charset=utf-8", json.dumps({"error": self.error()}).encode(), self.headers)

    def inside_a_deployment(self) -> Body:
        """One failed operation among a deployment's details: the provider's answer as text, as ARM hands it on."""
        words = HTTPStatus(self.status).phrase.replace(" ", "")
        return {"code": words, "message": json.dumps({"error": self.error()}, indent=2).replace("\n", "\r\n")}


def unauthorized(code: str, message: str, tenant: str = "common", detail: str = "") -> ArmError:
    """401 names the authority of the subscription's tenant, also to somebody it does not know."""
    about = detail or message
    challenge = f'Bearer authorization_uri="https://login.windows.net/{tenant}", error="invalid_token", error_description="{about}"'
    return ArmError(401, code, message, headers=[("www-authenticate", challenge)])


def claims_challenge(tenant: str) -> ArmError:
    """Continuous access evaluation: the token was revoked, a new one must carry these claims."""
    claims = "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxNzAwMDAwMDAwIn19fQ=="
    challenge = (
        f'Bearer realm="", authorization_uri="https://login.microsoftonline.com/{tenant}/oauth2/authorize", '
        f'error="insufficient_claims", claims="{claims}"'
    )
    message = (
        "Continuous access evaluation resulted in claims challenge with result: InteractionRequired and code: "
        "TokenIssuedBeforeRevocationTimestamp"
    )
    return ArmError(401, "TokenIssuedBeforeRevocationTimestamp", message, headers=[("www-authenticate", challenge)])


def not_authorized(client: str, object_id: str, action: str, scope: str) -> ArmError:
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{client}' with object id '{object_id}' does not have authorization to perform action '{action}' over scope "
        f"'{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
    )


def no_subscription(number: str) -> ArmError:
    return ArmError(404, "SubscriptionNotFound", f"The subscription '{number}' could not be found.")


def read_only(number: str) -> ArmError:
    return ArmError(
        409,
        "ReadOnlyDisabledSubscription",
        f"The subscription '{number}' is disabled and therefore marked as read only. "
        "You cannot perform any write actions on this subscription until it is re-enabled.",
    )


def no_group(name: str) -> ArmError:
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")


def no_resource(kind: str, name: str, group: str) -> ArmError:
    where = f"under resource group '{group}' " if group else ""
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{kind}/{name}' {where}was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def no_deployment(name: str) -> ArmError:
    return ArmError(404, "DeploymentNotFound", f"Deployment '{name}' could not be found.")


def not_registered(namespace: str) -> ArmError:
    message = (
        f"The subscription is not registered to use namespace '{namespace}'. "
        "See https://aka.ms/rps-not-found for how to register subscriptions."
    )
    detail = {"code": "MissingSubscriptionRegistration", "target": namespace, "message": message}
    return ArmError(409, "MissingSubscriptionRegistration", message, details=[detail])


def no_api_version() -> ArmError:
    return ArmError(400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")


def bad_api_version(kind: str, given: str, known: Sequence[str]) -> ArmError:
    supported = ", ".join(sorted(known, reverse=True))
    if "/" not in kind or kind.lower().startswith("microsoft.resources/"):
        message = f"The api-version '{given}' is invalid. The supported versions are '{supported.replace(', ', ',')}'."
        return ArmError(400, "InvalidApiVersionParameter", message)
    return ArmError(
        400,
        "NoRegisteredProviderFound",
        f"No registered resource provider found for location '' and API version '{given}' for type '{kind.partition('/')[2]}'. "
        f"The supported api-versions are '{supported}'. The supported locations are ''.",
    )


def bad_content(field: str) -> ArmError:
    return ArmError(
        400,
        "InvalidRequestContent",
        f"The request content was invalid and could not be deserialized: 'Could not find member '{field}' on object of type "
        f"'ResourceDefinition'. Path '{field}', line 1, position 1.'.",
    )


def malformed(message: str) -> ArmError:
    return ArmError(400, "InvalidRequestContent", f"The request content was invalid and could not be deserialized: '{message}'.")


def locked(scope: str, operation: str, locks: Sequence[str]) -> ArmError:
    return ArmError(
        409,
        "ScopeLocked",
        f"The scope '{scope}' cannot perform {operation} operation because following scope(s) are locked: "
        f"'{','.join(locks)}'. Please remove the lock and try again.",
    )


def throttled(subscription: str, actor: str, seconds: float, *, reading: bool) -> ArmError:
    wait = str(int(seconds) or 10)
    kind = "read" if reading else "write"
    return ArmError(
        429,
        "SubscriptionRequestsThrottled",
        f"Number of '{kind}' requests for subscription '{subscription}' actor '{actor}' exceeded. Please try again after '{wait}' "
        "seconds after additional tokens are available.",
        headers=[("retry-after", wait), (f"x-ms-ratelimit-remaining-subscription-{kind}s", "0")],
    )
