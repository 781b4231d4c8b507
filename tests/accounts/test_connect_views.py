"""The wizard as a browser meets it: one page a step, saved at every step, nobody gets ahead of what is filled in."""

import html
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse

from accounts import kits
from accounts.actions.connect import issue_kit
from accounts.kit_links import publication
from accounts.kits.aws.kit import AwsKit
from accounts.models import CloudAccount, TrustCheck
from accounts.states import AccountState, KitState
from portal.operations.models import Operation
from tests.factories import make_cloud_account, make_kit
from tests.guards.url_tree import make_failed_operation

pytestmark = pytest.mark.django_db

DRAFT_STEPS = ("account", "place", "review", "preflight")


@pytest.fixture
def owner(client, alice):
    client.force_login(alice)
    return client


def page(account, step):
    return reverse(f"accounts:connect_{step}", args=[account.organisation.slug, account.pk])


def text_of(response):
    return " ".join(response.content.decode().split())


def test_connect_from_start_to_run_kit_by_forms_alone(owner, acme):
    response = owner.post(f"/o/{acme.slug}/accounts/connect/", {"cloud": "aws"})
    account = CloudAccount.objects.get()
    assert response.headers["Location"] == page(account, "account")

    response = owner.post(page(account, "account"), {"name": "Production", "external_id": " 1111-2222 3333 "})
    assert response.headers["Location"] == page(account, "place")

    response = owner.post(page(account, "place"), {"region": "eu-west-1"})
    assert response.headers["Location"] == page(account, "review")

    response = owner.post(page(account, "review"))
    assert response.headers["Location"] == page(account, "preflight")

    response = owner.post(page(account, "preflight"), {"generation": "0"})
    assert response.headers["Location"] == page(account, "run")

    account.refresh_from_db()
    assert (account.external_id, account.home_region, account.state) == ("111122223333", "eu-west-1", AccountState.WAITING_FOR_KIT)
    assert owner.get(page(account, "run")).status_code == 200
    assert owner.get(page(account, "waiting")).status_code == 200


@pytest.mark.parametrize("number", ["", "1111", "11112222333", "1111222233334", "11112222333x", "１１１１２２２２３３３３", "-" * 12])
def test_connect_account_with_a_wrong_number_explains_and_keeps_the_input(owner, acme, number):
    account = make_cloud_account(organisation=acme, external_id="", wizard_step="account")

    response = owner.post(page(account, "account"), {"name": "Production", "external_id": number}, follow=True)

    assert response.redirect_chain == [(page(account, "account"), 302)]
    assert "<title>Error: Account" in text_of(response)
    assert response.context["form"].errors["external_id"]
    assert 'value="Production"' in text_of(response)
    account.refresh_from_db()
    assert account.external_id == ""


def test_connect_account_that_is_here_already_links_to_it(owner, acme):
    existing = make_cloud_account(organisation=acme, external_id="111122223333", state=AccountState.CONNECTED, name="Old one")
    account = make_cloud_account(organisation=acme, external_id="", wizard_step="account")

    response = owner.post(page(account, "account"), {"name": "Again", "external_id": "111122223333"}, follow=True)

    assert "This account is already in your organisation as “Old one”." in text_of(response)
    assert f'href="{existing.get_absolute_url()}"' in text_of(response)


@pytest.mark.parametrize("reached", DRAFT_STEPS)
def test_connect_page_ahead_of_what_is_filled_in_leads_back(owner, acme, reached):
    account = make_cloud_account(organisation=acme, wizard_step=reached)

    for step in DRAFT_STEPS:
        response = owner.get(page(account, step))
        if DRAFT_STEPS.index(step) <= DRAFT_STEPS.index(reached):
            assert response.status_code == 200
        else:
            assert response.headers["Location"] == page(account, reached)


@pytest.mark.parametrize(
    ("state", "resumes_at"),
    [
        (AccountState.DRAFT, "preflight"),
        (AccountState.WAITING_FOR_KIT, "run"),
        (AccountState.VERIFYING, "waiting"),
        (AccountState.FAILED, "waiting"),
        (AccountState.CONNECTED, "done"),
    ],
)
def test_connect_resume_opens_the_step_where_it_stopped(owner, acme, state, resumes_at):
    account = make_cloud_account(organisation=acme, state=state)

    assert owner.get(page(account, "resume")).headers["Location"] == page(account, resumes_at)


def test_connect_review_lists_every_resource_and_permission_of_the_kit(owner, acme):
    account = make_cloud_account(organisation=acme, wizard_step="review")
    kit = kits.load("aws")

    response = owner.get(page(account, "review"))

    assert {permission for group in response.context["groups"] for permission in group.permissions} == set(kit.permissions)
    assert [resource.type in text_of(response) for resource in kit.resources] == [True] * len(kit.resources)
    assert kit.content_hash in text_of(response)


