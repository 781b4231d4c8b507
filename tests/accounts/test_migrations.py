"""Migrations that look at what is there before they change it."""

import uuid
from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import CommandError
from django.db import connection
from django.utils import timezone

from accounts.models import CloudAccount
from tests.factories import make_cloud_account, make_organisation

pytestmark = pytest.mark.django_db
MOVED = import_module("accounts.migrations.0009_claim_kept")


@pytest.fixture
def without_the_rule():
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX cloud_account_proven_once")


def look() -> None:
    with connection.schema_editor() as editor:
        MOVED.name_double_claims(apps, editor)


def test_migration_of_claims_names_those_that_are_double_and_what_to_do(without_the_rule):
    first, second, third = (
        make_cloud_account(organisation=make_organisation(slug=slug), external_id="111122223333", state=state, connected_at=timezone.now())
        for slug, state in (("acme", "connected"), ("globex", "disconnected"), ("initech", "offboarded"))
    )
    make_cloud_account(external_id="999900001111", state="connected", connected_at=timezone.now())

    with pytest.raises(CommandError) as stopped:
        look()

    text = str(stopped.value)
    assert f"aws 111122223333: record {first.pk} of acme, connected, connected {timezone.now():%Y-%m-%d}" in text
    assert f"aws 111122223333: record {second.pk} of globex, disconnected" in text
    assert str(third.pk) not in text
    assert "999900001111" not in text
    # What the message tells to do is what lets it pass.
    command = text[text.index("UPDATE ") : text.index(";")].replace("<record>", str(uuid.UUID(str(second.pk))))
    with connection.cursor() as cursor:
        cursor.execute(command)
    look()
    assert CloudAccount.objects.get(pk=second.pk).state == "offboarded"


def test_migration_of_claims_passes_where_none_is_double():
    make_cloud_account(external_id="111122223333", state="connected", connected_at=timezone.now())
    make_cloud_account(external_id="111122223333", state="draft")

    look()
