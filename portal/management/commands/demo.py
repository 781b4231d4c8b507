"""So that `manage.py help` lists it and tells its options; manage.py itself starts it without loading Django."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from portal.embedded.demo import add_arguments, run


class Command(BaseCommand):
    help = "Run the portal with everything it needs: PostgreSQL, Valkey, a local AWS, worker and demo data."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        sys.exit(run(options["port"], options["data_dir"], reset=options["reset"]))