def test_connect_review_filter_narrows(owner, acme):
    account = make_cloud_account(organisation=acme, wizard_step="review")

    groups = owner.get(page(account, "review"), {"q": "ec2:CreateVpc"}).context["groups"]
    found = [permission for group in groups for permission in group.permissions]
    none = owner.get(page(account, "review"), {"q": "no such word"})

    assert "ec2:CreateVpc" in [permission.action for permission in found]
    assert len(found) < len(kits.load("aws").permissions)
    assert "No permission matches" in text_of(none)


def test_connect_template_is_the_exact_file_whose_hash_is_shown(owner, acme):
    account = make_cloud_account(organisation=acme)

    response = owner.get(reverse("accounts:account_kit_file", args=[acme.slug, account.pk, AwsKit().template_file]))

    assert response.content.decode() == kits.load("aws").template_text


def test_connect_preflight_blocks_a_number_that_became_a_duplicate(owner, acme, monkeypatch):
    account = make_cloud_account(organisation=acme, wizard_step="preflight", external_id="")

    response = owner.post(page(account, "preflight"), {"generation": "0"})

    assert response.status_code == 409
    assert not Operation.objects.exists()
    assert "Nothing was changed." in text_of(response)


def test_connect_preflight_post_twice_makes_one_kit(owner, acme):
    account = make_cloud_account(organisation=acme, wizard_step="preflight")

    first = owner.post(page(account, "preflight"), {"generation": "0"})
    second = owner.post(page(account, "preflight"), {"generation": "0"})

    assert first.headers["Location"] == second.headers["Location"] == page(account, "run")
    assert account.kits.count() == 1


def test_connect_run_launch_link_carries_every_parameter(owner, acme, alice):
    account = make_cloud_account(organisation=acme, home_region="eu-west-1")
    issue_kit(account, after_generation=0, by=alice)
    kit = account.kits.get()

    launch_url = next(act.link for act in owner.get(page(account, "run")).context["route"].acts if act.link)

    fragment = urlsplit(launch_url).fragment
    query = parse_qs(urlsplit(fragment).query)
    assert urlsplit(launch_url).query == "region=eu-west-1"
    assert query["stackName"] == [f"byoc-{kit.suffix}-kit"]
    assert query["param_AccountRef"] == [str(account.pk)]
    assert query["param_Generation"] == ["1"]
    assert query["param_IssuerUrl"] == [f"https://id.portal.test/trust/{account.pk}/g1"]
    assert kit.content_hash in query["templateURL"][0]


@pytest.mark.parametrize(
    ("via", "shows"), [("launch", "opens in a new tab"), ("cli", "aws cloudformation create-stack"), ("terraform", "module ")]
)
def test_connect_run_by_each_way_names_the_same_kit_and_is_remembered(owner, acme, alice, via, shows):
    account = make_cloud_account(organisation=acme)
    issue_kit(account, after_generation=0, by=alice)

    response = owner.get(page(account, "run"), {"via": via})
    again = owner.get(page(account, "run"))

    assert shows in text_of(response)
    assert f"byoc-{account.kits.get().suffix}-kit" in text_of(response)
    assert again.context["route"].code == via


def test_connect_run_again_replaces_the_kit_once(owner, acme):
    account = make_cloud_account(organisation=acme, state=AccountState.FAILED)
    make_kit(account=account)

    for _click in range(2):
        response = owner.post(page(account, "run_again"), {"generation": "1"})
        assert response.headers["Location"] == page(account, "run")

    assert list(account.kits.values_list("generation", "state")) == [(2, KitState.CURRENT), (1, KitState.OUTDATED)]


def test_connect_waiting_status_says_nothing_while_waiting_and_moves_on_when_connected(owner, acme):
    account = make_cloud_account(organisation=acme, state=AccountState.WAITING_FOR_KIT)
    assert owner.get(page(account, "waiting_status")).status_code == 204

    CloudAccount.objects.update(state=AccountState.CONNECTED)

    assert owner.get(page(account, "waiting_status")).headers["HX-Redirect"] == page(account, "done")
    assert owner.get(page(account, "waiting")).headers["Location"] == page(account, "done")


def test_waiting_page_loads_itself_again_after_a_failure_and_then_looks_no_more(owner, acme, alice):
    account = make_cloud_account(organisation=acme)
    issue_kit(account, after_generation=0, by=alice)
    assert page(account, "waiting_status") in owner.get(page(account, "waiting")).content.decode()

    CloudAccount.objects.update(state=AccountState.FAILED)

    assert owner.get(page(account, "waiting_status")).headers["HX-Redirect"] == page(account, "waiting")
    shown = owner.get(page(account, "waiting")).content.decode()
    assert "Run again with a new kit" in shown
    assert page(account, "waiting_status") not in shown


