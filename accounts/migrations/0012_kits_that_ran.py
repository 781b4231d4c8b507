"""Which kits were run, which of them the customer has removed, and when an account was disconnected."""

from django.db import migrations, models
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce


def remember(apps, schema_editor):
    """What let the portal in, what reported, and what was verified had been run; the moment is not known better than when it was made."""
    kits = apps.get_model("accounts", "Kit").objects.filter(ran_at=None)
    operations = apps.get_model("operations", "Operation").objects.filter(data__has_keys=["kit", "principal"])
    ran = {str(found) for found in operations.values_list("data__kit", flat=True)}
    kits.filter(models.Q(pk__in=ran) | ~models.Q(reported={})).update(ran_at=F("created_at"))
    kits.filter(state="current", account__state__in=["connected", "needs_attention"]).update(ran_at=F("created_at"))
    ends = apps.get_model("accounts", "TrustChange").objects.filter(account=OuterRef("pk"), kind="trust", now="disconnected")
    since = Subquery(ends.order_by("-id").values("at")[:1])
    gone = apps.get_model("accounts", "CloudAccount").objects.filter(connected_at__isnull=False, disconnected_at=None)
    waiting = ["waiting_for_kit", "verifying", "failed"]
    gone.filter(state__in=["disconnected", *waiting]).update(disconnected_at=Coalesce(since, F("state_at")))


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0011_account_name_once"),
        ("operations", "0001_initial"),
    ]

    operations = [
        migrations.AddField("kit", "ran_at", models.DateTimeField(blank=True, null=True, verbose_name="first seen to have run")),
        migrations.AddField("kit", "removed_at", models.DateTimeField(blank=True, null=True, verbose_name="said to be removed")),
        migrations.AddField("cloudaccount", "disconnected_at", models.DateTimeField(blank=True, null=True)),
        migrations.RunPython(remember, migrations.RunPython.noop),
    ]
