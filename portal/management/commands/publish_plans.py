"""`manage.py publish_plans`: upload plans of cells to the provider's bucket on Google Cloud, where Infrastructure Manager reads."""

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.clouds.gcp import plans
from accounts.clouds.gcp.publish import Publisher, PublishError
from cells.stacks.gcp.stack import published


class Command(BaseCommand):
    help = (
        "Upload the plan of the Google Cloud cell to PORTAL_GCP_PLANS_BUCKET, named by its version and content. Safe to repeat. Signs in "
        "with PORTAL_GCP_PUBLISH_TOKEN, or with what Google's libraries find. PORTAL_GCP_PLANS_PROJECT gets the bucket at first."
    )
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        try:
            bucket = plans.bucket()
            files = Publisher(bucket, os.environ.get("PORTAL_GCP_PLANS_PROJECT", "")).publish(published())
        except (ValueError, PublishError) as error:
            raise CommandError(str(error)) from error
        for file in files:
            self.stdout.write(f"{'uploaded' if file.is_new else 'there already'}  gs://{bucket}/{file.key}")
