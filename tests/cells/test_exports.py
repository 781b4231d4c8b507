"""The fleet as a file, and counted on Home."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from django.urls import reverse

from accounts.access import Role
from accounts.support.models import AccessPolicy
from accounts.support.models.policies import Mode
from cells.models import Cell
from cells.states import CellState, Health, InstanceState
from tests.cells.factories import make_cell, make_draft, make_instance
from tests.cells.lists import CELLS, INSTANCES, account, exported, make_status, many, signed_in
from tests.factories import make_cloud_account, make_membership, make_organisation

__all__ = ["account", "signed_in"]  # fixtures


# --- Export --------------------------------------------------------------------------------------------------------------


def test_csv_has_the_filtered_set_with_utc_times(signed_in, account):
    made = make_instance(account=account, name="orders-prod", created_at=datetime(2026, 3, 29, 1, 30, tzinfo=UTC))
    make_instance(account=account, name="other")

    response = signed_in.get(f"{INSTANCES}export.csv?q=prod")

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(exported(response)))
    assert (row["id"], row["name"], row["account_number"]) == (str(made.pk), "orders-prod", "111122223333")
    assert (row["version"], row["size"], row["created_at"]) == ("1.0.0", "Small", "2026-03-29T01:30:00Z")


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@cmd", "\ttab"])
def test_csv_holds_no_formula(name, signed_in, acme):
    account = make_cloud_account(organisation=acme, state="connected", name=name, external_id="111122223333")
    make_instance(cell=make_cell(account=account, name=f"{name} in eu-west-1"))

    for there, field in ((INSTANCES, "account_name"), (CELLS, "account_name"), (CELLS, "name")):
        (row,) = csv.DictReader(io.StringIO(exported(signed_in.get(f"{there}export.csv"))))
        assert row[field].startswith(f"'{name}")


def test_json_is_one_list_also_of_nothing_and_beyond_a_batch(signed_in, acme, account, alice):
    assert json.loads(exported(signed_in.get(f"{INSTANCES}export.json"))) == []
    many(acme, account, alice, 2_100)

    rows = json.loads(exported(signed_in.get(f"{INSTANCES}export.json")))

    assert len({row["name"] for row in rows}) == 2_100
    assert {type(row["is_protected"]) for row in rows} == {bool}


def test_cells_export_speaks_of_link_and_drift(signed_in, account):
    cell = make_cell(account=account, name="Main in eu-west-1")
    make_status(cell)
    make_instance(cell=cell)

    (row,) = json.loads(exported(signed_in.get(f"{CELLS}export.json")))

    assert (row["name"], row["agent_version"], row["drift"], row["instances"]) == ("Main in eu-west-1", "1.0.0", "unknown", 1)
    assert row["last_heard_at"].endswith("Z")


def test_lists_and_exports_hold_nothing_of_another_organisation(signed_in, account):
    theirs = make_organisation(name="Initech", slug="initech")
    make_instance(
        cell=make_cell(account=make_cloud_account(organisation=theirs, state="connected"), name="Their cell"), name="their-orders"
    )

    for there in (INSTANCES, CELLS):
        assert "heir" not in signed_in.get(there).text.replace("their own", "")
        for kind in ("csv", "json"):
            assert "heir" not in exported(signed_in.get(f"{there}export.{kind}"))
    assert reverse("cells:instance_list", args=["acme"]) == INSTANCES
    assert Cell.objects.count() == 1


# --- Home ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def without_support(acme):
    """Nobody has to be able to approve what nobody may ask for."""
    AccessPolicy.objects.create(organisation=acme, mode=Mode.OFF)


@pytest.mark.usefixtures("without_support")
def test_home_counts_the_fleet_and_names_what_needs_somebody(signed_in, account, acme, alice):
    failed = {"failed_while": "bootstrapping", "failure_code": "quota_exceeded"}
    cell = make_cell(account=account, drift="drifted")
    make_status(cell, seconds=400)
    make_cell(account=account, region="us-east-1", state=CellState.FAILED, **failed)
    make_instance(cell=cell, health=Health.DEGRADED)
    make_instance(cell=cell, state=InstanceState.FAILED)
    make_instance(cell=cell)
    make_draft(organisation=acme, account=account, created_by=alice, name="orders-next")

    page = signed_in.get("/o/acme/")

    text = " ".join(page.text.split())
    for said in ("3 instances", "2 running", "1 degraded", "2 deployment cells", "1 not heard", "1 drifted"):
        assert said in text, said
    titles = [need.title for need in page.context["needs"]]
    assert titles == [
        "1 deployment cell failed",
        "1 instance failed",
        "1 instance is degraded",
        "1 cell is not heard",
        "1 cell differs from what was ordered",
        "Continue creating orders-next",
    ]
    for need in page.context["needs"][:5]:
        assert len(signed_in.get(need.url).context["rows"]) == 1, need.title


@pytest.mark.usefixtures("without_support")
def test_home_of_a_healthy_fleet_needs_nobody(signed_in, account):
    cell = make_cell(account=account)
    make_status(cell)
    make_instance(cell=cell)

    assert signed_in.get("/o/acme/").context["needs"] == []


def test_reader_sees_the_numbers_and_is_asked_for_nothing(client, acme, account):
    make_instance(cell=make_cell(account=account), state=InstanceState.FAILED)
    client.force_login(make_membership(organisation=acme, role=Role.AUDITOR).user)

    page = client.get("/o/acme/")

    assert ("1 failed" in page.text, page.context["needs"]) == (True, [])


def test_accounts_list_counts_cells_and_instances(signed_in, account):
    make_instance(cell=make_cell(account=account))
    make_cell(account=account, region="us-east-1", state=CellState.DELETED)

    text = " ".join(signed_in.get("/o/acme/accounts/").text.split())

    assert 'data-label="Cells" class="number">1</td> <td data-label="Instances" class="number">1</td>' in text
