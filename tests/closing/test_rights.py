"""What the product's own role in the database may do about the end of an organisation: follow a plan that is due, and nothing else."""

from datetime import timedelta

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts.closing.actions import start_closing
from accounts.closing.models import Closing
from accounts.closing.steps import close_due
from accounts.models import Organisation
from tests.closing.guards import make_closed, make_closing
from tests.closing.test_closing import make_due
from tests.portal.audit import test_refusal
from tests.portal.audit.test_refusal import connect_as

pytestmark = pytest.mark.django_db(transaction=True)
role, _as_product = test_refusal.role, test_refusal._as_product
NOT_OPENED = "closes by its plan alone, and for good"


@pytest.fixture
def product(role):
    call_command("grant_app_role", role, verbosity=0)
    with connect_as(role, autocommit=True) as session:
        yield session


def refuse(session, words, statement, *values):
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=words):
        session.execute(statement, values)


@pytest.mark.parametrize("at", ["now()", "'2000-01-01'", "now() + interval '1 year'"])
def test_product_role_writes_no_end_of_an_open_organisation(at, product, acme):
    refuse(product, NOT_OPENED, f"UPDATE accounts_organisation SET closed_at = {at}")
    refuse(product, NOT_OPENED, "UPDATE accounts_organisation SET id = gen_random_uuid()")
    refuse(product, "open organisation is not deleted", "DELETE FROM accounts_organisation")
    born_closed = (
        "INSERT INTO accounts_organisation (id, name, slug, created_at, closed_at) VALUES (gen_random_uuid(), 'B', 'b', now(), now())"
    )
    refuse(product, NOT_OPENED, born_closed)
    product.execute("UPDATE accounts_organisation SET name = 'Acme Ltd'")

    acme.refresh_from_db()
    assert (acme.name, acme.closed_at) == ("Acme Ltd", None)


@pytest.mark.parametrize("at", ["NULL", "'2000-01-01'"])
def test_product_role_neither_opens_again_nor_moves_an_end(at, product, acme, alice):
    make_closed(acme, alice)
    refuse(product, NOT_OPENED, f"UPDATE accounts_organisation SET closed_at = {at}")


def test_product_role_closes_what_a_plan_is_due_for_and_nothing_else(product, acme, alice):
    closing = make_closing(acme, alice)
    close = "SELECT closing_close(%s)"
    refuse(product, "No closing of this organisation is due", close, acme.pk)

    past = timezone.now() - timedelta(seconds=1)
    Closing.objects.filter(pk=closing.pk).update(requested_at=past - timedelta(days=3), scheduled_for=past)
    # A table of one's own does not stand in for the real one.
    product.execute("CREATE TEMP TABLE closing_closing (organisation_id uuid, state text, scheduled_for timestamptz)")
    at = product.execute(close, [acme.pk]).fetchone()[0]

    acme.refresh_from_db()
    assert acme.closed_at == at
    refuse(product, "No closing of this organisation is due", close, acme.pk)


def test_product_role_backdates_no_plan_and_moves_none(product, acme, alice):
    plan = (
        "INSERT INTO closing_closing (id, organisation_id, state, requested_by_id, requested_at, scheduled_for) "
        "VALUES (gen_random_uuid(), %s, %s, %s, now() - interval '9 days', {})"
    )
    refuse(product, "planned three days ahead", plan.format("now()"), acme.pk, "planned", alice.pk)
    refuse(product, "planned three days ahead", plan.format("now() + interval '4 days'"), acme.pk, "closed", alice.pk)
    make_closing(acme, alice)
    for change in ("scheduled_for = now()", "requested_at = now() - interval '9 days'", "organisation_id = gen_random_uuid()"):
        refuse(product, "plan of a closing is not moved", f"UPDATE closing_closing SET {change}")
    product.execute("UPDATE closing_closing SET state = 'cancelled', cancelled_at = now()")
    refuse(product, "plan of a closing is not moved", "UPDATE closing_closing SET state = 'planned', cancelled_at = NULL")


def test_nobody_but_the_product_role_may_ask_for_an_end(role, acme):
    with connect_as(role, autocommit=True) as session:
        with connection.cursor() as cursor:
            cursor.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
        refuse(session, "permission denied for function", "SELECT closing_close(gen_random_uuid())")


@pytest.mark.usefixtures("_as_product")
def test_whole_closing_is_carried_out_with_the_rights_of_the_product(acme, alice):
    start_closing(acme, scheduled_for=timezone.now() + timedelta(days=3), by=alice)
    with pytest.raises(DatabaseError, match="not moved"), transaction.atomic():
        Closing.objects.update(scheduled_for=timezone.now())
    assert Organisation.objects.get().closed_at is None


def test_due_closing_is_carried_out_with_the_rights_of_the_product(acme, alice, request):
    closing = make_due(acme, alice)
    request.getfixturevalue("_as_product")

    close_due(closing.pk)

    acme.refresh_from_db()
    closing.refresh_from_db()
    assert (closing.state, closing.closed_at) == ("closed", acme.closed_at)
