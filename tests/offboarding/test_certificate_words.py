"""The certificate claims no more than was seen: where nobody looked, which identity was asked for, and what a refusal does not prove."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.offboarding.certificates import certificate_of
from accounts.offboarding.models import Offboarding, SignIn
from accounts.offboarding.parts import parts
from accounts.offboarding.plan import plan_of
from accounts.offboarding.steps.removing import _keep_coverage
from cells.models import FinalBackup
from portal.audit.verify_certificate import check, main
from portal.operations.models import Step
from tests.cells.factories import make_cell, make_instance
from tests.factories import make_cloud_account, make_kit
from tests.offboarding.guards import make_leaving, make_offboarding, make_planned

pytestmark = pytest.mark.django_db
CLIENT = "77777777-2222-3333-4444-555555555555"
TENANT = "11111111-2222-3333-4444-555555555555"
AGAIN = "Command to remove kit number 1 again"


def complete(row: Offboarding, *, reason: str = "provider_deleted") -> Offboarding:
    """Refused twice, and certified."""
    for seconds in (100, 60):
        at = timezone.now() - timedelta(seconds=seconds)
        SignIn.objects.create(offboarding=row, kit=row.account.kits.first(), asked_at=at, is_refused=True, code=reason)
    row.certificate, row.sha256 = certificate_of(row, now=timezone.now())
    row.state, row.completed_at = "complete", timezone.now()
    row.irreversible_at = row.irreversible_at or row.completed_at
    row.code, row.params = "", {}
    row.save()
    row.account.kits.update(state="outdated")
    type(row.account).objects.filter(pk=row.account.pk).update(state="offboarded")
    return row


def told_by_program(row: Offboarding, tmp_path, capsys) -> str:
    (file := tmp_path / "certificate.json").write_text(row.certificate, encoding="utf-8")
    assert main([str(file), "--sha256", row.sha256]) == 0
    return capsys.readouterr().out


def sweep(row: Offboarding) -> None:
    look = next(part for part in parts() if part.name == "resources").look(row.account)
    assert look.is_gone
    _keep_coverage(row, look)


def test_region_where_nobody_could_look_is_named_as_that(acme, alice, client, tmp_path, capsys):
    account = make_planned(acme, alice)
    make_kit(account=account, generation=9, state="outdated", ran_at=timezone.now())
    account.kits.update(state="outdated")
    make_cell(account=account, state="deleted", region="eu-west-1", stack_name="byoc-cell")
    row = Offboarding.objects.get()
    sweep(row)
    now = timezone.now()
    Step.objects.filter(operation__subject_id=str(row.pk), name="sweep").update(state="done", started_at=now, ended_at=now)
    row = complete(row)

    (line,) = [line for line in plan_of(row.account).checklist if "Look in every region" in line.title]
    assert line.word == "Not looked at: our access had ended"
    coverage = {one["region"]: one for one in check(row.certificate)["coverage"]}
    assert (coverage["eu-west-1"]["looked_at"], coverage["eu-west-1"]["not_looked_because"]) == ("", "access_ended")
    client.force_login(alice)
    assert "not looked at: our access had ended" in client.get(f"/o/acme/accounts/{account.pk}/offboarding/certificate/").text
    assert "eu-west-1: not looked at: our access had ended" in told_by_program(row, tmp_path, capsys)


def test_region_that_was_looked_at_keeps_its_time_when_a_later_look_could_not_ask(acme, alice):
    row = make_offboarding(account=make_leaving(acme, alice), by=alice, swept={"eu-west-1": "2026-11-22T02:00:00.000000Z"})
    make_cell(account=row.account, state="deleted", region="eu-west-1", stack_name="byoc-cell")
    row.account.kits.update(state="outdated")

    sweep(row)

    told = Offboarding.objects.get().swept
    assert (told["eu-west-1"], told["us-east-1"]) == ("2026-11-22T02:00:00.000000Z", "access_ended")


def test_command_that_removes_the_kit_stays_on_the_page_of_the_certificate(acme, alice, client):
    row = make_offboarding(account=make_leaving(acme, alice), by=alice)
    url = f"/o/acme/accounts/{row.account.pk}/offboarding/certificate/"
    client.force_login(alice)

    complete(row)

    page = client.get(url).text
    assert AGAIN in page
    assert "aws cloudformation delete-stack" in page
    assert "It does not prove that the command ran to its end" in page


def test_certificate_names_the_identity_that_was_asked_for(acme, alice, client, tmp_path, capsys):
    named = {"cloud": "azure", "name": "Main", "state": "ready_to_offboard", "identity": {"tenant_id": TENANT}, "home_region": "westeurope"}
    account = make_cloud_account(organisation=acme, created_by=alice, connected_at=timezone.now(), **named)
    make_kit(account=account, ran_at=timezone.now(), reported={"client_id": CLIENT})
    row = complete(make_offboarding(account=account, by=alice, state="waiting_for_you"), reason="account_deleted")

    (kit,) = check(row.certificate)["kits"]
    assert kit["asked_for"].endswith(f"-operator ({CLIENT})")
    client.force_login(alice)
    page = client.get(f"/o/acme/accounts/{account.pk}/offboarding/certificate/").text
    for words in (kit["asked_for"], "other identities were not asked about", "It did not say that our identity is deleted."):
        assert words in page
    told = told_by_program(row, tmp_path, capsys)
    assert f"only this identity was asked for: {kit['asked_for']}" in told
    assert "it can come back" in told


def test_final_backups_are_told_as_kept_in_their_region(acme, alice, client, tmp_path, capsys):
    account = make_planned(acme, alice)
    make_kit(account=account, generation=9, state="outdated", ran_at=timezone.now())
    account.kits.update(state="outdated")
    cell = make_cell(account=account, state="deleted", region="eu-west-1", stack_name="byoc-cell")
    told = {"outcome": "taken", "location": "s3://acme/last.dump", "bytes": 4096, "sha256": "ab" * 32}
    now = timezone.now() - timedelta(hours=1)
    for number, (name, given) in enumerate((("orders-prod", told), ("orders-two", {"outcome": "failed", "code": "backup_job_failed"}))):
        gone = make_instance(cell=cell, name=name, state="deleted", created_by=alice)
        times = {"ended_at": now} | ({"taken_at": now} if number == 0 else {})
        FinalBackup.objects.create(instance=gone, cell=cell, attempt=1, **given, **times)
    row = Offboarding.objects.get()
    sweep(row)
    row = complete(row)

    (region,) = [one for one in check(row.certificate)["regions"] if one["region"] == "eu-west-1"]
    (backup,) = region["backups"]
    assert (backup["instance"], backup["location"], backup["bytes"], backup["sha256"]) == ("orders-prod", *list(told.values())[1:])
    client.force_login(alice)
    shown = client.get(f"/o/acme/accounts/{account.pk}/offboarding/certificate/").text
    for words in (
        "Kept: final backups. They are in your own cloud, and Fernhill has no copy and can delete none. They stay, and cost there, until",
        "Final backup of orders-prod",
        "s3://acme/last.dump",
        "ab" * 32,
    ):
        assert words in shown
    assert "orders-two" not in shown
    assert "eu-west-1: final backup of orders-prod kept in your own cloud: s3://acme/last.dump" in told_by_program(row, tmp_path, capsys)
