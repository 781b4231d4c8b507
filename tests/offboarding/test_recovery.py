"""A kit removed too early: it is offered again only where that brings a way back in, and the page says which rights come with it."""

import html
import json
import re
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from accounts import kits
from accounts.clouds.base import CloudError
from accounts.kit_links import report_url
from accounts.kits.recovery import RECOVERY_KITS, recovery_of
from accounts.models import CloudAccount, TrustWatch
from accounts.offboarding.models import Offboarding
from accounts.targets import target_of
from cells.actions.instances import create_instance, delete_instance
from cells.models import Cell
from cells.orders import order_of, stacks_of
from portal.audit.verify_certificate import check
from portal.operations.driver import advance
from tests.accounts.test_connect_gcp import Shell
from tests.accounts.test_twenty_failures import read
from tests.cells.factories import make_cell, make_plan
from tests.cells.living import drive_to_end, newest, wish
from tests.factories import make_cloud_account, make_kit, make_watched_account
from tests.offboarding import recovering
from tests.offboarding.guards import make_offboarding
from tests.offboarding.leaving import OFFBOARD, Leaver
from tests.offboarding.test_orders_and_faults import see
from tests.offboarding.test_stuck import run_lines_before_the_kit
from tests.standing import SECOND

IDENTITY = {"aws": {}, "gcp": {"project_number": "123456789012"}, "azure": {"tenant_id": "11111111-2222-3333-4444-555555555555"}}


def make_gone(cloud, acme, alice):
    named = {"cloud": cloud, "name": "Main", "identity": IDENTITY[cloud], "state": "offboarding", "connected_at": timezone.now()}
    account = make_cloud_account(organisation=acme, created_by=alice, **named)
    make_kit(account=account, ran_at=timezone.now())
    make_offboarding(account=account, by=alice, state="stuck", code="offboarding_kit_gone")
    return account


@pytest.mark.django_db
@pytest.mark.parametrize("cloud", ["aws", "gcp", "azure"])
def test_recovery_kit_is_offered_in_every_cloud(cloud, acme, alice, client):
    account = make_gone(cloud, acme, alice)
    client.force_login(alice)

    page = client.get(f"/o/acme/accounts/{account.pk}/offboarding/").text

    assert "Run the recovery kit" in page
    assert "Run the recovery kit that is shown here, so that" in page
    assert "Run the same kit again" not in page
    assert "the removal goes on by itself" in page
    assert ("Run before the kit" in page) == (cloud != "aws")
    assert ("Azure gives a new client ID" in page) == (cloud == "azure")


@pytest.mark.django_db
@pytest.mark.parametrize("cloud", RECOVERY_KITS)
def test_page_says_line_by_line_what_the_recovery_kit_can_do_and_what_not(cloud, acme, alice, client):
    account, small = make_gone(cloud, acme, alice), recovery_of(cloud)
    client.force_login(alice)

    page = html.unescape(client.get(f"/o/acme/accounts/{account.pk}/offboarding/").text)

    can, cannot = page.partition("It cannot create, change or support")[::2]
    assert f"It can look and delete: {len(small.diff.kept)} permissions of the kit" in can
    assert [one.action for one in small.diff.kept if f">{one.action}</th>" not in can or str(one.reason) not in can] == []
    assert [one.action for one in small.diff.withheld if f">{one.action}</th>" not in cannot] == []
    for document in small.documents:
        assert document.sha256 in page
        assert client.get(f"/o/acme/accounts/{account.pk}/kit/files/{document.file}").text == document.text


