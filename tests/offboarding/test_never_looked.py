"""The kit goes before any deletion has looked: what is known of the cells is listed, consented to and certified as left, not forgotten."""

import pytest

from accounts.offboarding.actions import ask_to_close, close_with_leftovers, consent_to_leftovers
from accounts.offboarding.models import Offboarding
from cells.models import CellResource
from portal.audit.verify_certificate import check
from tests.cells.factories import make_cell
from tests.factories import make_user
from tests.offboarding.guards import make_leaving, make_offboarding

pytestmark = pytest.mark.django_db
PARTS = [
    {
        "kind": "AWS::EC2::VPC",
        "name": "Network",
        "made": "vpc-77",
        "state": "ready",
        "detail": "",
        "link": "https://console.example/vpc-77",
    },
    {"kind": "AWS::EKS::Cluster", "name": "Cluster", "made": "byoc-cell", "state": "ready", "detail": "", "link": ""},
    {"kind": "AWS::EC2::EIP", "name": "Address", "made": "eip-1", "state": "deleted", "detail": "", "link": ""},
    {"kind": "AWS::EC2::NatGateway", "name": "Gateway", "made": "", "state": "working", "detail": "", "link": ""},
]


@pytest.fixture
def left_behind(acme, alice, client):
    account = make_leaving(acme, alice)
    make_cell(account=account, parts=PARTS, stack_name="byoc-cell")
    make_offboarding(account=account, by=alice, state="stuck", code="offboarding_kit_gone")
    client.force_login(alice)
    return account


def test_page_lists_what_is_known_to_stand_the_last_made_first(left_behind, client):
    page = client.get(f"/o/acme/accounts/{left_behind.pk}/offboarding/").text
    assert page.index("byoc-cell") < page.index("vpc-77")
    assert "https://console.example/vpc-77" in page
    assert "eip-1" not in page
    assert "nobody had looked" not in page


def test_what_nobody_looked_at_is_consented_to_and_certified_as_left(left_behind, alice):
    sam, pat = make_user(is_staff=True), make_user(is_staff=True)
    ask_to_close(Offboarding.objects.get(), reason="The kit is gone for good.", by=sam)
    row = Offboarding.objects.get()
    assert [one["id"] for one in row.remainder] == ["byoc-cell", "vpc-77"]
    consent_to_leftovers(left_behind, listed=row.listing, by=alice)
    close_with_leftovers(Offboarding.objects.get(), by=pat)

    document = check(Offboarding.objects.get().certificate)
    assert document["totals"] == {"found": 2, "removed": 0, "kept": 0, "left": 2}
    (region,) = document["regions"]
    assert {one["evidence"] for one in region["resources"]} == {"As the stack said before the offboarding began. Nobody could look since."}


def test_what_a_deletion_has_looked_at_counts_once(left_behind, client):
    cell = left_behind.cells.get()
    CellResource.objects.create(
        cell=cell, account=left_behind, region=cell.region, kind="AWS::EC2::VPC", name="Network", made="vpc-77", origin="stack"
    )
    ask_to_close(Offboarding.objects.get(), reason="It is closed.", by=make_user(is_staff=True))
    assert sorted(one["id"] for one in Offboarding.objects.get().remainder) == ["byoc-cell", "vpc-77"]
