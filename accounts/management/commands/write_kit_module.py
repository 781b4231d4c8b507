"""`manage.py write_kit_module`: bring the Terraform module up to the CloudFormation template. Run it after editing the template."""

from typing import Any

from django.core.management.base import BaseCommand

from accounts.kits.aws import terraform


class Command(BaseCommand):
    help = (
        "Write the policies and the version of the Terraform module from the CloudFormation template. Files without a source are removed."
    )
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        files = terraform.generated_files()
        for stale in sorted(set(terraform.written_files()) - set(files)):
            (terraform.MODULE_PATH / stale).unlink()
            self.stdout.write(f"removed  {stale}")
        for name, content in files.items():
            path = terraform.MODULE_PATH / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(content, encoding="utf-8")
        self.stdout.write(f"{len(files)} files are as the template says.")
