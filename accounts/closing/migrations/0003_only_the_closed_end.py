"""A chain ends only with its organisation: the database takes the end of no chain of an open one, and deletes nothing of it.

Here and not where chains are, because those know no organisations. What was ended wrongly before stays, and is deleted by nobody as long as
its organisation is open; the first page of the administration counts it.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION {schema}.closing_is_open(of_chain uuid) RETURNS boolean LANGUAGE sql STABLE SET search_path = {schema}, pg_temp AS $$
    SELECT EXISTS (SELECT FROM {schema}.accounts_organisation WHERE id = of_chain AND closed_at IS NULL)
$$;

CREATE OR REPLACE FUNCTION {schema}.audit_chain_is_over(of_chain uuid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = {schema}, pg_temp AS $$
    SELECT NOT {schema}.closing_is_open(of_chain) AND EXISTS (
        SELECT FROM {schema}.audit_chainend WHERE chain = of_chain AND ended_at + kept_days * interval '1 day' <= now()
    )
$$;

CREATE FUNCTION {schema}.closing_refuse_end_of_open() RETURNS trigger LANGUAGE plpgsql SET search_path = {schema}, pg_temp AS $$
BEGIN
    IF {schema}.closing_is_open(NEW.chain) THEN
        RAISE EXCEPTION 'The activity log of an open organisation does not end.' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER closing_no_end_of_open BEFORE INSERT ON {schema}.audit_chainend
    FOR EACH ROW EXECUTE FUNCTION {schema}.closing_refuse_end_of_open();
ALTER TABLE {schema}.audit_chainend ENABLE ALWAYS TRIGGER closing_no_end_of_open;
"""

BACKWARD = """
DROP TRIGGER closing_no_end_of_open ON {schema}.audit_chainend;
DROP FUNCTION {schema}.closing_refuse_end_of_open();
CREATE OR REPLACE FUNCTION {schema}.audit_chain_is_over(of_chain uuid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = {schema}, pg_temp AS $$
    SELECT EXISTS (SELECT FROM {schema}.audit_chainend WHERE chain = of_chain AND ended_at + kept_days * interval '1 day' <= now())
$$;
DROP FUNCTION {schema}.closing_is_open(uuid);
"""


def run(schema_editor, text):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        cursor.execute(text.replace("{schema}", cursor.fetchone()[0]))


class Migration(migrations.Migration):
    dependencies = [("closing", "0002_closing_failed"), ("accounts", "0014_organisation_closed"), ("audit", "0004_not_for_everybody")]

    operations = [
        migrations.RunPython(
            lambda _apps, schema_editor: run(schema_editor, FORWARD), lambda _apps, schema_editor: run(schema_editor, BACKWARD)
        ),
    ]