def test_connect_report_of_nonsense_is_explained(owner, acme, alice):
    account = make_cloud_account(organisation=acme)
    issue_kit(account, after_generation=0, by=alice)

    response = owner.post(page(account, "report"), {"evidence": "my-stack"}, follow=True)

    assert response.redirect_chain == [(page(account, "waiting"), 302)]
    assert "my-stack" in text_of(response)
    assert "Paste the whole stack ID" in text_of(response)


def test_connect_report_is_kept_with_the_kit(owner, acme, alice):
    account = make_cloud_account(organisation=acme)
    issue_kit(account, after_generation=0, by=alice)
    arn = "arn:aws:cloudformation:us-east-1:999900001111:stack/byoc-x-kit/5d1b0c6e"

    response = owner.post(page(account, "report"), {"evidence": f" {arn} "})

    assert response.headers["Location"] == page(account, "waiting")
    assert account.kits.get().reported == {"stack": arn, "external_id": "999900001111", "region": "us-east-1"}


def test_connect_done_before_it_is_done_leads_back(owner, acme):
    account = make_cloud_account(organisation=acme)

    assert owner.get(page(account, "done")).headers["Location"] == page(account, "preflight")


def test_connect_done_is_a_record_to_keep(owner, acme):
    account = make_cloud_account(organisation=acme, state=AccountState.CONNECTED, external_id="111122223333")
    make_kit(account=account)
    TrustCheck.objects.create(account=account, kind=TrustCheck.Kind.REFUSAL, name="wrong_subject", is_ok=True, detail="AccessDenied")

    shown = text_of(owner.get(page(account, "done")))
    record = json.loads(owner.get(reverse("accounts:account_record", args=[acme.slug, account.pk])).content)

    assert "A token for another account" in shown
    assert (record["account_number"], record["state"], record["kit"]["generation"]) == ("111122223333", "connected", 1)
    assert [check["name"] for check in record["checks"]] == ["wrong_subject"]


def test_connect_stop_and_discard_say_what_stays_behind(owner, acme):
    account = make_cloud_account(organisation=acme, state=AccountState.WAITING_FOR_KIT)
    kit = make_kit(account=account)

    assert f"byoc-{kit.suffix}-kit" in text_of(owner.get(page(account, "stop")))
    owner.post(page(account, "stop"))
    assert f"byoc-{kit.suffix}-kit" in text_of(owner.get(page(account, "discard")))
    owner.post(page(account, "discard"))

    assert not CloudAccount.objects.exists()


def test_connect_discard_of_a_draft_that_had_no_kit_lists_none(owner, acme):
    response = owner.get(page(make_cloud_account(organisation=acme), "discard"))

    assert response.status_code == 200
    assert "Kits that may still stand" not in text_of(response)


def test_connect_pages_need_the_permission(client, acme, bob):
    account = make_cloud_account(organisation=acme)
    bob.memberships.update(role="auditor")
    client.force_login(bob)

    response = client.get(page(account, "account"))

    assert response.status_code == 403


def test_connect_start_shows_the_installer_policy_of_the_published_kit(owner, acme, settings):
    shown = html.unescape(text_of(owner.get(f"/o/{acme.slug}/accounts/connect/")))

    url = publication("aws").url(AwsKit().object_key())
    assert f'"cloudformation:TemplateUrl": "{url}"' in shown
    assert "oidc-provider/id.portal.test/trust/*" in shown
    assert "arn:aws:s3:::fernhill-kits/kits/aws/*" in shown
    assert "as carefully as administrator rights" in shown


def test_connect_start_offers_no_installer_policy_without_a_published_kit(owner, acme, settings):
    settings.KITS_BUCKET = ""

    shown = text_of(owner.get(f"/o/{acme.slug}/accounts/connect/"))

    assert "AdministratorAccess in the AWS account." in shown
    assert "cloudformation:TemplateUrl" not in shown


@pytest.mark.parametrize(("via", "file", "name"), [("cli", "content_hash", "template_file"), ("terraform", "module_hash", None)])
def test_connect_run_says_how_to_compare_the_file_with_its_hash(owner, acme, alice, via, file, name):
    account = make_cloud_account(organisation=acme, external_id="111122223333", wizard_step="run")
    issue_kit(account, after_generation=0, by=alice)
    kit = kits.load("aws")

    shown = html.unescape(text_of(owner.get(page(account, "run"), {"via": via})))

    sha256, file = getattr(kit, file), getattr(kit, name) if name else "terraform.zip"
    assert f"echo '{sha256}  {file}' | sha256sum --check".replace("  ", " ") in shown
    assert shown.count(sha256) >= 2  # in words and in the command


def test_connect_failed_operation_leads_to_where_it_can_be_run_again(owner, acme, alice):
    operation = make_failed_operation(acme, alice)

    shown = text_of(owner.get(reverse("accounts:operation_detail", args=[acme.slug, operation.pk])))
    there = owner.get(reverse("accounts:connect_resume", args=[acme.slug, operation.subject_id]), follow=True)

    assert "Run again with a new kit, or stop connecting" in shown
    assert "Run again" in text_of(there)
