"""What only Google Cloud knows of support access: bindings with an end, one account for each grant, and what the operator may not give."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from accounts.clouds.base import CloudError, Subject
from accounts.clouds.gcp.clients import Endpoints, Session
from accounts.clouds.gcp.support import GcpSupport
from accounts.clouds.support import OpenDoor, SupportGrant
from tests.clouds.conftest import SandboxProcess, TestIssuer
from tests.clouds.gcp.cells import GcpCellStand, addresses
from tests.clouds.gcp.google import PROJECT
from tests.clouds.gcp.played import REGION, STRANGER
from tests.clouds.gcp.standing import refusal

NUMBERS = [f"{n}b0e7c1d-2f3a-4b5c-8d6e-7f8091a2b3c4" for n in range(5)]


@pytest.fixture
def stand(sandbox: SandboxProcess, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> GcpCellStand:
    for name, value in addresses(sandbox).items():
        monkeypatch.setenv(name, value)
    made = GcpCellStand(sandbox, issuer)
    made.stacks().apply(made.order())
    return made


def support(stand: GcpCellStand) -> GcpSupport:
    return GcpSupport(stand.target, stand.tokens(stand.target), stand.shipped)


def grant_of(stand: GcpCellStand, number: str = NUMBERS[0], *, seconds: float = 3600, profile: str = "logs") -> SupportGrant:
    now = datetime.now(UTC)
    return SupportGrant(
        number, "mia.koehler", "CASE-7", profile, REGION, stand.order().name, starts_at=now, ends_at=now + timedelta(seconds=seconds)
    )


def operator(stand: GcpCellStand) -> str:
    """The operator's own token, as somebody would have it who has taken over the portal."""
    session = Session(
        Endpoints.from_environment(), provider=stand.shipped.provider, email=stand.email("operator"), was_trusted=True,
        mint=lambda: stand.tokens(stand.target)(subject=stand.target.subject(Subject.OPS), audience=stand.target.audience),
    )  # fmt: skip
    return session.token()[0]


def reads(stand: GcpCellStand, token: str) -> int:
    """One reading by the bare token: nothing of the portal takes part."""
    path = f"/config/v1/projects/{PROJECT}/locations/{REGION}/deployments/{stand.order().name}"
    return stand.google.call("GET", path, token=token)[0]


def reads_log(stand: GcpCellStand, token: str) -> int:
    return stand.google.call("POST", "/logging/v2/entries:list", {"resourceNames": stand.shipped.cluster_views}, token=token)[0]


def lent(stand: GcpCellStand) -> list[tuple[str, str, str]]:
    """Role, member and condition of every binding of support's roles."""
    return [
        (binding["role"].rpartition("_g1_")[2], member.partition("@")[0].rpartition("-")[2], binding["condition"]["expression"])
        for binding in stand.policy("")["bindings"]
        for member in binding["members"]
        if binding["role"] in stand.shipped.lent
    ]


def wait_for_the_end(grant: SupportGrant) -> None:
    time.sleep(max(0.0, (grant.ends_at - datetime.now(UTC)).total_seconds()) + 0.1)


# --- the end ---


def test_gcp_support_ends_within_a_second_with_nothing_of_the_portal_running(stand):
    grant = grant_of(stand, seconds=6)
    token = support(stand).open(grant).secret["token"]
    last_allowed = refused = 0.0
    while not refused and time.time() < grant.ends_at.timestamp() + 5:
        asked = time.time()
        status, answered = reads(stand, token), time.time()
        last_allowed, refused = (asked, 0.0) if status == 200 else (last_allowed, answered)
        time.sleep(0.1)

    # Condition and token both know whole seconds only: either may end up to a second early, neither late.
    end = int(grant.ends_at.timestamp())
    assert end - 6 < last_allowed < end + 1
    assert end - 1 <= refused


def test_gcp_support_token_lives_ten_minutes_at_most_and_never_beyond_the_grant(stand):
    now = datetime.now(UTC)

    assert support(stand).open(grant_of(stand)).expires_at <= now + timedelta(minutes=10, seconds=5)
    short = grant_of(stand, NUMBERS[1], seconds=60)
    assert support(stand).open(short).expires_at <= short.ends_at
    assert {binding[2].count("request.time < timestamp(") for binding in lent(stand)} == {1}