CLIENT = "99999999-2222-3333-4444-555555555555"
HERE = {"kit": "azure", "subscription_id": "", "tenant_id": IDENTITY["azure"]["tenant_id"], "client_id": CLIENT, "region": "westeurope"}
OTHER = "22222222-2222-3333-4444-555555555555"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "verdict", "code", "said", "is_taken"),
    [
        ("offboarding", "lost", "role_deleted", {}, True),
        ("offboarding", "switched_off", "kit", {}, True),
        ("offboarding", "lost", "role_deleted", {"tenant_id": OTHER}, False),
        ("offboarding", "lost", "role_deleted", {"subscription_id": OTHER}, False),
        ("offboarding", "lost", "policy_edited", {}, False),
        ("offboarding", "recovering", "role_deleted", {}, False),
        ("offboarding", "holds", "", {}, False),
        ("ready_to_offboard", "lost", "role_deleted", {}, False),
        ("needs_attention", "lost", "role_deleted", {}, False),
    ],
)
def test_new_identity_of_azure_is_taken_only_while_the_kit_is_gone(state, verdict, code, said, is_taken, acme, alice, client):
    """What is said later could lead the last proof to an identity that never was, and have the cloud refuse that one."""
    account = make_gone("azure", acme, alice)
    CloudAccount.objects.filter(pk=account.pk).update(state=state)
    later = timezone.now() + timedelta(hours=1)
    TrustWatch.objects.update_or_create(
        account=account, defaults={"verdict": verdict, "code": code, "since": timezone.now(), "next_at": later}
    )
    kit = account.kits.get()
    kit.reported = {"client_id": OTHER, "support_client_id": OTHER, "tenant_id": HERE["tenant_id"]}
    kit.save()
    text = json.dumps({**HERE, "subscription_id": account.external_id, **said})

    answer = client.post(urlsplit(report_url(kit)).path, text, content_type="application/json")

    assert answer.status_code == 200
    kit.refresh_from_db()
    assert kit.reported["client_id"] == (CLIENT if is_taken else OTHER)
    assert kit.reported["support_client_id"] == OTHER
    assert (TrustWatch.objects.get(account=account).next_at < later) == is_taken


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("cloud", RECOVERY_KITS)
def test_removal_goes_on_with_the_recovery_kit_to_its_certificate(cloud, stand, acme, alice, client, sandbox):
    """By the file and the command of the page. Nothing can be created meanwhile, and nobody is alarmed at that."""
    leaver = Leaver(stand(cloud), acme, alice, client, sandbox)
    leaver.start()
    leaver.until(account="offboarding")
    leaver.remove_kit()
    see(leaver)
    see(leaver, later=SECOND)
    assert (leaver.row.state, leaver.row.code) == ("stuck", "offboarding_kit_gone")

    run_lines_before_the_kit(leaver)
    leaver.run_recovery_kit()
    see(leaver)
    see(leaver, later=SECOND)

    assert leaver.row.state == "in_progress"
    assert leaver.standing.watch.verdict == "holds"
    assert not leaver.account.trust_checks.filter(is_ok=False).exists()
    assert "The recovery kit is in place: deleting only." in leaver.page()
    trust = read(client.get(f"/o/acme/accounts/{leaver.account.pk}/trust/"))
    assert "The trust holds, for deleting only." in trust
    order = order_of(leaver.cell)
    with pytest.raises(CloudError) as refused:
        stacks_of(leaver.account).apply(replace(order, name=f"{order.name}-new"))
    assert refused.value.code == "access_denied"

    leaver.until_ready()
    assert leaver.account.state == "ready_to_offboard"
    assert leaver.cell.state == "deleted"
    recovering.remove(leaver)
    leaver.until_offboarded()
    document = check(leaver.row.certificate)
    assert document["totals"]["removed"] == document["totals"]["found"] > 0


