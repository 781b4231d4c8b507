from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Built beside the running product: a plain one keeps everybody from writing until it is done.
    atomic = False

    dependencies = [
        ('accounts', '0011_account_name_once'),
        ('cells', '0004_drift_schedule'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='instance',
            index=models.Index(fields=['organisation', 'region', 'id'], name='instance_by_region'),
        ),
        AddIndexConcurrently(
            model_name='instance',
            index=models.Index(fields=['organisation', 'created_at', 'id'], name='instance_by_creation'),
        ),
        AddIndexConcurrently(
            model_name='instance',
            index=models.Index(condition=models.Q(('state', 'deleted'), _negated=True), fields=['organisation', 'cloud', 'region', 'account', 'plan'], name='instance_facets'),
        ),
        AddIndexConcurrently(
            model_name='cell',
            index=models.Index(condition=models.Q(('is_agent_disabled', True)), fields=['id'], name='cell_agent_disabled'),
        ),
        AddIndexConcurrently(
            model_name='cell',
            index=models.Index(condition=models.Q(('state__in', ['deleted', 'planned'])), fields=['state_at'], name='cell_not_served'),
        ),
    ]
