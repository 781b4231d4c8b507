"""From the browser to the certificate, against the strict local clouds."""

import json

import pytest

from accounts.offboarding.models import Offboarding, SignIn
from portal.audit.verify_certificate import check, fingerprint
from tests.offboarding.leaving import Leaver

pytestmark = pytest.mark.django_db(transaction=True)
CLOUDS = ("aws", "azure", "gcp")


@pytest.fixture
def leaver(stand, acme, alice, client, sandbox):
    return lambda cloud, **more: Leaver(stand(cloud), acme, alice, client, sandbox, **more)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_account_leaves_from_the_browser_to_its_certificate(cloud, leaver):
    leaver = leaver(cloud)
    command = leaver.removal_command().splitlines()[0]
    page = leaver.page()
    assert "Not started. Nothing is in the way." in page
    assert command not in page
    assert not Offboarding.objects.exists()

    assert leaver.start().status_code == 302
    leaver.until(account="offboarding")
    assert command not in leaver.page()
    leaver.until_ready()
    assert leaver.cell.state == "deleted"
    assert leaver.cell.resources.exists()
    assert command in leaver.page()

    leaver.remove_kit()
    leaver.until_offboarded()

    row = leaver.row
    document = check(row.certificate)
    assert fingerprint(row.certificate) == row.sha256
    assert document["totals"]["found"] == document["totals"]["removed"] == leaver.cell.resources.count() > 0
    assert "[removed]" not in row.certificate
    assert document["first_refused"]["reason"] in {"provider_deleted", "role_deleted"}
    assert SignIn.objects.refused().count() == 2
    assert document["last_accepted"]["at"] < document["first_refused"]["at"]
    page = leaver.page("certificate_detail")
    assert row.sha256 in page
    assert json.loads(leaver.client.get(leaver.url("certificate_file")).text) == document
