"""`manage.py write_recovery_kits`: the recovery kits as files. They are made by the program and lie in no file of their own."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from accounts import kits
from accounts.kits.recovery import recovery_of


class Command(BaseCommand):
    help = (
        "Write the files of the recovery kits into a folder, to read them. In the demo, its played shells run these scripts and no other."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *_args: Any, folder: Path, **_options: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for cloud in kits.KITS:
            recovery = recovery_of(cloud)
            for document in recovery.documents if recovery else ():
                path = folder / f"{cloud}-{document.file}"
                path.write_text(document.text, encoding="utf-8")
                self.stdout.write(str(path))
