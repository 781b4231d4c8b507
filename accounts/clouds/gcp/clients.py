"""One sign-in at Google Cloud: where each API answers, how a token of ours opens a service account, how long an answer may take.

Projects, services and rules of the organisation are asked through Google's own libraries (libraries.py). IAM's speak gRPC alone, and
Compute's takes 100 MB and three seconds to load: what is asked of these two is plain JSON over google-auth.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from google.auth import credentials as auth_credentials
from google.auth.exceptions import GoogleAuthError
from google.auth.identity_pool import Credentials, SubjectTokenSupplier
from google.auth.transport.requests import AuthorizedSession, Request

from accounts.clouds.base import CloudError
from accounts.clouds.gcp.errors import classify, judging, of_sign_in, said_in, unreadable

if TYPE_CHECKING:
    from accounts.clouds.gcp.deployments import Deployments
    from accounts.clouds.gcp.libraries import Libraries

HOSTS = {
    "sts": "https://sts.googleapis.com",
    "iamcredentials": "https://iamcredentials.googleapis.com",
    "iam": "https://iam.googleapis.com",
    "crm": "https://cloudresourcemanager.googleapis.com",
    "serviceusage": "https://serviceusage.googleapis.com",
    "compute": "https://compute.googleapis.com",
    "orgpolicy": "https://orgpolicy.googleapis.com",
    "container": "https://container.googleapis.com",
    "config": "https://config.googleapis.com",
    "storage": "https://storage.googleapis.com",
    "logging": "https://logging.googleapis.com",
}
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
SESSION_SECONDS = 900
TIMEOUT = 20  # seconds for one answer; the engine retries, with words on the page
MOST_PAGES = 20
POLICY_VERSION = 3  # of those that hold conditions; asked for otherwise, Google hides them
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class Endpoints:
    """Where each API answers. Comes from the deployment's own environment, never from what a customer typed."""

    base: str = ""

    @classmethod
    def from_environment(cls) -> "Endpoints":
        """PORTAL_GCP_URL, as boto3 reads AWS_ENDPOINT_URL: empty is Google itself. Raises ValueError for one that would show tokens."""
        base = os.environ.get("PORTAL_GCP_URL", "").rstrip("/")
        parts = urlsplit(base)
        if base and parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ValueError("PORTAL_GCP_URL must be https, or http on this machine: tokens are sent there")
        return cls(base)

    def url(self, api: str, path: str) -> str:
        return f"{self.base}/{api}{path}" if self.base else f"{HOSTS[api]}{path}"


class _Supplier(SubjectTokenSupplier):
    """Makes a token at each exchange: Google refuses one that is not fresh."""

    def __init__(self, mint: Any) -> None:
        self.mint = mint

    def get_subject_token(self, context: Any, request: Any) -> str:
        return str(self.mint())


class _Credentials(Credentials):
    """Without google-auth's look-up of regional boundaries.

    It would send our token, in a thread of its own, to an address that no setting changes. The method is private, so pyproject.toml pins
    google-auth, and a test watches the names that are resolved.
    """

    def _maybe_start_regional_access_boundary_refresh(self, request: Any, url: str) -> None:
        """Asks nobody."""


