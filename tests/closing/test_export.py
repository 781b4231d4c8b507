"""Everything in one archive: complete, verifiable without the portal, and without a secret."""

import csv
import io
import json
import subprocess
import sys
import zipfile

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.access import Role
from accounts.closing.export.archive import pack
from accounts.closing.parts import File, harmless, sections
from accounts.closing.terms import holdings
from cells.models import CellResource
from portal.audit.verify_certificate import canonical
from portal.redaction import names_secret
from tests.cells.factories import make_cell, make_instance
from tests.factories import make_cloud_account, make_contact, make_invitation, make_kit, make_membership, make_step_link
from tests.offboarding import guards
from tests.offboarding.test_certificate import CERTIFICATE

EXPORT = "closing:closing_export"
LINK = "a-secret-of-a-link"


@pytest.fixture
def filled(acme, alice):
    account = guards.make_connected(acme, alice)
    make_instance(cell=make_cell(account=account), created_by=alice, name="orders-prod")
    make_contact(organisation=acme, name="Night desk", token=LINK)
    make_invitation(organisation=acme, invited_by=alice, email="new@acme.example", token=LINK + "2")
    gone = make_cloud_account(organisation=acme, created_by=alice, name="Gone", state="offboarded")
    make_step_link(kit=make_kit(account=gone), sent_by=alice, token=LINK + "3")
    text = canonical(CERTIFICATE)
    done = {"certificate": text, "sha256": "0" * 64, "completed_at": account.created_at, "irreversible_at": account.created_at}
    guards.make_offboarding(account=gone, by=alice, state="complete", **done)
    return acme


def export(client, who):
    client.force_login(who)
    answer = client.post(reverse(EXPORT, args=["acme"]))
    assert answer["Content-Type"] == "application/zip"
    return zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))


def rows(archive, path):
    return json.loads(archive.read(path))


def test_export_holds_what_is_there(client, filled, alice):
    archive = export(client, alice)

    assert archive.testzip() is None
    assert [row["user.email"] for row in rows(archive, "people/members.json")] == [alice.email]
    assert [row["email"] for row in rows(archive, "people/invitations.json")] == ["new@acme.example"]
    assert [row["name"] for row in rows(archive, "people/contacts.json")] == ["Night desk"]
    assert {row["name"] for row in rows(archive, "cloud-accounts/accounts.json")} == {"Main", "Gone"}
    assert [row["name"] for row in rows(archive, "instances/instances.json")] == ["orders-prod"]
    assert [row["number"] for row in rows(archive, "instances/history.json")] == [1]
    assert len(rows(archive, "deployment-cells/cells.json")) == 1
    assert [name for name in archive.namelist() if name.startswith("certificates/offboarding-certificate-")]


def test_export_tells_the_activity_in_words_up_to_itself(client, filled, alice):
    archive = export(client, alice)

    told = rows(archive, "activity/in-words.json")
    assert len(told) == len(archive.read("activity/activity.jsonl").splitlines())
    assert [row["number"] for row in told] == list(range(1, len(told) + 1))
    assert (told[-1]["by"], told[-1]["what"]) == (str(alice), "Exported everything that is held for Acme")
    assert "open a file that ends in .csv with a spreadsheet" in archive.read("README.txt").decode()


def test_export_says_what_became_of_each_resource(client, filled, alice):
    account = filled.cloud_accounts.get(name="Gone")
    now = {"outcome": "kept", "outcome_at": account.created_at, "kept_by": alice, "kept_why": "Another team's"}
    CellResource.objects.create(account=account, region="eu-west-1", kind="AWS::EC2::VPC", name="n", made="vpc-1", origin="tag", **now)

    (row,) = rows(export(client, alice), "deployment-cells/resources.json")

    assert (row["made"], row["outcome"], row["kept_by.email"], row["kept_why"]) == ("vpc-1", "kept", alice.email, "Another team's")


def test_export_has_each_table_twice_with_the_same_rows(client, filled, alice):
    archive = export(client, alice)

    tables = [name for name in archive.namelist() if name.endswith(".csv")]
    assert len(tables) > 8
    for name in tables:
        lines = list(csv.reader(io.StringIO(archive.read(name).decode())))
        found = rows(archive, name.replace(".csv", ".json"))
        assert len(lines) == len(found) + 1
        assert all(list(row) == lines[0] for row in found)


def test_export_says_what_each_part_is_and_every_part_is_there(client, filled, alice):
    archive = export(client, alice)

    told = archive.read("README.txt").decode()
    for section in sections():
        assert f"\n{section.name}\n" in told
        assert str(section.about) in told
        assert any(name.startswith(section.name) for name in archive.namelist())


