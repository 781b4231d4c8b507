"""The database itself refuses to change history: triggers for everybody, privileges for the running product's role."""

import secrets
import uuid
from pathlib import Path

import psycopg
import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.db import DatabaseError, connection, transaction

from portal.audit import Actor, record
from portal.audit.chain import check_chain
from portal.audit.models import ChainEnd, ChainHead, Event
from portal.embedded.postgres import OWNER
from tests.factories import make_organisation

CHANGES = [
    "UPDATE audit_event SET action = 'other.thing'",
    "UPDATE audit_event SET action = 'other.thing' WHERE false",
    "DELETE FROM audit_event",
    "TRUNCATE audit_event",
    "TRUNCATE audit_event CASCADE",
    "DELETE FROM audit_chainhead",
    "TRUNCATE audit_chainhead",
    "UPDATE audit_chainhead SET sequence = 0",
    "UPDATE audit_chainhead SET sequence = sequence, hash = repeat('0', 64)",
    "UPDATE audit_chainhead SET sequence = sequence + 2",
    "UPDATE audit_chainhead SET chain = gen_random_uuid(), sequence = sequence + 1",
]


WAYS_ROUND = [
    "ALTER TABLE audit_event DISABLE TRIGGER ALL",
    "DROP TRIGGER audit_event_no_change ON audit_event",
    "CREATE OR REPLACE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
    "SET session_replication_role = replica",
    "CREATE TABLE mine (x int)",
]
GRANTS = """
    SELECT table_name, privilege_type FROM information_schema.role_table_grants
    WHERE grantee = %s AND table_name LIKE 'audit%%' ORDER BY table_name, privilege_type
"""
SUPERUSER = "postgres"


def make_event(organisation_id=None):
    with transaction.atomic():
        return record(organisation_id=organisation_id, action="thing.happened", actor=Actor.system("test"))


def connect_as(user, **options):
    parameters = connection.get_connection_params()
    kept = {key: parameters[key] for key in ("host", "port", "dbname") if parameters.get(key)}
    return psycopg.connect(**kept, user=user, **options)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("statement", CHANGES)
@pytest.mark.parametrize("user", [OWNER, SUPERUSER])
def test_owner_and_superuser_are_refused(statement, user):
    event = make_event()
    with connect_as(user) as session, session.transaction(force_rollback=True):
        # As in production: only the test database lets Django truncate (tests/activity.py).
        session.execute("ALTER TABLE audit_event ENABLE ALWAYS TRIGGER audit_event_no_truncate")
        session.execute("ALTER TABLE audit_chainhead ENABLE ALWAYS TRIGGER audit_chainhead_no_truncate")
        if user == SUPERUSER:
            session.execute("SET LOCAL session_replication_role = replica")  # silences ordinary triggers
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"append-only|moves forward"), session.transaction():
            session.execute(statement)
    assert Event.objects.get().hash == event.hash
    assert check_chain(None).is_unbroken


def test_models_cannot_change_or_delete_either(db):
    event = make_event()
    event.action = "other.thing"
    for change in (
        event.save,
        event.delete,
        Event.objects.all().delete,
        lambda: Event.objects.update(action="x.y"),
        ChainHead.objects.all().delete,
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", [1, 2])
def test_transactional_tests_start_with_an_empty_log(turn):
    assert make_event().sequence == 1


# --- The role of the running product ---------------------------------------------------------------------------------


@pytest.fixture
def role(transactional_db):
    """A login role that may nothing yet."""
    name = f"portal_app_{secrets.token_hex(4)}"
    with connect_as(SUPERUSER, autocommit=True) as session:
        session.execute(f"CREATE ROLE {name} LOGIN")
        yield name
        session.execute(f"DROP OWNED BY {name}")
        session.execute(f"DROP ROLE {name}")


@pytest.fixture
def _as_product(role):
    """Django itself works as the product's role."""
    call_command("grant_app_role", role, verbosity=0)
    owner = connection.settings_dict["USER"]
    connection.close()
    connection.settings_dict["USER"] = role
    yield
    connection.close()
    connection.settings_dict["USER"] = owner


def test_product_role_reads_and_appends_but_cannot_change(role):
    make_event()
    call_command("grant_app_role", role, verbosity=0)
    with connect_as(role, autocommit=True) as session:
        assert session.execute("SELECT count(*) FROM audit_event").fetchone() == (1,)
        for statement in [*CHANGES[:7], *WAYS_ROUND]:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement)
    assert Event.objects.count() == 1


