"""Infrastructure Manager through Google's own library over REST: what stands under one name, and what is asked of it."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from google.auth.credentials import Credentials
from google.cloud.config_v1 import ConfigClient, Deployment, Preview, Resource, ResourceDrift, Revision
from google.protobuf.field_mask_pb2 import FieldMask

from accounts.clouds.base import CloudError
from accounts.clouds.gcp.clients import MOST_PAGES, Session
from accounts.clouds.gcp.libraries import ask, options, staying

NOT_THERE, CONFLICT = 404, 409
PAGE = 100
# Of Terraform; the newest that Infrastructure Manager has.
TERRAFORM = "=1.5.7"

T = TypeVar("T")


class Deployments:
    """The client of one session. `place` is projects/<id>/locations/<region>."""

    def __init__(self, session: Session, credentials: Credentials) -> None:
        self._session = session
        self._client = staying(ConfigClient(credentials=credentials, transport="rest", client_options=options(session, "config")))

    # --- a deployment ---

    def find(self, name: str) -> Deployment | None:
        """None where there is none, or no more."""
        found = self._maybe("deployment", self._client.get_deployment, {"name": name})
        return None if found is None or found.state == Deployment.State.DELETED else found

    def create(self, place: str, name: str, deployment: Deployment) -> None:
        """One of that name that came in between is as good: raises no error then."""
        asked = {"parent": place, "deployment_id": name, "deployment": deployment}
        try:
            self._ask("create", self._client.create_deployment, asked)
        except CloudError as error:
            if _status(error) != CONFLICT:
                raise

    def update(self, deployment: Deployment) -> None:
        """Raises CloudError `stack_busy` while something else is under way."""
        mask = FieldMask(paths=["terraform_blueprint", "labels", "annotations", "service_account"])
        self._when_free("update", self._client.update_deployment, {"deployment": deployment, "update_mask": mask})

    def delete(self, name: str, *, keeps_resources: bool) -> None:
        """With its revisions. Raises CloudError `stack_busy` while something else is under way."""
        policy = "ABANDON" if keeps_resources else "DELETE"
        self._when_free("delete", self._client.delete_deployment, {"name": name, "force": True, "delete_policy": policy})

    def revisions(self, name: str) -> Sequence[Revision]:
        return self._all("revisions", lambda **asked: self._client.list_revisions(**asked).pages, {"parent": name}, "revisions")

    def newest_revision(self, name: str) -> Revision | None:
        return max(self.revisions(name), key=lambda revision: int(revision.name.rpartition("-")[2] or 0), default=None)

    def resources(self, revision: str) -> Sequence[Resource]:
        return self._all("resources", lambda **asked: self._client.list_resources(**asked).pages, {"parent": revision}, "resources")

    # --- a preview: what Terraform would change ---

    def find_preview(self, name: str) -> Preview | None:
        found = self._maybe("preview", self._client.get_preview, {"name": name})
        return None if found is None or found.state == Preview.State.DELETED else found

    def create_preview(self, place: str, name: str, preview: Preview) -> None:
        asked = {"parent": place, "preview_id": name, "preview": preview}
        self._when_free("create_preview", self._client.create_preview, asked)

    def delete_preview(self, name: str) -> None:
        self._maybe("delete_preview", self._client.delete_preview, {"name": name})

    def drifts(self, preview: str) -> Sequence[ResourceDrift]:
        pages = {"parent": preview}
        return self._all("drifts", lambda **asked: self._client.list_resource_drifts(**asked).pages, pages, "resource_drifts")

    # --- how it is asked ---

    def _ask(self, call: str, method: Callable[..., T], request: dict[str, Any]) -> T:
        return ask(self._session, "config", call, method, request)

    def _maybe(self, call: str, method: Callable[..., T], request: dict[str, Any]) -> T | None:
        try:
            return self._ask(call, method, request)
        except CloudError as error:
            if _status(error) != NOT_THERE:
                raise
            return None

    def _when_free(self, call: str, method: Callable[..., object], request: dict[str, Any]) -> None:
        """Infrastructure Manager does one thing at a time to a deployment, and says of another one that it conflicts."""
        try:
            self._ask(call, method, request)
        except CloudError as error:
            if _status(error) != CONFLICT:
                raise
            raise CloudError("stack_busy", raw=error.raw, retryable=True) from error

    def _all(self, call: str, method: Callable[..., Any], request: Mapping[str, Any], field: str) -> list[Any]:
        """Every page; nothing where what is asked about is gone. Raises CloudError for a list without end."""
        pages = self._maybe(call, lambda **asked: list(islice(method(**asked), MOST_PAGES + 1)), {**request, "page_size": PAGE}) or []
        if len(pages) > MOST_PAGES:
            raise CloudError("cloud_unavailable", raw=f"config: {call}: more than {MOST_PAGES} pages")
        return [entry for page in pages for entry in getattr(page, field)]


def _status(error: CloudError) -> int:
    return int(getattr(error.__cause__, "code", 0) or 0)
