"""Azure over its REST interface, through Azure's own pipeline: one session for each identity, signed in with an assertion of ours.

Of Azure's SDK only the sign-in and the pipeline take part. Its clients for single services would add 17 MB to each worker, start
threads for operations, register resource providers on their own, retry ten times and sleep for as long as a `Retry-After` says. The
engine retries, with words on the page: a call here answers or fails within seconds.

PORTAL_AZURE_AUTHORITY_URL, PORTAL_AZURE_ARM_URL and PORTAL_AZURE_CA_FILE lead somewhere else than Azure itself. They are read from
the environment of the process alone: an address from anywhere else would be handed tokens.
"""

import logging
import os
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from azure.core.exceptions import DecodeError, HttpResponseError
from azure.core.pipeline.policies import HeadersPolicy, UserAgentPolicy
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest
from azure.identity import ClientAssertionCredential
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

# What Azure's libraries log is what Entra answered, in full, and at WARNING. We keep it with the failure, not in our log.
logging.getLogger("azure").setLevel(logging.CRITICAL)

AUTHORITY = "https://login.microsoftonline.com"
ARM = "https://management.azure.com"
SCOPE = "https://management.azure.com/.default"
CONNECT_SECONDS = 5
READ_SECONDS = 20
MOST_PAGES = 40
# One version for each kind of thing that is read.
VERSIONS = {
    "subscriptions": "2022-12-01",
    "resources": "2022-09-01",
    "deployments": "2022-09-01",
    "identities": "2023-01-31",
    "authorization": "2022-04-01",
    "locks": "2020-05-01",
    "policies": "2022-06-01",
    "compute": "2024-07-01",
    "network": "2024-05-01",
}


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


class Session:
    """One identity of a tenant, signed in. Closes its connections when nobody holds it any more."""

    def __init__(self, *, tenant: str, client_id: str, assertion: Callable[[], str]) -> None:
        """`assertion` mints a fresh token of ours each time it is called."""
        self._endpoints = endpoints()
        self._credential = ClientAssertionCredential(
            tenant,
            client_id,
            assertion,
            authority=self._endpoints.authority,
            disable_instance_discovery=True,
            retry_total=0,
            **self._endpoints.transport,
        )
        policies = [
            HeadersPolicy({"Accept": "application/json"}),
            UserAgentPolicy("byoc-portal"),
            ARMChallengeAuthenticationPolicy(self._credential, SCOPE),
        ]
        self._client: ARMPipelineClient[Any, Any] = ARMPipelineClient(
            base_url=self._endpoints.arm, policies=policies, transport=RequestsTransport(**self._endpoints.transport)
        )
        weakref.finalize(self, _close, self._client, self._credential)

    def sign_in(self) -> None:
        """Raises what azure-identity raises. Once is enough: the token outlives the session."""
        self._credential.get_token(SCOPE)

    def get(self, path: str, kind: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What ARM answers. Raises azure.core's exceptions."""
        asked = {**(query or {}), "api-version": VERSIONS[kind]}
        return self._read(f"{self._endpoints.arm}{path}?{urlencode(asked)}")

    def list(self, path: str, kind: str, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """Every entry of a collection, page after page. A page elsewhere than at ARM is not followed: it would be handed the token."""
        page = self.get(path, kind, query)
        for _page in range(MOST_PAGES):
            yield from page.get("value") or []
            following = str(page.get("nextLink") or "")
            if not following or urlsplit(following)[:2] != urlsplit(self._endpoints.arm)[:2]:
                return
            page = self._read(following)

    def _read(self, address: str) -> dict[str, Any]:
        response = self._client.send_request(HttpRequest("GET", address))
        if not 200 <= response.status_code < 300:  # noqa: PLR2004
            raise HttpResponseError(response=response)
        try:
            told = response.json()
        except ValueError as error:
            raise DecodeError("the answer is no JSON", response=response, error=error) from error
        if not isinstance(told, dict):
            raise DecodeError("the answer is no object", response=response)
        return told


def _close(client: Any, credential: Any) -> None:
    client.close()
    credential.close()
