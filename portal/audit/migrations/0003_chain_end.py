"""A chain can end. Then, and only once the days that were stated at its end are over, its events may be deleted.

The database keeps the rule, whoever asks: it sets the time of an end itself, takes no end back, and looks at each event that is to be deleted.
The product's role has no right to delete events at all: the function does it, with its owner's right, and names every table with its
schema, so that no table of somebody's own can stand in for one of these.
"""

from uuid import UUID

import django.utils.timezone
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION {schema}.audit_chain_is_over(of_chain uuid) RETURNS boolean LANGUAGE sql STABLE SET search_path = {schema}, pg_temp AS $$
    SELECT EXISTS (SELECT FROM {schema}.audit_chainend WHERE chain = of_chain AND ended_at + kept_days * interval '1 day' <= now())
$$;

CREATE FUNCTION {schema}.audit_refuse_unless_over() RETURNS trigger LANGUAGE plpgsql SET search_path = {schema}, pg_temp AS $$
BEGIN
    IF OLD.organisation_id IS NULL OR NOT {schema}.audit_chain_is_over(OLD.organisation_id) THEN
        RAISE EXCEPTION 'The activity log is append-only: % on % is refused.', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN OLD;
END $$;

CREATE FUNCTION {schema}.audit_chain_ends_now() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.ended_at = now();
    RETURN NEW;
END $$;

CREATE FUNCTION {schema}.audit_delete_ended(of_chain uuid, most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
DECLARE deleted integer;
BEGIN
    IF NOT {schema}.audit_chain_is_over(of_chain) THEN
        RETURN 0;
    END IF;
    DELETE FROM {schema}.audit_event WHERE id IN (
        SELECT id FROM {schema}.audit_event WHERE organisation_id = of_chain ORDER BY sequence LIMIT most
    );
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END $$;

DROP TRIGGER audit_event_no_change ON {schema}.audit_event;
CREATE TRIGGER audit_event_no_change BEFORE UPDATE ON {schema}.audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.audit_refuse_change();
CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON {schema}.audit_event
    FOR EACH ROW EXECUTE FUNCTION {schema}.audit_refuse_unless_over();
CREATE TRIGGER audit_chainend_now BEFORE INSERT ON {schema}.audit_chainend
    FOR EACH ROW EXECUTE FUNCTION {schema}.audit_chain_ends_now();
CREATE TRIGGER audit_chainend_no_change BEFORE UPDATE OR DELETE ON {schema}.audit_chainend
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.audit_refuse_change();
CREATE TRIGGER audit_chainend_no_truncate BEFORE TRUNCATE ON {schema}.audit_chainend
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.audit_refuse_change();

ALTER TABLE {schema}.audit_event ENABLE ALWAYS TRIGGER audit_event_no_change;
ALTER TABLE {schema}.audit_event ENABLE ALWAYS TRIGGER audit_event_no_delete;
ALTER TABLE {schema}.audit_chainend ENABLE ALWAYS TRIGGER audit_chainend_now;
ALTER TABLE {schema}.audit_chainend ENABLE ALWAYS TRIGGER audit_chainend_no_change;
ALTER TABLE {schema}.audit_chainend ENABLE ALWAYS TRIGGER audit_chainend_no_truncate;
"""

BACKWARD = """
DROP TRIGGER audit_chainend_no_truncate ON {schema}.audit_chainend;
DROP TRIGGER audit_chainend_no_change ON {schema}.audit_chainend;
DROP TRIGGER audit_chainend_now ON {schema}.audit_chainend;
DROP TRIGGER audit_event_no_delete ON {schema}.audit_event;
DROP TRIGGER audit_event_no_change ON {schema}.audit_event;
CREATE TRIGGER audit_event_no_change BEFORE UPDATE OR DELETE ON {schema}.audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.audit_refuse_change();
ALTER TABLE {schema}.audit_event ENABLE ALWAYS TRIGGER audit_event_no_change;
DROP FUNCTION {schema}.audit_delete_ended(uuid, integer);
DROP FUNCTION {schema}.audit_chain_ends_now();
DROP FUNCTION {schema}.audit_refuse_unless_over();
DROP FUNCTION {schema}.audit_chain_is_over(uuid);
"""


def run(schema_editor, text):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        cursor.execute(text.replace("{schema}", cursor.fetchone()[0]))


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_refuse_change")]

    operations = [
        migrations.CreateModel(
            name="ChainEnd",
            fields=[
                ("chain", models.UUIDField(editable=False, primary_key=True, serialize=False, verbose_name="organisation")),
                ("ended_at", models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="ended at")),
                ("kept_days", models.PositiveIntegerField(editable=False, verbose_name="days that it is kept")),
            ],
            options={
                "verbose_name": "end of a chain",
                "verbose_name_plural": "ends of chains",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(kept_days__gte=365), name="chain_end_keeps_long_enough"),
                    models.CheckConstraint(
                        condition=~models.Q(chain=UUID(int=0)), name="chain_end_never_of_the_platform"
                    ),
                ],
            },
        ),
        migrations.RunPython(
            lambda _apps, schema_editor: run(schema_editor, FORWARD), lambda _apps, schema_editor: run(schema_editor, BACKWARD)
        ),
    ]
