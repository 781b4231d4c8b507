
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0012_kits_that_ran'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='cloudaccount',
            name='cloud_account_proven_once',
        ),
        migrations.AddConstraint(
            model_name='cloudaccount',
            constraint=models.UniqueConstraint(condition=models.Q(models.Q(('state__in', ['connected', 'disconnected', 'needs_attention']), ('connected_at__isnull', False), _connector='OR'), models.Q(('state__in', ['offboarded']), _negated=True)), fields=('cloud', 'external_id'), name='cloud_account_proven_once'),
        ),
    ]
