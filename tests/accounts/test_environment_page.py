"""The Environment page: what it says, who may look again, what the live part polls, what leaves as a file."""

import re
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone

from accounts import kits
from accounts.access import Role
from accounts.environment.page import build_page
from accounts.models import Assessment, CloudAccount, EnvironmentFinding
from accounts.models.cloud_accounts import Cloud
from accounts.states import AccountState
from portal.operations.models import Operation
from portal.operations.states import OperationState
from tests.environments import make_assessment, make_connected_account
from tests.factories import make_cloud_account, make_membership
from tests.fragments import assert_same_fragment

REGION = "eu-west-1"


@pytest.fixture
def account(acme, alice):
    return make_connected_account(organisation=acme, created_by=alice, name="Production")


@pytest.fixture
def member(client, alice):
    client.force_login(alice)
    return client


def address(account, name="account_environment", region=""):
    path = reverse(f"accounts:{name}", args=[account.organisation.slug, account.pk])
    return f"{path}?region={region}" if region else path


def shown(client, account, **kwargs):
    response = client.get(address(account, **kwargs))
    assert response.status_code == 200
    return response


# --- The verdict ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdicts", "kind", "sentence"),
    [
        ({}, "ok", "Ready for a deployment cell in eu-west-1."),
        ({"zones": "warn"}, "attention", "Ready for a deployment cell in eu-west-1. 1 warning."),
        ({"quota_vcpus": "block"}, "critical", "1 thing blocks a cell in eu-west-1."),
        ({"quota_vcpus": "block", "permissions": "block", "zones": "warn"}, "critical", "2 things block a cell in eu-west-1. 1 warning."),
        ({"zones": "unknown"}, "unknown", "Nothing that was answered blocks a cell in eu-west-1. 1 check without an answer."),
    ],
)
def test_environment_opens_with_the_verdict(account, verdicts, kind, sentence):
    make_assessment(account=account, verdicts=verdicts)

    page = build_page(account, REGION)

    assert (page.kind, page.verdict) == (kind, sentence)


def test_environment_that_was_looked_at_too_long_ago_is_not_called_ready(account):
    make_assessment(account=account, looked_at=timezone.now() - timedelta(days=2))

    page = build_page(account, REGION)

    assert (page.kind, page.verdict) == ("attention", "Nothing blocked a cell in eu-west-1, but that was too long ago to rely on.")


FACTS = {
    "zones": 3, "vcpus_free": 6, "networks_free": 4, "addresses_free": 5, "gateways_free": 5, "permissions_held": True,
    "region_open": True, "organisation_restricts": False, "range_overlaps": False, "names_taken": False, "own_disk_key": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "kind", "sentence", "badges"),
    [
        ({}, "ok", "Ready for a deployment cell in eu-west-1.", {"badge-ok": 1, "badge-neutral": 1}),
        (
            {"vcpus_free": 2},
            "attention",
            "Nothing blocks a cell in eu-west-1. No certified profile fits: what is missing stands with each.",
            {"badge-attention": 2},
        ),
        (
            {"gateways_free": None},
            "unknown",
            "Ready for a deployment cell in eu-west-1. Whether a certified profile fits is not known.",
            {"badge-unknown": 1, "badge-neutral": 1},
        ),
    ],
)
def test_environment_verdict_agrees_with_the_profiles_below_it(member, account, facts, kind, sentence, badges):
    known = {name: value for name, value in (FACTS | facts).items() if value is not None}
    make_assessment(account=account, facts=known)

    page = build_page(account, REGION)
    below = shown(member, account).text.split("Certified profiles")[1].split("</section>")[0]

    assert (page.kind, page.verdict) == (kind, sentence)
    assert {badge: below.count(f'"badge {badge}') for badge in badges} == badges


def test_environment_says_what_a_cell_is_where_it_first_speaks_of_one(member, account):
    make_assessment(account=account)

    assert (
        "A deployment cell, or cell, is the cluster and network that Fernhill runs in one region of your account."
        in shown(member, account).text
    )


def test_environment_of_a_disconnected_account_is_history(member, acme, alice):
    account = make_connected_account(organisation=acme, created_by=alice, state=AccountState.DISCONNECTED)
    make_assessment(account=account, verdicts={"zones": "warn"}, facts=FACTS)

    page = build_page(account, REGION)

    assert (page.kind, page.verdict) == (
        "neutral",
        "Not checked any more: this account is not connected. This is what the last look in eu-west-1 found. 1 warning.",
    )
    assert {row.badge for row in page.rows} == {"neutral"}
    assert "badge-ok" not in shown(member, account).text