# Of each other table of a tenant at least one column is in the archive.
NOT_EXPORTED = {
    "accounts.Assessment": "its findings are",
    "accounts.Organisation": "its name is in the README",
    "accounts.Preparation": "a draft",
    "accounts.StepLink": "a link that is over, with the proof of it",
    "accounts.TrustWatch": "when to look next; what was found is in the trust's changes",
    "cells.AgentKey": "proof of an agent",
    "cells.AgentOrder": "acts of support: in the evidence",
    "cells.CellLink": "what is known of a connection now",
    "cells.CellOrder": "how an operation is carried out",
    "cells.CellStatus": "what was reported last: in the measurements",
    "cells.Enrolment": "proof of an agent",
    "cells.HostingAccount": "the provider's",
    "cells.InstanceDraft": "a draft",
    "cells.InstanceStatus": "what was reported last: in the measurements",
    "cells.SeenAssertion": "proof of an agent",
    "closing.Closing": "in the activity",
    "offboarding.SignIn": "in the certificate",
    "operations.Step": "how an operation is carried out",
    "operations.StepLog": "how an operation is carried out",
    "support.BundleFile": "deleted with the closing; before it, on the bundle's page",
    "support.RequestNote": "in the evidence",
    "support.Viewing": "in the activity",
}
IN_EVIDENCE = {"support.Act", "support.Device", "support.Door", "support.EndProof", "support.Opening", "support.TraceMatch"}


def test_every_table_of_a_tenant_is_exported_or_said_not_to_be(client, filled, alice):
    client.force_login(alice)
    with CaptureQueriesContext(connection) as asked:
        b"".join(client.post(reverse(EXPORT, args=["acme"])).streaming_content)

    whole = " ".join(query["sql"] for query in asked.captured_queries)
    held = {one.model for one in holdings()}
    read = {model for model in held if f'FROM "{apps.get_model(model)._meta.db_table}"' in whole}
    assert held - read - IN_EVIDENCE == set(NOT_EXPORTED)


def test_export_is_verified_without_the_portal(client, filled, alice, tmp_path):
    archive = export(client, alice)
    archive.extractall(tmp_path)
    [head] = [line.split()[-1] for line in archive.read("README.txt").decode().splitlines() if "--head" in line]

    sums = subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=tmp_path, capture_output=True, check=False, text=True)
    activity = [sys.executable, "-I", "activity/verify.py", "activity/activity.jsonl", "--head", head]
    checked = subprocess.run(activity, cwd=tmp_path, capture_output=True, check=False, text=True)

    assert (sums.returncode, sums.stdout.count(": OK")) == (0, len(archive.namelist()) - 1)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert json.loads(archive.read("activity/activity.jsonl").splitlines()[-1])["action"] == "organisation.exported"


def test_export_holds_nothing_of_another_organisation(client, filled, alice):
    other = make_cloud_account(name="Theirs")
    make_instance(cell=make_cell(account=other), created_by=other.created_by, name="their-instance")

    archive = export(client, alice)

    everything = b"".join(archive.read(name) for name in archive.namelist())
    assert b"Theirs" not in everything
    assert b"their-instance" not in everything


def test_export_holds_no_secret(client, filled, alice):
    archive = export(client, alice)

    everything = b"".join(archive.read(name) for name in archive.namelist() if not name.endswith(".py"))
    stored = [*filled.invitations.values_list("token_hash", flat=True), *filled.contacts.values_list("token_hash", flat=True)]
    for secret in (LINK, alice.password, *stored):
        assert secret.encode() not in everything
    for name in archive.namelist():
        if name.endswith(".csv"):
            assert not [column for column in archive.read(name).decode().splitlines()[0].split(",") if names_secret(column)], name


def test_settings_that_look_like_a_secret_stay_here():
    given = {
        "region": "eu",
        "db_password": "hunter2",
        "note": "AKIAIOSFODNN7EXAMPLE aws_secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    }

    told = harmless(given)

    assert told["region"] == "eu"
    assert "hunter2" not in str(told)
    assert "wJalrXUtnFEMI" not in str(told)


def test_archive_without_its_end_is_no_archive():
    pieces = list(pack([File("one.txt", [b"one"]), File("two.txt", [b"two"])]))

    assert zipfile.ZipFile(io.BytesIO(b"".join(pieces))).read("two.txt") == b"two"
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(b"".join(pieces[:-1])))


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.APPROVER, Role.AUDITOR])
def test_closing_export_is_for_owners(role, client, acme):
    somebody = make_membership(organisation=acme, role=role).user
    client.force_login(somebody)

    assert client.post(reverse(EXPORT, args=["acme"])).status_code == 403
    assert "Owners can download it." in client.get(reverse("closing:closing_home", args=["acme"])).text
