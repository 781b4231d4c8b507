"""In which further regions a customer has begun to run a kit and not finished."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0015_regions_of_a_kit")]

    operations = [
        migrations.AddField(
            model_name="kit",
            name="begun",
            field=models.JSONField(blank=True, default=list, verbose_name="regions it was begun in"),
        ),
    ]