def test_regions_stand_in_the_order_of_use(member, account):
    make_assessment(account=account, region="us-east-1")
    make_assessment(account=account)

    groups = shown(member, account).context["form"].fields["region"].choices

    assert [(title, [code for code, _name in choices]) for title, choices in groups][:2] == [
        ("Region of the kit", [REGION]),
        ("Checked before", ["us-east-1"]),
    ]
    title, others = groups[2]
    names = [name for _code, name in others]
    assert (title, names) == ("Other regions", sorted(names))
    assert not {REGION, "us-east-1"} & {code for code, _name in others}


def test_vcpus_are_called_so_in_every_cloud():
    for cloud in kits.KITS:
        check = next(check for check in kits.load(cloud).environment_checks if check.name == "quota_vcpus")
        for text in (check.title, check.why, check.passed, check.blocked):
            assert not re.search(r"\bcores?\b", str(text), re.IGNORECASE)


def test_environment_never_looked_at(member, account):
    page = shown(member, account)

    assert "eu-west-1 has not been checked yet." in page.text
    assert "Check now" in page.text


def test_environment_of_an_account_that_is_not_connected(member, acme):
    page = shown(member, make_cloud_account(organisation=acme))

    assert "The environment can be checked once the account is connected." in page.text
    assert "Check now" not in page.text


# --- The checks ----------------------------------------------------------------------------------------------------------


def test_environment_lists_the_worst_first(account):
    make_assessment(account=account, verdicts={"zones": "warn", "quota_vcpus": "unknown", "permissions": "block"})

    groups = build_page(account, REGION).groups

    assert [(str(group.title), [row.check.name for row in group.rows][:1]) for group in groups] == [
        ("These block a cell", ["permissions"]),
        ("Worth a look", ["zones"]),
        ("Without an answer", ["quota_vcpus"]),
        ("As it should be", ["identity"]),
    ]


def test_environment_shows_evidence_reason_and_remedy(member, account):
    assessment = make_assessment(account=account, verdicts={"quota_vcpus": "block"})
    params = {"free": "1", "limit": "5", "needed": "4", "region": REGION}
    assessment.findings.filter(name="quota_vcpus").update(
        params=params, evidence="ec2 L-1216C47A: limit 5, in use 4", command="aws service-quotas request", link="https://aws.example/quota"
    )

    page = shown(member, account).text

    assert "Only 1 of 5 vCPUs are free in eu-west-1; a cell takes 4." in page
    assert "The machines of a cell count against the vCPUs of running standard instances in the region." in page
    assert "Ask AWS for a higher limit." in page
    assert "<code data-portal-copy-source>aws service-quotas request</code>" in page
    assert 'href="https://aws.example/quota"' in page
    assert "ec2 L-1216C47A: limit 5, in use 4" in page


def test_environment_leads_to_the_console_that_the_portal_is_set_to(member, account, settings):
    settings.CONSOLE_URLS = {**settings.CONSOLE_URLS, "aws": "https://console.example/aws"}
    assessment = make_assessment(account=account, verdicts={"quota_vcpus": "block"})
    assessment.findings.filter(name="quota_vcpus").update(link="https://eu-west-1.console.aws.amazon.com/servicequotas/home?region=x#!/y")

    assert 'href="https://console.example/aws/servicequotas/home?region=x#!/y"' in shown(member, account).text


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("access_denied", "The kit that stands does not let the portal ask this. A newer kit may."),
        ("throttled", "AWS asked to slow down for too long. Check this again in a few minutes."),
        ("never heard of", "AWS gave no answer that the portal understands."),
    ],
)
def test_check_without_an_answer_says_why(member, account, code, words):
    assessment = make_assessment(account=account, verdicts={"zones": "unknown"})
    assessment.findings.filter(name="zones").update(params={"code": code})

    assert words in shown(member, account).text


def test_environment_shows_profile_and_what_fits(member, account):
    facts = {
        "region": REGION, "zones": 3, "vcpus_free": 6, "networks_free": 4, "addresses_free": 5, "gateways_free": 5,
        "permissions_held": True, "region_open": True,
        "organisation_restricts": False, "range_overlaps": False, "names_taken": False, "own_disk_key": False,
    }  # fmt: skip
    make_assessment(account=account, facts=facts)

    page = build_page(account, REGION)

    assert [(str(label), value) for label, value in page.facts][:4] == [
        ("Region", REGION), ("Region is open to the account", "Yes"), ("Availability zones", "3"), ("vCPUs free", "6"),
    ]  # fmt: skip
    found = {one.profile.name: (one.fits, reasons) for one, reasons in page.matches}
    assert found == {
        "AWS small, 2 zones": (True, []),
        "AWS standard, 3 zones": (False, ["vCPUs free: 6. Needed: at least 8."]),
    }
    assert "vCPUs free: 6. Needed: at least 8." in shown(member, account).text


