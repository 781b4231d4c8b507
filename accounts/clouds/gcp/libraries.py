"""Google's own client libraries over REST: where each answers, how it is asked, and what it found, without the library's ways.

Asked as they come they would choose gRPC, retry by themselves, some without an end to it, and wait as long as it takes. Here each call
names its timeout and no retry: the engine tries again, with words on the page.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import GoogleAPICallError
from google.auth.credentials import Credentials
from google.cloud.orgpolicy_v2 import OrgPolicyClient, PolicySpec
from google.cloud.resourcemanager_v3 import Project, ProjectsClient
from google.cloud.service_usage_v1 import ListServicesResponse, ServiceUsageClient
from google.iam.v1.policy_pb2 import Binding, Policy
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.json_format import ParseError

from accounts.clouds.base import CloudError
from accounts.clouds.gcp.clients import MOST_PAGES, POLICY_VERSION, TIMEOUT, Session
from accounts.clouds.gcp.errors import judging, of_refusal, unreadable

UNIVERSE = "googleapis.com"  # said, as the environment of a process may name another
MOST_ASKED = 100  # permissions in one question
# What comes out of a library that was given no body of Google's: its own reader of refusals trips over {"error": "text"}.
TRIPPED = (ParseError, AttributeError, UnicodeDecodeError, RecursionError)
STATES = {number: word for word, number in Project.State.__members__.items()}

Rule = PolicySpec.PolicyRule
T = TypeVar("T")


@dataclass(frozen=True)
class FoundProject:
    id: str
    number: str
    state: str  # Google's word, or the figure of one that this library does not know


class Libraries:
    """The clients of one session. `call` is what an error will say was asked."""

    def __init__(self, session: Session, credentials: Credentials) -> None:
        self._session = session
        self._credentials = credentials

    # --- Resource Manager ---

    def project(self, project: str) -> FoundProject:
        found = self._ask("crm", "project", self._projects.get_project, {"name": f"projects/{project}"})
        if not found.name:  # the library drops what it does not know, and would call an answer of somebody else an empty project
            raise unreadable("no project", layer="crm", call="project")
        state = Project.pb(found).state  # read as a figure: the library warns of one that it does not know
        return FoundProject(found.project_id, found.name.removeprefix("projects/"), STATES.get(state, str(state)))

    def bindings(self, project: str) -> Sequence[Binding]:
        """Who may do what in the project, conditions included."""
        bindings: Sequence[Binding] = self.policy(project).bindings
        return bindings

    def policy(self, project: str) -> Policy:
        asked = {"resource": f"projects/{project}", "options": {"requested_policy_version": POLICY_VERSION}}
        found = self._ask("crm", "policy", self._projects.get_iam_policy, asked)
        if not found.etag:
            raise unreadable("no policy", layer="crm", call="policy")
        return found

    def write_policy(self, project: str, policy: Policy) -> None:
        """As it was read, but for what is changed: its etag has Google refuse it if somebody wrote in between. Raises CloudError."""
        policy.version = POLICY_VERSION
        del policy.audit_configs[:]  # not ours to write; the mask leaves them as they are
        asked = {"resource": f"projects/{project}", "policy": policy, "update_mask": FieldMask(paths=["bindings", "etag"])}
        self._ask("crm", "setIamPolicy", self._projects.set_iam_policy, asked)

    def held(self, project: str, permissions: Sequence[str]) -> set[str]:
        """Those of the permissions that we have in the project."""
        held: set[str] = set()
        for start in range(0, len(permissions), MOST_ASKED):
            asked = {"resource": f"projects/{project}", "permissions": permissions[start : start + MOST_ASKED]}
            held |= set(self._ask("crm", "testIamPermissions", self._projects.test_iam_permissions, asked).permissions)
        return held

    # --- Service Usage ---

    def services(self, number: str) -> set[str]:
        """Names of the APIs that are on. Raises CloudError for a list without end."""
        asked = {"parent": f"projects/{number}", "filter": "state:ENABLED", "page_size": 200}
        pages = self._ask("serviceusage", "services", self._service_pages, asked)
        if len(pages) > MOST_PAGES:
            raise CloudError("cloud_unavailable", raw=f"serviceusage: services: more than {MOST_PAGES} pages")
        return {service.name.rpartition("/")[2] for page in pages for service in page.services}

    def _service_pages(self, **asked: Any) -> list[ListServicesResponse]:
        return list(islice(self._services.list_services(**asked).pages, MOST_PAGES + 1))

    # --- Organization Policy ---

    def rules(self, number: str, constraint: str) -> Sequence[Rule]:
        """What counts for the project, whoever above it said so."""
        asked = {"name": f"projects/{number}/policies/{constraint}"}
        return self._ask("orgpolicy", constraint, self._policies.get_effective_policy, asked).spec.rules

    # --- the clients ---

    @cached_property
    def _projects(self) -> ProjectsClient:
        return staying(ProjectsClient(credentials=self._credentials, transport="rest", client_options=self._options("crm")))

    @cached_property
    def _services(self) -> ServiceUsageClient:
        return staying(ServiceUsageClient(credentials=self._credentials, transport="rest", client_options=self._options("serviceusage")))

    @cached_property
    def _policies(self) -> OrgPolicyClient:
        return staying(OrgPolicyClient(credentials=self._credentials, transport="rest", client_options=self._options("orgpolicy")))

    def _options(self, api: str) -> ClientOptions:
        return options(self._session, api)

    def _ask(self, api: str, call: str, method: Callable[..., T], request: dict[str, Any]) -> T:
        return ask(self._session, api, call, method, request)


def ask(session: Session, api: str, call: str, method: Callable[..., T], request: dict[str, Any]) -> T:
    """One answer. Raises CloudError for every other."""
    session.sign_in_if_due()
    with judging(layer=api, call=call, was_trusted=session.was_trusted):
        try:
            return method(request=request, timeout=TIMEOUT, retry=None)
        except GoogleAPICallError as error:
            raise of_refusal(error, layer=api, call=call, was_trusted=session.was_trusted) from error
        except TRIPPED as error:
            raise unreadable(f"not Google's: {error}"[:500], layer=api, call=call) from error


def options(session: Session, api: str) -> ClientOptions:
    return ClientOptions(api_endpoint=session.endpoints.url(api, ""), universe_domain=UNIVERSE)


def staying(client: T) -> T:
    """Goes nowhere that an answer points to: requests then ends in an error. No option of a library says so."""
    http = client.transport._session  # type: ignore[attr-defined]
    for session in (http, http._auth_request_session):
        session.max_redirects = 0
    return client
