"""The database refuses to change history, whoever asks: the product's role, the owner, a superuser in a hurry.

Events: no UPDATE, no DELETE, no TRUNCATE. Heads: forward by one only, no DELETE, no TRUNCATE. There is no setting that switches this off;
ENABLE ALWAYS makes the triggers hold under session_replication_role = replica, too. The owner of the tables can still drop a trigger:
that is why the product runs as another role (`manage.py grant_app_role`) and why customers keep heads (`portal/audit/verify.py`).
Emptying has triggers of its own because the test database, and only it, drops those: Django empties tables between tests.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The activity log is append-only: % on % is refused.', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE FUNCTION audit_head_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.chain <> OLD.chain OR NEW.sequence <> OLD.sequence + 1 THEN
        RAISE EXCEPTION 'The head of a chain moves forward by one.' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER audit_event_no_change BEFORE UPDATE OR DELETE ON audit_event FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_chainhead_forward BEFORE UPDATE ON audit_chainhead FOR EACH ROW EXECUTE FUNCTION audit_head_moves_forward();
CREATE TRIGGER audit_chainhead_no_delete BEFORE DELETE ON audit_chainhead FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_chainhead_no_truncate BEFORE TRUNCATE ON audit_chainhead FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();

ALTER TABLE audit_event ENABLE ALWAYS TRIGGER audit_event_no_change;
ALTER TABLE audit_event ENABLE ALWAYS TRIGGER audit_event_no_truncate;
ALTER TABLE audit_chainhead ENABLE ALWAYS TRIGGER audit_chainhead_forward;
ALTER TABLE audit_chainhead ENABLE ALWAYS TRIGGER audit_chainhead_no_delete;
ALTER TABLE audit_chainhead ENABLE ALWAYS TRIGGER audit_chainhead_no_truncate;
"""

BACKWARD = """
DROP TRIGGER audit_event_no_change ON audit_event;
DROP TRIGGER audit_event_no_truncate ON audit_event;
DROP TRIGGER audit_chainhead_forward ON audit_chainhead;
DROP TRIGGER audit_chainhead_no_delete ON audit_chainhead;
DROP TRIGGER audit_chainhead_no_truncate ON audit_chainhead;
DROP FUNCTION audit_head_moves_forward();
DROP FUNCTION audit_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