def test_gcp_support_token_that_ran_out_is_refused_by_its_own_end(stand):
    grant = grant_of(stand)
    door = support(stand).open(grant)

    stand.google.control("POST", "clock", {"advance": 601})

    found = support(stand).probe(door, grant)
    assert found.is_refused
    assert "UNAUTHENTICATED" in found.evidence


@pytest.mark.parametrize("end", ["binding", "switch", "account", "pool"])
def test_gcp_support_customer_ends_it_without_the_portal(stand, end):
    """By one line of gcloud, or by the kit's own switch; the session that is open is refused at once."""
    grant = grant_of(stand)
    door = support(stand).open(grant)
    email = stand.email("support")
    lines = {
        "binding": f"gcloud projects remove-iam-policy-binding {PROJECT} --all --role={stand.role('support')} "
        f"--member=serviceAccount:{email}",
        "account": f"gcloud iam service-accounts delete {email} --project={PROJECT} --quiet",
        "pool": f"gcloud iam workload-identity-pools delete byoc-{stand.suffix} --project={PROJECT} --location=global --quiet",
    }  # fmt: skip

    done = stand.run_line(lines[end]) if end in lines else stand.run_script("--allow-support", "no")
    assert done.returncode == 0, done.stderr

    if end == "pool":  # a token that is out lives on for its ten minutes; no other follows
        assert refusal(lambda: support(stand).open(grant)).code == "provider_deleted"
        return
    assert support(stand).probe(door, grant).is_refused
    assert end != "switch" or refusal(lambda: support(stand).open(grant)).code == "support_switched_off"


# --- what a token may do ---


def test_gcp_support_stolen_token_of_a_narrower_profile_is_refused(stand):
    token = support(stand).open(grant_of(stand, profile="diagnose")).secret["token"]

    assert (reads(stand, token), reads_log(stand, token)) == (200, 403)


def test_gcp_support_token_reads_the_one_cluster_and_changes_nothing(stand):
    token = support(stand).open(grant_of(stand, profile="repair")).secret["token"]
    stand.change(f"locations/{REGION}/clusters/byoc-3f9a1c2e-other", {"status": "RUNNING"})
    clusters = f"/container/v1/projects/{PROJECT}/locations/{REGION}/clusters"

    def status(verb: str, path: str, body: object = None) -> int:
        return stand.google.call(verb, path, body, token=token)[0]

    assert status("GET", f"{clusters}/{stand.order().name}") == 200
    assert status("GET", f"{clusters}/byoc-3f9a1c2e-other") == 403
    assert status("DELETE", f"/config/v1/projects/{PROJECT}/locations/{REGION}/deployments/{stand.order().name}") == 403
    assert status("POST", f"/crm/v3/projects/{PROJECT}:getIamPolicy", {}) == 403
    (trail,) = (name for name in stand.shipped.views if name.endswith("-trail"))
    assert status("POST", "/logging/v2/entries:list", {"resourceNames": [trail]}) == 403


def test_gcp_support_log_has_as_many_lines_as_asked_for_and_none_of_an_instance(stand):
    grant = grant_of(stand)
    door = support(stand).open(grant)

    every = support(stand).act(door, grant, "read_cluster_log", {})
    one = support(stand).act(door, grant, "read_cluster_log", {"lines": "1"})

    assert (len(every.text.splitlines()), len(one.text.splitlines())) == (3, 1)
    assert every.text.endswith(one.text)
    assert (every.is_cut, one.is_cut) == (False, True)
    assert "nobody else's business" not in every.text


# --- what the operator may give ---


@pytest.mark.parametrize("role", ["roles/owner", "roles/viewer", "verify", "grant", "build"])
def test_gcp_support_operator_can_give_no_other_role(stand, role):
    """Google itself refuses: what is looked at is the token of somebody who has taken the portal over."""
    policy = stand.policy("")
    name = role if "/" in role else stand.role(role)
    policy["bindings"].append({"role": name, "members": [f"serviceAccount:{stand.email('support')}"]})

    status, answer = stand.google.call("POST", f"/crm/v3/projects/{PROJECT}:setIamPolicy", {"policy": policy}, token=operator(stand))

    assert (status, answer["error"]["status"]) == (403, "PERMISSION_DENIED")