@pytest.mark.django_db(transaction=True)
def test_recovery_kit_reaches_cells_in_every_location_of_azure(stand, acme, alice, client, sandbox):
    """One command brings the rights to delete back in each group, also where the customer has deleted one whole."""
    leaver = Leaver(stand("azure"), acme, alice, client, sandbox, has_cell=False)
    for place in ("northeurope", "uksouth"):
        leaver.standing.hand.run_kit(cellLocation=place)
    leaver.standing.look()
    plan = make_plan(regions={"azure": []})
    for place in ("westeurope", "northeurope"):
        instance = create_instance(acme, name=place, wish=wish(leaver.account, plan, region=place), by=alice)
        drive_to_end()
        delete_instance(instance, by=alice)
        drive_to_end()
    leaver.start()
    leaver.until(account="offboarding")
    leaver.remove_kit()
    leaver.standing.hand.remove(f"/resourceGroups/byoc-{leaver.account.pk.hex[:8]}-cell-uksouth")
    see(leaver)
    see(leaver, later=SECOND)
    assert leaver.row.code == "offboarding_kit_gone"

    run_lines_before_the_kit(leaver)
    leaver.run_recovery_kit()
    see(leaver)
    see(leaver, later=SECOND)

    assert (leaver.row.state, leaver.standing.watch.verdict) == ("in_progress", "holds")
    leaver.until_ready()
    assert {(cell.region, cell.state) for cell in Cell.objects.all()} == {("westeurope", "deleted"), ("northeurope", "deleted")}
    recovering.remove(leaver)
    leaver.until_offboarded()
    assert {region["region"] for region in check(leaver.row.certificate)["regions"]} == {"westeurope", "northeurope"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("cloud", RECOVERY_KITS)
def test_recovery_kit_under_an_account_that_stays_is_a_wrong_kit(cloud, stand, acme, alice, client, sandbox):
    """It would hide that the rights to create are missing: it counts only where an account leaves."""
    leaver = Leaver(stand(cloud), acme, alice, client, sandbox, has_cell=False)
    small = recovery_of(cloud)
    leaver.remove_kit()
    recovering.put_in_place(leaver, small)

    leaver.standing.lose()

    # Azure knows the new identity under another client id, which nobody takes from an account that stays.
    code = "role_deleted" if cloud == "azure" else "kit_version_wrong"
    assert (leaver.account.state, leaver.standing.watch.code) == ("needs_attention", code)
    assert "for deleting only" not in read(client.get(f"/o/acme/accounts/{leaver.account.pk}/trust/"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "begun"])
def test_what_the_kits_own_command_took_from_google_comes_back_as_the_recovery_kit(is_whole, stand, acme, alice, client, sandbox):
    """Removed by the very command of the kit, whole or only begun by hand: then Google still names the operator that is gone."""
    leaver = Leaver(stand("gcp"), acme, alice, client, sandbox)
    leaver.hand.do("hold")
    leaver.start()
    leaver.until(account="offboarding")
    kit = leaver.account.kits.first()
    lines = kits.load("gcp").removal_command(target_of(leaver.account, kit))
    by_hand = [line for line in lines.splitlines() if "pools delete" in line or re.search("accounts delete .*-operator@", line)]
    assert len(by_hand) == 2
    Shell(sandbox.console_port).run(lines if is_whole else "\n".join(by_hand))
    see(leaver)
    see(leaver, later=SECOND)
    assert leaver.row.code == "offboarding_kit_gone"

    run_lines_before_the_kit(leaver)
    leaver.run_recovery_kit()
    see(leaver)
    see(leaver, later=SECOND)

    assert leaver.row.state == "in_progress"
    # The lines that remove it later name the accounts that stand: what names deleted ones would stay, and a new kit could not be run.
    policy = Shell(sandbox.console_port).run(f"gcloud projects get-iam-policy {leaver.account.external_id} --format=json")
    assert f"byoc-{kit.suffix}-operator" in policy
    assert "deleted:" not in policy


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("verdict", "code", "state", "is_gone"),
    [
        ("lost", "provider_deleted", "needs_attention", True),
        ("lost", "role_deleted", "needs_attention", True),
        ("switched_off", "kit", "connected", True),
        ("lost", "policy_edited", "needs_attention", False),
        ("lost", "access_denied", "needs_attention", False),
        ("switched_off", "changes", "connected", False),
        ("doubted", "provider_deleted", "connected", None),
    ],
)
def test_kit_that_is_gone_is_in_nobodys_way_to_leave(verdict, code, state, is_gone, acme, alice, client):
    """Every right, to create too, had to be given back first. What is lost otherwise is restored."""
    found = {"verdict": verdict, "code": code, "switched_off": code if verdict == "switched_off" else ""}
    account = make_watched_account(organisation=acme, created_by=alice, name="Main", state=state, **found)
    make_cell(account=account)
    client.force_login(alice)

    plan, start = (read(client.get(f"/o/acme/accounts/{account.pk}/offboarding/{page}")) for page in ("", "start/"))

    assert ("The kit was removed already" in plan, "Do not remove the kit in AWS yet" in plan) == (bool(is_gone), not is_gone)
    assert ("See the trust and restore it" in plan) == (is_gone is False)
    assert ("The kit was removed already: the plan then gives you a recovery kit" in start) == bool(is_gone)
    client.post(f"/o/acme/accounts/{account.pk}/offboarding/start/", {"when": "now", "name": "Main"})
    assert Offboarding.objects.filter(account=account).exists() == (is_gone is not False)
    assert not Offboarding.objects.exists() or begun(account, is_gone)


def begun(account, is_gone) -> bool:
    """What is gone is looked at again at once: the watch says that it is stuck, and why."""
    advance(newest(OFFBOARD).pk)
    assert CloudAccount.objects.get(pk=account.pk).state == "offboarding"
    return (TrustWatch.objects.get(account=account).next_at <= timezone.now()) or not is_gone
