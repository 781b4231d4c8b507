"""The Environment page: what it says of a region, and what leaves as a file."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts import kits
from accounts.environment.page import build_page
from accounts.states import AccountState
from tests.accounts.environment_pages import CHECKS, REGION, account, address, member, shown
from tests.environments import make_assessment, make_connected_account
from tests.factories import make_cloud_account

__all__ = ["account", "member"]  # fixtures


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


# --- At any size ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("looks", [1, 3])
def test_environment_asks_the_database_the_same_at_any_size(member, account, alice, looks, django_assert_num_queries):
    for number in range(looks):
        make_assessment(account=account, by=alice if number % 2 else None)
    shown(member, account)

    with django_assert_num_queries(8):
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
