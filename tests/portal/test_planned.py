"""Statements that the ORM writes once: what is put into them later, and what PostgreSQL keeps of them."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import Organisation, User
from portal.planned import A_KEY, A_TEXT, Planned
from tests.factories import make_organisation, make_user


def by_name():
    return Planned.written(Organisation.objects.filter(name=A_TEXT).exclude(slug="100%s").values_list("slug"), name=A_TEXT)


@pytest.mark.django_db
def test_one_statement_answers_for_every_value():
    make_organisation(name="100% 'Acme' \\ %s", slug="acme")
    make_organisation(name="Globex", slug="globex")

    assert [by_name().rows(name=name) for name in ("100% 'Acme' \\ %s", "Globex", "globex")] == [[("acme",)], [("globex",)], []]


@pytest.mark.django_db
def test_value_stands_beside_the_statement_and_not_in_it():
    query = by_name()

    assert ("%(name)s" in query.statement, A_TEXT in query.statement) == (True, False)
    assert query.rows(name="x' OR ''='") == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text", [f"'{A_TEXT}'", f"''{A_TEXT}' OR '{A_TEXT}''", f"\\'{A_TEXT}'", f"'{A_KEY}'::uuid", "%(name)s", "%s%%(name)s"]
)
def test_text_that_reads_like_a_stand_in_stays_text(text):
    make_organisation(name=f"About {text}", slug="acme")
    make_organisation(name="Globex", slug="globex")
    found = Organisation.objects.filter(name__icontains=text).exclude(pk=A_KEY).exclude(slug=A_TEXT).values_list("slug")
    query = Planned.written(found, key=A_KEY, name=A_TEXT)

    assert query.rows(key=A_KEY, name="globex") == [("acme",)]


@pytest.mark.django_db
def test_what_can_never_be_is_not_asked(django_assert_num_queries):
    query = Planned.written(Organisation.objects.filter(pk=A_KEY, pk__in=[]).values_list("slug"), key=A_KEY)

    with django_assert_num_queries(0):
        assert query.rows(key=A_KEY) == []


@pytest.mark.django_db
def test_it_is_counted_like_any_other_query_prepared_or_not(monkeypatch):
    connection.ensure_connection()
    monkeypatch.setattr(connection.connection, "prepare_threshold", 1)

    with CaptureQueriesContext(connection) as queries:
        for _ in range(4):
            by_name().rows(name="Globex")

    assert ['"name" = %(name)s' in query["sql"] for query in queries] == [True] * 4


@pytest.mark.django_db
def test_without_a_pool_nothing_is_kept_on_a_connection(monkeypatch):
    connection.ensure_connection()
    monkeypatch.setattr(connection.connection, "prepare_threshold", None)  # the collector's own statements may have set it

    by_name().rows(name="Globex")

    assert connection.connection.prepare_threshold is None


@pytest.mark.django_db(transaction=True)
def test_plan_of_a_column_that_was_changed_since_is_made_anew():
    connection.ensure_connection()
    connection.connection.prepare_threshold = 0
    query = Planned.written(User.objects.filter(pk=A_KEY).values_list("name"), key=A_KEY)
    person = make_user(name="Alice")
    assert query.rows(key=person.pk) == query.rows(key=person.pk) == [("Alice",)]
    try:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE accounts_user ALTER name TYPE varchar(130)")

        assert query.rows(key=person.pk) == [("Alice",)]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE accounts_user ALTER name TYPE varchar(120)")
        connection.connection.prepare_threshold = None


@pytest.mark.django_db(transaction=True)
def test_error_of_a_statement_is_djangos():
    with pytest.raises(Exception, match="does not exist") as raised, transaction.atomic():
        Planned("SELECT no_such_column FROM accounts_user").rows()

    assert raised.type.__module__ == "django.db.utils"
