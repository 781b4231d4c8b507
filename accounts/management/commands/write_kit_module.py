"""`manage.py write_kit_module`: bring the Terraform modules up to the template and the script. Run it after editing one of them."""

from typing import Any

from django.core.management.base import BaseCommand

from accounts.kits.aws import terraform as aws
from accounts.kits.gcp import terraform as gcp


class Command(BaseCommand):
    help = "Write what the Terraform modules take from the kits they mirror. Files without a source are removed."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        for module in (aws, gcp):
            files = module.generated_files()
            for stale in sorted(set(module.written_files()) - set(files)):
                (module.MODULE_PATH / stale).unlink()
                self.stdout.write(f"removed  {stale}")
            for name, content in files.items():
                path = module.MODULE_PATH / name
                path.parent.mkdir(exist_ok=True)
                path.write_text(content, encoding="utf-8")
            self.stdout.write(f"{len(files)} files of {module.MODULE_PATH.parent.name} are up to date.")
