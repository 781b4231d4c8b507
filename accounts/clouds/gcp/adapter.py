"""Google Cloud: exchange a token, become the kit's service account, read the kit, compare its trust, ask for permissions, try refusals.

No stored credential takes part: the security token service takes a token of ours for one of its own, which opens the customer's own
service account for a quarter of an hour.
"""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from accounts.clouds.base import (
    ALLOW_CHANGES,
    ALLOW_CREATION,
    ALLOW_SUPPORT,
    CloudError,
    Finding,
    Identity,
    KitReport,
    KitStatus,
    Needs,
    PermissionProbe,
    PermissionResult,
    Place,
    RefusalResult,
    Subject,
    Target,
    TokenSource,
)
from accounts.clouds.gcp.clients import Endpoints, Session
from accounts.clouds.gcp.environment import Surroundings
from accounts.clouds.gcp.shipped import ShippedKit
from accounts.clouds.gcp.trust import Bound, check_accounts, check_bindings, check_pool, check_roles, check_views

if TYPE_CHECKING:
    from accounts.clouds.gcp.libraries import FoundProject

WRONG_AUDIENCE = "wrong-audience.invalid"
NOBODY = "00000000-0000-4000-8000-000000000000"
# The refusal that counts as proof: Google could read the token and said no, for the very reason that was tried. An issuer out of reach,
# a pool or an account that is gone, or a token that is refused for another reason proves nothing.
REFUSED = {
    "wrong_subject": "trust_refused",
    "wrong_audience": "token_refused",
    "support_as_ops": "trust_refused",
    "ops_as_support": "trust_refused",
}
CLOSED = {"trust_refused", "identity_disabled"}
SAID = re.compile(r"([a-z-]+)=(\S+)")
SWITCHES = {ALLOW_CHANGES: "allow-changes", ALLOW_SUPPORT: "allow-support", ALLOW_CREATION: "allow-creation"}