# --- History -------------------------------------------------------------------------------------------------------------


def test_environment_says_what_changed_between_two_looks(account, alice):
    now = timezone.now()
    make_assessment(account=account, verdicts={"quota_vcpus": "block"}, started_at=now - timedelta(days=2))
    make_assessment(account=account, verdicts={"zones": "warn"}, by=alice, started_at=now - timedelta(days=1))

    history = build_page(account, REGION).history

    assert [(look.is_first, sorted(look.changes)) for look in history] == [
        (False, ["Availability zones: Pass → Warning", "Limit: vCPUs: Blocks → Pass"]),
        (True, []),
    ]


def test_regions_are_told_apart(member, account):
    make_assessment(account=account)
    make_assessment(account=account, region="us-east-1", verdicts={"zones": "block"})

    assert "Ready for a deployment cell in eu-west-1." in shown(member, account).text
    other = shown(member, account, region="us-east-1").text
    assert "1 thing blocks a cell in us-east-1." in other
    assert '<a class="mono" href="?region=eu-west-1">' in other


@pytest.mark.parametrize("name", ["account_environment", "account_environment_status", "account_environment_export"])
def test_region_that_is_not_offered_does_not_exist(member, account, name):
    assert member.get(address(account, name=name, region="mars-1")).status_code == 404


# --- Looking again -------------------------------------------------------------------------------------------------------


def test_check_all_starts_a_look(member, account, alice):
    response = member.post(address(account, name="account_environment_check"), {"region": "us-east-1"})

    assessment = Assessment.objects.get()
    assert (response.status_code, response["Location"]) == (302, address(account, region="us-east-1"))
    assert (assessment.region, assessment.trigger, assessment.requested_by) == ("us-east-1", "person", alice)
    assert assessment.operation.data["only"] == []


def test_check_one_asks_for_that_one(member, account):
    make_assessment(account=account)

    member.post(address(account, name="account_environment_check"), {"region": REGION, "only": "zones"})

    assert Assessment.objects.newest_first().first().operation.data["only"] == ["zones"]


def test_check_while_one_is_under_way_says_so(member, account):
    member.post(address(account, name="account_environment_check"), {"region": REGION})
    response = member.post(address(account, name="account_environment_check"), {"region": REGION})

    assert [str(message) for message in get_messages(response.wsgi_request)] == ["eu-west-1 is being checked already."]
    assert Operation.objects.count() == 1


@pytest.mark.parametrize("data", [{}, {"region": "mars-1"}, {"region": REGION, "only": "nonsense"}])
def test_check_of_nothing_known_starts_nothing(member, account, data):
    assert member.post(address(account, name="account_environment_check"), data).status_code == 302
    assert not Operation.objects.exists()


def test_check_of_an_account_that_is_not_connected_starts_nothing(member, acme):
    account = make_cloud_account(organisation=acme, state=AccountState.DISCONNECTED)

    response = member.post(address(account, name="account_environment_check"), {"region": REGION})

    assert [str(message) for message in get_messages(response.wsgi_request)] == [
        "The environment can be checked once the account is connected."
    ]
    assert not Operation.objects.exists()


@pytest.mark.parametrize(("role", "may"), [(Role.OWNER, True), (Role.OPERATOR, True), (Role.APPROVER, False), (Role.AUDITOR, False)])
def test_everybody_reads_and_who_runs_operations_looks_again(client, account, acme, role, may):
    make_assessment(account=account)
    client.force_login(make_membership(organisation=acme, role=role).user)

    page = shown(client, account).text
    posted = client.post(address(account, name="account_environment_check"), {"region": REGION}).status_code

    assert ("Check all again" in page, "Check this again" in page) == (may, may)
    assert posted == (302 if may else 403)


def test_account_of_others_does_not_exist(client, account, charlie):
    make_assessment(account=account)
    client.force_login(charlie)

    for name in ("account_environment", "account_environment_status", "account_environment_export"):
        assert client.get(address(account, name=name)).status_code == 404
        assert client.get(reverse(f"accounts:{name}", args=["globex", account.pk])).status_code == 404
    assert client.post(reverse("accounts:account_environment_check", args=["globex", account.pk]), {"region": REGION}).status_code == 404
    assert Operation.objects.live().count() == 0


# --- The live part -------------------------------------------------------------------------------------------------------


def make_running(account):
    """Under way: two answers are there, the others are awaited."""
    assessment = make_assessment(account=account, state=OperationState.RUNNING)
    assessment.findings.exclude(name__in=["identity", "permissions"]).delete()
    return assessment


