"""Support access to one Google Cloud project: a support account of the kit that holds its roles for the time of one grant, and no longer.

The operator binds the roles when a grant begins, under a condition with its end, and can bind no others. From that second on Google refuses
the account's tokens, whoever is up or down. Taking the bindings away ends it early. Each token names the grant, and so does each line of
Cloud Audit Logs.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from accounts.clouds.base import CloudError, Subject, Target, TokenSource
from accounts.clouds.gcp import leases
from accounts.clouds.gcp.clients import MOST_PAGES, Endpoints, OpenedSession, Session
from accounts.clouds.gcp.reading import ACTS, Opened
from accounts.clouds.gcp.shipped import ShippedKit
from accounts.clouds.support import ActResult, DoorProbe, OpenDoor, SupportGrant, Trace

if TYPE_CHECKING:
    from google.iam.v1.policy_pb2 import Policy

# A token that was stolen lives no longer than this; the grant's door is opened anew as often as it takes.
LONGEST_TOKEN = timedelta(minutes=10)
TRIES = 5  # of a change of the policy while others write it too
CONFLICT = 409
REFUSED = frozenset({"access_denied", "session_expired", "trust_refused"})
RAW_CHARACTERS = 4000
PAGE = 500


class GcpSupport:
    """`SupportCloud` of one project. Lives for one step."""

    def __init__(self, target: Target, tokens: TokenSource, shipped: ShippedKit) -> None:
        self.target = target
        self.tokens = tokens
        self.shipped = shipped
        self.endpoints = Endpoints.from_environment()

    # --- opening ---

    def policy(self, grant: SupportGrant) -> str:
        """Empty under a kit that lacks the roles of support."""
        return leases.document(grant, self.shipped) if self.shipped.lent else ""

    def open(self, grant: SupportGrant) -> OpenDoor:
        if not self.shipped.lent:
            raise CloudError("support_needs_newer_kit", raw=f"kit {self.target.kit_version} has no roles of support")
        if grant.ends_at <= datetime.now(UTC):
            raise CloudError("grant_is_over")
        account = self._given(grant)
        now = datetime.now(UTC)
        seconds = int(min(grant.ends_at - now, LONGEST_TOKEN).total_seconds())
        if seconds < 1:
            raise CloudError("grant_is_over")
        try:
            token, ends = self._sign_in(account, grant, seconds).token()
        except CloudError as error:
            raise _not_opened(error) from error
        return OpenDoor(self._named(grant), self.policy(grant), min(ends, grant.ends_at), {"token": token})

    def _given(self, grant: SupportGrant) -> str:
        """The account that serves this grant, which has its roles from now on."""
        account = ""

        def edit(policy: "Policy") -> bool:
            nonlocal account
            now = datetime.now(UTC)
            leases.forget(policy, self.shipped, now)
            known = leases.leases(policy.bindings, self.shipped)
            own = [lease for lease in known if lease.grant == grant.grant]
            if any(lease.is_ended for lease in own):
                raise CloudError("grant_is_over", raw=f"{leases.title(grant)} was ended")
            account = own[0].account if own else leases.free(known, self.shipped, now)
            if not account:
                raise CloudError("door_busy", raw="every support account serves another access", retryable=True)
            return leases.give(policy, grant, account, self.shipped)

        try:
            self._change(edit)
        except CloudError as error:
            if error.code != "access_denied":
                raise
            # Reading the policy is another role's: what is refused here is what the customer's switch takes away.
            raise CloudError("support_switched_off", raw=error.raw) from error
        return account

    def _sign_in(self, account: str, grant: SupportGrant, seconds: int) -> Session:
        said = {"grant": f"{grant.grant}:{grant.engineer}"}
        return self._session(account, Subject.SUPPORT, said, seconds=seconds)

    def _named(self, grant: SupportGrant) -> str:
        """As the log names the session: whose token became the support account."""
        return f"{self.target.subject(Subject.SUPPORT)}:{grant.grant}:{grant.engineer}"

    # --- reading ---

    def acts(self, profile: str) -> Sequence[str]:
        return [name for name, act in ACTS.items() if profile in act.profiles]

    def act(self, door: OpenDoor, grant: SupportGrant, name: str, arguments: Mapping[str, str]) -> ActResult:
        return ACTS[name].run(self._opened(door, grant), arguments)

    def _opened(self, door: OpenDoor, grant: SupportGrant) -> Opened:
        place = f"projects/{self.shipped.project}/locations/{self.target.region}"
        return Opened(OpenedSession(self.endpoints, door.secret["token"]), self.shipped, place, grant)

    # --- ending ---

    def close(self, grant: SupportGrant) -> None:
        def edit(policy: "Policy") -> bool:
            now = datetime.now(UTC)
            own = [lease for lease in leases.leases(policy.bindings, self.shipped) if lease.grant == grant.grant]
            if all(lease.is_ended for lease in own):
                return False
            leases.take(policy, grant, self.shipped)
            until = min(grant.ends_at, now + LONGEST_TOKEN)
            if until > now:
                leases.hold(policy, grant, own[0].account, self.shipped, until)
            return True

        self._change(edit)

    def probe(self, door: OpenDoor, grant: SupportGrant) -> DoorProbe:
        """Google asks whether one may, before it looks for what one asks about: "not there" is said to whoever may."""
        opened = self._opened(door, grant)
        name = opened.deployment(grant.stack or f"{self.shipped.prefix}none")
        try:
            found = opened.session.deployments.find(name)
        except CloudError as error:
            if error.code not in REFUSED:
                raise
            return DoorProbe(is_refused=True, evidence=error.raw)
        return DoorProbe(is_refused=False, evidence=f"GetDeployment answered: {name} is {'there' if found else 'not there'}")

    def tidy(self, grant: SupportGrant) -> None:
        """What holds the account must outlive the last token, and no token outlives its grant. What is over of others goes with it."""

        def edit(policy: "Policy") -> bool:
            now = datetime.now(UTC)
            own = [lease for lease in leases.leases(policy.bindings, self.shipped) if lease.grant == grant.grant]
            is_over = grant.ends_at <= now or all(lease.until <= now for lease in own)
            is_taken = is_over and leases.take(policy, grant, self.shipped)
            return leases.forget(policy, self.shipped, now) or is_taken

        self._change(edit)

    def _change(self, edit: Callable[["Policy"], bool]) -> None:
        """Read, change, write back as long as nobody else wrote in between. Raises CloudError `door_busy` when somebody always did."""
        libraries = self._operator.libraries
        for _ in range(TRIES):
            policy = libraries.policy(self.shipped.project)
            if not edit(policy):
                return
            try:
                libraries.write_policy(self.shipped.project, policy)
            except CloudError as error:
                if getattr(error.__cause__, "code", 0) != CONFLICT:
                    raise
            else:
                return
        raise CloudError("door_busy", raw="the project's policy was changed at the same time, again and again", retryable=True)

    # --- Google's own record ---

    def find_traces(self, grant: SupportGrant, since: datetime, until: datetime) -> Sequence[Trace]:
        """Of what was read, if the project has it written down, as the kit has it do. Raises CloudError for a list without end."""
        if not self.shipped.views:
            return []
        (view,) = (name for name in self.shipped.views if name.endswith("-trail"))
        who = f"principal://iam.googleapis.com/{self.shipped.pool}/subject/{self._named(grant)}"
        asked: dict[str, Any] = {
            "resourceNames": [view],
            "filter": f'timestamp>="{since.astimezone(UTC).isoformat()}" AND timestamp<="{until.astimezone(UTC).isoformat()}" AND '
            f'protoPayload.authenticationInfo.serviceAccountDelegationInfo.principalSubject="{who}"',
            "orderBy": "timestamp asc",
            "pageSize": PAGE,
        }
        found: list[Trace] = []
        for _ in range(MOST_PAGES):
            page = self._operator.post("logging", "/v2/entries:list", "entries", asked)
            found += [_trace(entry, self._named(grant)) for entry in page.get("entries", [])]
            if not page.get("nextPageToken"):
                return found
            asked["pageToken"] = page["nextPageToken"]
        raise CloudError("cloud_unavailable", raw=f"logging: entries: more than {MOST_PAGES} pages")

    # --- sessions ---

    @cached_property
    def _operator(self) -> Session:
        return self._session("operator", Subject.OPS, None)

    def _session(self, account: str, subject: Subject, claims: Mapping[str, Any] | None, **more: Any) -> Session:
        return Session(
            self.endpoints,
            provider=self.shipped.provider,
            email=self.shipped.accounts[account].email,
            mint=lambda: self.tokens(subject=self.target.subject(subject), audience=self.target.audience, claims=claims),
            was_trusted=True,
            **more,
        )


def _not_opened(error: CloudError) -> CloudError:
    if error.code == "identity_disabled":
        return CloudError("support_switched_off", raw=error.raw)
    return CloudError("door_not_open_yet", raw=error.raw, retryable=True) if error.code == "trust_refused" else error


def _trace(entry: Mapping[str, Any], principal: str) -> Trace:
    payload = entry.get("protoPayload", {})
    at = datetime.fromisoformat(str(entry["timestamp"])).astimezone(UTC)
    raw = json.dumps(entry, sort_keys=True, ensure_ascii=False)[:RAW_CHARACTERS]
    return Trace(
        str(entry["insertId"]), at, str(payload.get("methodName", "")), bool((payload.get("status") or {}).get("code")), principal, raw
    )
