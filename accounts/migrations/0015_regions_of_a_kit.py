"""For which further regions a customer has run a kit."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0014_organisation_closed")]

    operations = [
        migrations.AddField(
            model_name="kit",
            name="places",
            field=models.JSONField(blank=True, default=list, verbose_name="further regions"),
        ),
    ]
