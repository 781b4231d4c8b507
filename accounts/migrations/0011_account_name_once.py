from django.db import migrations, models
from django.db.models.functions import Lower


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0010_account_names_numbered"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="cloudaccount",
            constraint=models.UniqueConstraint(
                models.F("organisation"),
                Lower("name"),
                condition=models.Q(("state__in", ["offboarded"]), _negated=True) & models.Q(("name", ""), _negated=True),
                name="cloud_account_name_once_per_organisation",
            ),
        ),
    ]
