
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0013_claim_of_leaving'),
        ('cells', '0012_agent_orders'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name='cellresource',
            name='cell',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='resources', to='cells.cell'),
        ),
        migrations.AddConstraint(
            model_name='cellresource',
            constraint=models.UniqueConstraint(condition=models.Q(('cell', None)), fields=('account', 'kind', 'made'), name='cell_resource_without_a_cell_once'),
        ),
    ]
