"""What deletes the events of an ended chain is for the product's role alone: `grant_app_role` lets it, and nobody else."""

from django.db import migrations

FUNCTIONS = ("audit_delete_ended(uuid, integer)", "audit_chain_is_over(uuid)")


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_chain_end")]

    operations = [
        migrations.RunSQL(f"REVOKE EXECUTE ON FUNCTION {name} FROM PUBLIC", f"GRANT EXECUTE ON FUNCTION {name} TO PUBLIC")
        for name in FUNCTIONS
    ]