def test_gcp_support_operator_can_take_no_other_role_away(stand):
    policy = stand.policy("")
    policy["bindings"] = [bound for bound in policy["bindings"] if bound["role"] != stand.role("agent")]

    assert stand.google.call("POST", f"/crm/v3/projects/{PROJECT}:setIamPolicy", {"policy": policy}, token=operator(stand))[0] == 403


def test_gcp_support_given_to_another_member_lets_read_alone_and_is_found(stand):
    """Google knows no condition on the member. What could be given away reads settings, and the next check says who has it."""
    policy = stand.policy("")
    policy["bindings"].append({"role": stand.role("support"), "members": [STRANGER]})
    status, _answer = stand.google.call("POST", f"/crm/v3/projects/{PROJECT}:setIamPolicy", {"policy": policy}, token=operator(stand))

    assert status == 200
    found = refusal(stand.adapter().check_trust_unedited)
    assert (found.code, STRANGER in found.raw) == ("policy_edited", True)


# --- one account for each grant ---


def test_gcp_support_grants_have_an_account_each_and_the_fourth_waits(stand):
    grants = [grant_of(stand, number) for number in NUMBERS]
    with ThreadPoolExecutor(3) as pool:  # all write the one policy of the project
        doors = list(pool.map(lambda grant: support(stand).open(grant), grants[:3]))

    assert {member for _role, member, _condition in lent(stand)} == {"support", "support2", "support3"}
    found = refusal(lambda: support(stand).open(grants[3]))
    assert (found.code, found.retryable) == ("door_busy", True)
    assert not any(support(stand).probe(door, grant).is_refused for door, grant in zip(doors, grants, strict=False))


def test_gcp_support_account_of_an_ended_grant_is_nobodys_until_its_last_token_is_dead(stand):
    """Otherwise the old token would come to life again with the roles of the next grant."""
    first, others = grant_of(stand), [grant_of(stand, number) for number in NUMBERS[1:4]]
    door = support(stand).open(first)
    support(stand).close(first)

    for grant in others[:2]:
        support(stand).open(grant)
    assert refusal(lambda: support(stand).open(others[2])).code == "door_busy"
    assert support(stand).probe(door, first).is_refused
    support(stand).tidy(first)
    assert refusal(lambda: support(stand).open(others[2])).code == "door_busy"
    assert refusal(lambda: support(stand).open(first)).code == "grant_is_over"


def test_gcp_support_what_is_over_is_taken_out_of_the_policy(stand):
    gone, closed = grant_of(stand, seconds=8), grant_of(stand, NUMBERS[1], seconds=8)
    support(stand).open(gone)
    support(stand).open(closed)
    support(stand).close(closed)
    wait_for_the_end(closed)

    support(stand).tidy(gone)
    support(stand).tidy(closed)

    assert lent(stand) == []


def test_gcp_support_leaves_everything_else_in_the_policy_as_it_was(stand):
    stand.bind("roles/browser", "user:auditor@acme.example", "request.time < timestamp('2126-01-01T00:00:00Z')")
    stand.google.done("POST", f"/iam/v1/projects/{PROJECT}/serviceAccounts", {"accountId": "leaver-of-ours"})
    leaver = f"leaver-of-ours@{PROJECT}.iam.gserviceaccount.com"
    stand.bind("roles/browser", f"serviceAccount:{leaver}")
    stand.google.done("DELETE", f"/iam/v1/projects/{PROJECT}/serviceAccounts/{leaver}")
    before = stand.policy("")
    grant = grant_of(stand, seconds=8)

    door = support(stand).open(grant)
    assert not support(stand).probe(door, grant).is_refused
    support(stand).close(grant)
    wait_for_the_end(grant)
    support(stand).tidy(grant)

    after = stand.policy("")
    assert {name: after[name] for name in ("bindings", "auditConfigs", "version")} == {
        name: before[name] for name in ("bindings", "auditConfigs", "version")
    }
    assert before["auditConfigs"]


# --- killed, and lines that break ---

WRITE, TOKEN = ("crm", "cloudresourcemanager.projects.setIamPolicy"), (
    "iamcredentials", "iamcredentials.projects.serviceAccounts.generateAccessToken"
)  # fmt: skip


