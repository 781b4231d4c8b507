import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('cells', '0010_cell_resources'),
    ]

    operations = [
        migrations.CreateModel(
            name='AgentPackage',
            fields=[
                ('sha256', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('content', models.BinaryField()),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
            options={
                'verbose_name': "agent's file",
                'verbose_name_plural': "agents' files",
            },
        ),
    ]
