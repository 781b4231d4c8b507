"""An organisation closes by its plan alone: three days at least after the plan was made, and for good.

The product's role writes no `closed_at`. It calls `closing_close`, which closes what a plan is due for, by the database's clock; and it
can neither backdate a plan nor move one, nor open again, nor delete an organisation that is open. The owner of the tables is not bound: it
could drop the rule as well.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION {schema}.closing_binds(of_table oid) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT NOT pg_has_role(current_user, relowner, 'MEMBER') FROM pg_class WHERE oid = of_table
$$;

CREATE FUNCTION {schema}.closing_guard_organisation() RETURNS trigger LANGUAGE plpgsql SET search_path = {schema}, pg_temp AS $$
BEGIN
    IF NOT {schema}.closing_binds(TG_RELID) THEN
        RETURN COALESCE(NEW, OLD);
    END IF;
    IF TG_OP = 'DELETE' AND OLD.closed_at IS NULL THEN
        RAISE EXCEPTION 'An open organisation is not deleted.' USING ERRCODE = 'insufficient_privilege';
    ELSIF TG_OP = 'INSERT' AND NEW.closed_at IS NOT NULL
        OR TG_OP = 'UPDATE' AND (NEW.closed_at IS DISTINCT FROM OLD.closed_at OR NEW.id <> OLD.id) THEN
        RAISE EXCEPTION 'An organisation closes by its plan alone, and for good.' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN COALESCE(NEW, OLD);
END $$;

CREATE FUNCTION {schema}.closing_guard_plan() RETURNS trigger LANGUAGE plpgsql SET search_path = {schema}, pg_temp AS $$
BEGIN
    IF NOT {schema}.closing_binds(TG_RELID) THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'INSERT' THEN
        -- The portal's clock may be a little behind this one.
        IF NEW.state <> 'planned' OR NEW.scheduled_for < now() + interval '3 days' - interval '5 minutes' THEN
            RAISE EXCEPTION 'A closing is planned three days ahead.' USING ERRCODE = 'insufficient_privilege';
        END IF;
    ELSIF (NEW.organisation_id, NEW.requested_at, NEW.scheduled_for)
            IS DISTINCT FROM (OLD.organisation_id, OLD.requested_at, OLD.scheduled_for)
        OR OLD.state <> 'planned' AND (NEW.state, NEW.closed_at) IS DISTINCT FROM (OLD.state, OLD.closed_at) THEN
        RAISE EXCEPTION 'The plan of a closing is not moved.' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION {schema}.closing_close(of_organisation uuid) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
DECLARE at timestamptz;
BEGIN
    UPDATE {schema}.accounts_organisation SET closed_at = clock_timestamp() WHERE id = of_organisation AND closed_at IS NULL AND EXISTS (
        SELECT FROM {schema}.closing_closing
        WHERE organisation_id = of_organisation AND state = 'planned' AND scheduled_for <= clock_timestamp()
    ) RETURNING closed_at INTO at;
    IF at IS NULL THEN
        RAISE EXCEPTION 'No closing of this organisation is due.' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN at;
END $$;
REVOKE EXECUTE ON FUNCTION {schema}.closing_close(uuid) FROM PUBLIC;

CREATE TRIGGER closing_guard_organisation BEFORE INSERT OR UPDATE OR DELETE ON {schema}.accounts_organisation
    FOR EACH ROW EXECUTE FUNCTION {schema}.closing_guard_organisation();
CREATE TRIGGER closing_guard_plan BEFORE INSERT OR UPDATE ON {schema}.closing_closing
    FOR EACH ROW EXECUTE FUNCTION {schema}.closing_guard_plan();
ALTER TABLE {schema}.accounts_organisation ENABLE ALWAYS TRIGGER closing_guard_organisation;
ALTER TABLE {schema}.closing_closing ENABLE ALWAYS TRIGGER closing_guard_plan;
"""

BACKWARD = """
DROP TRIGGER closing_guard_plan ON {schema}.closing_closing;
DROP TRIGGER closing_guard_organisation ON {schema}.accounts_organisation;
DROP FUNCTION {schema}.closing_close(uuid);
DROP FUNCTION {schema}.closing_guard_plan();
DROP FUNCTION {schema}.closing_guard_organisation();
DROP FUNCTION {schema}.closing_binds(oid);
"""


def run(schema_editor, text):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        cursor.execute(text.replace("{schema}", cursor.fetchone()[0]))


class Migration(migrations.Migration):
    dependencies = [("closing", "0003_only_the_closed_end"), ("accounts", "0014_organisation_closed")]

    operations = [
        migrations.RunPython(
            lambda _apps, schema_editor: run(schema_editor, FORWARD), lambda _apps, schema_editor: run(schema_editor, BACKWARD)
        ),
    ]