def test_product_role_deletes_events_of_a_chain_whose_time_is_over_and_of_no_other(role):
    over, counts = uuid.uuid4(), uuid.uuid4()
    make_event(over)
    make_event(counts)
    call_command("grant_app_role", role, verbosity=0)
    with connect_as(role, autocommit=True) as session:
        session.execute(
            "INSERT INTO audit_chainend (chain, ended_at, kept_days) VALUES (%s, '2000-01-01', 365), (%s, '2000-01-01', 365)",
            [over, counts],
        )
        # A table of one's own does not stand in for the real one.
        session.execute("CREATE TEMP TABLE audit_chainend (chain uuid, ended_at timestamptz, kept_days int)")
        session.execute("INSERT INTO audit_chainend VALUES (%s, '2000-01-01', 365)", [over])
        assert session.execute("SELECT audit_delete_ended(%s, 10)", [over]).fetchone() == (0,)
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE audit_chainend DISABLE TRIGGER audit_chainend_no_change")
            cursor.execute("UPDATE audit_chainend SET ended_at = now() - interval '365 days' WHERE chain = %s", [over])
            cursor.execute("ALTER TABLE audit_chainend ENABLE ALWAYS TRIGGER audit_chainend_no_change")
        assert session.execute("SELECT audit_delete_ended(%s, 10)", [over]).fetchone() == (1,)
        assert session.execute("SELECT audit_delete_ended(%s, 10)", [counts]).fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("DELETE FROM audit_event")
    assert [event.organisation_id for event in Event.objects.all()] == [counts]


def test_product_role_cannot_end_the_chain_of_an_open_organisation(role):
    acme = make_organisation()
    call_command("grant_app_role", role, verbosity=0)
    with connect_as(role, autocommit=True) as session:
        # A table of one's own does not stand in for the real one.
        session.execute("CREATE TEMP TABLE accounts_organisation (id uuid, closed_at timestamptz)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="open organisation"):
            session.execute(
                "INSERT INTO audit_chainend (chain, ended_at, kept_days) SELECT id, now(), 365 FROM public.accounts_organisation"
            )
    assert not ChainEnd.objects.filter(chain=acme.pk).exists()


def test_only_the_product_role_may_ask_for_a_deletion(role):
    with connect_as(role, autocommit=True) as session:
        session.execute("SELECT 1")
        with connection.cursor() as cursor:
            cursor.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
        for call in ("audit_delete_ended(gen_random_uuid(), 10)", "audit_chain_is_over(gen_random_uuid())"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied for function"):
                session.execute(f"SELECT {call}")
        call_command("grant_app_role", role, verbosity=0)
        assert session.execute("SELECT audit_delete_ended(gen_random_uuid(), 10)").fetchone() == (0,)


@pytest.mark.usefixtures("_as_product")
def test_product_role_records_events_and_uses_the_other_tables():
    organisation = uuid.uuid4()
    assert [make_event(organisation).sequence, make_event(organisation).sequence] == [1, 2]
    assert check_chain(organisation).is_unbroken
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_session (session_key, session_data, expire_date) VALUES ('k', 'd', now())")
        cursor.execute("UPDATE django_session SET session_data = 'e'")
        cursor.execute("DELETE FROM django_session")
        assert cursor.rowcount == 1
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        Event.objects.update(action="other.thing")


def test_grant_app_role_can_be_repeated_and_takes_away_what_was_too_much(role):
    with connection.cursor() as cursor:
        cursor.execute(f"GRANT ALL ON audit_event, audit_chainhead, audit_chainend TO {role}")
        call_command("grant_app_role", role, verbosity=0)
        call_command("grant_app_role", role, verbosity=0)
        cursor.execute(GRANTS, [role])
        assert cursor.fetchall() == [
            ("audit_chainend", "INSERT"),
            ("audit_chainend", "SELECT"),
            ("audit_chainhead", "INSERT"),
            ("audit_chainhead", "SELECT"),
            ("audit_chainhead", "UPDATE"),
            ("audit_event", "INSERT"),
            ("audit_event", "SELECT"),
        ]


@pytest.mark.parametrize("user", [OWNER, SUPERUSER])
def test_grant_app_role_refuses_a_role_it_could_not_bind(db, user):
    with pytest.raises(CommandError, match="superuser or owns"):
        call_command("grant_app_role", user, verbosity=0)


def test_grant_app_role_refuses_a_member_of_the_owner(role):
    with connect_as(SUPERUSER, autocommit=True) as session:
        session.execute(f"GRANT {OWNER} TO {role}")
        with pytest.raises(CommandError, match="superuser or owns"):
            call_command("grant_app_role", role, verbosity=0)


def test_grant_app_role_refuses_an_unknown_role(db):
    with pytest.raises(CommandError, match="no role"):
        call_command("grant_app_role", 'nobody"; DROP TABLE audit_event; --', verbosity=0)


def found_by_deploy_check():
    return [message.id for message in run_checks(tags=["database"], include_deployment_checks=True, databases=["default"])]


def test_deploy_check_refuses_the_owner(db):
    assert "audit.E001" in found_by_deploy_check()


@pytest.mark.usefixtures("_as_product")
def test_deploy_check_accepts_the_product_role():
    assert "audit.E001" not in found_by_deploy_check()


def test_check_as_the_readme_names_it_fails_for_the_owner(db):
    with pytest.raises(SystemCheckError, match=r"audit\.E001"):
        call_command("check", "--deploy", "--database", "default", "--fail-level", "WARNING")

    assert "check --deploy --database default --fail-level WARNING" in (Path(__file__).parents[3] / "README.md").read_text()
