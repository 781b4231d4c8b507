"""`manage.py publish_kits`: upload the shipped kits to the provider's bucket, where customers' clouds fetch them."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts import kits
from accounts.clouds.aws.publish import PublishError, publish
from accounts.kits.recovery import recovery_of


class Command(BaseCommand):
    help = "Upload the kits to PORTAL_KITS_BUCKET, named by their content. Uses boto3's own credentials. Safe to repeat."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not settings.KITS_BUCKET:
            raise CommandError("Set PORTAL_KITS_BUCKET to the bucket that the kits go to.")
        try:
            files = {key: content for cloud in kits.KITS for key, content in kits.load(cloud).files().items()}
            for recovery in filter(None, map(recovery_of, kits.KITS)):
                files |= recovery.files()
            published = publish(files, bucket=settings.KITS_BUCKET, region=settings.KITS_REGION)
        except PublishError as error:
            raise CommandError(str(error)) from error
        for file in published:
            self.stdout.write(f"{'uploaded' if file.is_new else 'there already'}  {settings.KITS_BUCKET}/{file.key}")
