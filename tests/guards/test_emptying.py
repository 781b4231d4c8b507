"""After a transactional test the database is as Django's own flush would leave it, only sooner."""

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection, transaction
from django.test import TransactionTestCase

from portal.audit.models import Event
from portal.audit.parties import Actor
from portal.audit.recording import record
from tests.emptying import KEPT, empty_quickly


@pytest.fixture
def case(transactional_db):
    """A case that has been emptied once, by Django: from then on it goes the quick way."""
    made = TransactionTestCase()
    call_command("flush", verbosity=0, interactive=False, reset_sequences=False)
    empty_quickly(made)
    return made


def rows() -> dict[str, int]:
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"SELECT '{name}', count(*) FROM {connection.ops.quote_name(name)}" for name in names))
        return dict(cursor.fetchall())


def kinds() -> tuple[list[object], list[object]]:
    permissions = Permission.objects.values_list("content_type__app_label", "content_type__model", "codename", "name")
    return sorted(ContentType.objects.values_list("app_label", "model")), sorted(permissions)


def test_emptying_leaves_what_djangos_flush_leaves(case, alice, acme):
    alice.user_permissions.set(Permission.objects.all()[:2])
    with transaction.atomic():
        record(organisation_id=acme.pk, action="thing.happened", actor=Actor.worker("test"))
    assert Event.objects.exists()

    empty_quickly(case)

    quickly = rows(), kinds()
    assert {name for name, count in quickly[0].items() if count} == set(KEPT)
    call_command("flush", verbosity=0, interactive=False, reset_sequences=False)
    assert (rows(), kinds()) == quickly


def test_emptying_puts_back_what_a_test_has_taken_away(case):
    before = kinds()
    Permission.objects.first().delete()
    ContentType.objects.create(app_label="of", model="a test")

    empty_quickly(case)

    assert kinds() == before