class GcpAdapter:
    """One Google Cloud project under one kit. Lives for one step; its session is its own and is not kept."""

    def __init__(self, target: Target, tokens: TokenSource, shipped: ShippedKit) -> None:
        self.target = target
        self.tokens = tokens
        self.shipped = shipped
        self.endpoints = Endpoints.from_environment()

    # --- sign in ---

    def probe_trust(self) -> Identity:
        project = self._project()
        if project.number != self.shipped.number or project.id != self.target.external_id:
            params = {"found": project.number, "expected": self.shipped.number}
            raise CloudError("account_recreated", raw=f"{project.id} is number {project.number}", params=params)
        if project.state != "ACTIVE":
            code = "account_deleted" if project.state == "DELETE_REQUESTED" else "unknown_cloud_error"
            raise CloudError(code, raw=f"{project.id} is {project.state}")
        return Identity(self.target.external_id, self.shipped.accounts["operator"].email)

    def _project(self) -> "FoundProject":
        """The account may open before the roles that it was given are known: then it is not ready yet."""
        try:
            return self._operator.libraries.project(self.target.external_id)
        except CloudError as error:
            if error.code != "access_denied" or self.target.was_trusted:
                raise
            raise CloudError("trust_not_ready", raw=error.raw) from error

    def find_kit_elsewhere(self, others: Sequence[Place]) -> str | None:
        for other in others:
            number = other.identity.get("project_number", "")
            provider = self.shipped.provider.replace(f"projects/{self.shipped.number}/", f"projects/{number}/")
            email = self.shipped.accounts["operator"].email.replace(f"@{self.target.external_id}.", f"@{other.external_id}.")
            audience = f"https://iam.googleapis.com/{provider}"
            session = self._session(email, self.target.subject(Subject.OPS), audience=audience, provider=provider)
            try:
                session.sign_in()
            except CloudError:
                continue
            return other.external_id
        return None

    @cached_property
    def _operator(self) -> Session:
        return self._session(self.shipped.accounts["operator"].email, self.target.subject(Subject.OPS), was_trusted=self.target.was_trusted)

    def _session(self, email: str, subject: str, *, audience: str = "", provider: str = "", was_trusted: bool = True) -> Session:
        return Session(
            self.endpoints,
            provider=provider or self.shipped.provider,
            email=email,
            mint=lambda: self.tokens(subject=subject, audience=audience or self.target.audience),
            was_trusted=was_trusted,
        )

    # --- the kit ---

    def describe_kit(self) -> KitReport:
        """What the script wrote into the operator account's description when it had finished. Anybody there may have edited it."""
        email = self.shipped.accounts["operator"].email
        account = self._operator.get("iam", f"/v1/projects/{self.shipped.project}/serviceAccounts/{email}", "account")
        text = str(account.get("description", ""))
        said = dict(SAID.findall(text)) if text.startswith("byoc ") else {}
        generation = said.get("generation", "")
        return KitReport(
            status=KitStatus.COMPLETE if said else KitStatus.CREATING,
            version=said.get("kit", ""),
            generation=int(generation) if generation.isdecimal() else 0,
            account=said.get("account", ""),
            region=said.get("region", self.target.region),
            made=self.shipped.pool,
            detail=text,
            switches={name: said[word] for name, word in SWITCHES.items() if word in said},
        )

    # --- trust as shipped ---

    def check_trust_unedited(self) -> None:
        check_pool(self._operator, self.shipped)
        check_accounts(self._operator, self.shipped)
        check_roles(self._operator, self.shipped)
        check_bindings(self._operator, self.shipped)
        check_views(self._operator, self.shipped)

    # --- permissions ---

    def check_permissions(self, probes: Sequence[PermissionProbe]) -> Sequence[PermissionResult]:
        """The operator's are asked of Google. The others' are read from their roles, as a limit by name hides them from that question, and
        so are those of the operator that have such a limit.

        What support holds beyond, from a folder or the organisation above, only Google can tell, and only to support itself. The builder
        takes no token of ours, so what it is given from above the project cannot be seen.
        """
        asked: dict[tuple[str, str], dict[str, str]] = {}
        for probe in probes:
            asked.setdefault((probe.role, probe.resource), {})[probe.action] = probe.key
        found: dict[str, PermissionResult] = {}
        bound = Bound(self._operator, self.shipped)
        for (role, resource), actions in asked.items():
            if role == "operator":
                held = self._held(self._operator, resource, sorted(actions)) | (set(actions) & bound.limited(role))
            else:
                held = set(bound.permissions(role, resource)) | (bound.lent() if role == "support" else set())
            if role == "support" and (unbound := sorted(set(actions) - held)):
                held |= self._held_as_support(resource, unbound)
            for action, key in actions.items():
                if key not in found or found[key].is_granted:
                    found[key] = PermissionResult(key, action in held, "" if action in held else "not held")
        return [found[key] for key in dict.fromkeys(probe.key for probe in probes)]

    def _held_as_support(self, resource: str, permissions: Sequence[str]) -> set[str]:
        """An account that does not open, as it was deleted or disabled, can use no right."""
        try:
            return self._held(self._support, resource, permissions)
        except CloudError as error:
            if error.code not in CLOSED:
                raise
            return set()

    @cached_property
    def _support(self) -> Session:
        return self._session(self.shipped.accounts["support"].email, self.target.subject(Subject.SUPPORT))

    def _held(self, session: Session, resource: str, permissions: Sequence[str]) -> set[str]:
        """Of `projects/<id>` or `serviceAccounts/<email>`."""
        kind, _, name = resource.partition("/")
        if kind == "projects":
            return session.libraries.held(name, permissions)
        path = f"/v1/projects/{self.shipped.project}/{resource}:testIamPermissions"
        answer = session.post("iam", path, "testIamPermissions", {"permissions": permissions})
        return set(answer.get("permissions", []))

    # --- refusals ---

    def check_refusals(self) -> Sequence[RefusalResult]:
        """Raises CloudError when the right sign-in fails too, or the support account is not there: then no refusal would mean anything."""
        operator = self.shipped.accounts["operator"].email
        stranger = f"account:{NOBODY}:{Subject.OPS.value}"
        ops, helper = self.target.subject(Subject.OPS), self.target.subject(Subject.SUPPORT)
        self._session(operator, ops).sign_in()
        found = [
            self._try("wrong_subject", self._session(operator, stranger), operator),
            self._try("wrong_audience", self._session(operator, ops, audience=WRONG_AUDIENCE), operator),
        ]
        if "support" in self.shipped.accounts:  # a recovery kit makes none
            support = self.shipped.accounts["support"].email
            self._operator.get("iam", f"/v1/projects/{self.shipped.project}/serviceAccounts/{support}", "account")
            found.append(self._try("support_as_ops", self._session(support, ops), support))
        return [*found, self._try("ops_as_support", self._session(operator, helper), operator)]

    def _try(self, name: str, session: Session, email: str) -> RefusalResult:
        """A sign-in that must be refused. Raises CloudError when Google gave no verdict."""
        try:
            session.sign_in()
        except CloudError as refused:
            if refused.code == REFUSED[name]:
                return RefusalResult(name, is_refused=True, evidence=refused.raw)
            raise
        return RefusalResult(name, is_refused=False, evidence=f"{email} was opened")

    # --- the place ---

    def check_environment(self, region: str, needs: Needs, only: Sequence[str] = ()) -> Sequence[Finding]:
        identity = self.probe_trust()
        return Surroundings(self._operator, self.shipped, self.target, identity=identity, region=region, needs=needs).findings(only)
