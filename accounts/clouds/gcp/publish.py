"""Puts plans of cells where customers' Infrastructure Manager can read them: the provider's own bucket, with the provider's own sign-in."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import google.auth
import requests
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from google.oauth2.credentials import Credentials

from accounts.clouds.gcp.clients import SCOPE, TIMEOUT, Endpoints

FOUND, ABSENT = 200, 404
LOCATION = "EU"
READERS = {"role": "roles/storage.objectViewer", "members": ["allUsers"]}


class PublishError(Exception):
    """The bucket could not be written, or holds other content under a plan's name; the message says what to do."""


@dataclass(frozen=True)
class Published:
    key: str
    is_new: bool


class Publisher:
    """One bucket of the provider's. Raises PublishError. Safe to run any number of times."""

    def __init__(self, bucket: str, project: str) -> None:
        self.bucket = bucket
        self.project = project
        self._endpoints = Endpoints.from_environment()
        self._http = _signed_in()

    def publish(self, files: Mapping[str, bytes]) -> list[Published]:
        """The same content stays as it is; other content under the same key is an error: then nothing is uploaded."""
        self._require_bucket()
        missing = [key for key, content in sorted(files.items()) if self._is_missing(key, content)]
        for key in missing:
            path = f"/upload/storage/v1/b/{self.bucket}/o?uploadType=media&name={quote(key, safe='')}&ifGenerationMatch=0"
            self._ask("POST", path, data=files[key], headers={"Content-Type": "application/zip"})
        return [Published(key, key in missing) for key in sorted(files)]

    def _require_bucket(self) -> None:
        """Infrastructure Manager reads as the customer's own account, so the plans must be readable by anybody. They hold no secret."""
        if self._ask("GET", f"/storage/v1/b/{self.bucket}", accepted=(FOUND, ABSENT)).status_code == ABSENT:
            access = {"uniformBucketLevelAccess": {"enabled": True}}
            body = {"name": self.bucket, "location": LOCATION, "iamConfiguration": access}
            self._ask("POST", f"/storage/v1/b?project={self.project}", json=body)
        policy = self._ask("GET", f"/storage/v1/b/{self.bucket}/iam").json()
        if not any(_lets_anybody_read(binding) for binding in policy.get("bindings", [])):
            policy["bindings"] = [*policy.get("bindings", []), READERS]
            self._ask("PUT", f"/storage/v1/b/{self.bucket}/iam", json=policy)

    def _is_missing(self, key: str, content: bytes) -> bool:
        found = self._ask("GET", f"/storage/v1/b/{self.bucket}/o/{quote(key, safe='')}?alt=media", accepted=(FOUND, ABSENT))
        if found.status_code == ABSENT:
            return True
        if found.content != content:
            message = f"{self.bucket}/{key} holds other content. Customers may have read it: raise the plan's version instead."
            raise PublishError(message)
        return False

    def _ask(self, verb: str, path: str, *, accepted: tuple[int, ...] = (FOUND,), **more: Any) -> requests.Response:
        try:
            answer: requests.Response = self._http.request(
                verb, self._endpoints.url("storage", path), timeout=TIMEOUT, allow_redirects=False, **more
            )
        except (requests.RequestException, GoogleAuthError) as error:
            raise PublishError(f"Cloud Storage could not be asked: {error}") from error
        if answer.status_code not in accepted:
            raise PublishError(f"Cloud Storage refused: {answer.status_code} {answer.text[:500]}. Is bucket {self.bucket} yours?")
        return answer


def _lets_anybody_read(binding: Mapping[str, Any]) -> bool:
    return binding["role"] == READERS["role"] and "allUsers" in binding.get("members", [])


def _signed_in() -> AuthorizedSession:
    """PORTAL_GCP_PUBLISH_TOKEN, as `gcloud auth print-access-token` gives it; else what Google's own libraries find on this machine."""
    token = os.environ.get("PORTAL_GCP_PUBLISH_TOKEN", "")
    try:
        credentials = Credentials(token) if token else google.auth.default(scopes=[SCOPE])[0]
    except GoogleAuthError as error:
        raise PublishError(f"No sign-in for Google Cloud was found: {error}") from error
    return AuthorizedSession(credentials)
