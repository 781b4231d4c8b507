"""Azure by Microsoft's own packages: one session for each identity, signed in with an assertion of ours.

Subscriptions, resource groups, providers, resources, deployments and deployment stacks have small packages, whose clients are made
here. Roles, identities, policies, locks and usages have none that is small: they are read through a client's `send_request`, each under
a version named here.

All clients of a session share one pipeline, which is ours. Microsoft's would register resource providers on its own, retry ten times and
sleep for as long as a `Retry-After` says. The engine retries, with words on the page: a call here answers or fails within seconds.

PORTAL_AZURE_AUTHORITY_URL, PORTAL_AZURE_ARM_URL and PORTAL_AZURE_CA_FILE lead somewhere else than Azure itself. They are read from
the environment of the process alone: an address from anywhere else would be handed tokens.
"""

import logging
import os
import re
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from itertools import count
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from azure.core.credentials import AccessToken
from azure.core.exceptions import DecodeError, HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.core.paging import ItemPaged
from azure.core.pipeline import Pipeline, PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import HeadersPolicy, HTTPPolicy, SansIOHTTPPolicy, UserAgentPolicy
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest
from azure.identity import ClientAssertionCredential
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from azure.mgmt.resource.deploymentstacks import DeploymentStacksClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resource.subscriptions import SubscriptionClient

# What Azure's libraries log is what Entra answered, in full, and at WARNING. We keep it with the failure, not in our log.
logging.getLogger("azure").setLevel(logging.CRITICAL)

AUTHORITY = "https://login.microsoftonline.com"
ARM = "https://management.azure.com"
SCOPE = "https://management.azure.com/.default"
CONNECT_SECONDS = 5
READ_SECONDS = 20
MOST_PAGES = 40
HTTPS = 443
ACCEPTED = 202
SILENT = {ACCEPTED, 204}  # taken note of; gone
# One version for each kind of thing that is read without a package; the packages bring their own.
VERSIONS = {
    "identities": "2023-01-31",
    "authorization": "2022-04-01",
    "locks": "2020-05-01",
    "policies": "2022-06-01",
    "activity": "2015-04-01",
    "clusters": "2024-09-01",
    "compute": "2024-07-01",
    "network": "2024-05-01",
    "workflows": "2019-05-01",
    "what_if": "2025-04-01",  # by hand, as the package's poller would wait for the answer in a thread
}

Entry = TypeVar("Entry")
_VERSION = re.compile("-[0-9a-f]{8}$")


@dataclass(frozen=True)
class Endpoints:
    authority: str
    arm: str
    ca_file: str  # empty: the certificate authorities of this machine

    @property
    def transport(self) -> dict[str, Any]:
        return {
            "connection_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "connection_verify": self.ca_file or True,
        }


def endpoints() -> Endpoints:
    given = {name: os.environ.get(f"PORTAL_AZURE_{name}", "") for name in ("AUTHORITY_URL", "ARM_URL", "CA_FILE")}
    return Endpoints(given["AUTHORITY_URL"] or AUTHORITY, (given["ARM_URL"] or ARM).rstrip("/"), given["CA_FILE"])


class _OnlyObjectsFromArm(SansIOHTTPPolicy[Any, Any]):
    """No request leaves for another host: the next page's address is Azure's to name, and it would be handed the token.

    What is answered is a JSON object, or nothing where Azure has only taken note. Microsoft's models would take anything else as it is,
    and fail wherever they are read.
    """

    def __init__(self, arm: str) -> None:
        self.arm = arm

    def on_request(self, request: PipelineRequest[Any]) -> None:
        if _origin(request.http_request.url) != _origin(self.arm):
            raise ServiceRequestError("an address outside of Azure's Resource Manager was not asked")

    def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:
        answer = response.http_response
        if not _is_success(answer):
            return
        read = getattr(answer, "read", None)
        if read is not None:
            read()  # a long operation's first answer is a stream
        if int(answer.status_code) in SILENT and not answer.text():
            return
        try:
            told = answer.json()
        except ValueError as error:
            raise DecodeError("the answer is no JSON", error=error) from error
        if not isinstance(told, dict):
            raise DecodeError("the answer is no object")


class KeptToken:
    """A credential that is one access token, and can be no other: of a session that was opened before."""

    def __init__(self, token: str, expires_on: int) -> None:
        self._token = AccessToken(token, expires_on)

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return self._token

    def close(self) -> None:
        """Nothing to close."""