class Session:
    """One sign-in: a token of ours becomes a short-lived token of one service account. Lives for one step."""

    def __init__(
        self, endpoints: Endpoints, *, provider: str, email: str, mint: Any, was_trusted: bool, seconds: int = SESSION_SECONDS
    ) -> None:
        self.endpoints = endpoints
        self.was_trusted = was_trusted
        self._credentials: auth_credentials.Credentials = _Credentials(  # type: ignore[no-untyped-call]  # google-auth's own
            audience=f"//iam.googleapis.com/{provider}",
            subject_token_type="urn:ietf:params:oauth:token-type:jwt",  # noqa: S106 - a type, not a token
            token_url=endpoints.url("sts", "/v1/token"),
            subject_token_supplier=_Supplier(mint),
            service_account_impersonation_url=endpoints.url(
                "iamcredentials", f"/v1/projects/-/serviceAccounts/{email}:generateAccessToken"
            ),
            service_account_impersonation_options={"token_lifetime_seconds": seconds},
            scopes=[SCOPE],
        )
        self._sign_in = _in_time(Request(requests.Session()))
        self._http = AuthorizedSession(self._credentials, auth_request=self._sign_in)

    def sign_in(self) -> None:
        """Raises CloudError when the token or the account is refused."""
        try:
            self._credentials.refresh(self._sign_in)
        except GoogleAuthError as error:
            raise of_sign_in(error, was_trusted=self.was_trusted) from error

    def token(self) -> tuple[str, datetime]:
        """A fresh one, and when it ends. Raises CloudError."""
        self.sign_in()
        ends = self._credentials.expiry
        if ends is None:
            raise unreadable("a token without an end", layer="iamcredentials", call="generateAccessToken")
        return str(self._credentials.token), ends.replace(tzinfo=UTC)

    def sign_in_if_due(self) -> None:
        if not self._credentials.valid:
            self.sign_in()

    @cached_property
    def libraries(self) -> "Libraries":
        """Google's own libraries, signed in as we are."""
        # They bring gRPC and protobuf along, which a sign-in does without.
        from accounts.clouds.gcp.libraries import Libraries  # noqa: PLC0415

        return Libraries(self, self._credentials)

    @cached_property
    def deployments(self) -> "Deployments":
        """Google's own library of Infrastructure Manager, signed in as we are."""
        from accounts.clouds.gcp.deployments import Deployments  # noqa: PLC0415 - as above

        return Deployments(self, self._credentials)

    # --- APIs without such a library ---

    def get(self, api: str, path: str, call: str, **query: str) -> dict[str, Any]:
        return self._ask("GET", api, path, call, params=query)

    def post(self, api: str, path: str, call: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask("POST", api, path, call, json=body)

    def pages(self, api: str, path: str, call: str, **query: str) -> Iterator[dict[str, Any]]:
        """Every page of a list. Raises CloudError for one without end."""
        token = ""
        for _ in range(MOST_PAGES):
            page = self.get(api, path, call, **query, **({"pageToken": token} if token else {}))
            yield page
            token = str(page.get("nextPageToken") or "")
            if not token:
                return
        raise CloudError("cloud_unavailable", raw=f"{api}: {call}: more than {MOST_PAGES} pages")

    def _ask(self, method: str, api: str, path: str, call: str, **more: Any) -> dict[str, Any]:
        """One answer as data. Raises CloudError for every other."""
        self.sign_in_if_due()
        with judging(layer=api, call=call, was_trusted=self.was_trusted):
            answer = self._http.request(
                method, self.endpoints.url(api, path), timeout=TIMEOUT, max_allowed_time=2 * TIMEOUT, allow_redirects=False, **more
            )
        if answer.status_code >= 300:  # noqa: PLR2004 - Google sends nobody elsewhere
            raise classify(said_in(answer.content, layer=api, call=call, status=answer.status_code), was_trusted=self.was_trusted)
        return _document(answer, api, call)


class _Token(auth_credentials.Credentials):
    """A token that somebody else got. Renewing changes nothing, so that what Google says of one that has ended comes back as it is."""

    def __init__(self, token: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # google-auth's own
        self.token = token

    def refresh(self, request: Any) -> None:
        """Stays what it is."""


class OpenedSession(Session):
    """A sign-in that was made before, by its token alone."""

    def __init__(self, endpoints: Endpoints, token: str) -> None:
        self.endpoints = endpoints
        self.was_trusted = True
        self._credentials: auth_credentials.Credentials = _Token(token)
        self._http = AuthorizedSession(self._credentials, max_refresh_attempts=0)

    def sign_in(self) -> None:
        """Was done before."""

    def sign_in_if_due(self) -> None:
        """Was done before."""


def _document(answer: requests.Response, api: str, call: str) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError as error:
        raise unreadable("no JSON", layer=api, call=call) from error
    if not isinstance(told, dict):
        raise unreadable("no object", layer=api, call=call)
    return told


def _in_time(request: Any) -> Any:
    """Left alone, google-auth waits two minutes for a token, and takes what it was given to wherever an answer points."""

    def ask(*, timeout: int = TIMEOUT, **more: Any) -> Any:
        return request(timeout=timeout, allow_redirects=False, **more)

    return ask
