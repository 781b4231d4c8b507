
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0013_claim_of_leaving'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Offboarding',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('planned', 'Planned'), ('blocked', 'Blocked'), ('in_progress', 'In progress'), ('waiting_for_you', 'Waiting for you'), ('stuck', 'Stuck'), ('complete', 'Complete'), ('cancelled', 'Cancelled')], default='planned', max_length=20, verbose_name='state')),
                ('state_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='in this state since')),
                ('requested_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='asked for at')),
                ('scheduled_for', models.DateTimeField(verbose_name='begins at')),
                ('irreversible_at', models.DateTimeField(blank=True, null=True, verbose_name='cannot be called off since')),
                ('code', models.CharField(blank=True, default='', max_length=60, verbose_name='why it is stuck')),
                ('params', models.JSONField(blank=True, default=dict)),
                ('obstructions', models.JSONField(blank=True, default=list)),
                ('remainder', models.JSONField(blank=True, default=list, verbose_name='what is left, as it was listed')),
                ('closing_asked_at', models.DateTimeField(blank=True, null=True, verbose_name='closing asked for at')),
                ('closing_reason', models.CharField(blank=True, default='', max_length=600, verbose_name='why it is closed with leftovers')),
                ('consent_at', models.DateTimeField(blank=True, null=True, verbose_name='consent given at')),
                ('completed_at', models.DateTimeField(blank=True, null=True, verbose_name='complete at')),
                ('certificate', models.TextField(blank=True, default='', verbose_name='certificate')),
                ('sha256', models.CharField(blank=True, default='', max_length=64, verbose_name='SHA-256 of the certificate')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='offboardings', to='accounts.cloudaccount')),
                ('closed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('closing_asked_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('consent_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('organisation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='offboardings', to='accounts.organisation')),
                ('requested_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'offboarding',
                'verbose_name_plural': 'offboardings',
                'ordering': ['-requested_at'],
            },
        ),
        migrations.CreateModel(
            name='SignIn',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='asked at')),
                ('is_refused', models.BooleanField(verbose_name='refused')),
                ('call', models.CharField(blank=True, default='', max_length=200, verbose_name='what was called')),
                ('code', models.CharField(blank=True, default='', max_length=60, verbose_name='reason')),
                ('evidence', models.TextField(blank=True, default='', verbose_name="in the cloud's own words")),
                ('kit', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.kit')),
                ('offboarding', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sign_ins', to='offboarding.offboarding')),
            ],
            options={
                'verbose_name': 'sign-in at the end',
                'verbose_name_plural': 'sign-ins at the end',
                'ordering': ['asked_at'],
            },
        ),
        migrations.AddConstraint(
            model_name='offboarding',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['blocked', 'in_progress', 'planned', 'stuck', 'waiting_for_you'])), fields=('account',), name='offboarding_one_open_per_account'),
        ),
        migrations.AddConstraint(
            model_name='offboarding',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['planned', 'blocked', 'in_progress', 'waiting_for_you', 'stuck', 'complete', 'cancelled'])), name='offboarding_state_known'),
        ),
        migrations.AddConstraint(
            model_name='offboarding',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'complete'), models.Q(('certificate', ''), _negated=True), models.Q(('sha256', ''), _negated=True), ('completed_at__isnull', False)), models.Q(models.Q(('state', 'complete'), _negated=True), ('certificate', ''), ('completed_at', None), ('sha256', '')), _connector='OR'), name='offboarding_complete_has_a_certificate'),
        ),
        migrations.AddConstraint(
            model_name='offboarding',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['blocked', 'cancelled', 'planned']), ('irreversible_at', None)), models.Q(('state__in', ['complete', 'in_progress', 'stuck', 'waiting_for_you']), ('irreversible_at__isnull', False)), _connector='OR'), name='offboarding_begun_says_when'),
        ),
        migrations.AddConstraint(
            model_name='offboarding',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'stuck'), models.Q(('code', ''), _negated=True)), models.Q(models.Q(('state', 'stuck'), _negated=True), ('code', '')), _connector='OR'), name='offboarding_stuck_has_a_code'),
        ),
        migrations.AddConstraint(
            model_name='offboarding',
            constraint=models.CheckConstraint(condition=models.Q(('closed_by', None), models.Q(('closing_asked_by__isnull', False), ('consent_by__isnull', False), models.Q(('closed_by', models.F('closing_asked_by')), _negated=True)), _connector='OR'), name='offboarding_closed_by_two_with_consent'),
        ),
        migrations.AddConstraint(
            model_name='signin',
            constraint=models.UniqueConstraint(condition=models.Q(('is_refused', False)), fields=('offboarding', 'kit'), name='sign_in_last_accepted_once'),
        ),
        migrations.AddConstraint(
            model_name='signin',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('code', ''), ('is_refused', False)), models.Q(('is_refused', True), models.Q(('code', ''), _negated=True)), _connector='OR'), name='sign_in_refused_says_why'),
        ),
    ]