class Session:
    """One identity of a tenant, signed in. Closes its connections when nobody holds it any more."""

    def __init__(self, *, tenant: str = "", client_id: str = "", assertion: Callable[[], str] = str, kept: KeptToken | None = None) -> None:
        """`assertion` mints a fresh token of ours each time it is called; with a kept token nobody signs in."""
        found = endpoints()
        self._arm = found.arm
        self._credential: ClientAssertionCredential | KeptToken = kept or ClientAssertionCredential(
            tenant,
            client_id,
            assertion,
            authority=found.authority,
            disable_instance_discovery=True,
            retry_total=0,
            **found.transport,
        )
        transport = RequestsTransport(**found.transport)
        policies: list[HTTPPolicy[Any, Any] | SansIOHTTPPolicy[Any, Any]] = [
            _OnlyObjectsFromArm(found.arm),
            HeadersPolicy({"Accept": "application/json"}),
            UserAgentPolicy("byoc-portal"),
            ARMChallengeAuthenticationPolicy(self._credential, SCOPE),
        ]
        self._options: dict[str, Any] = {
            "base_url": found.arm,
            "credential_scopes": [SCOPE],
            "policies": [],  # the pipeline has them; without this a client builds Microsoft's own beside it
            "pipeline": Pipeline(transport, policies),
        }
        weakref.finalize(self, _close, transport, self._credential)

    def sign_in(self) -> None:
        """Raises what azure-identity raises. Once is enough: the token outlives the session."""
        self.token()

    def token(self) -> AccessToken:
        return self._credential.get_token(SCOPE)

    # --- Microsoft's clients. Their calls raise azure.core's exceptions. ---

    @cached_property
    def tenant(self) -> SubscriptionClient:
        return SubscriptionClient(self._credential, **self._options)

    def resources(self, subscription: str) -> ResourceManagementClient:
        return ResourceManagementClient(self._credential, subscription, **self._options)

    def deployments(self, subscription: str) -> DeploymentsMgmtClient:
        return DeploymentsMgmtClient(self._credential, subscription, **self._options)

    def stacks(self, subscription: str) -> DeploymentStacksClient:
        return DeploymentStacksClient(self._credential, subscription, **self._options)

    # --- what no small package reads ---

    def get(self, path: str, kind: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What ARM answers. Raises azure.core's exceptions."""
        asked = {**(query or {}), "api-version": VERSIONS[kind]}
        return self._read(f"{self._arm}{quote(path)}?{urlencode(asked)}")

    def list(self, path: str, kind: str, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """Every entry of a collection, page after page."""
        page = self.get(path, kind, query)
        for number in count(1):
            yield from page.get("value") or []
            following = str(page.get("nextLink") or "")
            if not following:
                return
            _demand_end(number)
            page = self._read(following)

    def put(self, path: str, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Writes one resource, whole. What ARM answers. Raises azure.core's exceptions."""
        told: dict[str, Any] = self._call("PUT", path, kind, body).json()
        return told

    def delete(self, path: str, kind: str) -> None:
        """Deletes one resource; none that is not there is no error. Raises azure.core's exceptions."""
        self._call("DELETE", path, kind)

    def _call(self, method: str, path: str, kind: str, body: Mapping[str, Any] | None = None) -> Any:
        address = f"{self._arm}{quote(path)}?{urlencode({'api-version': VERSIONS[kind]})}"
        response = self.tenant.send_request(HttpRequest(method, address, json=dict(body) if body is not None else None))
        if not _is_success(response):
            raise HttpResponseError(response=response)
        return response

    def begin(self, path: str, kind: str, body: Mapping[str, Any]) -> str:
        """Has something done that takes its time. The address at which Azure tells what came of it."""
        response = self._call("POST", path, kind, body)
        return str(response.headers.get("Location", ""))

    def follow(self, address: str) -> dict[str, Any] | None:
        """What has come of something that takes its time, by the address that Azure named for it. None: not yet."""
        response = self._send(address)
        told: dict[str, Any] = response.json() if int(response.status_code) not in SILENT else {}
        return told if int(response.status_code) != ACCEPTED else None

    def _read(self, address: str) -> dict[str, Any]:
        told: dict[str, Any] = self._send(address).json()
        return told

    def _send(self, address: str) -> Any:
        response = self.tenant.send_request(HttpRequest("GET", address))
        if not _is_success(response):
            raise HttpResponseError(response=response)
        return response


def every(found: ItemPaged[Entry]) -> list[Entry]:
    """The entries of a list of Microsoft's clients, page after page. Raises azure.core's exceptions."""
    entries: list[Entry] = []
    for number, page in enumerate(found.by_page()):
        _demand_end(number)
        entries += page
    return entries


def word(said: str | Enum | None) -> str:
    """A word of Azure's, known to Microsoft's models or not: `str` of a known one would name its class too."""
    return str(said.value if isinstance(said, Enum) else said or "")


def kind_and_name(number: str) -> tuple[str, str]:
    """What an id leads to: its type, and its own name without those of its parents.

    A name that ends in a version, as `agent-0a1b2c3d` does, is told without it: what changes with a version is another resource in Azure,
    and the same part of a document.
    """
    _before, found, after = number.rpartition("/providers/")
    if not found:
        return "Microsoft.Resources/resourceGroups", number.rpartition("/")[2]
    parts = after.split("/")
    return "/".join([parts[0], *parts[1::2]]), _VERSION.sub("", parts[-1])


def _origin(address: str) -> tuple[str, str, int] | None:
    """Whom an address leads to, however it is written: Azure may name the port that goes without saying. None if it leads nowhere."""
    parts = urlsplit(address)
    try:
        return parts.scheme.lower(), parts.hostname or "", parts.port or HTTPS
    except ValueError:
        return None


def _demand_end(pages: int) -> None:
    """A list that was cut off would be taken for the whole."""
    if pages >= MOST_PAGES:
        raise ServiceResponseError(f"a list of more than {MOST_PAGES} pages")


def _is_success(response: Any) -> bool:
    return 200 <= int(response.status_code) < 300  # noqa: PLR2004


def _close(transport: RequestsTransport, credential: ClientAssertionCredential | KeptToken) -> None:
    transport.close()
    credential.close()