def lose(stand: GcpCellStand, call: tuple[str, str]) -> None:
    """Google does it, and its answer is lost: as for a worker that dies right after the call."""
    stand.google.control("POST", "faults", {"kind": "lost_reply", "service": call[0], "action": call[1]})


@pytest.mark.parametrize("call", [WRITE, TOKEN], ids=["written", "signed-in"])
def test_gcp_support_opening_goes_on_where_a_worker_died(stand, call):
    grant = grant_of(stand)
    if call is TOKEN:  # the operator's own sign-in comes first
        stand.google.control("POST", "faults", {"kind": "delay", "service": call[0], "action": call[1], "seconds": 0.01})
    lose(stand, call)
    assert refusal(lambda: support(stand).open(grant)).code == "cloud_unavailable"
    standing = lent(stand)

    door = support(stand).open(grant)

    assert len(standing) == len(lent(stand)) == 3
    assert {member for _role, member, _condition in lent(stand)} == {"support"}
    assert not support(stand).probe(door, grant).is_refused


def test_gcp_support_never_opened_whole_ends_by_itself_and_can_be_closed(stand):
    """Killed after the binding and before the token: what stands there has its end, and the closing takes it away."""
    lose(stand, WRITE)
    refusal(lambda: support(stand).open(grant_of(stand)))
    assert all("request.time < timestamp(" in condition for _role, _member, condition in lent(stand))

    support(stand).close(grant_of(stand))

    assert [condition for _role, _member, condition in lent(stand)] == ["request.time < timestamp('1970-01-01T00:00:00Z')"]


@pytest.mark.parametrize("step", ["close", "tidy"])
def test_gcp_support_ending_goes_on_where_a_worker_died(stand, step):
    grant = grant_of(stand, seconds=3600 if step == "close" else 8)
    door = support(stand).open(grant)
    if step == "tidy":
        wait_for_the_end(grant)
    lose(stand, WRITE)

    ended: Callable[[SupportGrant], None] = getattr(support(stand), step)
    assert refusal(lambda: ended(grant)).code == "cloud_unavailable"
    getattr(support(stand), step)(grant)

    assert support(stand).probe(door, grant).is_refused
    assert step == "close" or lent(stand) == []


@pytest.mark.parametrize("kind", ["lost_reply", "502_html", "503"])
def test_gcp_support_broken_line_is_no_answer_and_no_proof(stand, kind):
    grant = grant_of(stand)
    door = support(stand).open(grant)
    calls = {
        "config.projects.locations.deployments.get": lambda: support(stand).probe(door, grant),
        "logging.entries.list": lambda: support(stand).act(door, grant, "read_cluster_log", {}),
        "container.projects.locations.clusters.get": lambda: support(stand).act(door, grant, "describe_cell", {}),
    }
    for action, call in calls.items():
        stand.google.control("POST", "faults", {"kind": kind, "service": action.partition(".")[0], "action": action})
        found = refusal(call)
        assert (found.code, found.retryable) == ("cloud_unavailable", True), action


# --- what it says ---


def test_gcp_support_document_says_what_google_will_hold_it_to(stand):
    grant = grant_of(stand)
    door = support(stand).open(grant)

    for role, _member, condition in lent(stand):
        assert condition in door.policy
        assert stand.role(role) in door.policy
    assert "logging.views.access" in door.policy
    assert "logging.views.access" not in support(stand).policy(replace(grant, profile="diagnose"))


def test_gcp_support_under_an_earlier_kit_says_so(stand):
    target = replace(stand.target, kit_version="1.2.0")
    earlier = GcpSupport(target, stand.tokens(target), stand.kit.shipped(target))

    with pytest.raises(CloudError) as refused:
        earlier.open(grant_of(stand))

    assert (refused.value.code, earlier.policy(grant_of(stand))) == ("support_needs_newer_kit", "")
    assert earlier.find_traces(grant_of(stand), datetime.now(UTC), datetime.now(UTC)) == []
    earlier.close(grant_of(stand))
    earlier.tidy(grant_of(stand))


def test_gcp_support_door_keeps_its_token_out_of_what_is_printed(stand):
    door: OpenDoor = support(stand).open(grant_of(stand))

    assert door.secret["token"] not in repr(door)