def test_look_under_way_shows_each_answer_as_it_comes(member, account):
    make_running(account)

    page = shown(member, account)

    assert "Checking eu-west-1: 2 of 12 answered." in page.text
    assert page.text.count("Being asked") == 11  # ten checks and their heading
    assert 'hx-trigger="every 2s"' in page.text
    assert "Check all again" not in page.text


def test_status_is_a_piece_of_the_page(member, account):
    make_running(account)

    fragment = member.get(address(account, name="account_environment_status"))

    assert_same_fragment(shown(member, account).text, fragment.text)


def test_status_that_has_ended_is_a_piece_of_the_page_and_polls_no_more(member, account):
    make_assessment(account=account)

    fragment = member.get(address(account, name="account_environment_status")).text

    assert_same_fragment(shown(member, account).text, fragment)
    assert "hx-trigger" not in fragment
    assert 'id="environment-more" hx-swap-oob="true"' in fragment
    assert '<div hx-swap-oob="innerHTML:#announcer">Ready for a deployment cell in eu-west-1.</div>' in fragment


def test_status_without_news_is_empty(member, account):
    assessment = make_running(account)
    version = build_page(account, REGION).version
    there = f"{address(account, name='account_environment_status', region=REGION)}&v={version}"

    assert member.get(there).status_code == 204
    EnvironmentFinding.objects.create(assessment=assessment, name="zones", verdict="pass")
    assert member.get(there).status_code == 200


def test_look_that_failed_says_why_and_the_one_before_stands(member, account):
    make_assessment(account=account, started_at=timezone.now() - timedelta(hours=2))
    make_assessment(account=account, verdicts=dict.fromkeys(CHECKS, ""), state=OperationState.FAILED)

    page = shown(member, account).text

    assert "AWS did not let the portal in, so nothing could be checked." in page
    assert "Ready for a deployment cell in eu-west-1." in page


CHECKS = [
    "identity", "permissions", "region_enabled", "organisation_policy", "zones", "quota_vcpus", "quota_networks", "quota_addresses",
    "quota_gateways", "address_range", "names_free", "disk_encryption",
]  # fmt: skip


@pytest.mark.parametrize("verdict", ["pass", "warn", "block", "unknown"])
@pytest.mark.parametrize("cloud", Cloud.values)
def test_environment_of_every_cloud_has_words_for_every_check(member, acme, alice, cloud, verdict):
    kit = kits.load(cloud)
    account = make_connected_account(organisation=acme, created_by=alice, home_region=kit.default_region)
    CloudAccount.objects.filter(pk=account.pk).update(cloud=cloud)
    account.refresh_from_db()
    make_assessment(account=account, verdicts={check.name: verdict for check in kit.environment_checks})

    page = build_page(account, kit.default_region)

    assert len(page.rows) == len(kit.environment_checks)
    assert [row.check.name for row in page.rows if not row.sentence and verdict in {"pass", "unknown"}] == []
    assert member.get(address(account)).status_code == 200


# --- At any size ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("looks", [1, 3])
def test_environment_asks_the_database_the_same_at_any_size(member, account, alice, looks, django_assert_num_queries):
    for number in range(looks):
        make_assessment(account=account, by=alice if number % 2 else None)
    shown(member, account)

    with django_assert_num_queries(9):
        shown(member, account)


# --- As a file -----------------------------------------------------------------------------------------------------------


def test_environment_leaves_as_a_file(member, account, alice):
    assessment = make_assessment(account=account, verdicts={"zones": "warn"}, by=alice, facts={"zones": 2})

    response = member.get(address(account, name="account_environment_export"))

    told = response.json()
    assert response["Content-Disposition"] == f'attachment; filename="environment-{account.external_id}-eu-west-1.json"'
    assert (told["assessment"]["id"], told["assessment"]["warned"], told["assessment"]["requested_by"]) == (str(assessment.pk), 1, "Alice")
    assert {found["name"]: found["verdict"] for found in told["findings"]} == dict.fromkeys(CHECKS, "pass") | {"zones": "warn"}
    assert (told["capabilities"], told["profiles"]) == ({"zones": 2}, {"aws-small": False, "aws-standard": False})


def test_file_of_a_region_never_looked_at_is_empty(member, account):
    told = member.get(address(account, name="account_environment_export")).json()

    assert (told["assessment"], told["findings"], told["profiles"]) == (None, [], {})


# --- Where it is linked --------------------------------------------------------------------------------------------------


def test_environment_is_a_tab_of_the_account_and_linked_from_the_record(member, account):
    assert f'href="{address(account)}"' in member.get(account.get_absolute_url()).text
    assert f'href="{address(account)}"' in member.get(reverse("accounts:connect_done", args=["acme", account.pk])).text
